"""The stages of a split run: those that wait for the parts at work, as the ledger keeps them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobs.client import row_of
from jobs.registry import BY_NAME

if TYPE_CHECKING:
    from uuid import UUID

    from jobs.requests import Request


@dataclass(frozen=True, slots=True)
class Stages:
    """What is left of a split run after its first `made` parts: stages of parts, and what follows them."""

    made: int
    stages: tuple[tuple[Request, ...], ...]
    then: Request | None

    @classmethod
    def read(cls, document: dict[str, Any]) -> Stages:
        """Read what the ledger keeps; version 0.1 kept the request that follows, and knew of no stages."""
        if "stages" not in document:
            return cls(0, (), _request(document))
        then = document["then"]
        stages = tuple(tuple(map(_request, stage)) for stage in document["stages"])
        return cls(document["made"], stages, then and _request(then))

    def document(self) -> dict[str, Any] | None:
        """Give what the ledger is to keep."""
        if not self.stages and self.then is None:
            return None
        stages = [[_document(request) for request in stage] for stage in self.stages]
        return {"made": self.made, "stages": stages, "then": self.then and _document(self.then)}

    def rows(self, parent_id: UUID) -> list[dict[str, Any]]:
        """Make the runs of the next stage."""
        return [
            row_of(request)
            | {"parent_id": parent_id, "part": number, "unique_key": f"part {number} of {parent_id}"}
            for number, request in enumerate(self.stages[0], self.made + 1)
        ]

    def rest(self) -> Stages:
        """Give what is left after the next stage."""
        return Stages(self.made + len(self.stages[0]), self.stages[1:], self.then)


def _document(request: Request) -> dict[str, Any]:
    return {"job": request.job, "request": request.document()}


def _request(document: dict[str, Any]) -> Request:
    return BY_NAME[document["job"]].request.model_validate(document["request"])
