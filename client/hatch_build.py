"""Builds the package from the repository's own modules, so that there is no second copy of them.

What `headrace_client` imports from `jobs` and `models`, and what these modules import from there, goes below
`headrace_client`, and every such import is renamed: the top-level names `jobs` and `models` stay free for
the service that installs the package.
"""

from __future__ import annotations

import ast
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PACKAGE = "headrace_client"
ROOMS = ("jobs", "models")


class GatheringHook(BuildHookInterface[Any]):
    """Hands the gathered modules to the build."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Gather the modules; an sdist has them already, and an editable install uses the repository's."""
        root = Path(self.root)
        if version == "editable" or (root / PACKAGE / "jobs").exists():
            return
        self._folder = TemporaryDirectory()
        for name, text in gather(root).items():
            path = Path(self._folder.name, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            build_data["force_include"][str(path)] = name

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002
        """Delete what was gathered."""
        if folder := getattr(self, "_folder", None):
            folder.cleanup()


def gather(root: Path) -> dict[str, str]:
    """Give the package's modules, by their paths within it; `root` is this folder in the repository.

    Raises:
        ValueError: a module imports a whole room, which would need all of it.

    """
    texts = {f"{PACKAGE}/{room}/__init__.py": "" for room in ROOMS}
    waiting = {f"{PACKAGE}/{path.name}": path for path in (root / PACKAGE).glob("*.py")}
    while waiting:
        name, path = waiting.popitem()
        texts[name], modules = renamed(path.read_text())
        for module in modules:
            file = module.replace(".", "/") + ".py"
            if f"{PACKAGE}/{file}" not in texts:
                waiting[f"{PACKAGE}/{file}"] = root.parent / file
    return dict(sorted(texts.items()))


def renamed(text: str) -> tuple[str, list[str]]:
    """Rename the imports of a module that are from the rooms, and list what they import."""
    lines, modules = text.splitlines(keepends=True), []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in ROOMS:
            if node.module in ROOMS:
                raise ValueError(f"line {node.lineno}: name the module of {node.module} to import from")
            place = node.lineno - 1
            lines[place] = lines[place].replace(f"from {node.module} ", f"from {PACKAGE}.{node.module} ", 1)
            modules.append(node.module)
    return "".join(lines), modules
