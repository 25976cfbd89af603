"""The rows of a Stack Exchange data dump, described in https://meta.stackexchange.com/questions/2677."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.columns import COLUMNS
from jobs.sources.markup import attributes, normal, rows
from jobs.sources.references import decode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobs.sources.layout import Layout
    from jobs.sources.record import BadRecord, Entity
    from jobs.sources.window import Frame, Parsed, Window

# attribute → field of the record
KEPT: dict[Entity, dict[str, str]] = {
    "users": {
        "Id": "external_id",
        "DisplayName": "name",
        "Reputation": "reputation",
        "CreationDate": "created_at",
    },
    "posts": {
        "Id": "external_id",
        "PostTypeId": "kind",
        "ParentId": "parent_external_id",
        "CreationDate": "created_at",
        "Score": "score",
        "Body": "content",
        "OwnerUserId": "author_external_id",
        "OwnerDisplayName": "author_name",
        "Title": "title",
        "Tags": "tags",
    },
    "tags": {"TagName": "name"},
}

# Attributes we know and have no field for; any other is reported in `unknown`.
NOT_KEPT: dict[Entity, tuple[str, ...]] = {
    "users": (
        "LastAccessDate",
        "WebsiteUrl",
        "Location",
        "AboutMe",
        "Views",
        "UpVotes",
        "DownVotes",
        "ProfileImageUrl",
        "AccountId",
        "Age",
        "EmailHash",
    ),
    "posts": (
        "AcceptedAnswerId",
        "ViewCount",
        "LastEditorUserId",
        "LastEditorDisplayName",
        "LastEditDate",
        "LastActivityDate",
        "AnswerCount",
        "CommentCount",
        "FavoriteCount",
        "ClosedDate",
        "CommunityOwnedDate",
        "ContentLicense",
        "DeletionDate",
    ),
    "tags": ("Id", "Count", "ExcerptPostId", "WikiPostId", "IsModeratorOnly", "IsRequired"),
}

POST_TYPES = {
    "1": "question",
    "2": "answer",
    "3": "orphaned-tag-wiki",
    "4": "tag-wiki-excerpt",
    "5": "tag-wiki",
    "6": "moderator-nomination",
    "7": "wiki-placeholder",
    "8": "privilege-wiki",
    "9": "article",
    "10": "help-article",
    "12": "collection",
    "13": "questionnaire-response",
    "14": "announcement",
    "15": "collective-discussion",
    "17": "collective-collection",
}

# How an attribute's name stands in the files: splitting rows at the quotes and looking these up is much
# faster than matching each attribute.
KEPT_AS_WRITTEN = {
    entity: {f" {name}=": field for name, field in names.items()} for entity, names in KEPT.items()
}
KNOWN_AS_WRITTEN = {
    entity: frozenset((*kept, *(f" {name}=" for name in NOT_KEPT[entity])))
    for entity, kept in KEPT_AS_WRITTEN.items()
}


def frames(window: Window, _layout: Layout) -> Iterator[Frame | BadRecord]:
    """Yield the bytes of each row."""
    return rows(window)


def parse(row: str, layout: Layout) -> Parsed:
    """Give the values of a row's kept attributes, the repairs they took and the names of unknown ones."""
    known = KNOWN_AS_WRITTEN[layout.entity]
    unknown: tuple[str, ...] = ()
    if (found := _as_usual(row, known)) is None:
        found = {f" {name}=": value for name, value in attributes(row).items()}
        unknown = tuple(name[1:-1] for name in found if name not in known)
    repairs = row.count("<", 1) + row.count("\0") if "\0" in row or row.rfind("<") else 0
    plain = not ("\n" in row or "\r" in row or "\t" in row or "\0" in row)
    values: dict[str, object] = {}
    for name, field in KEPT_AS_WRITTEN[layout.entity].items():
        if (value := found.get(name)) is not None:
            if not plain:
                value = normal(value)
            if "&" in value:
                value, repaired = decode(value)
                repairs += repaired
            values[field] = value
    if kind := values.get("kind"):
        values["kind"] = post_type(str(kind))
    return [values.get(name) for name in COLUMNS[layout.entity]], repairs, unknown


def post_type(number: str) -> str:
    """Give the name of a kind of posts."""
    return POST_TYPES.get(number) or f"type-{number}"


def _as_usual(row: str, known: frozenset[str]) -> dict[str, str] | None:
    """Give the attributes of a row in which each is known and stands as the dumps write it, else None."""
    *names_and_values, rest = row[len("<row") : -len("/>")].split('"')
    alternating = iter(names_and_values)
    found = dict(zip(alternating, alternating, strict=False))
    complete = 2 * len(found) == len(names_and_values) and rest in ("", " ")
    return found if complete and known.issuperset(found) else None
