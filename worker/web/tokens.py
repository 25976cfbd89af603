"""Who asks: tokens as the database has them, remembered for a few seconds."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.exc import SQLAlchemyError

from models.token import PREFIX, Token, TokenScope, any_token, find_token, hash_of, note_uses
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
    _callers: OrderedDict[str, tuple[float, Caller]] = field(default_factory=OrderedDict)
    """When each was found last, by the hash of its secret; the latest at the end."""
    _exist: bool = False
    _believed_until: float = 0.0
    _used: set[int] = field(default_factory=set)

    def known(self, secret: str) -> Caller | None:
        """Give the caller of a secret that was found lately."""
        at, caller = self._callers.get(hash_of(secret), (0.0, None))
        if caller is None or time.monotonic() - at > REMEMBERED_SECONDS:
            return None
        self._note(caller)
        return caller

    def was_good(self, secret: str) -> bool:
        """Tell whether a secret was found when it was last looked up, however long ago."""
        return hash_of(secret) in self._callers

    async def find(self, secret: str) -> Caller | None:
        """Look a secret up; None means that it is unknown, revoked or expired."""
        if not secret.startswith(PREFIX) or len(secret) not in SECRET_LENGTHS or not secret.isascii():
            return None
        async with self.database.reading() as session:
            token = await find_token(session, secret)
        if token is None:
            self._callers.pop(hash_of(secret), None)
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
        caller = Caller(TokenScope(token.scope), token.name, token.id)
        digest = hash_of(secret)
        self._callers[digest] = time.monotonic(), caller
        self._callers.move_to_end(digest)
        if len(self._callers) > MOST_REMEMBERED:
            self._callers.popitem(last=False)
        self._note(caller)
        return caller

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
