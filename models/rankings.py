"""Who is first by which statistic: authors with their ranks, over all posts or those of a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from sqlalchemy import func, select

from models.author_stats import authors, computed, exact
from models.clock import now
from models.post import Post
from models.user import User

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import CTE, ColumnElement, RowMapping, Select
    from sqlalchemy.ext.asyncio import AsyncSession

Statistic = Literal[
    "post_count", "total_score", "mean_score", "max_score", "h_index", "word_count", "active_days"
]
STATISTICS: tuple[Statistic, ...] = get_args(Statistic)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranking:
    """What authors are ranked by and among whom: one site, all, or each site for itself.

    The figures count all posts or, `since` included and `until` not, those created in a time. They are exact
    at any time. Authors without such posts have no rank.
    """

    by: Statistic = "total_score"
    site: str | None = None
    each_site: bool = False
    since: datetime | None = None
    until: datetime | None = None


async def top_authors(session: AsyncSession, ranking: Ranking, limit: int) -> Sequence[RowMapping]:
    """List the first `limit` authors, of each site if that is ranked, with `rank`, `dense_rank` and figures.

    Authors who tie share a rank; they are listed by posts, then by natural key.
    """
    ranked = _ranked(ranking, limit)
    order = (ranked.c.site, ranked.c.place) if ranking.each_site else (ranked.c.place,)
    return await _rows(session, _shown(ranked).where(ranked.c.place <= limit).order_by(*order))


async def authors_around(
    session: AsyncSession, ranking: Ranking, author_id: int, distance: int
) -> Sequence[RowMapping]:
    """List an author with up to `distance` authors before and after; nobody if the author has no rank."""
    ranked = _ranked(ranking)
    # Looked up once; joined, PostgreSQL would look for the author beside every other one.
    place, site = (
        select(ranked.c[name]).where(ranked.c.author_id == author_id).scalar_subquery()
        for name in ("place", "site")
    )
    query = _shown(ranked).where(ranked.c.place.between(place - distance, place + distance))
    if ranking.each_site:
        query = query.where(ranked.c.site == site)
    return await _rows(session, query.order_by(ranked.c.place))


async def statistics_of(session: AsyncSession, author_ids: Collection[int]) -> dict[int, RowMapping]:
    """Map authors to their figures as they are now; who has no posts is left out."""
    figures = exact().subquery("figures")
    rows = await _rows(session, select(figures).where(figures.c.author_id.in_(author_ids)))
    return {row["author_id"]: row for row in rows}


def _ranked(ranking: Ranking, first: int | None = None) -> CTE:
    """Give `rank`, `dense_rank` and a `place` that nobody shares, with the columns of the authors.

    The `first` are enough for their own ranks: whoever is better than one of them is among them.
    """
    query = _authors(ranking)
    if first is not None and not ranking.each_site:
        query = query.order_by(*_places(query.selected_columns, ranking)).limit(first)
    found = query.subquery("found")
    among = found.c.site if ranking.each_site else None
    places = _places(found.c, ranking)
    by = places[0]
    return select(
        func.rank().over(partition_by=among, order_by=by).label("rank"),
        func.dense_rank().over(partition_by=among, order_by=by).label("dense_rank"),
        func.row_number().over(partition_by=among, order_by=places).label("place"),
        *found.c,
    ).cte("ranked")


def _places(columns: Iterable[ColumnElement[Any]], ranking: Ranking) -> list[ColumnElement[Any]]:
    """Give the order of the places: by the statistic, then by posts, then by natural key."""
    named = {column.key: column for column in columns}
    return [named[ranking.by].desc(), named["post_count"].desc(), named["site"], named["external_id"]]


def _shown(ranked: CTE) -> Select[Any]:
    return select(*(column for column in ranked.c if column.name != "place"))


def _authors(ranking: Ranking) -> Select[Any]:
    if ranking.since is None and ranking.until is None:
        return authors(ranking.site)
    figures = computed(*_counted(ranking)).add_columns(now().label("computed_at")).subquery("figures")
    query = select(User.site, User.external_id, User.name, *figures.c)
    return query.join(figures, figures.c.author_id == User.id)


def _counted(ranking: Ranking) -> Iterator[ColumnElement[bool]]:
    """Give the conditions on the posts that count; their site is that of their authors."""
    if ranking.since is not None:
        yield Post.created_at >= ranking.since
    if ranking.until is not None:
        yield Post.created_at < ranking.until
    if ranking.site is not None:
        yield Post.site == ranking.site


async def _rows(session: AsyncSession, query: Select[Any]) -> Sequence[RowMapping]:
    rows: Sequence[RowMapping] = (await session.execute(query)).mappings().all()
    return rows
