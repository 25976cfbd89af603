"""How often somebody may ask, counted in this process."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

import limits
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from worker.web.problems import TooManyError

if TYPE_CHECKING:
    from limits import RateLimitItem

FAILURES = limits.parse("20/minute")  # wrong tokens of one address


class Rates:
    """Counts the requests of each caller, if a rate is set, and the failures of each address in any case."""

    def __init__(self, rate: str | None) -> None:
        self._rate = limits.parse(rate) if rate else None
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def count(self, who: str) -> dict[str, str]:
        """Count a request; give the headers that say how many more may follow.

        Raises:
            TooManyError: there were too many.

        """
        if self._rate is None:
            return {}
        allowed = await self._limiter.hit(self._rate, "caller", who)
        seconds, headers = await self._standing(self._rate, who)
        if not allowed:
            raise TooManyError(f"Not more than {self._rate}.", headers | {"Retry-After": str(seconds)})
        return headers

    async def check_failures(self, address: str) -> None:
        """See that an address may try another token.

        Raises:
            TooManyError: it tried too many wrong ones.

        """
        if not await self._limiter.test(FAILURES, "failed", address):
            wait = str(FAILURES.get_expiry())
            raise TooManyError("Too many wrong tokens from this address.", {"Retry-After": wait})

    async def count_failure(self, address: str) -> None:
        """Count a wrong token."""
        await self._limiter.hit(FAILURES, "failed", address)

    async def _standing(self, rate: RateLimitItem, who: str) -> tuple[int, dict[str, str]]:
        """Give the seconds after which a request more is allowed, and the headers that say so."""
        reset_at, remaining = await self._limiter.get_window_stats(rate, "caller", who)
        seconds = max(math.ceil(reset_at - time.time()), 1)
        policy = f'"default";q={rate.amount};w={rate.get_expiry()}'
        return seconds, {"RateLimit-Policy": policy, "RateLimit": f'"default";r={int(remaining)};t={seconds}'}
