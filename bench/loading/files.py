"""The same posts as files: what Headrace and the others read, and what psql copies."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import msgspec

from bench.loading.posts import SITE, TAGS, make_posts
from models.words import word_count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from typing import TextIO

    from bench.loading.posts import Post

KEYED_COLUMNS = (
    "id, site, external_id, author_id, author_external_id, author_name, parent_id, parent_external_id, kind, "
    "title, content, score, word_count, created_at"
)
NAMED_COLUMNS = (
    "external_id, author_external_id, author_name, parent_external_id, kind, title, content, score, "
    "created_at, tags"
)


@dataclass(frozen=True, slots=True)
class Files:
    """A folder of files, each written when it is first asked for."""

    folder: Path

    def jsonl(self, posts: int) -> Path:
        """Give the posts as Headrace exports them."""
        return self._made(f"posts-{posts}.jsonl", posts, _write_jsonl)

    def xml(self, posts: int) -> Path:
        """Give the posts as Stack Exchange dumps them."""
        return self._made(f"posts-{posts}.xml", posts, _write_xml)

    def csv(self, posts: int) -> Path:
        """Give the posts as CSV with a header, with the fields of the JSON Lines."""
        return self._made(f"posts-{posts}.csv", posts, _write_named)

    def keyed(self, posts: int) -> Path:
        """Give the rows of the table `posts`, all keys resolved."""
        return self._made(f"keyed-{posts}.csv", posts, _write_keyed)

    def links(self, posts: int) -> Path:
        """Give the rows of the table `post_tags`."""
        return self._made(f"links-{posts}.csv", posts, _write_links)

    def _made(self, name: str, posts: int, write: Callable[[TextIO, Iterable[Post]], None]) -> Path:
        path = self.folder / name
        if not path.exists():
            with path.open("w", encoding="utf-8", newline="") as file:
                write(file, make_posts(posts))
        return path


def _write_jsonl(file: TextIO, posts: Iterable[Post]) -> None:
    names = NAMED_COLUMNS.split(", ")
    for post in posts:
        fields = dict(zip(names, _named(post), strict=True))
        fields["tags"] = [TAGS[tag - 1] for tag in post.tags]
        file.write(msgspec.json.encode(fields).decode() + "\n")


def _write_xml(file: TextIO, posts: Iterable[Post]) -> None:
    file.write('\ufeff<?xml version="1.0" encoding="utf-8"?>\r\n<posts>\r\n')
    file.writelines(f"  <row {_attributes(post)} />\r\n" for post in posts)
    file.write("</posts>")


def _attributes(post: Post) -> str:
    given = {
        "Id": post.number,
        "PostTypeId": 2 if post.parent else 1,
        "ParentId": post.parent,
        "CreationDate": f"{post.created_at.replace(tzinfo=None):%Y-%m-%dT%H:%M:%S.%f}"[:-3],
        "Score": post.score,
        "Body": post.content,
        "OwnerUserId": post.author,
        "OwnerDisplayName": post.author_name,
        "Title": post.title,
        "Tags": "".join(f"<{TAGS[tag - 1]}>" for tag in post.tags) or None,
    }
    return " ".join(f'{name}="{_quoted(value)}"' for name, value in given.items() if value is not None)


def _quoted(value: object) -> str:
    return escape(str(value), quote=False).replace('"', "&quot;").replace("\n", "&#xA;")


def _write_named(file: TextIO, posts: Iterable[Post]) -> None:
    file.write(NAMED_COLUMNS.replace(" ", "") + "\n")
    csv.writer(file).writerows(map(_named, posts))


def _named(post: Post) -> tuple[object, ...]:
    author, parent = (str(key) if key else None for key in (post.author, post.parent))
    written = (post.author_name, parent, post.kind, post.title, post.content, post.score)
    return (str(post.number), author, *written, _moment(post), "|".join(TAGS[tag - 1] for tag in post.tags))


def _write_keyed(file: TextIO, posts: Iterable[Post]) -> None:
    csv.writer(file).writerows(map(keyed, posts))


def keyed(post: Post) -> tuple[object, ...]:
    """Give the values of KEYED_COLUMNS: the primary keys are the numbers."""
    authored = (post.author, post.author, post.author_name)
    said = (post.kind, post.title, post.content, post.score, word_count(post.content))
    return (post.number, SITE, post.number, *authored, post.parent, post.parent, *said, _moment(post))


def _write_links(file: TextIO, posts: Iterable[Post]) -> None:
    csv.writer(file).writerows((post.number, tag) for post in posts for tag in post.tags)


def _moment(post: Post) -> str:
    return post.created_at.isoformat(timespec="milliseconds")
