"""What this installation consists of, and what of it is missing: `tracrcheck doctor`.

Needs the standard library alone: `python -m tracrcheck.doctor` runs where even the command line does not. Every part
is imported by a process of its own, so that one that crashes is told as broken and takes nothing down with it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from edgeprune_core.atomic_write import write_whole
from edgeprune_core.errors import CheckError
from tracrcheck._version import __version__
from tracrcheck.error_codes import user_error
from tracrcheck.records.machine import machine

SCHEMA = "tracrcheck.doctor/1"
SECONDS = 120.0  # that importing everything may take, from a cold disk too

Status = Literal["ok", "missing", "old", "broken"]


@dataclass(frozen=True, slots=True)
class Part:
    """A package of PyPI: how it is imported, what `pyproject.toml` asks of it, and what it is for.

    extra: the name that brings it, `pip install tracrcheck[NAME]`; "" for what everything needs.
    """

    name: str
    module: str
    wanted: str
    use: str
    extra: str = ""


PARTS: tuple[Part, ...] = (
    Part("tracr-pypi", "tracr", "==1.0.0", "RASP and its compiler"),
    Part("jax", "jax", ">=0.4.30", "Tracr's own forward pass"),
    Part("dm-haiku", "haiku", ">=0.0.13", "Tracr's own forward pass"),
    Part("numpy", "numpy", ">=1.26", "arrays"),
    Part("torch", "torch", ">=2.4", "the engine and the methods"),
    Part("jaxtyping", "jaxtyping", ">=0.2.34", "shapes in signatures"),
    Part("joblib", "joblib", ">=1.4", "--jobs"),
    Part("safetensors", "safetensors", ">=0.4", "weight files"),
    Part("typer", "typer", ">=0.15", "the command line"),
    Part("rich", "rich", ">=13", "tables"),
    Part("distributed", "distributed", ">=2024.11", "--cluster", "cluster"),
    Part("hypothesis", "hypothesis", ">=6.100", "tracrcheck.strategies", "properties"),
    Part("huggingface-hub", "huggingface_hub", ">=0.24", "models by their name on the hub", "models"),
    Part("transformers", "transformers", ">=4.45", "tokenizers and live models", "models"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A part and what became of it. found: its version, or None; detail: why it is not right."""

    part: Part
    status: Status
    found: str | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """works: whether a program was compiled and gave the interpreter's output; why: where it did not."""

    findings: tuple[Finding, ...]
    devices: tuple[str, ...]
    cache: str
    cache_writable: bool
    programs: int
    works: bool
    why: str

    @property
    def ok(self) -> bool:
        needed = (f for f in self.findings if not f.part.extra)
        return self.works and all(f.status == "ok" for f in needed)

    @property
    def exit_code(self) -> int:
        return 0 if self.ok else 1

    def document(self) -> dict[str, Any]:
        """As in docs/json.md."""
        return {
            "schema": SCHEMA,
            "version": __version__,
            "ok": self.ok,
            "machine": machine(),
            "executable": sys.executable,
            "parts": [
                {**asdict(f.part), "status": f.status, "found": f.found, "detail": f.detail}
                for f in self.findings
            ],
            "devices": list(self.devices),
            "cache": {"folder": self.cache, "writable": self.cache_writable},
            "programs": self.programs,
            "works": self.works,
            "why": self.why,
        }

    def lines(self) -> Iterator[str]:
        """What a person reads."""
        record = machine()
        yield f"tracrcheck {__version__}, Python {platform.python_version()}, {sys.executable}"
        yield f"{record['cpu']}, {record['cores']} cores, {record['platform']}"
        yield f"devices   {', '.join(self.devices) or 'unknown: torch cannot be asked'}"
        yield f"cache     {self.cache}{'' if self.cache_writable else '  (cannot be written: truths are proved anew)'}"
        yield f"programs  {self.programs} shipped"
        yield ""
        for title, extras in (("required", False), ("optional", True)):
            yield title
            for finding in self.findings:
                if bool(finding.part.extra) == extras:
                    yield _line(finding)
        yield ""
        yield "reverse   " + (
            "compiled, and as the interpreter says" if self.works else f"BROKEN: {self.why}"
        )
        yield (
            "nothing that is required is missing"
            if self.ok
            else "something that is required is missing or broken"
        )


def _line(finding: Finding) -> str:
    part = finding.part
    state = "ok" if finding.status == "ok" else finding.status.upper() if not part.extra else finding.status
    text = f"  {state:<8}{part.name:<16} {finding.found or '-':<10} {part.use}"
    if finding.status == "ok":
        return text
    name = f"tracrcheck[{part.extra}]" if part.extra else f"{part.name}{part.wanted}"
    return f"{text}\n          {finding.detail}; pip install '{name}'"


def examine(parts: Sequence[Part] = PARTS) -> Report:
    """Imports every part in processes of their own. Never raises."""
    told = _probed(parts)
    findings = tuple(_finding(part, told.get(part.module, {})) for part in parts)
    last = told.get("", {"error": "the process that tries ended early"})
    folder = _cache_folder()
    return Report(
        findings=findings,
        devices=tuple(told.get("torch", {}).get("devices", ())),
        cache=str(folder),
        cache_writable=_writable(folder),
        programs=last.get("programs", 0),
        works="error" not in last,
        why=last.get("error", ""),
    )


def _finding(part: Part, told: dict[str, Any]) -> Finding:
    try:
        found = version(part.name)
    except PackageNotFoundError:
        found = None
    if "error" not in told:
        if found is not None and not meets(found, part.wanted):
            return Finding(part=part, status="old", found=found, detail=f"{part.wanted} is wanted")
        return Finding(part=part, status="ok", found=found)
    if found is None:
        return Finding(part=part, status="missing", detail="not installed")
    return Finding(part=part, status="broken", found=found, detail=told["error"])


def meets(found: str, wanted: str) -> bool:
    """Whether a version is the one after `==`, or at least that after `>=`; by its leading numbers."""
    sign, number = wanted[:2], wanted[2:]
    have, want = _numbers(found), _numbers(number)
    width = max(len(have), len(want))
    have, want = ([*n, *[0] * (width - len(n))] for n in (have, want))
    return have == want if sign == "==" else have >= want


def _numbers(text: str) -> list[int]:
    found = re.match(r"\d+(?:\.\d+)*", text)
    return [int(n) for n in found[0].split(".")] if found else []


# The processes that try --------------------------------------------------------------------------------

# Each module named in turn, a line of JSON each: {"error"} where it cannot be imported; then our own packages at work.
_PROBE = """
import importlib, json, sys, warnings
warnings.simplefilter("ignore")
def tell(name, **found):
    sys.__stdout__.write("\\n" + json.dumps({"tracrcheck": name, **found}) + "\\n")
    sys.__stdout__.flush()
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
for name in sys.argv[1:]:
    tell("begun", module=name)
    try:
        module = importlib.import_module(name) if name else None
        if name == "torch":
            tell(name, devices=devices(module))
        elif name:
            tell(name)
        else:
            from tracrcheck.compiler.compile import compile_program
            from tracrcheck.compiler.equivalence import check_compiled
            from tracrcheck.rasp.library import Library, shipped_folder
            check_compiled(compile_program(Library(shipped_folder()).load("reverse").program))
            tell("", programs=len(Library(shipped_folder()).files()))
    except BaseException as error:
        tell(name, error=f"{type(error).__name__}: {error}".splitlines()[0])
"""


def _probed(parts: Sequence[Part]) -> dict[str, dict[str, Any]]:
    """Module -> what was told of it; "" is our own. A module that ends the process is told so, and the rest tried anew."""
    left, told = [*(part.module for part in parts), ""], {}
    while left:
        name, why = left[0], "nothing could be run"
        for line in _lines_of(left):
            if line["tracrcheck"] == "begun":
                name = line["module"]
            elif line["tracrcheck"] == "ended":
                why = line["why"]
            else:
                told[line.pop("tracrcheck")] = line
        told.setdefault(name, {"error": f"importing it {why}"})
        left = [module for module in left if module not in told]
    return told


def _lines_of(modules: Sequence[str]) -> Iterator[dict[str, Any]]:
    """What a process says of these modules, and how it ended."""
    why = f"took over {SECONDS:.0f} seconds"
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROBE, *modules],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            env=_environment(),
            check=False,
        )
        text, why = done.stdout, f"ends the process ({done.returncode})"
    except subprocess.TimeoutExpired as error:
        text = (
            error.stdout.decode(errors="replace") if isinstance(error.stdout, bytes) else error.stdout or ""
        )
    except OSError as error:
        text, why = "", f"cannot be tried: {error}"
    for line in text.splitlines():
        if line.startswith('{"tracrcheck"'):
            yield json.loads(line)
    yield {"tracrcheck": "ended", "why": why}


def _environment() -> dict[str, str]:
    """That of this process, with the places it imports from; a CPU is enough for JAX."""
    path = os.pathsep.join(place for place in sys.path if place)
    return {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1", "JAX_PLATFORMS": "cpu"}


# Places ------------------------------------------------------------------------------------------------


def _cache_folder() -> Path:
    """As `store.cache_folder`, which loads torch."""
    if own := os.environ.get("TRACRCHECK_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path(os.path.expanduser("~")) / ".cache") / "tracrcheck"


def _writable(folder: Path) -> bool:
    """Whether files can be made there, or in the nearest folder above that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK)


def check_writable(path: Path) -> None:
    """Raises TC115 now where the document could not be written at the end."""
    try:
        if path.exists() and not path.is_file() and not path.is_dir():
            return  # a device
        if path.is_dir():
            raise IsADirectoryError(f"'{path}' is a folder")
        with tempfile.TemporaryFile(dir=path.resolve().parent):
            pass
    except OSError as error:
        raise user_error("TC115", got=error.strerror or error, path=path) from None


def write(report: Report, path: Path) -> None:
    """The document, whole or not at all. Errors: TC115."""
    text = json.dumps(report.document(), indent=2) + "\n"
    try:
        if (
            path.exists() and not path.is_file() and not path.is_dir()
        ):  # a device, not to be replaced by a file
            path.write_text(text, encoding="utf-8")
        else:
            write_whole(path.resolve(), text)
    except OSError as error:
        raise user_error("TC115", got=error.strerror or error, path=path) from None


def main(words: Sequence[str] | None = None) -> int:
    """`python -m tracrcheck.doctor [--json FILE]`: the exit code."""
    parser = argparse.ArgumentParser(
        prog="tracrcheck doctor", description="What is installed, and what is missing."
    )
    parser.add_argument("--json", metavar="FILE", type=Path)
    asked = parser.parse_args(words)
    report = examine()
    sys.stdout.write("\n".join(report.lines()) + "\n")
    try:
        if asked.json is not None:
            write(report, asked.json)
    except CheckError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return report.exit_code


if __name__ == "__main__":
    raise SystemExit(main())
