"""where rows come from.

The files that runs read, and in each loaded row which of them it came from and where it stood; rows as they
were before a run changed them, and those that a snapshot still has; what a reject was replayed by. It adds
tables and columns without values only: no table is written anew, and workers of the version before go on.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

from models.base import Json, LongText, UtcDateTime, UuidKey

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def provenance() -> list[sa.Column]:
    return [
        sa.Column("file_id", sa.BigInteger(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=True),
        sa.Column("repairs", sa.Integer(), nullable=True),
        sa.Column("missing_since", UtcDateTime(), nullable=True),
    ]


def upgrade() -> None:
    op.create_table(
        "run_files",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("run_id", UuidKey, nullable=False),
        sa.Column("root_id", UuidKey, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("site", sa.String(length=64), nullable=False),
        sa.Column("entity", sa.String(length=16), nullable=False),
        sa.Column("format", sa.String(length=16), nullable=False),
        sa.Column("path", LongText, nullable=False),
        sa.Column("layout", Json, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("superseded_by", UuidKey, nullable=True),
        sa.Column("reverted_by", UuidKey, nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_files")),
        sa.UniqueConstraint("run_id", "number", name=op.f("uq_run_files_run_id_number")),
    )
    op.create_index(op.f("ix_run_files_root_id"), "run_files", ["root_id"])
    for name, values in (("former_rows", [sa.Column("row", Json, nullable=False)]), ("seen_rows", [])):
        op.create_table(
            name,
            sa.Column("root_id", UuidKey, nullable=False),
            sa.Column("entity", sa.String(length=16), nullable=False),
            sa.Column("row_id", BIG_KEY, autoincrement=False, nullable=False),
            *values,
            sa.ForeignKeyConstraint(
                ["root_id"], ["runs.id"], name=op.f(f"fk_{name}_root_id"), ondelete="CASCADE"
            ),
            sa.PrimaryKeyConstraint("root_id", "entity", "row_id", name=op.f(f"pk_{name}")),
        )
    for table in ("users", "posts"):
        for column in provenance():
            op.add_column(table, column)
    op.add_column("tags", sa.Column("file_id", sa.BigInteger(), nullable=True))
    op.add_column("rejects", sa.Column("next_position", sa.BigInteger(), nullable=True))
    op.add_column("rejects", sa.Column("replayed_by", UuidKey, nullable=True))
    op.add_column("receipts", sa.Column("digest", sa.BigInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    op.drop_column("receipts", "digest")
    op.drop_column("rejects", "replayed_by")
    op.drop_column("rejects", "next_position")
    op.drop_column("tags", "file_id")
    for table in ("posts", "users"):
        for column in reversed(provenance()):
            op.drop_column(table, column.name)
    op.drop_table("seen_rows")
    op.drop_table("former_rows")
    op.drop_index(op.f("ix_run_files_root_id"), table_name="run_files")
    op.drop_table("run_files")
