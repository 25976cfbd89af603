"""Errors a job may end with. The docstring of each is its message."""


class JobError(Exception):
    """The job cannot go on."""

    def __str__(self) -> str:
        """Give the message that was passed, or the class's own sentence."""
        return super().__str__() or (self.__doc__ or "").strip()


class InputError(JobError):
    """The input cannot be read as asked; trying again would not help."""
