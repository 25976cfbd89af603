"""Digests are kept in receipts, so the same records have the same ones for ever."""

from __future__ import annotations

from datetime import UTC, datetime

from jobs.digests import digest, shown, total
from jobs.sources.record import PostRecord, Record, TagRecord, UserRecord

MOMENT = datetime(2020, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
POST = PostRecord(
    offset=0,
    end=1,
    raw=b"",
    external_id="1",
    created_at=MOMENT,
    author_external_id="2",
    author_name="Zoë",
    parent_external_id="3",
    kind="answer",
    title="T",
    content="<p>C</p>",
    score=-4,
    tags=("b", "a"),
)
USER = UserRecord(offset=5, end=6, raw=b"x", external_id="2", name="Zoë", email="z@example.org", reputation=7)
TAG = TagRecord(offset=8, end=9, raw=b"", name="a")


def test_the_digest_of_a_record_is_that_of_what_it_says_in_this_order() -> None:
    said: dict[Record, tuple[object, ...]] = {
        POST: ("1", "2", "Zoë", "3", "answer", "T", "<p>C</p>", -4, MOMENT, ["a", "b"]),
        USER: ("2", "Zoë", "z@example.org", 7, None),
        TAG: ("a",),
    }
    for record, values in said.items():
        assert total([record]) == digest(*values)
    assert total(said) == sum(digest(*values) for values in said.values())


def test_digests_are_those_of_former_versions() -> None:
    assert [shown(total([record])) for record in (POST, USER, TAG)] == [
        "111ee74b4a572bad",
        "7e49773f9f1ab17a",
        "e32d4964ce5aa12d",
    ]
