"""Phrases that several reports share."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tracrcheck.grading.score_metrics import Ranking
from tracrcheck.grading.verdict import Verdict

if TYPE_CHECKING:
    from tracrcheck.compiler.compile import Compiled
    from tracrcheck.runs.recheck import Standing
    from tracrcheck.runs.results import RunResults


def count(n: int, thing: str) -> str:
    """Such as `1 program` and `75 programs`."""
    return f"{n:,} {thing}{'' if n == 1 else 's'}"


def separated(text: str) -> str:
    """Whole numbers of four digits and more as `20,000`, in a text that JSON has without separators."""
    return re.sub(r"(?<![\w^.])\d{4,}\b", lambda found: f"{int(found[0]):,}", text)


IN_PROCESS = "in process: the method ran where it is judged, and could see and change the truth"

# Verdicts ----------------------------------------------------------------------------------------------


def what_judged(v: Verdict) -> str:
    """What a verdict is on, in words."""
    if v.judged == "circuit" and v.selector:
        return f"circuit by {v.selector}"
    return "ranking of nodes" if v.judged == "node_ranking" else v.judged


def truth_words(v: Verdict) -> str:
    """Whether the truth that a verdict is against is proved on the whole list, or tested on a sample of it."""
    return "proved" if v.sampled is None else f"sampled {separated(v.sampled)}"


def ranking_text(r: Ranking) -> str:
    some = "a" if r.exact_threshold else "no"
    return (
        f"precision {share(r.precision)}, recall {share(r.recall)}, F1 {share(r.f1)}; AUROC {share(r.auroc)}, "
        f"average precision {share(r.average_precision)}; {some} threshold on the scores is exact"
    )


def share(x: float | None) -> str:
    """Rounded down, so that 1.000 means all."""
    return "-" if x is None else f"{math.floor(1000 * x) / 1000:.3f}"


def replay(v: Verdict, asked: str, options: Sequence[str] = ()) -> str:
    """The command that reproduces this verdict. asked: name or path of the program."""
    words = ["tracrcheck", "gate", asked, "--ablation", v.ablation, "--criterion", v.criterion]
    return shlex.join([*words, "--method", v.method, "--seed", str(v.seed), *options])


def summary_line(summary: Mapping[str, Any], *, allow_unknown: bool = False) -> str:
    """summary: as in the JSON of the gate."""
    counts = ", ".join(f"{summary[name]:,} {word}" for name, word in _COUNTS.items())
    lifted = " (unknown verdicts allowed)" if allow_unknown and summary["unknown"] else ""
    n = summary.get("sampled", 0)
    sampled = f"; {n:,} of them against a sampled truth" if n else ""
    return f"{counts}{lifted}{sampled}; {summary['seconds']:.1f} s"


_COUNTS = {"holds": "hold", "fails": "fail", "unknown": "unknown", "vacuous": "vacuous"}


# Results files -----------------------------------------------------------------------------------------


def standing_lines(results: RunResults, standing: Standing) -> list[str]:
    """Why a results file is not made again; nothing where it can be."""
    why = "made with what is not here"
    word = "UNCHECKED"
    if standing.differs:
        word, why = "STALE", f"made from other sources (commit {results.run['commit'] or 'unknown'})"
    lines = [f"    {line}" for line in (*standing.differs, *standing.lacks)]
    return lines and [f"{word} {results.path}: {why}; nothing of it was run again", *lines]


def sample_line(results: RunResults, n: int, seed: int) -> str:
    return f"{results.path}: {n} of {len(results.units)} {results.units_are} run again, sample of seed {seed}"


def computes(compiled: Compiled, node: str) -> str:
    """The RASP expressions of a component."""
    if node == "out":
        return "the output"
    return "; ".join(compiled.provenance.get(node, ("(nothing: an unused component)",)))
