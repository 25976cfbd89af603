"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def describe_machine() -> str:
    """Name cores, processor, system and Python."""
    python = f"Python {platform.python_version()}"
    return f"{os.cpu_count()} cores ({_processor()}), {platform.system()} {platform.machine()}, {python}"


def _processor() -> str:
    about = Path("/proc/cpuinfo")
    lines = about.read_text().splitlines() if about.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"
