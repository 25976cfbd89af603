"""A Python environment as another service has it: the client as built, a web framework, and no Headrace."""

from __future__ import annotations

import fcntl
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BESIDES = ("aiosqlite", "asyncmy", "asyncpg", "fastapi", "uvicorn")
PIN = re.compile(r"^([\w.-]+==[^ ]+)", re.MULTILINE)
UNREACHABLE = "(from versions: none)"


def build(source: Path, target: Path, kind: str) -> Path:
    """Build the client from a folder, as `pip install` does; `kind` is `wheel` or `sdist`."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(target)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    [built] = target.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return built


def service_environment(folder: Path) -> Path:
    """Give the Python of the environment, which the first of several test processes makes."""
    folder.mkdir(exist_ok=True)
    python = folder / "environment" / "bin" / "python"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "made").exists():
            subprocess.run(
                [sys.executable, "-m", "venv", "--without-pip", folder / "environment"], check=True
            )
            _install(python, build(ROOT / "client", folder, "wheel"), folder / "pins.txt")
            (folder / "made").touch()
    return python


def _install(python: Path, wheel: Path, pins: Path) -> None:
    pins.write_text("\n".join(PIN.findall((ROOT / "requirements-dev.lock").read_text())))
    pip = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        str(python),
        "install",
        "--no-compile",
        "--constraint",
        str(pins),
    ]
    done = subprocess.run([*pip, f"{wheel}[session]", *BESIDES], capture_output=True, text=True, check=False)
    if done.returncode and UNREACHABLE in done.stderr:
        pytest.skip("pip finds no packages to make another service's environment of")
    assert done.returncode == 0, done.stderr
