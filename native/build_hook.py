"""Compiles models/_native where there are a C compiler and Python's headers; elsewhere Headrace goes without.

A wheel with it is for this Python and platform, one without for all. An editable install has it in the
repository's own `models/`.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sysconfig
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

FOLDER = Path(__file__).parent
FLAGS = ("-O2", "-std=c11", "-Wall", "-Wextra", "-fvisibility=hidden")


class CompilingHook(BuildHookInterface[Any]):
    """Hands the compiled module to the build."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile the module."""
        name = f"_native{sysconfig.get_config_var('EXT_SUFFIX')}"
        models = Path(self.root, "models")
        self._folder = TemporaryDirectory(dir=models if version == "editable" else None)
        module = Path(self._folder.name, name)
        if fault := compile_module(module):
            self.app.display_warning(f"not compiled, so that imports take longer: {fault}")
            if version == "editable":
                (models / name).unlink(missing_ok=True)  # one of other sources
            return
        build_data |= {"pure_python": False, "infer_tag": True}
        if version == "editable":
            module.replace(models / name)  # at once, as a worker may have the former one open
        else:
            build_data["force_include"][str(module)] = f"models/{name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Delete what was compiled."""
        self._folder.cleanup()


def compile_module(module: Path, compiler: str | None = os.environ.get("CC")) -> str | None:
    """Compile the C files to a module; say why if that cannot be done.

    `compiler` is a command with its first arguments; by default what Python itself was compiled by.
    """
    try:
        subprocess.run(_command(module, compiler), check=True, capture_output=True, text=True)
    except (LookupError, OSError) as error:
        return str(error)
    except subprocess.CalledProcessError as error:
        return error.stderr.strip() or str(error)
    return None


def _command(module: Path, compiler: str | None) -> list[str]:
    """Compile and link in one step, as sysconfig says extension modules are linked here."""
    usual, linker, code = (sysconfig.get_config_var(name) or "" for name in ("CC", "LDSHARED", "CCSHARED"))
    if not linker:
        raise LookupError("Python does not say how its modules are compiled here")
    if compiler:
        linker = f"{compiler} {linker.removeprefix(usual)}"
    sources = sorted(map(str, FOLDER.glob("*.c")))
    include = sysconfig.get_path("include")
    return [*shlex.split(linker), *shlex.split(code), *FLAGS, f"-I{include}", *sources, "-o", str(module)]
