"""What a result was made on: processor, system, versions. No names of hosts or users."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "numpy")
_CPUINFO = Path("/proc/cpuinfo")


def machine() -> dict[str, Any]:
    """cpu, cores (that this process may use), memory_gib, platform, python, and versions of what computes."""
    return {
        "cpu": _cpu(),
        "cores": _cores(),
        "memory_gib": _memory_gib(),
        "platform": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: _version(name) for name in PACKAGES},
    }


def in_words(record: dict[str, Any]) -> str:
    """One line."""
    versions = ", ".join(f"{name} {record.get(name)}" for name in ("python", *PACKAGES))
    return f"{record.get('cpu')}, {record.get('cores')} cores, {record.get('platform')}; {versions}"


def _cpu() -> str:
    try:
        for line in _CPUINFO.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown"


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (ValueError, OSError, AttributeError):
        return None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
