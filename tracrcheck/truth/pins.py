"""Pins: the required edges of every program and setting, in a file with a readable diff.

If a change in Tracr, in the compiler or in the engine changes the required edges, it shows as a difference. The schema
is in docs/json.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeGuard

from edgeprune_core.errors import CheckError
from tracrcheck.error_codes import user_error
from tracrcheck.truth.certificate import Certificate

SCHEMA = "tracrcheck.pins/1"

Pins = dict[str, dict[str, dict[str, list[str]]]]  # program -> setting -> required, proved


def of(certificates: Iterable[Certificate]) -> Pins:
    pins: Pins = {}
    for c in certificates:
        record = {"required": c.required.texts, "proved": list(c.proved)}
        pins.setdefault(c.program, {})[setting_name(c)] = record
    return pins


def setting_name(c: Certificate) -> str:
    """`zero value`, with lengths and position 0 if they are not the default."""
    words = [c.setting.ablation, c.setting.criterion]
    if c.setting.lengths:
        words.append("lengths {}-{}".format(*c.setting.lengths))
    if c.setting.score_bos:
        words.append("bos")
    return " ".join(words)


def dumps(pins: Pins) -> str:
    """The file's text: sorted, one edge per line."""
    return json.dumps({"schema": SCHEMA, "programs": pins}, indent=1, sort_keys=True) + "\n"


def read(path: Path) -> Pins:
    """Errors: TC119."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _broken(path, str(error)) from None
    if not isinstance(record, dict) or record.get("schema") != SCHEMA:
        raise _broken(path, f"schema {record.get('schema')!r}" if isinstance(record, dict) else "no object")
    programs = record.get("programs")
    if not _well_formed(programs):
        raise _broken(path, "`programs` has another shape")
    return programs


def _well_formed(programs: Any) -> TypeGuard[Pins]:
    if not isinstance(programs, dict):
        return False
    settings = [s for p in programs.values() if isinstance(p, dict) for s in p.values()]
    return all(isinstance(p, dict) for p in programs.values()) and all(
        isinstance(s, dict) and all(isinstance(s.get(k), list) for k in ("required", "proved"))
        for s in settings
    )


def _broken(path: Path, got: str) -> CheckError:
    return user_error("TC119", where=path, got=got, schema=SCHEMA)


def differences(pinned: Pins, now: Pins, *, whole: bool) -> list[str]:
    """One line per difference. `whole`: also for each pinned program or setting that was not certified."""
    lines = []
    for program in sorted(set(pinned) | set(now)):
        if program not in now:
            lines += [f"{program}: pinned, but there is no such program"] if whole else []
            continue
        before, after = pinned.get(program, {}), now[program]
        for setting in sorted(set(before) | set(after)):
            name = f"{program}, {setting}"
            if setting not in after:
                lines += [f"{name}: pinned, but not certified"] if whole else []
            elif setting not in before:
                lines.append(f"{name}: certified, but not pinned")
            else:
                lines += _changes(name, before[setting], after[setting])
    return lines


def _changes(name: str, before: dict[str, list[str]], after: dict[str, list[str]]) -> list[str]:
    lines = []
    for what, noun in (("required", ""), ("proved", "proof of ")):
        lines += [f"{name}: - {noun}{x}" for x in before[what] if x not in after[what]]
        lines += [f"{name}: + {noun}{x}" for x in after[what] if x not in before[what]]
    return lines
