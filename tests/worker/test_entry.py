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
