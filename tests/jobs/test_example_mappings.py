"""The mappings in examples/, on files in the shapes that they are for."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobs.mapping_file import read_mapping
from jobs.sources.opening import inspect, opened, read
from jobs.sources.record import BadRecord, PostRecord

if TYPE_CHECKING:
    from jobs.sources.record import Item

EXAMPLES = Path(__file__).parents[2] / "examples" / "mappings"


def items_of(path: Path, name: str) -> list[Item]:
    layout = inspect(path, format="auto", entity="auto", mapping=read_mapping(EXAMPLES / name))
    with opened(layout) as stream:
        return list(read(stream, layout, layout.start))


def posts_of(path: Path, name: str) -> list[PostRecord]:
    found = items_of(path, name)
    assert not [item for item in found if isinstance(item, BadRecord)]
    return [item for item in found if isinstance(item, PostRecord)]


def table(path: Path, header: str, *rows: list[Any]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header.split(","), *rows])
    return path


def status(**fields: Any) -> dict[str, Any]:
    account = {
        "id": "1",
        "username": "zoe",
        "acct": "zoe@example.org",
        "display_name": "Zoë 🍺",
        "note": "<p>hi</p>",
        "followers_count": 12,
        "created_at": "2022-04-28T00:00:00.000Z",
    }
    usual = {
        "id": "109372843234123456789",
        "created_at": "2022-11-19T19:37:26.123Z",
        "in_reply_to_id": None,
        "spoiler_text": "",
        "visibility": "public",
        "content": "<p>Hello <a href='https://example.org'>world</a></p>",
        "favourites_count": 7,
        "tags": [{"name": "Introduction", "url": "https://example.org/tags/introduction"}, {"name": "beer"}],
        "account": account,
        "card": None,
    }
    return usual | fields


def test_statuses_of_mastodon(tmp_path: Path) -> None:
    nameless = status()["account"] | {"display_name": None}
    statuses = [status(), status(id=2**60, in_reply_to_id="1", tags=[], account=nameless)]
    path = tmp_path / "statuses.jsonl"
    path.write_text("\r\n".join(map(json.dumps, statuses)))
    first, second = posts_of(path, "mastodon.toml")
    assert (first.external_id, first.kind, first.score) == ("109372843234123456789", "status", 7)
    assert first.created_at == datetime(2022, 11, 19, 19, 37, 26, 123000, UTC)
    assert (first.tags, first.title) == (("Introduction", "beer"), None)
    assert first.author is not None
    assert (first.author.external_id, first.author.name, first.author.reputation) == ("1", "Zoë 🍺", 12)
    assert (second.external_id, second.parent_external_id) == (str(2**60), "1")
    assert (second.author_name, second.tags) == ("zoe", ())
    assert first.unknown == ("visibility", "account.acct", "account.note", "card")


def test_a_status_whose_account_is_gone_stays(tmp_path: Path) -> None:
    path = tmp_path / "statuses.jsonl"
    path.write_text(json.dumps(status(account=None)))
    (found,) = posts_of(path, "mastodon.toml")
    assert (found.author, found.author_external_id) == (None, None)


def test_stories_of_hacker_news(tmp_path: Path) -> None:
    header = "id,title,url,num_points,num_comments,author,created_at"
    path = table(
        tmp_path / "HN_posts.csv",
        header,
        [12224879, "Interactive Dynamic Video", "http://example.org/", 386, 52, "ne0phyte", "8/4/2016 11:52"],
        [10975351, 'Ask HN: "why", and how?', "", 39, 10, "josep2", "1/26/2016 19:30"],
    )
    first, second = posts_of(path, "hacker-news.toml")
    assert (first.external_id, first.title, first.score) == ("12224879", "Interactive Dynamic Video", 386)
    assert first.created_at == datetime(2016, 8, 4, 15, 52, tzinfo=UTC)
    assert second.created_at == datetime(2016, 1, 27, 0, 30, tzinfo=UTC)
    assert (first.author_external_id, first.author and first.author.name) == ("ne0phyte", "ne0phyte")
    assert (second.title, second.content) == ('Ask HN: "why", and how?', None)
    assert first.unknown == ("num_comments",)


REDDIT = "id,author,created_utc,score,{},title,subreddit,parent_id,edited,author_flair_text"


@pytest.mark.parametrize("text", ["selftext", "body"])
def test_submissions_and_comments_of_reddit(tmp_path: Path, text: str) -> None:
    path = table(
        tmp_path / "python.csv",
        REDDIT.format(text),
        [
            "abc",
            "alice",
            "1263338070.0",
            5,
            "two\nlines,\r\nor \rthree",
            "A title",
            "Python",
            "",
            "False",
            "",
        ],
        ["abd", "[deleted]", "1263338071.0", -3, "[removed]", "B", "Python", "t3_abc", "1263338099.0", "nan"],
        ["abe", "bob", "1263338072", "2.0", "None", "C", "Python", "t1_abd", "True", "\x01"],
    )
    first, second, third = posts_of(path, "reddit.toml")
    assert first.created_at == datetime(2010, 1, 12, 23, 14, 30, tzinfo=UTC)
    assert (first.content, first.tags) == ("two\nlines,\r\nor \rthree", ("Python",))
    assert (second.author, second.author_external_id, second.score) == (None, None, -3)
    assert (second.content, second.parent_external_id) == ("[removed]", "t3_abc")
    assert (third.content, third.score, third.author_name) == (None, 2, "bob")
    assert first.unknown == ("edited", "author_flair_text")


def test_a_reddit_row_that_is_cut_off_costs_itself_only(tmp_path: Path) -> None:
    row = ["abc", "alice", "1263338070.0", 5, "text", "A title", "Python", "", "False", ""]
    path = table(tmp_path / "python.csv", REDDIT.format("selftext"), row, row)
    path.write_text(path.read_text()[: -len(",Python,,False,\r\n")])
    good, bad = items_of(path, "reddit.toml")
    assert isinstance(good, PostRecord)
    assert isinstance(bad, BadRecord)
    assert (bad.rule, bad.reason) == ("columns", "the row has 6 fields, the header 10")
