"""A made-up site in the shape of a Stack Exchange dump, for demonstrations, benchmarks and tests."""

from __future__ import annotations

import random
from collections import Counter, deque
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

SITE_OPENED = datetime(2012, 3, 1)  # noqa: DTZ001 (the dumps write no zone)
SITE_AGE = timedelta(days=8 * 365)
QUESTIONS_KEPT_OPEN = 200
SENTENCES = 2000
REPAIRED_ONE_IN = 40
LICENSE = "CC BY-SA 4.0"

WORDS = (
    "the a one this every of in on with without before after under between water wheel stone mill river gate "
    "channel grain flour valley bridge meadow lantern copper timber barrel yeast malt hops kettle cellar harvest "
    "runs turns holds keeps falls rises drives carries measures opens closes settles slowly quickly often rarely "
    "deep broad cold warm steady narrow früh été naïve Größe 水車 and or but because while"
).split()
FIRST_NAMES = "Amber Brass Copper Dusty Early Falling Grey Hidden Idle Jade Löwen Misty Noisy Œuvre Quiet Silver".split()
LAST_NAMES = "Heron Lantern Millstone Otter Pike Quarry Reed Sluice Thicket Über Valley Weir Été Øre Willow".split()
TAGS = (
    "brewing water-mill .net c# c++ node.js yeast malt hops all-grain bottling cask-conditioning ipa stout lager "
    "equipment sanitation temperature fermentation history storage tasting glassware recipes water-chemistry"
).split()
MARKUP = (
    "{}",
    "{}",
    "{}",
    "<em>{}</em>",
    "<strong>{}</strong>",
    '<a href="https://example.org/questions/17?a=1&amp;b=2" rel="nofollow">{}</a>',
    "<code>if a &lt; b &amp;&amp; c: {}</code>",
)


@dataclass(frozen=True, slots=True)
class Written:
    """How many rows a file holds, and how many of them no reader can accept."""

    rows: int
    rejected: int


@dataclass(frozen=True, slots=True)
class SampleCounts:
    """What was written of each entity."""

    users: Written
    tags: Written
    posts: Written


def write_sample(folder: Path, *, users: int, posts: int, seed: int, dirty: bool) -> SampleCounts:
    """Write Users.xml, Posts.xml and Tags.xml with that many good rows (Community is one of the users).

    The same arguments give the same bytes. With `dirty`, some good rows need repairs, and a few rows that cannot
    be loaded are added. Existing files of these names are replaced. Raises OSError if the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    site = Site(users=users, posts=posts, seed=seed)
    return SampleCounts(
        users=_write(folder, "users", _spread(site.user_rows(), users, BAD_USERS if dirty else (), REPAIRED_USER)),
        posts=_write(folder, "posts", _spread(site.post_rows(), posts, BAD_POSTS if dirty else (), REPAIRED_POST)),
        # The tags come last because they count their uses.
        tags=_write(folder, "tags", _spread(site.tag_rows(), len(TAGS), BAD_TAGS if dirty else (), ())),
    )
