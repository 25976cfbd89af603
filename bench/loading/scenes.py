"""What is played in one repeat: each scene on a database of its own, giving one figure or several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.loading import author_statistics, psql
from bench.loading.imports import ADD_ALL, COPY, load_twice, load_xml, loading
from bench.loading.peers import LXML, PEERS, bare_add_all

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from bench.loading.stage import Stage, Took


@dataclass(frozen=True, slots=True)
class Scene:
    """Measures figures; `titles` say in words what each of them is."""

    titles: Mapping[str, str]
    act: Callable[[Stage], Awaitable[Mapping[str, Took]]]
    missing: Callable[[], str | None] = lambda: None


SCENES = (
    Scene({"psql": "`psql`, `\\copy` of posts and of their tags"}, psql.load),
    Scene({"psql-posts": "`psql`, `\\copy` of posts alone"}, psql.load_posts),
    Scene(
        {"copy": "Headrace, JSON Lines, copy writer", "again": "Headrace, the same file again, unchanged"},
        load_twice,
    ),
    Scene(
        {"copy-2": "Headrace, JSON Lines, copy writer, two processes"}, loading("copy-2", COPY, processes=2)
    ),
    Scene({"xml": "Headrace, Stack Exchange XML, copy writer"}, load_xml),
    Scene({"lxml": LXML.title}, LXML.load, LXML.missing),
    Scene({"add_all": "Headrace, JSON Lines, `add_all` writer"}, loading("add_all", ADD_ALL)),
    Scene(
        {"add_all-2": "Headrace, JSON Lines, `add_all` writer, two processes"},
        loading("add_all-2", ADD_ALL, processes=2),
    ),
    Scene({"bare": "a bare `add_all` loop, rows ready in memory"}, bare_add_all),
    *(Scene({peer.figure: peer.title}, peer.load, peer.missing) for peer in PEERS),
    Scene(
        {
            "psql-export": "`psql`, `\\copy (SELECT …) TO` a file",
            "export": "Headrace, export of posts as JSON Lines",
        },
        psql.export,
    ),
    Scene(
        {
            "group-by": "`psql`, one `INSERT … SELECT … GROUP BY` of all authors",
            "rebuild": "Headrace, rebuild of the statistics",
            "refresh": "Headrace, refresh after 1 % of the authors were touched",
        },
        author_statistics.measure,
    ),
)
TITLES = {figure: title for scene in SCENES for figure, title in scene.titles.items()}


def scenes_for(figures: set[str]) -> list[Scene]:
    """Choose the scenes that give these figures."""
    return [scene for scene in SCENES if figures & scene.titles.keys()]
