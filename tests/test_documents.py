"""What the documents list is what the code has: every log event, every metric."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from jobs.columns import COLUMNS
from jobs.mapping import FieldMapping, FileForm, Tags, Time, Value
from models.database import open_database
from worker.gauges import PoolGauges, QueueGauges, SourceGauges
from worker.metrics import Metrics
from worker.web.metrics import RequestMetrics

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent
LEVELS = {name: name for name in ("debug", "info", "warning", "error")} | {"exception": "error"}
# As the samples are named; a histogram is listed under the name that its samples begin with.
ENDINGS = {"counter": "_total", "info": "_info"}


def logged(path: Path) -> Iterator[tuple[str, str]]:
    """Find the events of a module, with their levels."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name("log" | "logger"), attr=level), args=args):
                if level in LEVELS:
                    event = args[0] if args else None
                    assert isinstance(event, ast.Constant), f"{path}:{node.lineno}: not the name of an event"
                    yield str(event.value), LEVELS[level]


def rows(document: str, name: str) -> Iterator[tuple[str, ...]]:
    """Find the rows of a document's tables whose first cell is such a name, in code."""
    for line in (ROOT / "docs" / document).read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if found := re.fullmatch(f"`({name})`", cells[0]):
            yield (found[1], *cells[1:])


def test_every_event_is_documented_with_its_level_and_no_other() -> None:
    modules = (path for room in ("models", "jobs", "worker") for path in (ROOT / room).rglob("*.py"))
    events = {event for path in modules for event in logged(path)}
    documented = [(event, level) for event, level, *_ in rows("events.md", r"[a-z_]+\.[a-z_]+")]
    assert len(documented) == len(set(documented))
    assert set(documented) == events


async def test_every_metric_is_documented_and_no_other() -> None:
    registry, queue = CollectorRegistry(), QueueGauges()
    Metrics(registry)
    RequestMetrics(registry)
    registry.register(queue)
    registry.register(SourceGauges())
    async with open_database("sqlite:////nowhere", application="tests") as database:
        registry.register(PoolGauges(database))
        metrics = {family.name + ENDINGS.get(family.type, "") for family in registry.collect()}
    documented = [name for name, *_ in rows("operations.md", "headrace_[a-z_]+")]
    assert len(documented) == len(set(documented))
    assert set(documented) == metrics


def test_every_option_of_a_mapping_is_documented_and_no_other() -> None:
    options = {*Value.model_fields, *Time.model_fields, *Tags.model_fields, *FileForm.model_fields}
    assert {name for name, *_ in rows("mapping.md", "[a-z]+")} - {*COLUMNS} == options


def test_the_mappings_of_the_documents_can_be_meant() -> None:
    for document in (ROOT / "docs" / "mapping.md", ROOT / "README.md"):
        for toml in re.findall(r"^```toml\n(.*?)^```", document.read_text(), re.MULTILINE | re.DOTALL):
            assert FieldMapping.model_validate(tomllib.loads(toml)).entity == "posts"
