"""The `headrace` command. Every expected error ends in one line and a non-zero exit code."""

from __future__ import annotations

import sys

import click
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from jobs.errors import JobError
from worker.cli.explanations import explain
from worker.cli.exports import export
from worker.cli.imports import import_
from worker.cli.maps import map_
from worker.cli.process import check, demo, migrate, worker
from worker.cli.rejects import rejects, replay
from worker.cli.reverting import revert
from worker.cli.runs import cancel, retry, run, runs
from worker.cli.samples import sample
from worker.cli.schedules import schedule
from worker.cli.sources import sources
from worker.cli.statistics import authors, stats
from worker.cli.tokens import token
from worker.cli.verification import verify
from worker.cli.web import web
from worker.embedded import EmbeddedError
from worker.resources import ServiceError
from worker.retries import describe
from worker.schedule import ScheduleError
from worker.schema import SchemaError
from worker.settings import SettingsError
from worker.source_file import SourceFileError
from worker.supervisor import ProcessError

EXPECTED = (
    JobError,
    EmbeddedError,
    ProcessError,
    ScheduleError,
    ServiceError,
    SchemaError,
    SettingsError,
    SourceFileError,
)
FAILED = 1


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="headrace")
def cli() -> None:
    """Load users, posts and tags into a SQL database and keep every author's statistics right.

    Services are named by DATABASE_URL and REDIS_URL; one that is unset is embedded, kept under
    HEADRACE_HOME (.headrace) and stopped with the last command that uses it.
    """


for command in (
    demo,
    worker,
    migrate,
    check,
    import_,
    map_,
    runs,
    run,
    cancel,
    retry,
    rejects,
    replay,
    revert,
    verify,
    explain,
    schedule,
    sources,
    stats,
    authors,
    export,
    sample,
    web,
    token,
):
    cli.add_command(command)


def main() -> None:
    """Run the command line."""
    try:
        cli.main(prog_name="headrace", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        raise KeyboardInterrupt from None
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(FAILED)
    except EXPECTED as error:
        _fail(" ".join(str(error).split()))
    except (OSError, RedisError, SQLAlchemyError) as error:
        _fail(describe(error))


def _fail(message: str, code: int = FAILED) -> None:
    click.echo(f"headrace: {message}", err=True)
    sys.exit(code)
