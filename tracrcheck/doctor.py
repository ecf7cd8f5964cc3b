"""What this installation consists of, and what is missing: `tracrcheck doctor`.

`python -m tracrcheck.doctor` runs even where the command line does not: it needs the standard library, and `packaging` to
read requirements. Each part is imported in a process of its own, so that one that crashes is reported as broken.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any, Literal

from edgeprune_core.errors import CheckError
from tracrcheck._version import __version__
from tracrcheck.records.cache_folder import cache_folder
from tracrcheck.records.machine import machine
from tracrcheck.reports import files

SCHEMA = "tracrcheck.doctor/1"
# Time limit of one import, from a cold disk too.
SECONDS = 120.0

Status = Literal["ok", "missing", "old", "broken"]


# Of each package: how it is imported, if by another name, and what it is for.
USES = {
    "tracr-pypi": ("tracr", "RASP and its compiler"),
    "jax": ("", "Tracr's own forward pass"),
    "dm-haiku": ("haiku", "Tracr's own forward pass"),
    "numpy": ("", "arrays"),
    "torch": ("", "the engine and the methods"),
    "jaxtyping": ("", "shapes in signatures"),
    "joblib": ("", "--jobs"),
    "cloudpickle": ("", "sending a method to its process"),
    "packaging": ("", "versions"),
    "jinja2": ("", "HTML reports"),
    "markupsafe": ("", "HTML reports"),
    "safetensors": ("", "weight files"),
    "typer": ("", "the command line"),
    "rich": ("", "tables"),
    "distributed": ("", "--cluster"),
    "hypothesis": ("", "tracrcheck.strategies"),
    "huggingface-hub": ("huggingface_hub", "models by their name on the hub"),
    "transformers": ("", "tokenizers and live models"),
    "accelerate": ("", "reading GGUF files"),
    "gguf": ("", "--model FILE.gguf"),
    "transformer-lens": ("transformer_lens", "tracrcheck.peers: methods of other tools"),
}
# Extras for those who work on tracrcheck itself.
OURS = ("dev", "docs", "test")


@dataclass(frozen=True, slots=True)
class Part:
    """A package on PyPI: how it is imported, which versions are required, what it is for, and what was found.

    extra: `pip install tracrcheck[EXTRA]` installs it; "" if it is always required.
    found: the version that is installed, or None. detail: what is wrong.
    """

    name: str
    module: str
    wanted: str
    use: str
    extra: str = ""
    status: Status = "ok"
    found: str | None = None
    detail: str = ""


def parts() -> tuple[Part, ...]:
    """What the metadata of our own distribution requires. Raises `ImportError` without that metadata, or `packaging`."""
    from packaging.requirements import Requirement

    found = []
    for requirement in map(Requirement, requires("tracrcheck") or ()):
        extra = "".join(re.findall(r'extra == "(.+?)"', str(requirement.marker)))
        if extra not in OURS:
            module, use = USES.get(requirement.name, ("", ""))
            module = module or requirement.name.replace("-", "_")
            found.append(Part(requirement.name, module, str(requirement.specifier), use, extra))
    return tuple(sorted(found, key=lambda part: bool(part.extra)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """works: whether a program compiled and gave the interpreter's output. why: if not, what went wrong."""

    parts: tuple[Part, ...]
    devices: tuple[str, ...]
    cache: str
    cache_writable: bool
    programs: int
    works: bool
    why: str

    @property
    def exit_code(self) -> int:
        """0 if programs compile and nothing that is required is missing."""
        return int(not self.works or any(part.status != "ok" for part in self.parts if not part.extra))

    def document(self) -> dict[str, Any]:
        """As in docs/json.md."""
        return {
            "schema": SCHEMA,
            "version": __version__,
            "ok": self.exit_code == 0,
            "machine": machine(),
            "executable": sys.executable,
            "parts": [asdict(part) for part in self.parts],
            "devices": list(self.devices),
            "cache": {"folder": self.cache, "writable": self.cache_writable},
            "programs": self.programs,
            "works": self.works,
            "why": self.why,
        }

    def lines(self) -> Iterator[str]:
        """The report as text."""
        record = machine()
        yield f"tracrcheck {__version__}, Python {platform.python_version()}, {sys.executable}"
        yield f"{record['cpu']}, {record['cores']} cores, {record['platform']}"
        yield f"devices   {', '.join(self.devices) or 'unknown: torch cannot be imported'}"
        yield f"cache     {self.cache}{'' if self.cache_writable else '  (cannot be written: truths are proved again each time)'}"
        yield f"programs  {self.programs} shipped"
        yield "\nrequired"
        yield from (_line(part) for part in self.parts if not part.extra)
        yield "optional"
        yield from (_line(part) for part in self.parts if part.extra)
        state = "compiles, and gives the interpreter's output" if self.works else f"BROKEN: {self.why}"
        yield f"\nreverse   {state}"
        broken = "something that is required is missing or broken"
        yield broken if self.exit_code else "nothing that is required is missing"


def _line(part: Part) -> str:
    state = part.status if part.extra or part.status == "ok" else part.status.upper()
    text = f"  {state:<8}{part.name:<16} {part.found or '-':<10} {part.use}"
    if part.status == "ok":
        return text
    name = f"tracrcheck[{part.extra}]" if part.extra else f"{part.name}{part.wanted}"
    return f"{text}\n          {part.detail}; pip install '{name}'"


def examine(wanted: Sequence[Part] | None = None) -> Report:
    """Imports every part, each in a process of its own. Never raises."""
    probed: list[dict[str, Any]] = []
    try:
        wanted = parts() if wanted is None else wanted
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            *probed, ours = threads.map(_probe, [*(part.module for part in wanted), ""])
        found = tuple(map(_found, wanted, probed))
    except ImportError as error:
        name = (error.name or "packaging").partition(".")[0]
        found = (
            Part(name, "", "", "the list of what is required", status="missing", detail="not installed"),
        )
        ours = _probe("")
    folder = cache_folder()
    return Report(
        parts=found,
        devices=tuple(device for probe in probed for device in probe.get("devices", ())),
        cache=str(folder),
        cache_writable=_writable(folder),
        programs=ours.get("programs", 0),
        works="error" not in ours,
        why=ours.get("error", ""),
    )


def _found(part: Part, probe: dict[str, Any]) -> Part:
    from packaging.specifiers import SpecifierSet

    try:
        found = version(part.name)
    except PackageNotFoundError:
        found = None
    if "error" in probe:
        if found is None:
            return replace(part, status="missing", detail="not installed")
        return replace(part, status="broken", found=found, detail=probe["error"])
    if found is not None and not SpecifierSet(part.wanted).contains(found, prereleases=True):
        return replace(part, status="old", found=found, detail=f"{part.wanted} is wanted")
    return replace(part, found=found)


# The processes that import ------------------------------------------------------------------------------

# Imports one module, or without a name runs our own packages; prints a line of JSON, with `error` if that failed.
_PROBE = """
import importlib, json, sys, warnings
warnings.simplefilter("ignore")
def devices(torch):
    names = ["cpu"]
    try:
        for i in range(torch.cuda.device_count()):
            of = torch.cuda.get_device_properties(i)
            names.append(f"cuda:{i} {of.name}, {of.total_memory / 2**30:.0f} GiB")
        if torch.backends.mps.is_available():
            names.append("mps")
    except Exception as error:
        names.append(f"cuda cannot be asked: {error}")
    return names
def probe(name):
    if name:
        module = importlib.import_module(name)
        return {"devices": devices(module)} if name == "torch" else {}
    from tracrcheck.compiler.compile import compile_program
    from tracrcheck.compiler.equivalence import check_compiled
    from tracrcheck.rasp.library import Library, shipped_folder
    library = Library(shipped_folder())
    check_compiled(compile_program(library.load("reverse").program))
    return {"programs": len(library.files())}
try:
    found = probe(sys.argv[1])
except BaseException as error:
    found = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
print("\\ntracrcheck:" + json.dumps(found), file=sys.__stdout__, flush=True)
"""


def _probe(module: str) -> dict[str, Any]:
    """What the process for a module printed, or `error`: how it ended instead."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROBE, module],
            capture_output=True, text=True, errors="replace", timeout=SECONDS, env=_environment(),
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"error": f"importing it took over {SECONDS:.0f} seconds"}
    except OSError as error:
        return {"error": f"importing it cannot be tried: {error}"}
    for line in done.stdout.splitlines():
        if line.startswith("tracrcheck:"):
            return json.loads(line.partition(":")[2])
    return {"error": f"importing it ends the process ({done.returncode})"}


def _environment() -> dict[str, str]:
    """That of this process, with its import path. A CPU is enough for JAX."""
    path = os.pathsep.join(place for place in sys.path if place)
    return {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", "JAX_PLATFORMS": "cpu"}


# Places ------------------------------------------------------------------------------------------------


def _writable(folder: Path) -> bool:
    """Whether files can be created there, or in its nearest parent that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK)


def run(to: Path | None) -> int:
    """Prints the report, writes its document, and returns the exit code. Errors: TC115, before anything is imported."""
    files.check_writable(to)
    report = examine()
    sys.stdout.write("\n".join(report.lines()) + "\n")
    files.write_json(to, report.document())
    return report.exit_code


def main(words: Sequence[str] | None = None) -> int:
    """`python -m tracrcheck.doctor [--json FILE]`: the exit code."""
    parser = argparse.ArgumentParser(
        prog="tracrcheck doctor", description="What is installed, and what is missing."
    )
    parser.add_argument("--json", metavar="FILE", type=Path)
    try:
        return run(parser.parse_args(words).json)
    except CheckError as error:
        sys.stderr.write(f"{error}\n")
        return 2


if __name__ == "__main__":
    raise SystemExit(main())
