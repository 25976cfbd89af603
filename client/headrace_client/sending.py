"""Requests that are sent again where that can help, and only where it can do no harm."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx

from headrace_client.errors import BusyError, UnreachableError, problem_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable

TRIES = 5
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 30.0
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True, slots=True)
class Ask:
    """One request; `repeatable` says that carrying it out twice is the same as once."""

    method: str
    path: str
    repeatable: bool
    params: dict[str, Any] = field(default_factory=dict)
    json: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    content: Callable[[], AsyncIterable[bytes]] | None = None
    """Opens the body anew for each try."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends requests to one Headrace."""

    http: httpx.AsyncClient
    base_url: str
    headers: dict[str, str]

    def request(self, ask: Ask) -> httpx.Request:
        """Build the request of one try."""
        return self.http.build_request(
            ask.method,
            f"{self.base_url}{ask.path}",
            params=ask.params,
            json=ask.json,
            content=ask.content() if ask.content else None,
            headers=self.headers | ask.headers,
        )

    async def send(self, ask: Ask) -> httpx.Response:
        """Send a request until it is answered, and return the answer if it is a good one.

        A Headrace that is busy is asked again after the time it names; one that is away is asked again
        if it cannot have carried the request out, or if that would do no harm.

        Raises:
            UnreachableError: no answer came.
            ProblemError: the answer is a problem.

        """
        tries = 0
        while True:
            tries += 1
            try:
                response = await self.http.send(self.request(ask))
            except httpx.RequestError as error:
                if tries == TRIES or not (ask.repeatable or isinstance(error, NEVER_SENT)):
                    raise unreachable(ask, error) from error
                await asyncio.sleep(pause_seconds(tries))
                continue
            if response.is_success:
                return response
            problem = problem_of(response)
            if tries == TRIES or not isinstance(problem, BusyError):
                raise problem
            await asyncio.sleep(pause_seconds(tries, problem.retry_after_seconds))


def pause_seconds(tries: int, asked_for: float | None = None) -> float:
    """Give the pause after so many tries: what the server asks for, else doubling with jitter, to 30 s."""
    if asked_for is not None:
        return min(asked_for, LONGEST_PAUSE_SECONDS)
    pause = min(FIRST_PAUSE_SECONDS * 2.0 ** (tries - 1), LONGEST_PAUSE_SECONDS)
    return pause * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not cryptography


def unreachable(ask: Ask, error: Exception) -> UnreachableError:
    """Say in one line what was not answered, and why."""
    perhaps = "" if ask.repeatable or isinstance(error, NEVER_SENT) else "; it may have been carried out"
    reason = str(error) or type(error).__name__
    return UnreachableError(f"{ask.method} {ask.path} was not answered: {reason}{perhaps}")
