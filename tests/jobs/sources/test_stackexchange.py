from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar
from xml.etree import ElementTree as ET

import pytest

from jobs.sources.opening import inspect, read
from jobs.sources.record import PostRecord, TagRecord, UserRecord
from tests.jobs.sources.sources import bad, items_of, layout, post, rules_of, user
from worker.sample import write_sample

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.sources.record import Entity

POSTS = layout("stackexchange", "posts")
USERS = layout("stackexchange", "users")
TAGS = layout("stackexchange", "tags")
Kind = TypeVar("Kind")


def row(number: int, rest: str = "") -> bytes:
    return f'  <row Id="{number}" CreationDate="2020-01-01T00:00:00.000"{rest} />'.encode()


def test_a_user_is_read_with_the_attributes_we_keep() -> None:
    line = (
        '  <row Id="-1" Reputation="118222" CreationDate="2011-08-17T18:34:28.000" DisplayName="L&amp;M Été"'
        ' LastAccessDate="2013-09-24T12:54:23.447" AboutMe="&lt;p&gt;" Views="3" AccountId="-1" />\r\n'
    ).encode()
    found = user(line, USERS)
    assert found == UserRecord(
        offset=2,
        end=len(line) - 2,
        raw=line.strip(),
        external_id="-1",
        name="L&M Été",
        reputation=118222,
        created_at=datetime(2011, 8, 17, 18, 34, 28, tzinfo=UTC),
    )


def test_a_post_is_read_with_the_attributes_we_keep() -> None:
    line = (
        b'<row Id="7" PostTypeId="1" AcceptedAnswerId="9" ParentId="4" CreationDate="2008-07-31T22:08:08.620"'
        b' Score="-16" ViewCount="" Body="&lt;p&gt;a &amp;lt; b&#xA;&lt;/p&gt;" OwnerUserId="5"'
        b' OwnerDisplayName="user22" Title="Why &quot;this&quot;?" Tags="&lt;c#&gt;&lt;.net&gt;&lt;c#&gt;" />'
    )
    assert post(line, POSTS) == PostRecord(
        offset=0,
        end=len(line),
        raw=line,
        external_id="7",
        created_at=datetime(2008, 7, 31, 22, 8, 8, 620_000, UTC),
        author_external_id="5",
        author_name="user22",
        parent_external_id="4",
        kind="question",
        title='Why "this"?',
        content="<p>a &lt; b\n</p>",
        score=-16,
        tags=("c#", ".net"),
    )


def test_a_tag_is_read_by_its_name() -> None:
    (found,) = items_of(b'<row Id="1" TagName="c++" Count="2" IsRequired="True" />', TAGS)
    assert isinstance(found, TagRecord)
    assert (found.name, found.unknown) == ("c++", ())


def test_empty_is_not_absent() -> None:
    assert post(row(1, ' Body="" Title=""'), POSTS).content == ""
    assert post(row(1), POSTS).content is None
    assert user(row(1, ' DisplayName=""'), USERS).name == ""


@pytest.mark.parametrize(
    ("number", "kind"), [("2", "answer"), ("17", "collective-collection"), ("99", "type-99")]
)
def test_post_types_have_names_and_new_ones_their_number(number: str, kind: str) -> None:
    assert post(row(1, f' PostTypeId="{number}"'), POSTS).kind == kind


def test_tags_in_the_newer_notation_are_the_same() -> None:
    assert post(row(1, ' Tags="|html|css|html|"'), POSTS).tags == ("html", "css")


def test_unknown_attributes_are_named_and_known_ones_are_not() -> None:
    found = post(row(1, ' Mood="calm" FavoriteCount="1" Weather="fog" Body="b"'), POSTS)
    assert (found.unknown, found.content) == (("Mood", "Weather"), "b")


def test_attributes_may_be_written_in_any_legal_way() -> None:
    found = post(b"<row\tId = '1'\n CreationDate='2020-01-01' Body='say \"hi\" &amp; />'/>", POSTS)
    assert (found.external_id, found.content) == ("1", 'say "hi" & />')


def test_raw_line_breaks_and_tabs_become_spaces_and_written_ones_stay() -> None:
    assert post(row(1, ' Body="a\r\nb\nc\td\re&#xA;f&#x9;g"'), POSTS).content == "a b c d e\nf\tg"


def test_impossible_characters_are_replaced_and_counted() -> None:
    found = post(row(1, ' Body="a\0b&#x00;&#x0E;&#xD800;&#x110000;&bogus;" Title="R&D"'), POSTS)
    assert found.content == "a\ufffdb\ufffd\x0e\ufffd\ufffd&bogus;"
    assert (found.title, found.repairs) == ("R&D", 6)


def test_a_raw_less_than_sign_in_a_value_is_kept_and_counted() -> None:
    items = items_of(row(1, ' Body="a < b"') + b"\n" + row(2), POSTS)
    assert rules_of(items) == ["1", "2"]
    assert isinstance(items[0], PostRecord)
    assert (items[0].content, items[0].repairs) == ("a < b", 1)


def test_an_id_with_an_impossible_character_is_rejected() -> None:
    assert bad(b'<row Id="1&#x00;" CreationDate="2020-01-01" />', POSTS).rule == "character"


def test_several_rows_may_share_a_line() -> None:
    data = row(1) + row(2, ' Body="/>"') + row(3) + b"</posts>"
    assert rules_of(items_of(data, POSTS)) == ["1", "2", "3"]


def test_comments_and_instructions_between_rows_are_passed_over() -> None:
    data = row(1) + b"<!-- <row Id='9' /> \n -->\r\n<?x <row ?>" + row(2) + b"</posts>\n<!-- end -->"
    assert rules_of(items_of(data, POSTS)) == ["1", "2"]


@pytest.mark.parametrize(
    "broken",
    [
        b'<row Id="2" Body="never closed',
        b'<row Id="2" Body="closed twice"" />',
        b'<row Id="2" Body=unquoted />',
        b'<row Id="2" Id="2" />',
        b'<row Id="2">',
        b'<row Id="2"Body="glued" />',
        b"what is this",
        b"<!-- never closed",
        b"<rows />",
    ],
)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n  "])
def test_a_broken_line_costs_itself_only(broken: bytes, line_end: bytes) -> None:
    items = items_of(line_end.join([row(1), broken, row(3), b"</posts>"]), POSTS)
    assert rules_of(items) == ["1", "syntax", "3"]
    assert items[1].raw == broken


def test_a_broken_row_before_the_end_does_not_hide_the_end() -> None:
    items = items_of(row(1) + b'\n<row Id="2" Body="never closed\n</posts>', POSTS)
    assert rules_of(items) == ["1", "syntax"]
    assert b"</posts>" not in items[1].raw


@pytest.mark.parametrize(
    ("entity", "line", "rule"),
    [
        ("posts", b'<row CreationDate="2020-01-01" />', "missing"),
        ("posts", b'<row Id="" CreationDate="2020-01-01" />', "missing"),
        ("posts", b'<row Id="1" />', "missing"),
        ("users", b'<row DisplayName="x" />', "missing"),
        ("tags", b'<row Id="1" />', "missing"),
        ("posts", b'<row Id="1" CreationDate="2020-02-30" />', "date"),
        ("posts", b'<row Id="1" CreationDate="2020-01-01" Score="99999999999" />', "range"),
        ("posts", b'<row Id="1" CreationDate="2020-01-01" Score="many" />', "number"),
        ("posts", b'<row Id="1" CreationDate="2020-01-01" Title="%b" />' % (b"x" * 1001), "length"),
        ("users", b'<row Id="1" Reputation="9223372036854775808" />', "range"),
        ("users", b'<row Id="1" DisplayName="%b" />' % (b"x" * 256), "length"),
        ("tags", b'<row TagName="%b" />' % (b"x" * 101), "length"),
        ("posts", b'<row Id="1" CreationDate="2020-01-01" Body="\xff" />', "encoding"),
    ],
)
def test_a_row_that_breaks_a_rule_is_rejected_by_name(entity: Entity, line: bytes, rule: str) -> None:
    found = bad(line, layout("stackexchange", entity))
    assert (found.rule, found.raw) == (rule, line)


def test_an_independent_parser_agrees_on_every_attribute_of_a_sample(tmp_path: Path) -> None:
    write_sample(tmp_path, users=200, posts=1000, seed=5, dirty=False)
    users, posts, tags = (tmp_path / name for name in ("Users.xml", "Posts.xml", "Tags.xml"))
    assert [(found.external_id, found.name, found.reputation) for found in loaded(users, UserRecord)] == [
        (row["Id"], row["DisplayName"], int(row["Reputation"])) for row in parsed(users)
    ]
    assert [found.name for found in loaded(tags, TagRecord)] == [row["TagName"] for row in parsed(tags)]
    for found, expected in zip(loaded(posts, PostRecord), parsed(posts), strict=True):
        assert found.external_id == expected["Id"]
        assert found.created_at == datetime.fromisoformat(expected["CreationDate"]).replace(tzinfo=UTC)
        assert found.author_external_id == expected.get("OwnerUserId")
        assert found.author_name == expected.get("OwnerDisplayName")
        assert found.parent_external_id == expected.get("ParentId")
        assert (found.title, found.content) == (expected.get("Title"), expected["Body"])
        assert found.score == int(expected["Score"])
        assert "".join(f"<{tag}>" for tag in found.tags) == expected.get("Tags", "")


def loaded(path: Path, type_: type[Kind]) -> list[Kind]:
    how = inspect(path, format="auto", entity="auto")
    with path.open("rb") as stream:
        items = list(read(stream, how, how.start))
    assert all(isinstance(item, type_) for item in items)
    return [item for item in items if isinstance(item, type_)]


def parsed(path: Path) -> list[dict[str, str]]:
    return [row.attrib for row in ET.parse(path).getroot()]
