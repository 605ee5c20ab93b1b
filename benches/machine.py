"""Describes the machine of a result, without anything that identifies it."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from pathlib import Path


def describe() -> dict[str, str | int]:
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count() or 1,
        # Without the distributor's suffix, which is free text.
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "architecture": platform.machine(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "rustc": _version_of("rustc"),
        "node": _version_of("node"),
    }


def slug() -> str:
    """Make a name for files of results from the processor and its number of cores."""
    machine = describe()
    return re.sub(r"[^a-z0-9]+", "-", f"{machine['cpu']} {machine['cores']} cores".lower()).strip("-")


def _cpu() -> str:
    try:
        model = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        model = None
    return model[1] if model else platform.processor() or platform.machine()


def _version_of(program: str) -> str:
    if shutil.which(program) is None:
        return "none"
    version = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout
    return version.removeprefix(program).strip().split(" ")[0]
