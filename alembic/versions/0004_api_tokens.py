"""api tokens.

Only adds a table; workers of the version before do not see it.

Revision ID: 0004
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from models.base import UtcDateTime

revision = "0004"
down_revision = "0002"
branch_labels = None
depends_on = None


BIG_KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def exact_string(length: int) -> sa.String:
    on_mysql = mysql.VARCHAR(length, collation="utf8mb4_bin")
    return sa.String(length).with_variant(on_mysql, "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "api_tokens",
        sa.Column("id", BIG_KEY, nullable=False),
        sa.Column("name", exact_string(100), nullable=False),
        sa.Column("hash", exact_string(64), nullable=False),
        sa.Column("scope", sa.String(length=8), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("last_used_at", UtcDateTime(), nullable=True),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
        sa.UniqueConstraint("name", name=op.f("uq_api_tokens_name")),
        sa.UniqueConstraint("hash", name=op.f("uq_api_tokens_hash")),
    )


def downgrade() -> None:
    op.drop_table("api_tokens")
