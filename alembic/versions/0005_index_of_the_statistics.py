"""index of the statistics.

The index of an author's posts gets what their figures are computed from, so that the posts themselves,
with their contents, need not be read for it.

Revision ID: 0005
Revises: 0004
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ADDED = "ix_posts_author_id_created_at_id_score_word_count"
REPLACED = "ix_posts_author_id_created_at_id"


def upgrade() -> None:
    columns = ["author_id", "created_at", "id", "score", "word_count"]
    # A big table may have got it before, concurrently.
    op.create_index(op.f(ADDED), "posts", columns, unique=False, if_not_exists=True)
    op.drop_index(op.f(REPLACED), table_name="posts")


def downgrade() -> None:
    op.create_index(op.f(REPLACED), "posts", ["author_id", "created_at", "id"], unique=False)
    op.drop_index(op.f(ADDED), table_name="posts")
