"""`headrace token`: a secret is shown once, opens what it may, and is revoked by its name."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import httpx

from models.token import TokenScope, add_token, list_tokens, new_secret
from tests.conftest import every_database
from tests.worker.probing import ask, free_port, until

if TYPE_CHECKING:
    from tests.conftest import CommandLine
    from worker.resources import Resources


def test_a_token_is_shown_once_and_opens_an_address_that_others_can_reach(headrace: CommandLine) -> None:
    made = headrace("token", "create", "importer", "--scope", "write", "--days", "1", "--json").json
    assert (made["name"], made["scope"]) == ("importer", "write")
    port = free_port()
    started = headrace.start("web", "--host", "0.0.0.0", "--port", port)
    try:
        until(port, "/readyz", 200)
        assert ask(port, "/v1/runs").status == 401
        with httpx.Client(headers={"Authorization": f"Bearer {made['token']}"}) as client:
            assert client.get(f"http://127.0.0.1:{port}/v1/runs").status_code == 200
        started.send_signal(signal.SIGTERM)
        assert started.wait(timeout=120) == 0
    finally:
        started.kill()
        started.wait()
    assert headrace("token", "revoke", "importer").code == 0
    [listed] = headrace("token", "list", "--json").json
    assert made["token"] not in str(listed)
    assert all(listed[name] for name in ("created_at", "expires_at", "last_used_at", "revoked_at"))


@every_database
async def test_a_name_is_given_once_and_only_a_hash_is_kept(resources: Resources) -> None:
    secret = new_secret()
    async with resources.database.writing.begin() as session:
        assert await add_token(session, "twice", secret, TokenScope.READ, None)
        assert not await add_token(session, "twice", new_secret(), TokenScope.READ, None)
    async with resources.database.reading() as session:
        [kept] = await list_tokens(session)
    assert secret.removeprefix("hr_") not in str(vars(kept))
