from __future__ import annotations

import subprocess
import sys

from worker.entry import INTERRUPTED

# What the import of a module ends with, too: the callback of a weak reference.
IN_A_CALLBACK = """
import os, signal, weakref
from worker import entry

def told(name):
    class Lock: pass
    lock = Lock()
    reference = weakref.ref(lock, lambda _: os.kill(os.getpid(), signal.SIGTERM))
    del lock
    print("nobody was told")

entry.import_module = told
entry.main()
"""


def test_a_signal_that_comes_while_modules_are_imported_is_not_lost() -> None:
    done = subprocess.run([sys.executable, "-c", IN_A_CALLBACK], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (INTERRUPTED, "", "headrace: interrupted\n")


# As the Redis client does, which takes a cancellation for a timeout of its own.
WITHOUT_LETTING_IT_THROUGH = """
import asyncio, os, signal
from contextlib import suppress
from worker.cli.app import run_async
from worker.termination import is_terminated

async def start():
    with suppress(asyncio.CancelledError):
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(60)
    print(is_terminated())

run_async(start())
"""


def test_a_signal_whose_cancellation_is_lost_while_a_worker_starts_is_remembered() -> None:
    command = [sys.executable, "-c", WITHOUT_LETTING_IT_THROUGH]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")
