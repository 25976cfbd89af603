"""The file that HEADRACE_SOURCES names: what is imported again and again, and when."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Self

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from jobs.errors import InputError
from jobs.fetching.places import is_local, local_path
from jobs.import_requests import ImportDump
from jobs.keepable import Text
from jobs.mapping_file import read_mapping
from jobs.request_values import Expected, FormatChoice, Missing, SiteName, SourceName
from worker.settings import TimeZone

if TYPE_CHECKING:
    from pathlib import Path


class SourceFileError(Exception):
    """The file of sources cannot be kept; `faults` has a line for each reason."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


def _cron(expression: str) -> str:
    try:
        found = next(CronSim(expression, datetime.now(UTC)), None)
    except CronSimError as error:
        raise ValueError(f"no such time: {error}") from error
    if found is None:
        raise ValueError("it never falls due")
    return expression


def _readable(url: str) -> str:
    try:
        is_local(url)
    except InputError as error:
        raise ValueError(str(error)) from error
    return url


Url = Annotated[Text, AfterValidator(_readable)]


class ScheduledSource(BaseModel):
    """One entry of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: SourceName
    site: SiteName
    cron: Annotated[str, AfterValidator(_cron)]
    url: Url | None = None
    urls: tuple[Url, ...] = ()
    time_zone: TimeZone | None = None
    format: FormatChoice = "auto"
    map: Text | None = None
    snapshot: bool = False
    missing: Missing = "delete"
    expect: Expected = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_a_place(self) -> Self:
        if (self.url is None) == (not self.urls):
            raise ValueError("give either url or urls")
        if self.missing != "delete" and not self.snapshot:
            raise ValueError("missing is for a snapshot")
        return self

    @property
    def places(self) -> tuple[str, ...]:
        """All its URLs."""
        return self.urls or (self.url or "",)

    def request(self, folder: Path) -> ImportDump:
        """Give what its ticks ask for; paths are meant in the folder of the file.

        Raises:
            InputError: its mapping cannot be read.

        """
        urls = (str(folder / local_path(url)) if is_local(url) else url for url in self.places)
        how = self.model_dump(include={"site", "format", "snapshot", "missing", "expect"})
        mapping = read_mapping(folder / self.map) if self.map else None
        return ImportDump(urls=tuple(urls), source=self.name, mapping=mapping, **how)


def read_sources(path: Path | None) -> list[ScheduledSource]:
    """Read the file.

    Raises:
        SourceFileError: it cannot be read, or something in it is wrong.

    """
    if path is None:
        return []
    try:
        tables = tomllib.loads(path.read_text()).get("source", [])
    except OSError as error:
        raise SourceFileError([f"{path}: {error.strerror}; check HEADRACE_SOURCES"]) from error
    except ValueError as error:
        raise SourceFileError([f"{path}: is no TOML: {error}"]) from error
    if not isinstance(tables, list) or not tables:
        raise SourceFileError([f"{path}: holds no [[source]]"])
    found, faults = [], []
    for number, table in enumerate(tables, start=1):
        try:
            found.append(ScheduledSource.model_validate(table))
            found[-1].request(path.resolve().parent)
        except InputError as error:
            faults.append(f"{path}: {_called(table, number)}: map: {error}")
        except ValidationError as error:
            faults += [
                f"{path}: {_called(table, number)}: {_sentence(dict(each))}" for each in error.errors()
            ]
    names = [source.name for source in found]
    faults += [f"{path}: there are several sources {name}" for name in set(names) if names.count(name) > 1]
    if faults:
        raise SourceFileError(faults)
    return found


def _called(table: Any, number: int) -> str:
    name = table.get("name") if isinstance(table, dict) else None
    return f"source {name!r}" if isinstance(name, str) else f"source number {number}"


def _sentence(problem: dict[str, Any]) -> str:
    field = ".".join(map(str, problem["loc"]))
    says = " ".join(str(problem["msg"]).removeprefix("Value error, ").split())
    return f"{field}: {says}" if field else says
