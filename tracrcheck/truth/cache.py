"""A cache of certificates by content hash, so that each is computed once per machine.

The key is a hash of everything a certificate depends on: the model, the lists of inputs and items, the scored places
and the criterion, the ablation, the limits of the search, and the source of the modules that compute it. An entry is
JSON with its own hash; a broken one, or one with another schema, is computed again. If the cache cannot be written,
nothing is lost but time.

An entry is also checked against the model when it is read, since a method can write files as we can: its circuit runs on
`SPREAD` items of the list and on those that show when an edge is dropped. A wrong one is reported and computed again. A
process in which a method has run computes no certificate: another does, which never runs one (`maker.py`).
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch

import edgeprune_core
import tracrcheck
from edgeprune_core.atomic_write import write_whole
from edgeprune_core.circuit import Circuit
from edgeprune_core.errors import CheckError
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.task import Task
from tracrcheck.compiler.compile import Compiled
from tracrcheck.error_codes import user_error
from tracrcheck.processes.clean import is_clean
from tracrcheck.processes.packing import packed
from tracrcheck.processes.process import Process
from tracrcheck.records.cache_folder import cache_folder
from tracrcheck.records.sources import digest_of, method_sha, package_folder
from tracrcheck.truth.certificate import Break, Certificate
from tracrcheck.truth.certify import certify
from tracrcheck.truth.robust import certify_robust
from tracrcheck.truth.search import Limits
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

SCHEMA = "tracrcheck.cached-certificate/3"
# Items of the list, evenly spaced, on which a circuit is run when its certificate is read.
SPREAD = 16

# Sources that determine a certificate. A folder stands for all of its files.
CORE_SOURCES = (
    "ablations",
    "circuit.py",
    "criterion.py",
    "engine",
    "graph.py",
    "mask.py",
    "task.py",
)
CHECK_SOURCES = tuple(
    f"truth/{name}.py"
    for name in ("certificate", "certify", "setting", "task", "search", "permitted", "robust", "cache")
)


def certificate_of(
    compiled: Compiled,
    setting: Setting,
    *,
    task: Task | None = None,
    limits: Limits = Limits(),  # noqa: B008
) -> Certificate:
    """The certificate of a program in a setting: the one that its model brings along, else from the cache if it is there.

    task: that of the setting, if it exists already. Errors: TC164 (none is known for this setting, or it is wrong).
    """
    task = task_of(compiled, setting) if task is None else task
    if compiled.truths is None:
        return certificate_for(task, setting, limits=limits)
    record = compiled.truths.get(setting.ablation)
    found = None if record is None else from_record(record, compiled.graph)
    whole = task.sampled is None and found is not None and len(task.items) == found.n_items
    if found is None or not whole or replace(found.setting, inputs=setting.inputs) != setting:
        known = " or ".join(compiled.truths)
        raise user_error("TC164.setting", got=f"{setting}", program=task.name, ablations=known)
    if not agrees(task, found):
        raise user_error("TC164.stale", got=", ".join(found.required.texts), program=task.name)
    return replace(found, program=task.name, setting=setting)


def certificate_for(task: Task, setting: Setting, *, limits: Limits = Limits()) -> Certificate:  # noqa: B008
    """The certificate of a task, from the cache if it is there, proved otherwise."""
    if (found := cached(task, setting, limits=limits)) is None:
        found = (_made if is_clean() else _made_elsewhere)(task, setting, limits)
    return replace(found, program=task.name)


def cached(task: Task, setting: Setting, *, limits: Limits = Limits()) -> Certificate | None:  # noqa: B008
    """The certificate in the cache. One that does not agree with the model is reported, and is not returned."""
    path = _path(task, setting, limits)
    found = _read(path, task.graph)
    if found is not None and not agrees(task, found):
        _log.warning(f"tracrcheck: {path} does not agree with {task.name}: it is computed again")
        return None
    return found and replace(found, program=task.name)


def _path(task: Task, setting: Setting, limits: Limits) -> Path:
    return cache_folder() / "certificates" / f"{key_of(task, setting, limits)}.json"


def _made(task: Task, setting: Setting, limits: Limits) -> Certificate:
    if setting.robust:
        found = certify_robust(task, certificate_for(task, replace(setting, robust=False), limits=limits))
    else:
        found = certify(task, setting, limits=limits)
    _write(_path(task, setting, limits), found)
    return found


def _made_elsewhere(task: Task, setting: Setting, limits: Limits) -> Certificate:
    """Errors: those of `certify`."""
    said = _maker().call(packed((replace(task), setting, limits, str(cache_folder()))))
    if "error" in said:
        raise CheckError(**said["error"])
    return from_record(said["certificate"], task.graph)


@cache
def _maker() -> Process:
    return Process("tracrcheck.truth.maker")


def agrees(task: Task, c: Certificate) -> bool:
    """Whether a few items contradict none of what a certificate says."""
    n, limit = len(task.items), task.outcome.limit
    others = [] if c.other is None else [c.other]
    if not all(0 <= row < n for row in c.telling) or not c.required.edges <= c.permitted.edges:
        return False
    if any(len(other) != len(c.required) or other == c.required for other in others):
        return False
    if c.setting.robust:
        return _robust_agrees(task, c)
    rows = sorted({*torch.linspace(0, n - 1, min(n, SPREAD)).long().tolist(), *c.telling})
    drops = [c.required.without(edge) for edge in c.required]
    off = task.deviations([c.required, *others, *drops], task.items[rows]) > limit
    whole, dropped = off[: 1 + len(others)], off[1 + len(others) :]
    sufficient = "sufficient" not in c.proved or not bool(whole.any())
    return sufficient and ("minimal" not in c.proved or bool(dropped.any(1).all()))


def _robust_agrees(task: Task, c: Certificate) -> bool:
    """Whether the required circuit and all permitted edges are faithful on a few items, and each break is none."""
    rows = torch.linspace(0, len(task.items) - 1, min(len(task.items), SPREAD)).long()
    limit = task.outcome.limit
    sufficient = bool((task.deviations([c.required, c.permitted], task.items[rows]) <= limit).all())
    lacking = [c.required.edges - b.kept.edges for b in c.breaks]
    minimal = all({edge} in lacking for edge in c.required)
    breaks = c.breaks if c.alone is None else (*c.breaks, c.alone)
    shown = [float(task.deviations(b.kept, task.items[[b.row]])) > limit for b in breaks]
    return (
        ("sufficient" not in c.proved or (sufficient and all(lacking)))
        and ("minimal" not in c.proved or minimal)
        and all(shown)
    )


def key_of(task: Task, setting: Setting, limits: Limits) -> str:
    """A hex digest. The program's name is not part of it: a certificate depends on weights and inputs only."""
    h = hashlib.sha256(_sources().encode())
    h.update(task.model.digest().encode())
    for name in ("tokens", "valid", "scored", "items", "places"):
        if (tensor := getattr(task, name)) is None:
            continue
        h.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        h.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    ablation = (task.ablation.name, task.ablation, method_sha(type(task.ablation)))
    h.update(repr((task.outcome, ablation, task.sampled, setting, limits)).encode())
    return h.hexdigest()


_log = logging.getLogger(__name__)


@cache
def _sources() -> str:
    shas = []
    for package, names in ((edgeprune_core, CORE_SOURCES), (tracrcheck, CHECK_SOURCES)):
        root = package_folder(package)
        places = [root / name for name in names]
        files = [p for place in places for p in (sorted(place.rglob("*.py")) if place.is_dir() else [place])]
        shas.append(digest_of(root, files))
    return "".join(shas)


# Files ------------------------------------------------------------------------------------------------


def _read(path: Path, graph: ResidualGraph) -> Certificate | None:
    try:
        entry = json.loads(path.read_text(encoding="utf-8"))
        record = entry["certificate"]
        if entry["schema"] != SCHEMA or entry["sha256"] != _digest(record):
            return None
        return from_record(record, graph)
    except (OSError, ValueError, KeyError, TypeError, CheckError):
        return None


def _write(path: Path, certificate: Certificate) -> None:
    record = to_record(certificate)
    text = json.dumps({"schema": SCHEMA, "sha256": _digest(record), "certificate": record}, indent=1)
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text)


def _digest(record: Any) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def to_record(c: Certificate) -> dict[str, Any]:
    return {
        "program": c.program,
        "setting": asdict(c.setting) | {"lengths": list(c.setting.lengths) if c.setting.lengths else None},
        "required": c.required.texts,
        "permitted": c.permitted.texts,
        "other": c.other.texts if c.other is not None else None,
        "proved": list(c.proved),
        "unknown": dict(c.unknown),
        "gap_below": c.gap_below,
        "gap_above": c.gap_above,
        "n_inputs": c.n_inputs,
        "n_items": c.n_items,
        "sampled": c.sampled,
        "seconds": c.seconds,
        "telling": list(c.telling),
        "breaks": [_break_record(b) for b in c.breaks],
        "alone": None if c.alone is None else _break_record(c.alone),
        "tried": c.tried,
    }


def _break_record(b: Break) -> dict[str, Any]:
    return {"kept": b.kept.texts, "row": b.row}


def from_record(record: Mapping[str, Any], graph: ResidualGraph) -> Certificate:
    rest = dict(record)
    setting = rest.pop("setting")
    other, alone = rest.pop("other"), rest.pop("alone", None)

    def broken(one: Mapping[str, Any]) -> Break:
        return Break(Circuit.of(graph, one["kept"]), int(one["row"]))

    return Certificate(
        setting=Setting.of_record(setting, ablation=setting["ablation"], criterion=setting["criterion"]),
        required=Circuit.of(graph, rest.pop("required")),
        permitted=Circuit.of(graph, rest.pop("permitted")),
        other=None if other is None else Circuit.of(graph, other),
        proved=tuple(rest.pop("proved")),
        telling=tuple(int(row) for row in rest.pop("telling")),
        breaks=tuple(map(broken, rest.pop("breaks", ()))),
        alone=None if alone is None else broken(alone),
        **rest,
    )
