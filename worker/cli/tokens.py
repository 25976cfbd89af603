"""Commands about tokens of the HTTP API: create, list and revoke."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click
from rich.box import SIMPLE
from rich.table import Table

from jobs.errors import InputError
from models.clock import moment
from models.token import TokenScope, add_token, list_tokens, new_secret, revoke_token
from worker.cli.app import err, json_option, out, print_json, run_async, start
from worker.resources import open_resources

if TYPE_CHECKING:
    from models.token import Token
    from worker.settings import Settings

NAME_CHARS = 100
SHOWN = ("name", "scope", "created_at", "expires_at", "last_used_at", "revoked_at")


@click.group()
def token() -> None:
    """Make, list and revoke tokens of the HTTP API."""


@token.command()
@click.argument("name")
@click.option("--scope", type=click.Choice([scope.value for scope in TokenScope]), required=True)
@click.option(
    "--days", type=click.FloatRange(0, 36_500, min_open=True), help="For how long; for ever unless given."
)
@json_option
def create(*, name: str, scope: str, days: float | None, as_json: bool) -> None:
    """Make a token and print it, this once: only its hash is kept."""
    if not name.isprintable() or not 0 < len(name) <= NAME_CHARS:
        raise click.UsageError(f"a name has 1 to {NAME_CHARS} printable characters")
    secret = run_async(_create(start(), name, TokenScope(scope), days))
    if as_json:
        print_json({"name": name, "scope": scope, "token": secret})
    else:
        out.print(secret, markup=False)
        err.print("it is not shown again", markup=False)


async def _create(settings: Settings, name: str, scope: TokenScope, days: float | None) -> str:
    secret = new_secret()
    async with open_resources(settings) as resources, resources.database.writing.begin() as session:
        expires_at = await moment(session) + timedelta(days=days) if days else None
        if not await add_token(session, name, secret, scope, expires_at):
            raise InputError(f"there was a token {name!r} before; take another name")
    return secret


@token.command(name="list")
@json_option
def list_(*, as_json: bool) -> None:
    """List the tokens, also those that were revoked."""
    documents = run_async(_list(start()))
    if as_json:
        print_json(documents)
        return
    table = Table(*SHOWN, box=SIMPLE)
    for document in documents:
        table.add_row(*(_cell(document[column]) for column in SHOWN))
    out.print(table)


async def _list(settings: Settings) -> list[dict[str, Any]]:
    async with open_resources(settings) as resources, resources.database.reading() as session:
        return [_document(each) for each in await list_tokens(session)]


def _document(token: Token) -> dict[str, Any]:
    return {name: getattr(token, name) for name in SHOWN}


def _cell(value: Any) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S}" if hasattr(value, "strftime") else str(value or "")


@token.command()
@click.argument("name")
def revoke(*, name: str) -> None:
    """Revoke a token; servers that run refuse it within ten seconds."""
    settings = start()

    async def main() -> bool:
        async with open_resources(settings) as resources, resources.database.writing.begin() as session:
            return await revoke_token(session, name)

    if not run_async(main()):
        raise InputError(f"no token {name!r} that could be revoked; `headrace token list` lists them")
    err.print("revoked")
