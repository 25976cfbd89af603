"""The posts that every loader gets: made from a seed, the same for the same number."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

SITE = "bench"
POSTS_PER_AUTHOR = 10
TAGS = tuple(f"tag-{number}" for number in range(1, 501))
MOST_TAGS = 3
QUESTION_SHARE, AUTHORLESS_SHARE = 0.4, 0.01
LATEST_PARENTS = 1_000
BEGINNING = datetime(2010, 1, 1, tzinfo=UTC)
SENTENCES = 5_000
SENTENCES_OF_A_POST = (7, 15)  # which make about 890 bytes of JSON a post
TEXT = """
the a of to and in that it is was for on are with as be at one have this from by hot but some what there we
can out other were all your when up use word how said each she which do their time if will way about many
then them would write like so these her long make thing see him two has look more day could go come did my
sound no most number who over know water than call first people may down side been now find
"""
WORDS = TEXT.split()


class Post(NamedTuple):
    """One post; authors, parents and tags are numbered from 1 like the posts themselves."""

    number: int
    author: int | None
    author_name: str | None
    parent: int | None
    title: str | None
    content: str
    score: int
    created_at: datetime
    tags: tuple[int, ...]

    @property
    def kind(self) -> str:
        """What a site calls it."""
        return "answer" if self.parent else "question"


def authors_of(posts: int) -> int:
    """Tell how many authors so many posts have."""
    return max(posts // POSTS_PER_AUTHOR, 1)


def make_posts(count: int) -> Iterator[Post]:
    """Yield posts in the order of their times, answers after their questions.

    Authors and tags are as uneven as on real sites: a uniform number to the third power.
    """
    dice = random.Random(count)
    sentences = [_sentence(dice) for _ in range(SENTENCES)]
    questions: list[int] = []
    for number in range(1, count + 1):
        parent = None
        if questions and dice.random() > QUESTION_SHARE:
            parent = questions[-1 - int(dice.random() * min(len(questions), LATEST_PARENTS))]
        else:
            questions.append(number)
        yield _post(number, parent, authors_of(count), sentences, dice)


def _post(number: int, parent: int | None, authors: int, sentences: list[str], dice: random.Random) -> Post:
    is_authorless = dice.random() < AUTHORLESS_SHARE
    return Post(
        number,
        author=None if is_authorless else _skewed(authors, dice),
        author_name=f"user{number}" if is_authorless else None,
        parent=parent,
        title=None if parent else dice.choice(sentences)[:60],
        content=f"<p>{' '.join(dice.choices(sentences, k=dice.randint(*SENTENCES_OF_A_POST)))}</p>\n",
        score=int(dice.expovariate(0.3)) - 1,
        created_at=BEGINNING + timedelta(minutes=number, milliseconds=dice.randrange(1_000)),
        tags=tuple({_skewed(len(TAGS), dice) for _ in range(0 if parent else dice.randint(0, MOST_TAGS))}),
    )


def _skewed(count: int, dice: random.Random) -> int:
    return 1 + int(dice.random() ** 3 * count)


def _sentence(dice: random.Random) -> str:
    """Make a sentence; one in ten has something that every format has to escape."""
    words = dice.choices(WORDS, k=dice.randint(8, 18))
    if dice.random() < 0.1:  # noqa: PLR2004 - as the docstring says
        words[3] = '<em>"' + words[3] + '"</em> & é'
    return f"{' '.join(words).capitalize()}."
