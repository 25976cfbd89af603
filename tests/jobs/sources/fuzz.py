"""Tries readers with made-up bytes for a while: `python -m tests.jobs.sources.fuzz --seconds 600 csv`.

What fails is printed with its seed; `--seed N --trials 1` tries that one again.
"""

from __future__ import annotations

import argparse
import faulthandler
import signal
import sys
import time
from itertools import count
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests.jobs.sources.trials import TRIALS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HANG_SECONDS = 30
MOST_FAILURES = 10


def fuzz(name: str, seeds: Iterator[int], seconds: float) -> tuple[int, int]:
    """Try a reader until the time is up; give how many trials there were and how many failed."""
    until, trials, failures = time.monotonic() + seconds, 0, 0
    with TemporaryDirectory() as folder:
        for seed in seeds:
            trials += 1
            failures += failed(name, TRIALS[name], seed, Path(folder))
            if time.monotonic() > until or failures >= MOST_FAILURES:
                break
    return trials, failures


def failed(name: str, trial: Callable[[Random, Path], None], seed: int, folder: Path) -> bool:
    """Make a trial, and say what is wrong if it fails or does not end."""
    signal.alarm(HANG_SECONDS)
    try:
        trial(Random(seed), folder)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what we look for
        print(f"{name}: seed {seed}: {type(error).__name__}: {str(error)[:500]}", flush=True)
        return True
    finally:
        signal.alarm(0)
    return False


def hangs(_number: int, _frame: object) -> None:
    raise TimeoutError(f"no end after {HANG_SECONDS} s")


def main() -> None:
    faulthandler.enable()
    signal.signal(signal.SIGALRM, hangs)
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("readers", nargs="*", metavar="READER", help=", ".join(TRIALS))
    asked.add_argument("--seconds", type=float, default=60, help="for each reader")
    asked.add_argument("--seed", type=int, help="the first; counted up from there")
    asked.add_argument("--trials", type=int, help="no more than so many of each reader")
    options = asked.parse_args()
    wrong = 0
    for name in options.readers or TRIALS:
        first = options.seed if options.seed is not None else Random().randrange(2**40)
        seeds = iter(range(first, first + options.trials)) if options.trials else count(first)
        trials, failures = fuzz(name, seeds, options.seconds)
        print(f"{name}: {trials:,} trials from seed {first}, {failures} failed", flush=True)
        wrong += failures
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
