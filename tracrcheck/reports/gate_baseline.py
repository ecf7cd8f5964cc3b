"""A comparison with a baseline, in lines of text."""

from __future__ import annotations

from tracrcheck.grading.verdict import Verdict
from tracrcheck.runs.baseline import FLOOR, Comparison

MOST = 20  # of what is merely missing


def in_a_sentence(found: Comparison, what: str = "") -> str:
    """What it comes to, in a sentence without its full stop. what: after the word, as `from the baseline`."""
    word = f"{'Regressed' if found.regressed else 'Not regressed'}{what}"
    n = len(found.new_wrong)
    return f"{word}, but {n} wrong where the baseline has no verdict" if n and not found.regressed else word


def comparison_lines(found: Comparison) -> list[str]:
    lines = [f"compared with the baseline: {found.compared} verdicts are in both"]
    lines += [f"  WRONG NOW   {_which(v)}: {v.verdict}, {v.reason}" for v in found.now_wrong]
    lines += [f"  WRONG, NEW  {_which(v)}: {v.verdict}, {v.reason}" for v in found.new_wrong]
    lines += [
        f"  SLOWER      {s.program}, {s.ablation}: {s.before:.2f} s then, {s.now:.2f} s now (medians over seeds)"
        for s in found.slower
    ]
    lines += [f"  right now   {_which(v)}" for v in found.now_right]
    lines += [f"  missing     {_which(v)}: in the baseline, not in this run" for v in found.missing[:MOST]]
    if len(found.missing) > MOST:
        lines.append(f"  missing     and {len(found.missing) - MOST} more")
    if len(found.machines) > 1:
        lines.append("  the machines differ, so that times say little: " + " | ".join(found.machines))
    new = f"{len(found.new_wrong)} wrong and new, " if found.new_wrong else ""
    lines.append(
        f"  {len(found.now_wrong)} wrong now, {new}{len(found.now_right)} right now, {len(found.slower)} slower by more than "
        f"{found.factor:g} times (medians under {FLOOR:g} s are not compared), {len(found.missing)} missing"
    )
    return lines


def _which(v: Verdict) -> str:
    return f"{v.program}, {v.ablation}, {v.criterion}, seed {v.seed}"
