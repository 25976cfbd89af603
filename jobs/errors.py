"""Errors a job may end with. The docstring of each is its message."""

from __future__ import annotations


class JobError(Exception):
    """The job cannot go on."""

    def __str__(self) -> str:
        """Give the message that was passed, or the class's own sentence."""
        return super().__str__() or (self.__doc__ or "").strip()


class InputError(JobError):
    """The input cannot be read as asked; trying again would not help."""


class SourceChangedError(InputError):
    """The file changed while it was being imported; import it again."""


class TooManyRejectsError(InputError):
    """More records were rejected than the import allows."""


class RetryLaterError(JobError):
    """What the job needs is not there yet; it costs a try, and the job says when the next makes sense."""

    def __init__(self, message: str, delay_seconds: float) -> None:
        super().__init__(message)
        self.delay_seconds = delay_seconds


class LeaseLostError(JobError):
    """The run belongs to another attempt by now; nothing more may be written for it."""


class StoppingError(JobError):
    """The worker is shutting down; the run goes on from here with another."""


class BatchConflictError(JobError):
    """Another transaction wrote the same rows at the same time; the batch is tried again."""
