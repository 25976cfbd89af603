"""Commands in processes forked from one that has imported everything: a short one is mostly imports."""

from __future__ import annotations

import os
import sys
import tempfile
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from worker import entry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from multiprocessing.context import ForkServerContext


class Ended(NamedTuple):
    """How a process ended: its exit code or minus its signal, and what it wrote."""

    code: int
    out: str
    err: str


def run(arguments: Sequence[str], environment: Mapping[str, str], folder: Path, *, seconds: float) -> Ended:
    """Run `headrace` to its end, with an environment and a working folder of its own.

    Raises:
        TimeoutError: it took longer than the seconds, and was killed.

    """
    with tempfile.TemporaryDirectory() as written:
        files = [str(Path(written) / name) for name in ("out", "err")]
        process = _forks().Process(target=_become, args=(arguments, environment, folder, files))
        process.start()
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutError(f"{arguments} took longer than {seconds} s")
        out, err = (Path(file).read_text() for file in files)
        return Ended(process.exitcode, out, err)


@cache
def _forks() -> ForkServerContext:
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__, "worker.cli.main"])
    return context


def _become(
    arguments: Sequence[str], environment: Mapping[str, str], folder: Path, files: Sequence[str]
) -> None:
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    for number, path in enumerate(files, start=1):
        file = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, number)
        os.close(file)
    sys.argv = ["headrace", *arguments]
    entry.main()
