"""A committed results file, checked: its shape and sums, whether it is of these sources, and a share of it run again."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgeprune_core.errors import CheckError
from tracrcheck.compile import Compiled
from tracrcheck.exam import Setting
from tracrcheck.examinee import find_method
from tracrcheck.gate import Plan, judge, prepare
from tracrcheck.ledger import differences
from tracrcheck.library import Entry, Library
from tracrcheck.results import Results
from tracrcheck.sources import sources_of
from tracrcheck.verdict import Verdict

SHARE = 0.02
# Seconds that the verdicts of a sample took when they were made; drawing stops there.
MOST_SECONDS = 40.0


@dataclass(frozen=True, kw_only=True)
class Again:
    """A verdict of the file, and the same one made anew."""

    then: Verdict
    now: Verdict

    @property
    def same(self) -> bool:
        """The edges found are equal, and so is everything that follows from them."""
        return _essence(self.then) == _essence(self.now)


def _essence(v: Verdict) -> tuple:
    return v.key, v.verdict, v.found_sha, v.n_required, v.n_found, v.vacuous, set(v.missing), set(v.extra)


def stale(results: Results, library: Library) -> list[str]:
    """How the sources of a results file differ from those there are; nothing where it is current."""
    try:
        now = sources_of(
            [e.path for e in _entries(results, library)], find_method(results.run["asked"]["method"])
        )
    except CheckError as error:
        return [f"{error.what}"]
    return differences(results.run["sources"], now, now.keys())


def sample(
    results: Results, *, share: float = SHARE, seed: int, most_seconds: float = MOST_SECONDS
) -> list[Verdict]:
    """At least one verdict; at most `share` of them, and hardly more than `most_seconds` of work."""
    order = list(results.verdicts)
    random.Random(seed).shuffle(order)
    chosen: list[Verdict] = []
    for verdict in order[: math.ceil(share * len(order))]:
        if chosen and sum(v.seconds for v in chosen) + verdict.seconds > most_seconds:
            continue
        chosen.append(verdict)
    return chosen


def again(results: Results, chosen: Sequence[Verdict], library: Library) -> Iterator[Again]:
    """Each of the chosen verdicts made anew. Errors: those of compiling."""
    asked = results.run["asked"]
    names = list(dict.fromkeys(v.program for v in chosen))
    ready, wrong = prepare([e for e in _entries(results, library) if e.program.name in names])
    for error in wrong:
        raise error
    by_name = {compiled.program.name: compiled for compiled in ready}
    method = find_method(asked["method"])
    for then in chosen:
        yield Again(then=then, now=_now(by_name[then.program], then, asked, method))


def _now(compiled: Compiled, then: Verdict, asked: dict, method) -> Verdict:
    lengths = asked["lengths"]
    setting = Setting(
        ablation=then.ablation,
        criterion=then.criterion,  # type: ignore[arg-type]
        lengths=tuple(lengths) if lengths else None,
        score_bos=asked["score_bos"],
    )
    plan = Plan(
        settings=(setting,),
        method=method,
        method_name=then.method,
        seeds=(then.seed,),
        timeout=asked["timeout"],
    )
    return next(judge(compiled, setting, (then.seed,), plan))


def _entries(results: Results, library: Library) -> list[Entry]:
    return library.chosen(results.run["asked"]["programs"])
