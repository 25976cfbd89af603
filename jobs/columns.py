"""What a record of each entity can say, by the names that exports, imports and mappings use."""

from __future__ import annotations

from typing import Literal

Entity = Literal["users", "posts", "tags"]

# In the order of our own exports; `site` is written by them and not read.
COLUMNS: dict[Entity, tuple[str, ...]] = {
    "users": ("external_id", "name", "email", "reputation", "created_at"),
    "posts": (
        "external_id",
        "author_external_id",
        "author_name",
        "parent_external_id",
        "kind",
        "title",
        "content",
        "score",
        "created_at",
        "tags",
    ),
    "tags": ("name",),
}
NOT_READ = ("site",)
REQUIRED: dict[Entity, tuple[str, ...]] = {
    "users": ("external_id",),
    "posts": ("external_id", "created_at"),
    "tags": ("name",),
}
