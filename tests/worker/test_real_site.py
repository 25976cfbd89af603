"""A real Stack Exchange site, counted a second time by an independent parser.

STACKEXCHANGE_SITE names the folder with Users.xml, Posts.xml and Tags.xml of french.meta.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from tests.conftest import every_database

if TYPE_CHECKING:
    from tests.conftest import CommandLine

FOLDER = os.environ.get("STACKEXCHANGE_SITE", "")
pytestmark = pytest.mark.skipif(not FOLDER, reason="STACKEXCHANGE_SITE names no unpacked site")
READ = {"users": 1_703, "posts": 781, "tags": 94}


def counted() -> dict[str, dict[str, Any]]:
    """Count every author's figures from the XML alone."""
    scores, times = defaultdict(list), defaultdict(list)
    for row in ET.parse(Path(FOLDER) / "Posts.xml").getroot():
        if owner := row.get("OwnerUserId"):
            scores[owner].append(int(row.attrib["Score"]))
            times[owner].append(datetime.fromisoformat(row.attrib["CreationDate"]).replace(tzinfo=UTC))
    return {
        owner: {
            "post_count": len(own),
            "total_score": sum(own),
            "max_score": max(own),
            "h_index": sum(score > place for place, score in enumerate(sorted(own, reverse=True))),
            "first_post_at": min(times[owner]),
            "last_post_at": max(times[owner]),
        }
        for owner, own in scores.items()
    }


def exported(headrace: CommandLine, entity: str) -> list[dict[str, Any]]:
    path = headrace.folder / f"{entity}.jsonl"
    assert headrace("export", entity, "--to", path).code == 0
    return [json.loads(line) for line in path.read_text().splitlines()]


@every_database
def test_the_site_is_loaded_whole_and_every_author_is_exact(headrace: CommandLine) -> None:
    importing = ("import", FOLDER, "--site", "french.meta", "--wait", "--with-worker", "--json")
    first = headrace(*importing).json
    assert (first["state"], first["rejected"]) == ("succeeded", 0)
    assert {name: part["inserted"] for name, part in first["entities"].items()} == READ

    truth = counted()
    authors = {row["external_id"]: row for row in exported(headrace, "authors")}
    for row in authors.values():
        for name in ("first_post_at", "last_post_at"):
            row[name] = datetime.fromisoformat(row[name])
    assert {key: {name: row[name] for name in truth[key]} for key, row in authors.items()} == truth

    ownerless = {
        row.attrib["Id"]: row.get("OwnerDisplayName")
        for row in ET.parse(Path(FOLDER) / "Posts.xml").getroot()
        if row.get("OwnerUserId") is None
    }
    posts = {row["external_id"]: row for row in exported(headrace, "posts")}
    assert ownerless
    assert {key: posts[key]["author_name"] for key in ownerless} == ownerless
    assert all(posts[key]["author_external_id"] is None for key in ownerless)

    second = headrace(*importing).json
    assert (second["read"], second["unchanged"]) == (sum(READ.values()), sum(READ.values()))
