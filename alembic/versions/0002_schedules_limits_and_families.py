"""schedules, limits, queues, split runs and traces.

Only adds; the new columns have defaults on the server, so workers of the version before go on beside it.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from models.base import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
ADDED = ("queue", "part", "limit_key", "limit_count", "open_children", "follow_up", "traceparent")


def upgrade() -> None:
    op.create_table(
        "schedules",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("seen_until", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_schedules")),
    )
    op.create_table(
        "limits",
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_limits")),
    )
    op.add_column("runs", sa.Column("queue", sa.String(length=32), server_default="default", nullable=False))
    op.add_column("runs", sa.Column("part", sa.BigInteger(), nullable=True))
    op.add_column("runs", sa.Column("limit_key", sa.String(length=200), nullable=True))
    op.add_column("runs", sa.Column("limit_count", sa.BigInteger(), nullable=True))
    op.add_column("runs", sa.Column("open_children", sa.Integer(), server_default="0", nullable=False))
    op.add_column("runs", sa.Column("follow_up", JSON, nullable=True))
    op.add_column("runs", sa.Column("traceparent", sa.String(length=64), nullable=True))
    op.create_index(op.f("ix_runs_limit_key_state"), "runs", ["limit_key", "state"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_runs_limit_key_state"), table_name="runs")
    with op.batch_alter_table("runs") as runs:
        for column in ADDED:
            runs.drop_column(column)
    op.drop_table("limits")
    op.drop_table("schedules")
