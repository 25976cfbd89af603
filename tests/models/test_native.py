"""What is compiled does what its Python way does."""

from __future__ import annotations

import math
import struct
import sys
import tracemalloc
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import BigInteger, Column, MetaData, SmallInteger, String, Table, select, text
from sqlalchemy.exc import StatementError

from models import native
from models.base import UtcDateTime
from models.copying import prepare_copy, prepare_rows, send_copy
from models.words import python_word_count

if TYPE_CHECKING:
    from worker.resources import Resources

pytestmark = pytest.mark.skipif(not native.IS_COMPILED, reason="nothing is compiled here: no compiler?")

SPACES = " \t\n\v\f\r\x1c\x1d\x1e\x1f\x85\xa0\u1680\u2003\u2028\u202f\u205f\u3000\u200b\u180e"
WORDY = st.text(st.one_of(st.sampled_from(f"<>{SPACES}ab"), st.characters(codec="utf-8")), max_size=60)
MOMENTS = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-3, minutes=30))]))
ROWS = st.lists(
    st.tuples(
        st.integers(-(2**63), 2**63 - 1),
        st.none() | st.integers(-(2**15), 2**15 - 1),
        st.none() | st.text(st.characters(codec="utf-8"), max_size=40),
        st.none() | MOMENTS,
    ),
    max_size=8,
)
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
METADATA = MetaData()
TABLE = Table(
    "copied",
    METADATA,
    Column("id", BigInteger),
    Column("small", SmallInteger),
    Column("text", String),
    Column("at", UtcDateTime),
)


def counted(content: str | None) -> int:
    assert native.word_count
    return native.word_count(content)


def encoded(rows: Any, kinds: str) -> bytes:
    assert native.encode_rows
    return b"".join(native.encode_rows(rows, kinds))


@given(WORDY)
def test_words_are_counted_as_in_python(content: str) -> None:
    assert counted(content) == python_word_count(content)


@pytest.mark.parametrize("content", [None, "", "<" * 1_000_000, "<" * 1_000_000 + "> w", "\ud800 a"])
def test_rare_contents_have_as_many_words(content: str | None) -> None:
    assert counted(content) == python_word_count(content)


def decoded(body: bytes) -> list[tuple[bytes | None, ...]]:
    """Read the body of a COPY as PostgreSQL describes it."""
    assert body.startswith(b"PGCOPY\n\xff\r\n\0" + bytes(8))
    at, rows = 19, []
    while (columns := struct.unpack_from("!h", body, at)[0]) != -1:
        at, row = at + 2, list[bytes | None]()
        for _ in range(columns):
            (length,) = struct.unpack_from("!i", body, at)
            row.append(None if length < 0 else body[at + 4 : at + 4 + length])
            at += 4 + max(length, 0)
        rows.append(tuple(row))
    assert at + 2 == len(body)
    return rows


@given(ROWS)
def test_rows_are_encoded_as_postgresql_takes_them(rows: list[tuple[Any, ...]]) -> None:
    def sent(row: tuple[Any, ...]) -> tuple[bytes | None, ...]:
        key, small, said, at = row
        return (
            struct.pack("!q", key),
            None if small is None else struct.pack("!h", small),
            None if said is None else said.encode(),
            None if at is None else struct.pack("!q", (at - EPOCH) // timedelta(microseconds=1)),
        )

    ends = [row for row in rows if row[3] and row[3].year in {1, 9999}]  # which may be infinity
    rows = [row for row in rows if row not in ends]
    assert decoded(encoded(rows, "82st")) == [sent(row) for row in rows]


def test_large_texts_and_many_rows_come_in_pieces() -> None:
    rows = [(n, "é" * 50_000 if n % 50 == 0 else "x" * n, True, math.pi, b"\0\1") for n in range(2_000)]
    found = decoded(encoded(rows, "4sbfy"))
    assert [row[1] for row in found] == [text_.encode() for _, text_, *_ in rows]
    assert {row[2:] for row in found} == {(b"\1", struct.pack("!d", math.pi), b"\0\1")}


@pytest.mark.parametrize(
    ("row", "kinds", "error"),
    [
        ((2**31,), "4", OverflowError),
        ((-(2**15) - 1,), "2", OverflowError),
        ((2**70,), "8", OverflowError),
        (("1",), "8", TypeError),
        ((1,), "s", TypeError),
        (("\ud800",), "s", UnicodeEncodeError),
        ((1.5,), "t", TypeError),
        ((datetime(2020, 1, 1),), "t", ValueError),  # noqa: DTZ001 - naive on purpose
        ((1,), "b", TypeError),
        ((1, 2), "8", ValueError),
        ((1,), "x", ValueError),
    ],
)
def test_what_no_column_takes_is_an_error(row: tuple[Any, ...], kinds: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        encoded([row], kinds)


def test_encoding_keeps_no_memory_and_no_references() -> None:
    value, moment = "é" * 1_000, datetime(2020, 1, 1, tzinfo=timezone(timedelta(hours=1)))
    rows = [(n, value, moment) for n in range(10_000)]
    encoded(rows, "8st")
    references = sys.getrefcount(value), sys.getrefcount(moment), sys.getrefcount(rows[0])
    tracemalloc.start()
    try:
        encoded(rows, "8st")
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(20):
            encoded(rows, "8st")
            with pytest.raises(TypeError):
                encoded([*rows, ("1", 1, 1)], "8st")
            counted(value)
        assert tracemalloc.get_traced_memory()[0] - before < 100_000
    finally:
        tracemalloc.stop()
    assert (sys.getrefcount(value), sys.getrefcount(moment), sys.getrefcount(rows[0])) == references


def test_a_naive_time_is_refused_by_name() -> None:
    rows = [(1, None, None, datetime(2020, 1, 1))]  # noqa: DTZ001 - naive on purpose
    with pytest.raises(StatementError, match="naive"):
        prepare_copy(TABLE, ("id", "small", "text", "at"), rows)


async def test_postgresql_stores_the_same_from_both_encoders(resources: Resources) -> None:
    columns = ("id", "small", "text", "at")
    ends = [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
    said = ["", "plain", "é漢😀", None]
    rows: list[tuple[Any, ...]] = [
        (n, -n, said[n % 4], EPOCH - timedelta(days=n * 99, microseconds=n)) for n in range(500)
    ]
    rows += [(1_000 + n, None, None, end) for n, end in enumerate(ends)]
    async with resources.database.writing.begin() as session:
        await session.execute(
            text(
                "CREATE TEMPORARY TABLE copied (id bigint, small smallint, text text, at timestamptz)"
                " ON COMMIT DROP"
            )
        )
        found = []
        for prepare in (prepare_copy, prepare_rows):
            await send_copy(session, prepare(TABLE, columns, rows))
            found.append((await session.execute(select(text("copied::text")).select_from(TABLE))).all())
            await session.execute(text("TRUNCATE copied"))
    assert len(found[0]) == len(rows)
    assert found[0] == found[1]
