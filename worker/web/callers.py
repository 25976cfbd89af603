"""Who asks, for operations that need to know."""

from typing import Annotated

from fastapi import Depends, Request

from worker.web.tokens import Caller


async def caller_of(request: Request) -> Caller:
    """Give the caller that the gate let in."""
    caller: Caller = request.state.caller
    return caller


Asking = Annotated[Caller, Depends(caller_of)]
