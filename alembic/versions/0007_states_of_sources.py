"""states of sources.

Only adds a table; workers of the version before do not see it.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

from models.base import JsonOrNull, LongText, UtcDateTime, UuidKey

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "source_states",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=True),
        sa.Column("versions", JsonOrNull, nullable=True),
        sa.Column("sha256", sa.String(length=64), nullable=True),
        sa.Column("counts", JsonOrNull, nullable=True),
        sa.Column("run_id", UuidKey, nullable=True),
        sa.Column("checked_at", UtcDateTime(), nullable=True),
        sa.Column("changed_at", UtcDateTime(), nullable=True),
        sa.Column("alarm", LongText, nullable=True),
        sa.Column("alarm_since", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_source_states")),
    )


def downgrade() -> None:
    op.drop_table("source_states")
