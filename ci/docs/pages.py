"""Pages of the site that are generated: error codes, commands, the case study of two circuits, and JSON Schemas."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import typer

ROOT = Path(__file__).resolve().parents[2]
# Placeholders for numbers in options without a metavar.
WORDS = {"int": "N", "float": "X"}


# Codes -------------------------------------------------------------------------------------------------


def errors() -> str:
    """The page of codes, from the tables of the packages."""
    lines = [
        "# Error codes",
        "",
        "A mistake in what a command or a function was given is a `CheckError`: a code, what is wrong, where, what was got,",
        "what was wanted, and what to do. Commands print it and end with exit code 2. `EP` codes are the engine's",
        "(`edgeprune_core`), `TC` codes those of `tracrcheck`. This page is made from the tables in the sources; `{...}`",
        "stands for what the error fills in, and a dash for what depends on the case.",
        "",
    ]
    for topic, codes in table().topics.items():
        lines += [f"## {topic}", "", "| code | what is wrong | wanted | what to do |", "|---|---|---|---|"]
        for key, message in codes.items():
            texts = (message.what, message.wanted or "-", message.do or "-")
            lines.append(f"| {key.partition('.')[0]} | {' | '.join(map(_cell, texts))} |")
        lines.append("")
    lines += ["## What Tracr compiles wrongly, or not at all", ""]
    lines += [
        "Each class with its smallest program stands in [Faults of Tracr's compiler](compiler-faults.md).",
        "",
    ]
    lines += ["| code | class | what to do |", "|---|---|---|"]
    lines += [f"| {code} | {known.words} | {_cell(known.do)} |" for code, known in fault_classes().items()]
    return "\n".join(lines) + "\n"


def table() -> Any:
    return _ours("tracrcheck.error_codes").TABLE


def fault_classes() -> dict[str, Any]:
    return _ours("tracrcheck.compiler.tracr_bugs").FAULT_CLASSES


def _ours(module: str) -> Any:
    """A module of these sources, wherever the build was started."""
    sys.path.insert(0, str(ROOT))
    try:
        return importlib.import_module(module)
    finally:
        sys.path.remove(str(ROOT))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


# Commands ----------------------------------------------------------------------------------------------


def commands() -> str:
    """Every command with its arguments and options."""
    group: Any = typer.main.get_command(_ours("tracrcheck.cli").app)
    lines = ["# Commands", "", "As `tracrcheck COMMAND --help` says it.", ""]
    for name, command in group.commands.items():
        arguments = [p for p in command.params if p.param_type_name == "argument"]
        options = [p for p in command.params if p.param_type_name == "option"]
        usage = " ".join(
            ["tracrcheck", name, *(_of(p.metavar) for p in arguments), "[OPTIONS]" if options else ""]
        )
        lines += [f"## {name}", "", f"`{usage.strip()}`", "", command.help.strip(), ""]
        lines += ["| given | means |", "|---|---|", *(_row(_of(p.metavar), p) for p in arguments)]
        lines += [*(_row(", ".join(p.opts), p) for p in options), ""]
    return "\n".join(lines)


def _row(names: str, parameter: Any) -> str:
    """A row of the table: an argument or option, its value, its meaning, and its default."""
    flag = getattr(parameter, "is_flag", False)
    if parameter.param_type_name == "option" and not flag:
        kind = getattr(parameter.type_descriptor.annotation, "__name__", "")
        names += f" {parameter.metavar or WORDS.get(kind, 'TEXT')}"
    known = parameter.default not in (None, "") and parameter.default is not False  # 0 is one
    shown = getattr(parameter, "show_default", True) and known
    default = f" By default {parameter.default}." if shown and not callable(parameter.default) else ""
    return f"| `{names}` | {_cell(parameter.help or '')}{default} |"


def _of(metavar: str | None) -> str:
    return metavar or "FILE"


# The case study ----------------------------------------------------------------------------------------


def overlap() -> str:
    """The page that `tracrcheck report --html` makes of the two circuits of docs/large.md."""
    saved = _ours("tracrcheck.reports.saved").read(ROOT / "ci" / "bench" / "results" / "overlap-capital.json")
    return str(_ours("tracrcheck.reports.kinds").html_of(saved))


# JSON Schemas ------------------------------------------------------------------------------------------


def schemas() -> str:
    """All schemas of docs/schemas."""
    lines = [
        "# JSON Schemas",
        "",
        "Of every file that is written, in JSON Schema 2020-12; what the fields mean stands in [JSON](json.md).",
        "The tests hold committed and fresh files to them. `check-jsonschema --schemafile SCHEMA FILE` does the same.",
        "",
    ]
    for path in sorted((ROOT / "docs" / "schemas").glob("*.json")):
        document = json.loads(path.read_text(encoding="utf-8"))
        lines += [f"## {document['title']}", "", document["description"], ""]
        lines += [
            f"[{path.name}](schemas/{path.name})",
            "",
            "```json",
            path.read_text(encoding="utf-8").rstrip(),
            "```",
            "",
        ]
    return "\n".join(lines)
