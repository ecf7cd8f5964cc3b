"""What a report shows beyond the results themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tracrcheck.grading.edge_effects import Absent, Evidence, collect, settings_judged
from tracrcheck.grading.verdict import Verdict
from tracrcheck.rasp.library import Library
from tracrcheck.reports.document import Block, Drawing, Lines, grouped
from tracrcheck.reports.picture import Layer, picture_of
from tracrcheck.reports.render.terminal import progress
from tracrcheck.reports.saved import CertificatesFile, Shown
from tracrcheck.reports.text import replay
from tracrcheck.runs.baseline import Comparison
from tracrcheck.runs.gate import Results
from tracrcheck.runs.gate_units import TIMEOUT
from tracrcheck.runs.recheck import standing

OPEN = 3  # up to this many programs, every drawing is open at first


def by_name(v: Verdict) -> str:
    """The command that reproduces a verdict of a program that is found by name."""
    return replay(v, v.program)


@dataclass(frozen=True, kw_only=True)
class Context:
    """replay: returns the command that reproduces a verdict. evidence: required circuits to draw. absent: programs that cannot be
    drawn. stale: how the sources differ from those that made the results. compared: comparison with a baseline."""

    replay: Callable[[Verdict], str] = by_name
    evidence: Sequence[Evidence] = field(default_factory=tuple)
    absent: Sequence[Absent] = field(default_factory=tuple)
    compared: Comparison | None = None
    stale: Sequence[str] = field(default_factory=tuple)

    @property
    def not_drawn(self) -> tuple[Block, ...]:
        """Programs without a drawing, and why."""
        why = [f"{one.program}: {one.why}" for one in self.absent]
        return (Lines(["Not drawn:"] if why else [], "note"), Lines(why))


def drawings(
    evidence: Sequence[Evidence],
    layer: Callable[[Evidence], Layer],
    word: Callable[[Sequence[Evidence]], str],
    *,
    most: int,
) -> list[Block]:
    """A drawing for each program, with a layer for each of its settings. most: edges drawn of one that no layer requires."""
    programs = grouped(evidence, lambda one: one.key[0])
    blocks: list[Block] = []
    for of in programs.values():
        picture = picture_of(of, [layer(one) for one in of])
        opened = len(programs) <= OPEN or picture.wrong
        shown = Drawing(
            picture=picture, word=word(of), meaning=of[0].meaning, folds=True, opened=opened, most=most
        )
        blocks.append(shown)
    return blocks


def context_of(results: Shown, library: Library, *, drawn: bool) -> Context:
    """For results read from a file. drawn: collect the circuits to draw, which may have to be proved again."""
    if isinstance(results, Results):
        asked = results.run["asked"]
        judged = settings_judged(results.verdicts)
        found = collect(judged, library, asked)
        n = sum(map(len, judged.values()))
        truths = list(progress(found, n, "drawing")) if drawn else []
        return _context(
            truths, replay=replay_of(results.run), stale=standing(results, library).differs if drawn else ()
        )
    if isinstance(results, CertificatesFile) and drawn:
        return _context(list(progress(_certified(results, library), len(results.certificates), "drawing")))
    return Context()


def _certified(results: CertificatesFile, library: Library) -> Iterator[Evidence | Absent]:
    for one in results.certificates:
        judged = {one["program"]: [(one["ablation"], one["criterion"])]}
        yield from collect(judged, library, one)


def _context(truths: Sequence[Evidence | Absent], **rest: Any) -> Context:
    return Context(
        evidence=[one for one in truths if isinstance(one, Evidence)],
        absent=list(dict.fromkeys(one for one in truths if isinstance(one, Absent))),
        **rest,
    )


def replay_of(run: Mapping[str, Any]) -> Callable[[Verdict], str]:
    """For a saved run of the gate: the command repeats what of it bears on the verdict."""
    asked = run["asked"]
    options = ["--lengths", "{}-{}".format(*asked["lengths"])] if asked["lengths"] else []
    options += ["--score-bos"] if asked["score_bos"] else []
    options += ["--inputs", str(asked["inputs"] or "all")] if "inputs" in asked else []
    options += ["--robust"] if asked.get("robust") else []
    options += ["--halves"] if asked.get("halves") else []
    options += ["--judge", asked["judge"]] if asked.get("judge", "auto") != "auto" else []
    options += ["--select", asked["select"]] if asked.get("select") is not None else []
    options += ["--timeout", f"{asked['timeout']:g}"] if asked["timeout"] not in (None, TIMEOUT) else []
    options += ["--memory", str(asked["memory"])] if "memory" in asked else []
    options += ["--in-process"] if asked.get("in_process") else []
    return lambda v: replay(v, v.program, options)
