"""indexes of the queries.

The newest posts of all, of a site and of an author, page by page. The index by author and time serves what
the one by author alone did.

Revision ID: 0003
Revises: 0002
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ADDED = {
    "ix_posts_created_at_id": ["created_at", "id"],
    "ix_posts_site_created_at_id": ["site", "created_at", "id"],
    "ix_posts_author_id_created_at_id": ["author_id", "created_at", "id"],
}
REPLACED = "ix_posts_author_id"


def upgrade() -> None:
    for name, columns in ADDED.items():
        # A big table may have got them before, concurrently.
        op.create_index(op.f(name), "posts", columns, unique=False, if_not_exists=True)
    op.drop_index(op.f(REPLACED), table_name="posts")


def downgrade() -> None:
    op.create_index(op.f(REPLACED), "posts", ["author_id"], unique=False)
    for name in ADDED:
        op.drop_index(op.f(name), table_name="posts")
