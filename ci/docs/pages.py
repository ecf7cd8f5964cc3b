"""Pages of the site that are made from the code: the codes of errors, the commands, the JSON Schemas."""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import Any

import typer

ROOT = Path(__file__).resolve().parents[2]
# What stands for a number where an option names nothing better.
WORDS = {"int": "N", "float": "X"}
CODE = re.compile(r"\b(?:TC|EP)[0-9]{3}\b")
HEADINGS = {
    "engine": "Graphs, circuits and models",
    "families": "Models of `transformers`",
    "prompts": "Prompts and tokenizers",
    "programs": "Programs",
    "calls": "How a command was called",
    "circuits": "Circuits made elsewhere",
    "results": "Files of results",
    "drawn": "Drawn programs, invariants and seeded faults",
    "planted": "Planted circuits",
    "trained": "Trained models",
}


# Codes -------------------------------------------------------------------------------------------------


def meanings() -> dict[str, dict[str, str]]:
    """Topic -> code -> what it means."""
    return tomllib.loads((Path(__file__).parent / "codes.toml").read_text(encoding="utf-8"))


def sources() -> list[Path]:
    return sorted((*ROOT.glob("edgeprune_core/**/*.py"), *ROOT.glob("tracrcheck/**/*.py")))


def said() -> dict[str, list[tuple[str, str]]]:
    """Code -> (what is said, the file that says it), where both stand in a `CheckError(...)`."""
    found = defaultdict(list)
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (
                isinstance(node, ast.Call) and ast.unparse(node.func).endswith("CheckError") and node.args
            ):
                continue
            code, what = (*node.args, None)[:2]
            if isinstance(code, ast.Constant) and isinstance(code.value, str):
                for text in _texts(what):
                    entry = (text, str(path.relative_to(ROOT)))
                    if entry not in found[code.value]:
                        found[code.value].append(entry)
    return dict(found)


def _texts(node: ast.expr | None) -> list[str]:
    """What an expression can come to, with `...` for what is filled in."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.JoinedStr(values=parts):
            return ["".join(p.value if isinstance(p, ast.Constant) else "..." for p in parts)]
        case ast.IfExp(body=one, orelse=other):
            return _texts(one) + _texts(other)
    return ["..."]


def errors() -> str:
    """The page of codes."""
    found = said()
    lines = [
        "# Error codes",
        "",
        "A mistake in what was given to a command or a function is a `CheckError`: a code, what is wrong, where, what was",
        "got, what was wanted, and what to do. Commands print it and end with exit code 2. `EP` codes are the engine's",
        "(`edgeprune_core`), `TC` codes those of `tracrcheck`. This page is made from the sources.",
        "",
    ]
    for topic, codes in meanings().items():
        lines += [f"## {HEADINGS[topic]}", "", "| code | means | said as |", "|---|---|---|"]
        for code, meaning in codes.items():
            texts = "<br>".join(f"{_cell(text)} (`{path}`)" for text, path in found.get(code, []))
            lines.append(f"| {code} | {meaning} | {texts} |")
        lines.append("")
    lines += ["## What Tracr compiles wrongly, or not at all", ""]
    lines += [
        "Each class with its smallest program stands in [Faults of Tracr's compiler](compiler-faults.md).",
        "",
    ]
    lines += ["| code | class | what to do |", "|---|---|---|"]
    lines += [f"| {code} | {known.words} | {_cell(known.do)} |" for code, known in fault_classes().items()]
    return "\n".join(lines) + "\n"


def fault_classes() -> dict:
    sys.path.insert(0, str(ROOT))
    try:
        from tracrcheck.compiler.tracr_bugs import FAULT_CLASSES
    finally:
        sys.path.remove(str(ROOT))
    return FAULT_CLASSES


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


# Commands ----------------------------------------------------------------------------------------------


def commands() -> str:
    """Every command with its arguments and options."""
    sys.path.insert(0, str(ROOT))
    try:
        from tracrcheck.cli import app
    finally:
        sys.path.remove(str(ROOT))
    group: Any = typer.main.get_command(app)
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
    """An argument or option, what it takes, what it means, and its value by default."""
    flag = getattr(parameter, "is_flag", False)
    if parameter.param_type_name == "option" and not flag:
        kind = getattr(parameter.type_descriptor.annotation, "__name__", "")
        names += f" {parameter.metavar or WORDS.get(kind, 'TEXT')}"
    shown = getattr(parameter, "show_default", True) and parameter.default not in (None, False, "")
    default = f" By default {parameter.default}." if shown and not callable(parameter.default) else ""
    return f"| `{names}` | {_cell(parameter.help or '')}{default} |"


def _of(metavar: str | None) -> str:
    return metavar or "FILE"


# JSON Schemas ------------------------------------------------------------------------------------------


def schemas() -> str:
    """The schemas of docs/schemas, one after the other."""
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
