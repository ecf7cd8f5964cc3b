"""Every option of every command is read where the command does its work: none is checked and then ignored."""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest
import typer.main

from tracrcheck.cli import app

COMMANDS = {command.callback.__name__: command.callback for command in app.registered_commands}
# What only writes options down, or names those that were given.
ONLY = ("recorded", "given")
# What only starts the method's server early: an option that is read there is not yet used.
EARLY = "serve_early("


class Source:
    """The functions and classes of a module, and what its names stand for."""

    def __init__(self, module: str, text: str | None = None) -> None:
        self.module = importlib.import_module(module)
        assert self.module.__file__ is not None
        self.tree = ast.parse(text or Path(self.module.__file__).read_text(encoding="utf-8"))
        self.named = {n.name: n for n in self.tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef))}

    def value(self, name: str, function: ast.AST) -> Any:
        """What a name stands for; imports inside the function count."""
        for node in ast.walk(function):
            if isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    if (alias.asname or alias.name) == name:
                        return getattr(importlib.import_module(node.module or ""), alias.name, None)
        return getattr(self.module, name, None)


def source_of(thing: Any) -> Source:
    return Source(thing.__module__)


def group_of(source: Source, argument: ast.arg) -> type | None:
    """The group that a parameter stands for."""
    kind = (
        source.value(argument.annotation.id, source.tree)
        if isinstance(argument.annotation, ast.Name)
        else None
    )
    return kind if is_dataclass(kind) and isinstance(kind, type) else None


def options_read(source: Source, name: str) -> set[str]:
    """The options that a command reads, by the names of its parameters and of the fields of its groups."""
    function = source.named[name]
    assert isinstance(function, ast.FunctionDef)
    found: set[str] = set()
    for argument in [*function.args.args, *function.args.kwonlyargs]:
        group = group_of(source, argument)
        if group is not None:
            found |= set(_of_group(source, function, argument.arg, group))
        elif _is_read(function, argument.arg):
            found.add(argument.arg)
    return found


def _is_read(function: ast.AST, name: str) -> bool:
    return any(
        isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)
        for node in at_work(function)
    )


def at_work(function: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function, without statements that only check an option or start a server, and what only records it."""
    for node in ast.iter_child_nodes(function):
        only = isinstance(node, ast.Expr) and "check" in ast.unparse(node).partition("(")[0]
        only |= isinstance(node, ast.Expr) and ast.unparse(node).startswith(EARLY)
        if not (only or (isinstance(node, ast.Attribute) and node.attr in ONLY)):
            yield node
            yield from at_work(node)


def _of_group(source: Source, function: ast.AST, name: str, group: type) -> Iterator[str]:
    """The fields of a group that a function reads, or that the functions read to which it hands the group."""
    for node in at_work(function):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == name:
            yield from _of_attribute(group, node.attr)
        if isinstance(node, ast.Call):
            for callee, parameter in _handed(source, function, node, name):
                yield from _of_thing(callee, parameter, group)


def _of_attribute(group: type, attribute: str, kinds: Sequence[type] | None = None) -> Iterator[str]:
    """A field, or the fields that a method or property of the group reads. kinds: where to look for it, in order."""
    kinds = kinds or group.__mro__
    if attribute in {field.name for field in fields(group)}:
        yield attribute
        return
    owner = next(kind for kind in kinds if attribute in vars(kind))
    own = source_of(owner)
    body = own.named[owner.__name__]
    assert isinstance(body, ast.ClassDef)
    (method,) = (n for n in body.body if isinstance(n, ast.FunctionDef) and n.name == attribute)
    yield from _of_group(own, method, "self", group)
    for node in at_work(method):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "super()":
            yield from _of_attribute(group, node.attr, kinds[kinds.index(owner) + 1 :])
    names = [node.value for node in ast.walk(method) if isinstance(node, ast.Constant)]
    yield from (name for name in names if name in {field.name for field in fields(group)})  # by getattr


def _handed(source: Source, function: ast.AST, call: ast.Call, name: str) -> Iterator[tuple[Any, str | int]]:
    """What is called with the whole group, and as which parameter."""
    parts: list[tuple[str | int, ast.expr]] = [
        *enumerate(call.args),
        *((k.arg or "", k.value) for k in call.keywords),
    ]
    for parameter, given in parts:
        if isinstance(given, ast.Name) and given.id == name and isinstance(call.func, ast.Name):
            callee = source.value(call.func.id, function)
            if callee is not None and callee.__module__.startswith("tracrcheck.commands"):
                yield callee, parameter


def _of_thing(callee: Any, parameter: str | int, group: type) -> Iterator[str]:
    source = source_of(callee)
    body = source.named[callee.__name__]
    if isinstance(body, ast.ClassDef):  # it keeps the group in a field of this name
        yield from _of_group(source, body, f"self.{parameter}", group)
        return
    if isinstance(parameter, int):
        parameter = body.args.args[parameter].arg
    yield from _of_group(source, body, parameter, group)


def options_of(command: str) -> set[str]:
    parameters = typer.main.get_command(app).commands[command].params  # type: ignore[attr-defined]
    return {parameter.name for parameter in parameters if parameter.name != "help"}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_a_command_is_read(command):
    ignored = options_of(command) - options_read(source_of(COMMANDS[command]), command)
    assert not ignored, f"{command} ignores {sorted(ignored)}"


@pytest.mark.parametrize(
    ("command", "old", "new", "ignored"),
    [
        ("report", "factor=baseline.slower", "factor=2.0", "slower"),
        ("gate", "method.timeout", "1800.0", "timeout"),
        ("gate", "allow_unknown=allow_unknown", "", "allow_unknown"),
        ("gate", "workers=run.workers()", "workers=base.Workers()", "jobs"),
        ("invariants", ", stop=stop", "", "stop"),
        (
            "check",
            'setting.settings(["all"], entries=[entry])',
            "settings_of(setting.ablation or ['all'])",
            "lengths",
        ),
        ("discover", "options.prompts", "200", "prompts"),
    ],
)
def test_an_option_that_is_ignored_is_noticed(command, old, new, ignored):
    module = COMMANDS[command].__module__
    text = Path(sys.modules[module].__file__ or "").read_text(encoding="utf-8")
    assert old in text
    left = options_of(command) - options_read(Source(module, text.replace(old, new)), command)
    assert ignored in left


def test_an_option_that_is_only_checked_is_noticed():
    module = COMMANDS["compare"].__module__
    text = Path(sys.modules[module].__file__ or "").read_text(encoding="utf-8")
    start = text.index("    if plot is not None:")
    text = text[:start] + "    done.end()\n"
    assert options_of("compare") - options_read(Source(module, text), "compare") == {"plot"}
