"""Whether and when a failed attempt is followed by another."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError

from jobs.errors import InputError, JobError, RetryLaterError
from models.dialect import is_away
from models.statements import has_run_too_long
from worker.outcomes import CutOff, Failed, Retry

if TYPE_CHECKING:
    from jobs.registry import Job

NEVER_RETRIED = (InputError, ValidationError)
FIRST_DELAY_SECONDS = 2.0
LONGEST_DELAY_SECONDS = 600.0
# What a later version may have added to a request: a field, or a choice.
UNKNOWN_HERE = {"extra_forbidden", "literal_error"}
FROM_LATER = "a later version may have asked for it: upgrade the workers, then `headrace retry`"


def delay_seconds(failures: int) -> float:
    """Give the pause after so many failures: doubling from 2 s to 10 min, with jitter from half to whole."""
    pause = min(FIRST_DELAY_SECONDS * 2.0 ** (failures - 1), LONGEST_DELAY_SECONDS)
    return pause * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not cryptography


def judge(error: Exception, job: Job, failures: int) -> Failed | Retry | CutOff:
    """Decide what follows an attempt that failed; `failures` counts the earlier ones."""
    if is_away(error):
        return CutOff(describe(error))
    if isinstance(error, NEVER_RETRIED):
        return Failed(describe(error))
    if failures + 1 >= job.tries:
        return Failed(f"{describe(error)} (given up after {failures + 1} tries)")
    if isinstance(error, RetryLaterError):
        return Retry(describe(error), max(error.delay_seconds, 0.0))
    return Retry(describe(error), delay_seconds(failures + 1))


def describe(error: Exception) -> str:
    """Put an error into one line, without the values of a statement's parameters."""
    if isinstance(error, ValidationError):
        return _unreadable(error)
    if isinstance(error, TimeoutError) and not str(error):
        return "the job took longer than its timeout"
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    if has_run_too_long(error):
        return "a statement took longer than HEADRACE_STATEMENT_SECONDS allows; the database ended it"
    text = str(error.orig) if isinstance(error, DBAPIError) else str(error)
    line = " ".join(text.split())
    return line if isinstance(error, JobError) else f"{type(error).__name__}: {line}".removesuffix(": ")


def _unreadable(error: ValidationError) -> str:
    found = error.errors(include_input=False)
    problems = [
        ": ".join(filter(None, (".".join(map(str, each["loc"])), each["msg"].removeprefix("Value error, "))))
        for each in found
    ]
    if all(problem["type"] in UNKNOWN_HERE for problem in found):
        problems.append(FROM_LATER)
    return f"unreadable request: {'; '.join(problems)}"
