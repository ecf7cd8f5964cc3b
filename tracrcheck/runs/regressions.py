"""Programs that failed once, as small files that are replayed for ever.

A file holds a recipe, a setting, a seed and the name of a check that must pass, with a note of what went wrong. If the
check still fails, `open` says why; a test reports an open one that passes, so that it gets closed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeprune_core.atomic_write import write_whole
from edgeprune_core.errors import CheckError, did_you_mean
from tracrcheck.error_codes import unwritable, user_error
from tracrcheck.generator.accept import Rejected, compiled_of, numbered
from tracrcheck.generator.recipe import Recipe, from_json, to_json
from tracrcheck.runs.fuzz_program import Row, examinee, judge
from tracrcheck.truth.cache import certificate_for
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

SCHEMA = "tracrcheck.regression/1"
# What must hold -> what that means.
CHECKS = {
    "compiles": "Tracr's model equals the interpreter on every input",
    "certifies": "the truth is proved: sufficient, minimal and smallest",
    "recovers": "the method returns the truth",
}


@dataclass(frozen=True, kw_only=True)
class Regression:
    """check: one of CHECKS; method: None if none is run; note: what went wrong; open: why it still does."""

    recipe: Recipe
    setting: Setting
    check: str
    method: str | None = None
    seed: int = 0
    note: str = ""
    open: str | None = None

    def __post_init__(self) -> None:
        if self.check not in CHECKS:
            raise _bad("no check of that name", self.check, did_you_mean(str(self.check), CHECKS))
        if self.check == "recovers" and self.method is None:
            raise _bad("no method to run", "method null", "a method's name, where the check is 'recovers'")

    def to_json(self) -> dict[str, Any]:
        setting = {"ablation": self.setting.ablation, "criterion": self.setting.criterion}
        own = {name: getattr(self, name) for name in ("check", "method", "seed", "note", "open")}
        return {"schema": SCHEMA, **own, "setting": setting, "recipe": to_json(self.recipe)}

    @classmethod
    def from_json(cls, record: Any) -> Regression:
        """Errors: TC152, and those of the recipe (TC130) and the setting (TC111)."""
        if not isinstance(record, dict) or record.get("schema") != SCHEMA:
            got = record.get("schema", "no schema") if isinstance(record, dict) else type(record).__name__
            raise _bad("no program to replay", got, SCHEMA)
        rest = {name: value for name, value in record.items() if name != "schema"}
        try:
            return cls(recipe=from_json(rest.pop("recipe")), setting=Setting(**rest.pop("setting")), **rest)
        except (TypeError, KeyError) as error:
            raise _bad(
                "no program to replay", f"{type(error).__name__}: {error}", "the fields of docs/json.md"
            ) from None


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """passes: whether the check does; why: in words, if not; row: the result of the method, if one was run."""

    passes: bool
    why: str = ""
    row: Row | None = None


def replay(case: Regression, *, timeout: float, **how: Any) -> Replayed:
    """The check again, from the recipe. how: `memory_mib` and `in_process`, as in `examinee_of`."""
    try:
        compiled = compiled_of(case.recipe)
    except Rejected as error:
        return Replayed(passes=False, why=f"{error.reason}\n{error.error}")
    if case.check == "compiles":
        return Replayed(passes=True)
    if case.check == "certifies":
        certificate = certificate_for(task_of(compiled, case.setting), case.setting)
        passes = certificate.usable and "smallest" in certificate.proved
        return Replayed(passes=passes, why="" if passes else certificate.says("smallest"))
    assert case.method is not None
    row = judge(
        compiled, case.setting, examinee(case.method, **how),
        number=case.seed, name=case.method, timeout=timeout,
    )  # fmt: skip
    return Replayed(passes=row.holds, why="" if row.holds else str(row.verdict.reason), row=row)


# Files -------------------------------------------------------------------------------------------------


def read(path: Path) -> Regression:
    """Errors: TC152, TC130, TC111."""
    try:
        return Regression.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise _bad("a file that cannot be read", error, "JSON").at(str(path)) from None
    except CheckError as error:
        raise error.at(str(path)) from None


def save(case: Regression, folder: Path, name: str | None = None) -> Path:
    """Writes the file atomically; it replaces one of the same name. By default it is named for its content. Errors: TC115."""
    if name is None:
        core = {k: v for k, v in case.to_json().items() if k not in ("note", "open")}
        name = f"{case.check}-{hashlib.sha256(json.dumps(core, sort_keys=True).encode()).hexdigest()[:10]}"
    path = folder / f"{name}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, dumps(case))
    except OSError as error:
        wanted, do = "a folder that can be made and written", "give another folder"
        raise unwritable(path, error, wanted=wanted, do=do) from None
    return path


def dumps(case: Regression) -> str:
    """One line per operation, so that a diff reads well."""
    record = case.to_json()
    operations = record["recipe"].pop("operations")
    text = json.dumps(record | {"recipe": record["recipe"] | {"operations": []}}, indent=2)
    lines = ",\n".join(f"      {json.dumps(o)}" for o in operations)
    return text.replace('"operations": []', f'"operations": [\n{lines}\n    ]') + "\n"


def of_row(row: Row, recipe: Recipe) -> Regression:
    """The check of a row that does not hold: the truth must be recovered, or first of all proved."""
    verdict = row.verdict
    proved = {"sufficient", "minimal", "smallest"} <= set(row.proved)
    extra = f", missing {len(verdict.missing)}, extra {len(verdict.extra)}"
    return Regression(
        recipe=recipe,
        setting=Setting(ablation=verdict.ablation, criterion=verdict.criterion),  # type: ignore[arg-type]
        check="recovers" if proved else "certifies",
        method=verdict.method if proved else None,
        seed=verdict.seed,
        note=f"{verdict.program}: {verdict.reason}{extra}",
    )


def save_failures(rows: Iterable[Row], *, seed: int, folder: Path | None, size: str = "small") -> list[Path]:
    """Every row that counts and does not hold, as a file; nothing where there is no folder. seed, size: of the draws."""
    if folder is None:
        return []
    failing = [row for row in rows if row.counts and not row.holds]
    return [save(of_row(row, numbered(seed, row.number, size)), folder) for row in failing]


def keeping(judged: Callable[[], Row], recipe: Recipe, folder: Path | None, name: str) -> Row:
    """The row; where it does not hold, it is saved under `name`. For properties: the last failure is the smallest."""
    row = judged()
    if not row.holds and folder is not None:
        save(of_row(row, recipe), folder, name)
    return row


def _bad(what: str, got: Any, wanted: Any) -> CheckError:
    return user_error("TC152", what, got=got, wanted=wanted)
