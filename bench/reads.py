"""The main reads of the API, each as the paths of so many requests over a site of a given size."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.site import POSTS_PER_AUTHOR, SITE, TAGS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

HEX = "0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Site:
    """Ids to ask for: users and posts are numbered from 1."""

    posts: int
    dice: random.Random

    def user(self) -> int:
        """Choose a user."""
        return self.dice.randint(1, self.posts // POSTS_PER_AUTHOR)

    def post(self) -> int:
        """Choose a post."""
        return self.dice.randint(1, self.posts)

    def tag(self) -> str:
        """Choose a tag, one with few posts as often as one with many."""
        return f"tag-{self.dice.randint(1, TAGS)}"

    def letters(self) -> str:
        """Choose a piece of a name."""
        return "".join(self.dice.choices(HEX, k=6))


@dataclass(frozen=True, slots=True)
class Read:
    """One kind of request."""

    title: str
    path: Callable[[Site], str]

    def paths(self, posts: int, how_many: int) -> Sequence[str]:
        """Make the paths of so many requests, the same ones each time."""
        site = Site(posts, random.Random(self.title))
        return [self.path(site) for _ in range(how_many)]


POST = Read("a post with its author and tags", lambda site: f"/v1/posts/{site.post()}")
READS = (
    POST,
    Read("a user", lambda site: f"/v1/users/{site.user()}"),
    Read("a user by natural key", lambda site: f"/v1/sites/{SITE}/users/{site.user()}"),
    Read("a user's statistics", lambda site: f"/v1/users/{site.user()}/statistics"),
    Read("a user's newest 50 posts", lambda site: f"/v1/users/{site.user()}/posts"),
    Read("users whose name contains six letters", lambda site: f"/v1/users?name_contains={site.letters()}"),
    Read("the newest 50 posts", lambda _: f"/v1/posts?site={SITE}"),
    Read("a tag's newest 50 posts", lambda site: f"/v1/posts?tag={site.tag()}"),
    Read("the best 50 authors by total score", lambda _: f"/v1/authors?by=total_score&site={SITE}"),
    Read("the 50 most used tags", lambda _: "/v1/tags"),
    Read("the tags used together with one", lambda site: f"/v1/tags/{site.tag()}/related"),
)
