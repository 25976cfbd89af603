"""Why the embedded services cannot be used. The docstring of each error is its message, on one line."""


class EmbeddedError(Exception):
    """The embedded services cannot be used."""

    def __init__(self, **facts: object) -> None:
        super().__init__((self.__doc__ or "").format(**facts))


class HomeUnusableError(EmbeddedError):
    """HEADRACE_HOME {home} cannot be used ({reason}); choose a folder you may write to."""


class HomeBusyError(EmbeddedError):
    """Another command has kept {lock} for {seconds:.0f} s; wait for it or end it, then try again."""


class SocketFolderError(EmbeddedError):
    """{folder} cannot hold the sockets ({reason}); remove it, or set TMPDIR to a short path you own."""


class WheelMissingError(EmbeddedError):
    """The package {package} is not installed; install it, or set {setting}."""


class StartError(EmbeddedError):
    """{service} did not start ({reason}); see {log}, or set {setting}."""


class StopError(EmbeddedError):
    """{service} did not stop (process {pids}); see {log}, then end it by hand."""


class DataVersionError(EmbeddedError):
    """{data} was made by PostgreSQL {found}, this is {own}; move the folder away, or set DATABASE_URL."""


class DataOwnerError(EmbeddedError):
    """{data} belongs to user {owner}; run as that user, or choose another HEADRACE_HOME."""


class AccountError(EmbeddedError):
    """PostgreSQL refuses root and user {uid} cannot reach {path}; install setpriv, or set DATABASE_URL."""
