from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.sources.errors import UnloadableError
from jobs.sources.values import identifier, integer, moment, tag_names, text


def broken_rule(call: object, *arguments: object) -> str:
    with pytest.raises(UnloadableError) as caught:
        call("field", *arguments)  # type: ignore[operator]
    assert "\n" not in caught.value.reason
    assert caught.value.reason.startswith("field ")
    return caught.value.rule


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("2008-07-31T22:08:08.620", datetime(2008, 7, 31, 22, 8, 8, 620_000, UTC)),
        ("2008-07-31T22:08:08Z", datetime(2008, 7, 31, 22, 8, 8, 0, UTC)),
        (" 2008-07-31 22:08:08.123456789+05:30 ", datetime(2008, 7, 31, 16, 38, 8, 123_456, UTC)),
        ("2008-07-31", datetime(2008, 7, 31, tzinfo=UTC)),
        ("1263338070.0", datetime(2010, 1, 12, 23, 14, 30, 0, UTC)),
        ("-1", datetime(1969, 12, 31, 23, 59, 59, 0, UTC)),
        (1263338070, datetime(2010, 1, 12, 23, 14, 30, 0, UTC)),
        (1263338070.25, datetime(2010, 1, 12, 23, 14, 30, 250_000, UTC)),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        ("0001-01-02T00:00:00", datetime(1, 1, 2, tzinfo=UTC)),
        ("9999-12-30T23:59:59.999999", datetime(9999, 12, 30, 23, 59, 59, 999_999, UTC)),
        (None, None),
        ("", None),
    ],
)
def test_dates_are_iso_8601_or_epoch_seconds_and_come_out_as_utc(
    written: object, meant: datetime | None
) -> None:
    found = moment("field", written)
    assert found == meant
    assert found is None or found.tzinfo is UTC


@pytest.mark.parametrize(
    "written",
    [
        "2015-02-30T00:00:00",
        "0001-01-01T00:00:00",  # drivers take it for minus infinity
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "1263338070000",
        "9" * 400,
        "0000-01-01",
        "yesterday",
        "2015-01-01T24:61:00",
        "6/24/2016 3:48",
        "2020",
        "20200131",
        1e300,
        10**30,
        True,
        [],
    ],
)
def test_impossible_and_ambiguous_dates_break_a_rule(written: object) -> None:
    assert broken_rule(moment, written) == "date"


@given(st.datetimes(timezones=st.none() | st.timezones()))
def test_every_date_that_python_writes_is_read_back(written: datetime) -> None:
    aware = written if written.tzinfo else written.replace(tzinfo=UTC)
    try:
        meant = aware.astimezone(UTC)
    except OverflowError:
        return
    assert abs((moment("field", written.isoformat()) or meant) - meant) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("7", 7),
        (" -16 ", -16),
        ("+3", 3),
        ("12.0", 12),
        (3.0, 3),
        (2**31 - 1, 2**31 - 1),
        (None, None),
        ("", None),
    ],
)
def test_integers_come_as_numbers_or_text(written: object, meant: int | None) -> None:
    assert integer("field", written, 32) == meant


@pytest.mark.parametrize("written", [2**31, -(2**31) - 1, "2147483648", "9" * 5000, 1e300])
def test_integers_beyond_their_bits_break_a_rule(written: object) -> None:
    assert broken_rule(integer, written, 32) == "range"


@pytest.mark.parametrize(
    "written", ["1.5", 1.5, "1_000", "٣", "0x10", "1e3", True, [], {}, float("nan"), "None"]
)
def test_what_is_no_integer_breaks_a_rule(written: object) -> None:
    assert broken_rule(integer, written, 32) == "number"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (-1, "-1"),
        (9007199254740993, "9007199254740993"),
        (" t3_abc ", "t3_abc"),
        ("x" * 64, "x" * 64),
        ("", None),
        ("  ", None),
        (None, None),
    ],
)
def test_ids_are_text_whatever_they_were(written: object, meant: str | None) -> None:
    assert identifier("field", written) == meant


@pytest.mark.parametrize(
    ("written", "rule"),
    [("x" * 65, "length"), (10**70, "length"), ("a\ufffd", "character"), (1.0, "type"), (True, "type")],
)
def test_ids_that_cannot_be_kept_exactly_break_a_rule(written: object, rule: str) -> None:
    assert broken_rule(identifier, written) == rule


def test_texts_keep_emptiness_and_have_a_limit() -> None:
    assert text("field", "", 3) == ""
    assert text("field", None, 3) is None
    assert text("field", "äöü", 3) == "äöü"
    assert broken_rule(text, "äöüx", 3) == "length"
    assert broken_rule(text, 5) == "type"


@pytest.mark.parametrize(
    "written",
    ["<c#><.net><c#>", "|c#|.net|c#|", "c#|.net", ["c#", " .net ", "", "c#"], "<c#><.net>\n", "|c#||.net|"],
)
def test_tags_have_three_notations_and_come_out_distinct_in_order(written: object) -> None:
    assert tag_names("field", written) == ("c#", ".net")


@pytest.mark.parametrize("written", [None, "", [], "||", "<>", [""]])
def test_no_tags_are_no_tags(written: object) -> None:
    assert tag_names("field", written) == ()


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        (["x" * 101], "length"),
        (f"<a><{'x' * 101}>", "length"),
        ("<a\0>", "character"),
        ([5], "type"),
        ({"a": 1}, "type"),
        (5, "type"),
    ],
)
def test_tags_that_are_none_break_a_rule(written: object, rule: str) -> None:
    assert broken_rule(tag_names, written) == rule
