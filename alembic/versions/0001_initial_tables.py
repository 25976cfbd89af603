"""initial tables.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from models.base import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
LONG_TEXT = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
UUID_KEY = sa.Uuid().with_variant(sa.Uuid(native_uuid=False), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "runs",
        sa.Column("id", UUID_KEY, nullable=False),
        sa.Column("job", sa.String(length=64), nullable=False),
        sa.Column("request", JSON, nullable=False),
        sa.Column("unique_key", sa.String(length=200), nullable=True),
        sa.Column("parent_id", UUID_KEY, nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("crashes", sa.Integer(), nullable=False),
        sa.Column("run_at", UtcDateTime(), nullable=False),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("worker", sa.String(length=128), nullable=True),
        sa.Column("checkpoint", JSON, nullable=True),
        sa.Column("bytes_done", sa.BigInteger(), nullable=False),
        sa.Column("bytes_total", sa.BigInteger(), nullable=False),
        sa.Column("result", JSON, nullable=True),
        sa.Column("error", LONG_TEXT, nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["runs.id"], name=op.f("fk_runs_parent_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
        sa.UniqueConstraint("unique_key", name=op.f("uq_runs_unique_key")),
    )
    op.create_index(op.f("ix_runs_created_at"), "runs", ["created_at"], unique=False)
    op.create_index(op.f("ix_runs_parent_id"), "runs", ["parent_id"], unique=False)
    op.create_index(op.f("ix_runs_state_run_at"), "runs", ["state", "run_at"], unique=False)
    op.create_table(
        "tags",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tags")),
        sa.UniqueConstraint("name", name=op.f("uq_tags_name")),
    )
    op.create_table(
        "users",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("site", sa.String(length=64), nullable=False),
        sa.Column("external_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("email", sa.String(length=320), nullable=True),
        sa.Column("reputation", sa.BigInteger(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("site", "external_id", name=op.f("uq_users_site_external_id")),
    )
    op.create_table(
        "author_stats",
        sa.Column("author_id", BIG_KEY, autoincrement=False, nullable=False),
        sa.Column("post_count", sa.BigInteger(), nullable=False),
        sa.Column("total_score", sa.BigInteger(), nullable=False),
        sa.Column("mean_score", sa.Double(), nullable=False),
        sa.Column("max_score", sa.BigInteger(), nullable=False),
        sa.Column("h_index", sa.BigInteger(), nullable=False),
        sa.Column("word_count", sa.BigInteger(), nullable=False),
        sa.Column("active_days", sa.BigInteger(), nullable=False),
        sa.Column("first_post_at", UtcDateTime(), nullable=False),
        sa.Column("last_post_at", UtcDateTime(), nullable=False),
        sa.Column("computed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["author_id"], ["users.id"], name=op.f("fk_author_stats_author_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("author_id", name=op.f("pk_author_stats")),
    )
    op.create_table(
        "posts",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("site", sa.String(length=64), nullable=False),
        sa.Column("external_id", sa.String(length=64), nullable=False),
        sa.Column("author_id", BIG_KEY, nullable=True),
        sa.Column("author_external_id", sa.String(length=64), nullable=True),
        sa.Column("author_name", sa.String(length=255), nullable=True),
        sa.Column("parent_id", BIG_KEY, nullable=True),
        sa.Column("parent_external_id", sa.String(length=64), nullable=True),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("title", sa.String(length=1000), nullable=True),
        sa.Column("content", LONG_TEXT, nullable=True),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("word_count", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["author_id"], ["users.id"], name=op.f("fk_posts_author_id"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["posts.id"], name=op.f("fk_posts_parent_id"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_posts")),
        sa.UniqueConstraint("site", "external_id", name=op.f("uq_posts_site_external_id")),
    )
    op.create_index(op.f("ix_posts_author_id"), "posts", ["author_id"], unique=False)
    op.create_index(op.f("ix_posts_parent_id"), "posts", ["parent_id"], unique=False)
    op.create_index(
        "ix_posts_unlinked_author",
        "posts",
        ["site", "author_external_id"],
        unique=False,
        postgresql_where=sa.text("author_id IS NULL AND author_external_id IS NOT NULL"),
        sqlite_where=sa.text("author_id IS NULL AND author_external_id IS NOT NULL"),
    )
    op.create_index(
        "ix_posts_unlinked_parent",
        "posts",
        ["site", "parent_external_id"],
        unique=False,
        postgresql_where=sa.text("parent_id IS NULL AND parent_external_id IS NOT NULL"),
        sqlite_where=sa.text("parent_id IS NULL AND parent_external_id IS NOT NULL"),
    )
    op.create_table(
        "receipts",
        sa.Column("run_id", UUID_KEY, nullable=False),
        sa.Column("entity", sa.String(length=16), nullable=False),
        sa.Column("records_read", sa.BigInteger(), nullable=False),
        sa.Column("inserted", sa.BigInteger(), nullable=False),
        sa.Column("updated", sa.BigInteger(), nullable=False),
        sa.Column("unchanged", sa.BigInteger(), nullable=False),
        sa.Column("deleted", sa.BigInteger(), nullable=False),
        sa.Column("rejected", sa.BigInteger(), nullable=False),
        sa.Column("skipped", sa.BigInteger(), nullable=False),
        sa.Column("repaired", sa.BigInteger(), nullable=False),
        sa.Column("unknown_fields", JSON, nullable=False),
        sa.CheckConstraint(
            "records_read = inserted + updated + unchanged + rejected + skipped",
            name=op.f("ck_receipts_adds_up"),
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_receipts_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "entity", name=op.f("pk_receipts")),
    )
    op.create_table(
        "rejects",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("run_id", UUID_KEY, nullable=False),
        sa.Column("entity", sa.String(length=16), nullable=False),
        sa.Column("source", LONG_TEXT, nullable=False),
        sa.Column("file_number", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("rule", sa.String(length=32), nullable=False),
        sa.Column("reason", LONG_TEXT, nullable=False),
        sa.Column(
            "raw", sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb"), nullable=False
        ),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_rejects_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rejects")),
        sa.UniqueConstraint(
            "run_id", "file_number", "position", name=op.f("uq_rejects_run_id_file_number_position")
        ),
    )
    op.create_table(
        "stale_authors",
        sa.Column("author_id", BIG_KEY, autoincrement=False, nullable=False),
        sa.Column("marked_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["author_id"], ["users.id"], name=op.f("fk_stale_authors_author_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("author_id", name=op.f("pk_stale_authors")),
    )
    op.create_table(
        "ticks",
        sa.Column("schedule", sa.String(length=64), nullable=False),
        sa.Column("tick", UtcDateTime(), nullable=False),
        sa.Column("run_id", UUID_KEY, nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_ticks_run_id"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("schedule", "tick", name=op.f("pk_ticks")),
    )
    op.create_index(op.f("ix_ticks_run_id"), "ticks", ["run_id"], unique=False)
    op.create_table(
        "post_tags",
        sa.Column("post_id", BIG_KEY, nullable=False),
        sa.Column("tag_id", BIG_KEY, nullable=False),
        sa.ForeignKeyConstraint(
            ["post_id"], ["posts.id"], name=op.f("fk_post_tags_post_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["tag_id"], ["tags.id"], name=op.f("fk_post_tags_tag_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("post_id", "tag_id", name=op.f("pk_post_tags")),
    )
    op.create_index(op.f("ix_post_tags_tag_id"), "post_tags", ["tag_id"], unique=False)


def downgrade() -> None:
    for table in (
        "post_tags",
        "ticks",
        "stale_authors",
        "rejects",
        "receipts",
        "posts",
        "author_stats",
        "users",
        "tags",
        "runs",
    ):
        op.drop_table(table)
