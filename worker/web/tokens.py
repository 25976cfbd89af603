"""Who asks: tokens as the database has them, remembered for a few seconds."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from hashlib import sha256
from math import inf
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.exc import SQLAlchemyError

from models.token import PREFIX, Token, TokenScope, any_token, find_token, note_uses
from worker.rounds import over

if TYPE_CHECKING:
    import asyncio

    from models.database import Database

log = structlog.get_logger("headrace.web")

REMEMBERED_SECONDS = 10.0  # so long a revoked token may still be good
NOTED_EVERY_SECONDS = 60.0
MOST_REMEMBERED = 10_000
SECRET_LENGTHS = range(40, 60)


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever asks: a token, or anybody (`token_id` is None) where the API is open."""

    scope: TokenScope
    name: str = "anybody"
    token_id: int | None = None

    @property
    def may_write(self) -> bool:
        """Whether the caller may change things."""
        return self.scope == TokenScope.WRITE


ANYBODY = Caller(TokenScope.WRITE)


@dataclass(slots=True)
class Tokens:
    """Finds the caller of a secret, with one statement each ten seconds, and notes which tokens are used."""

    database: Database
    _callers: dict[str, tuple[float, Caller]] = field(default_factory=dict)
    _once_good: OrderedDict[bytes, None] = field(default_factory=OrderedDict)
    _exist: bool = False
    _believed_until: float = 0.0
    _used: set[int] = field(default_factory=set)

    def known(self, secret: str) -> Caller | None:
        """Give the caller of a secret that was found lately."""
        at, caller = self._callers.get(secret, (0.0, None))
        if caller is None or time.monotonic() - at > REMEMBERED_SECONDS:
            return None
        self._note(caller)
        return caller

    def was_good(self, secret: str) -> bool:
        """Tell whether a secret was found when it was last looked up, however long ago."""
        return _hash(secret) in self._once_good

    async def find(self, secret: str) -> Caller | None:
        """Look a secret up; None means that it is unknown, revoked or expired."""
        if not secret.startswith(PREFIX) or len(secret) not in SECRET_LENGTHS or not secret.isascii():
            return None
        async with self.database.reading() as session:
            token = await find_token(session, secret)
        if token is None:
            self._callers.pop(secret, None)
            self._once_good.pop(_hash(secret), None)
            return None
        return self._remember(secret, token)

    async def exist(self) -> bool:
        """Tell whether there ever was a token; that there is none is believed for a few seconds."""
        if time.monotonic() > self._believed_until:
            async with self.database.reading() as session:
                self._exist = await any_token(session)
            self._believed_until = inf if self._exist else time.monotonic() + REMEMBERED_SECONDS
        return self._exist

    async def keep_noting(self, stop: asyncio.Event) -> None:
        """Write down again and again, and at the end, which tokens were used: no request waits for it."""
        ends = False
        while not ends:
            ends = await over(stop, NOTED_EVERY_SECONDS)
            await self._note_uses()

    def _remember(self, secret: str, token: Token) -> Caller:
        if len(self._callers) >= MOST_REMEMBERED:
            self._callers.clear()
        caller = Caller(TokenScope(token.scope), token.name, token.id)
        self._callers[secret] = time.monotonic(), caller
        self._keep_as_good(_hash(secret))
        self._note(caller)
        return caller

    def _keep_as_good(self, digest: bytes) -> None:
        self._once_good[digest] = None
        self._once_good.move_to_end(digest)
        if len(self._once_good) > MOST_REMEMBERED:
            self._once_good.popitem(last=False)

    def _note(self, caller: Caller) -> None:
        if caller.token_id is not None:
            self._used.add(caller.token_id)

    async def _note_uses(self) -> None:
        used, self._used = self._used, set()
        if not used:
            return
        try:
            async with self.database.writing.begin() as session:
                await note_uses(session, used)
        except (OSError, SQLAlchemyError) as error:
            self._used |= used
            log.warning("tokens.not_noted", error=type(error).__name__)


def _hash(secret: str) -> bytes:
    """Give what is kept of a secret for long; a header may hold any Latin-1."""
    return sha256(secret.encode()).digest()
