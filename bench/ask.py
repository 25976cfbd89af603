"""The producer's process: `python -m bench.ask MODULE prepare|fill|one_by_one ...` prints JSON."""

from __future__ import annotations

import asyncio
import json
import sys
from importlib import import_module
from typing import Any

from bench.producer import ask_one_by_one, fill


async def main(module: str, what: str, *arguments: str) -> Any:
    """Do what is asked for with the queue of a module."""
    queue = import_module(module)
    if what == "prepare":
        return await queue.prepare() if hasattr(queue, "prepare") else None
    async with queue.producing() as producer:
        if what == "fill":
            return await fill(producer, arguments[0], int(arguments[1]))
        return await ask_one_by_one(producer, int(arguments[0]))


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(*sys.argv[1:]))))
