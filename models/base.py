"""The declarative base, the column types that tables share, and how constraints are named."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from sqlalchemy import JSON, BigInteger, DateTime, Integer, MetaData, String, Text, TypeDecorator, Uuid
from sqlalchemy.dialects import mysql
from sqlalchemy.ext.asyncio import AsyncAttrs
from sqlalchemy.orm import DeclarativeBase, mapped_column

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Dialect

# Every constraint has a predictable name, so that a migration can drop it on any database.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, kept and given back in UTC with microseconds on every database."""

    impl = DateTime(timezone=True).with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    cache_ok = True

    @property
    def python_type(self) -> type[datetime]:
        """What rows hold."""
        return datetime

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Turn an aware datetime into UTC; a naive one would be shifted silently by some drivers."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value!r}: say which time zone it is in")
        return value.astimezone(UTC)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None] | None:
        """Let PostgreSQL's values be: the driver gives them in UTC, and a call for each would cost."""
        return None if dialect.name == "postgresql" else super().result_processor(dialect, coltype)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Put UTC on what SQLite and MySQL give back without a zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class JsonText(TypeDecorator[Any]):
    """JSON kept as written: MySQL's own type changes numbers, MariaDB's refuses what is nested deep."""

    impl = mysql.LONGTEXT
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Write a value; None is SQL's null."""
        return None if value is None else json.dumps(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002
        """Read a value."""
        return None if value is None else json.loads(value)


Json = JSON().with_variant(JsonText(), "mysql", "mariadb")
JsonOrNull = JSON(none_as_null=True).with_variant(JsonText(), "mysql", "mariadb")

# MySQL's TEXT ends at 64 KiB.
LongText = Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")

# MariaDB's own UUID sorts in another order than its text, and MySQL has none.
UuidKey = Uuid().with_variant(Uuid(native_uuid=False), "mysql", "mariadb")

# SQLite numbers rows by itself only where the type is spelled INTEGER.
BigKey = BigInteger().with_variant(Integer(), "sqlite")

intpk = Annotated[int, mapped_column(BigKey, primary_key=True)]
site_name = Annotated[str, mapped_column(String(64))]
foreign_id = Annotated[str, mapped_column(String(64))]
name_text = Annotated[str, mapped_column(String(255))]
small_int = Annotated[int, mapped_column(Integer())]
count = Annotated[int, mapped_column(BigInteger(), default=0)]
# Where a loaded row came from: its file in run_files, where it stood there, what it took to repair.
file_key = Annotated[int | None, mapped_column(BigInteger())]
file_position = Annotated[int | None, mapped_column(BigInteger())]
repair_count = Annotated[int | None, mapped_column(Integer())]
missing_moment = Annotated[datetime | None, mapped_column(UtcDateTime())]


class Base(AsyncAttrs, DeclarativeBase):
    """Base of all tables; `eager_defaults` is off so that a flush of new rows is one pipelined insert."""

    metadata = MetaData(naming_convention=NAMING)
    __mapper_args__ = {  # noqa: RUF012 - the base class declares it an instance variable
        "eager_defaults": False
    }
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcDateTime(),
        int: BigInteger(),
        dict[str, Any]: Json,
    }
