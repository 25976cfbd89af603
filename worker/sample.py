# ruff: noqa: S311 (nothing here is to be kept secret)
"""A made-up site in the shape of a Stack Exchange dump, for demonstrations, benchmarks and tests."""

from __future__ import annotations

import random
import re
from collections import Counter, deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SITE_OPENED = datetime(2012, 3, 1)  # noqa: DTZ001 (the dumps write no zone)
SITE_AGE = timedelta(days=8 * 365)
OPEN_QUESTIONS = 200
FEWEST_USERS = 2  # Community, which asks nothing, and one more
SENTENCES = 2000
QUESTION_SHARE = 0.4
TAG_WIKI_SHARE = 0.005
DELETED_SHARE = 0.01
NEGATIVE_SHARE = 0.05
FOREIGN_SHARE = 0.02
PROFILE_SHARE = 0.2
SOILED_ONE_IN = 10

WORDS, FOREIGN_WORDS, FIRST_NAMES, LAST_NAMES, TAGS = map(
    str.split,
    (
        """the a one this every of in on with without before after under between water wheel stone mill river
        gate channel grain flour valley bridge meadow lantern copper timber barrel yeast malt hops kettle
        cellar harvest runs turns holds keeps falls rises drives carries measures opens closes settles slowly
        quickly often rarely deep broad cold warm steady narrow and or but because while""",
        "früh été naïve Größe 水車 мельница 🍺",
        "Amber Brass Copper Dusty Early Falling Grey Hidden Idle Jade Löwen Misty Noisy Œuvre Quiet Silver",
        "Heron Lantern Millstone Otter Pike Quarry Reed Sluice Thicket Über Valley Weir Été Øre Willow",
        """brewing water-mill .net c# c++ node.js yeast malt hops all-grain bottling cask-conditioning
        ipa stout lager equipment sanitation temperature fermentation history storage glassware recipes""",
    ),
)
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

    The same arguments give the same bytes. With `dirty`, one good row in ten needs care, and a few that no
    reader can accept are added. Files of these names are replaced. Raises OSError if one cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    uses: Counter[str] = Counter()
    rows = {
        "users": (user_rows(users, random.Random(f"users {seed}")), users),
        "posts": (post_rows(posts, users, uses, random.Random(f"posts {seed}")), posts),
        "tags": (tag_rows(uses), len(TAGS)),  # last, because they say how often the posts use them
    }
    written = {
        entity: _write(folder / f"{entity.title()}.xml", entity, good, count, dirty=dirty)
        for entity, (good, count) in rows.items()
    }
    return SampleCounts(**written)


def _write(path: Path, entity: str, good: Iterator[str], count: int, *, dirty: bool) -> Written:
    bad = UNLOADABLE[entity] if dirty else ()
    rows = _with_bad_rows(_soiled(good, SOILINGS[entity]), count, bad) if dirty else map(str.encode, good)
    with path.open("wb") as file:
        file.write(f'\ufeff<?xml version="1.0" encoding="utf-8"?>\r\n<{entity}>\r\n'.encode())
        file.writelines(b"  %b\r\n" % row for row in rows)
        file.write(f"</{entity}>".encode())
    return Written(rows=count + len(bad), rejected=len(bad))


def user_rows(count: int, rng: random.Random) -> Iterator[str]:
    """Yield rows of users: Community first, then people in the order they came."""
    for number in range(count):
        created = _date(number, count, rng)
        name = f"{rng.choice(FIRST_NAMES)} {rng.choice(LAST_NAMES)}" if number else "Community"
        about = f' AboutMe="{_sentence(rng)}&#xA;"' if rng.random() < PROFILE_SHARE else ""
        reputation = 1 + int(rng.paretovariate(0.7) * 10) % 200_000 if number else 1
        yield (
            f'<row Id="{user_id(number)}" Reputation="{reputation}" CreationDate="{created}"'
            f' DisplayName="{name}" LastAccessDate="{created}"{about} Views="{rng.randrange(90)}"'
            f' UpVotes="{rng.randrange(40)}" DownVotes="{rng.randrange(9)}" AccountId="{7 * number or -1}" />'
        )


def post_rows(count: int, users: int, uses: Counter[str], rng: random.Random) -> Iterator[str]:
    """Yield rows of posts in the order of their ids, answers after their questions; count the tags."""
    sentences = [_sentence(rng) for _ in range(SENTENCES)]
    open_questions: deque[int] = deque(maxlen=OPEN_QUESTIONS)
    promised: dict[int, int] = {}  # number of an accepted answer → id of its question, which came before it
    for number in range(count):
        chance = rng.random()
        created = _date(number, count, rng)
        middle = f' CreationDate="{created}" Score="{_score(rng)}"'
        body = f' Body="{_body(sentences, rng)}"{_owner(users, rng)} LastActivityDate="{created}"'
        end = f' CommentCount="{rng.randrange(6)}" ContentLicense="CC BY-SA 4.0" />'
        if number in promised or (chance > QUESTION_SHARE and open_questions):
            parent = promised.pop(number, None) or rng.choice(open_questions)
            yield f'<row Id="{post_id(number)}" PostTypeId="2" ParentId="{parent}"{middle}{body}{end}'
        elif chance < TAG_WIKI_SHARE:
            body = f' Body="{rng.choice(sentences)}" OwnerUserId="-1" LastActivityDate="{created}"'
            yield f'<row Id="{post_id(number)}" PostTypeId="{rng.choice("45")}"{middle}{body}{end}'
        else:
            accepted = _promise(number, count, promised, rng)
            open_questions.append(post_id(number))
            views = f' ViewCount="{rng.randrange(5000)}"'
            asked = f' Title="{_title(rng)}"{_tags(uses, rng)} AnswerCount="{rng.randrange(4)}"'
            yield f'<row Id="{post_id(number)}" PostTypeId="1"{accepted}{middle}{views}{body}{asked}{end}'


def tag_rows(uses: Counter[str]) -> Iterator[str]:
    """Yield rows of all tags with the number of their uses."""
    for number, name in enumerate(TAGS, start=1):
        yield f'<row Id="{number}" TagName="{name}" Count="{uses[name]}" />'


def user_id(number: int) -> int:
    """Give the id of the user with that number: ids have gaps, and Community's is -1."""
    return number + number // 9 + 1 if number else -1


def post_id(number: int) -> int:
    """Give the id of the post with that number: ids have gaps."""
    return number + number // 9 + 1


def escaped(text: str) -> str:
    """Write text as an attribute value, like the dumps do."""
    value = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return value.replace("\n", "&#xA;")


def _promise(number: int, count: int, promised: dict[int, int], rng: random.Random) -> str:
    """Choose a later post as the accepted answer of question `number`, or none."""
    later = number + rng.randint(1, 60)
    if later >= count or later in promised:
        return ""
    promised[later] = post_id(number)
    return f' AcceptedAnswerId="{post_id(later)}"'


def _date(number: int, count: int, rng: random.Random) -> str:
    step = SITE_AGE / count
    return (SITE_OPENED + step * (number + rng.random())).isoformat(timespec="milliseconds")


def _score(rng: random.Random) -> int:
    return -rng.randint(1, 6) if rng.random() < NEGATIVE_SHARE else int(rng.expovariate(0.3))


def _owner(users: int, rng: random.Random) -> str:
    """Choose an author: a few write most, many write nothing, and some are gone but for their name."""
    if rng.random() < DELETED_SHARE or users < FEWEST_USERS:
        return f' OwnerDisplayName="user{rng.randrange(9999)}"'
    return f' OwnerUserId="{user_id(1 + int((users - 1) * rng.random() ** 2.5))}"'


def _sentence(rng: random.Random) -> str:
    words = rng.choices(WORDS, k=rng.randint(5, 17))
    if rng.random() < FOREIGN_SHARE:
        words.append(rng.choice(FOREIGN_WORDS))
    place = rng.randrange(len(words))
    words[place] = rng.choice(MARKUP).format(words[place])
    return escaped(" ".join(words).capitalize() + rng.choice(".?!"))


def _body(sentences: list[str], rng: random.Random) -> str:
    return "".join(
        f"&lt;p&gt;{' '.join(rng.choices(sentences, k=rng.randint(1, 5)))}&lt;/p&gt;&#xA;&#xA;"
        for _ in range(1 + int(rng.expovariate(0.55)))
    )


def _tags(uses: Counter[str], rng: random.Random) -> str:
    tags = rng.sample(TAGS, k=rng.randint(1, 5))
    uses.update(tags)
    return f' Tags="{"".join(f"&lt;{tag}&gt;" for tag in tags)}"'


def _title(rng: random.Random) -> str:
    return escaped(" ".join(rng.choices(WORDS, k=rng.randint(4, 11))).capitalize() + "?")


def _soiled(good: Iterator[str], soilings: tuple[Callable[[str], str], ...]) -> Iterator[bytes]:
    """Yield the rows, one in ten of them changed so that it takes care to read it."""
    for number, row in enumerate(good):
        if number % SOILED_ONE_IN == SOILED_ONE_IN - 1:
            turn = number // SOILED_ONE_IN % len(soilings)
            changed = (soil(row) for soil in (*soilings[turn:], *soilings[:turn]))
            yield next(new for new in changed if new != row).encode()
        else:
            yield row.encode()


def _with_bad_rows(good: Iterator[bytes], count: int, bad: tuple[bytes, ...]) -> Iterator[bytes]:
    """Yield the good rows with the bad ones spread evenly among them."""
    waiting = deque(enumerate(bad, start=1))
    for number, row in enumerate(good):
        while waiting and waiting[0][0] * count <= number * (len(bad) + 1):
            yield waiting.popleft()[1]
        yield row
    yield from (row for _, row in waiting)


def _with_unknown_attribute(row: str) -> str:
    return row.replace(" />", ' Mood="calm" />')


def _in(attribute: str, addition: str) -> Callable[[str], str]:
    """Make a change that begins the value of `attribute` with `addition`."""
    return lambda row: row.replace(f' {attribute}="', f' {attribute}="{addition}', 1)


SOILINGS: dict[str, tuple[Callable[[str], str], ...]] = {
    "users": (
        _in("DisplayName", "&#x00;"),
        _in("DisplayName", "&#xD800;"),
        _in("DisplayName", "&bogus;"),
        _with_unknown_attribute,
    ),
    "posts": (
        _in("Body", "&#x00;"),
        _in("Body", "&#x0E;&#xDFFF;"),
        lambda row: re.sub(
            r' Tags="&lt;(.*?)&gt;"', lambda tags: f' Tags="|{tags[1].replace("&gt;&lt;", "|")}|"', row
        ),
        lambda row: re.sub(r' Tags="(&lt;.*?&gt;)', r' Tags="\1\1', row),
        _with_unknown_attribute,
        lambda row: re.sub(r' Body="[^"]*"', ' Body=""', row),
    ),
    "tags": (_with_unknown_attribute,),
}

UNLOADABLE: dict[str, tuple[bytes, ...]] = {
    "users": (
        b'<row Id="2000000001" CreationDate="2015-01-01T00:00:00.000" DisplayName="\xff\xfe" />',
        b'<row Reputation="1" CreationDate="2015-01-01T00:00:00.000" DisplayName="without an id" />',
        b'<row Id="2000000003" Reputation="99999999999999999999" CreationDate="2015-01-01T00:00:00.000" />',
        b'<row Id="2000000004" Reputation="1" CreationDate="2015-02-30T00:00:00.000" />',
        b'<row Id="2000000005" Reputation="1" DisplayName="never closed',
    ),
    "posts": (
        b'<row Id="2000000001" PostTypeId="1" CreationDate="2015-01-01T00:00:00.000" Body="\xff\xfe" />',
        b'<row PostTypeId="2" CreationDate="2015-01-01T00:00:00.000" Score="0" Body="without an id" />',
        b'<row Id="2000000003" PostTypeId="1" CreationDate="2015-01-01T00:00:00.000" Score="99999999999" />',
        b'<row Id="2000000004" PostTypeId="1" CreationDate="2015-02-30T00:00:00.000" Score="0" />',
        b'<row Id="2000000005" PostTypeId="1" CreationDate="2015-01-01T00:00:00.000" Body="never closed',
    ),
    "tags": (
        b'<row Id="2001" TagName="\xff\xfe" Count="0" />',
        b'<row Id="2002" Count="0" />',
        b'<row Id="2003" TagName="never closed',
    ),
}
