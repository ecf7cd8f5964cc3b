"""Text that would do harm wherever it became markup, and results that are full of it."""

from __future__ import annotations

from pathlib import Path

from tracrcheck.grading.verdict import Summary, Verdict, Witness
from tracrcheck.runs.gate import Results

MARK = "harmless"
NASTY = (
    f"{MARK}<script>window.hacked=1</script><img src=x onerror=window.hacked=1>\"'`--></title></style></svg>"
    "]]>&amp;&lt;|@someone\n# [x](javascript:alert(1)) \x00\x1b[31m\ud800\ufffe"
)

RUN = {
    "command": f"tracrcheck gate {NASTY}",
    "asked": {
        "programs": [NASTY], "method": NASTY, "ablations": ["zero"], "criteria": ["value"], "lengths": None,
        "score_bos": False, "seeds": [0], "timeout": 1800.0,
    },
    "commit": NASTY,
    "sources": {"packages": "0" * 64, "programs": "0" * 64, "method": None},
    "machine": {"cpu": NASTY, "cores": 2, "memory_gib": 8.0, "platform": "Linux", "python": "3", "torch": "2", "numpy": "2"},
    "started": "2026-11-26T00:00:00+00:00",
    "sittings": 1,
    "finished": True,
    "seconds": 1.0,
}  # fmt: skip


def verdict(**changed) -> Verdict:
    parts = {
        "program": "hist", "ablation": "zero", "criterion": "value", "method": "random", "seed": 0, "verdict": "FAILS",
        "reason": "unfaithful", "n_required": 3, "n_found": 1,
    }  # fmt: skip
    return Verdict(**{**parts, **changed})


def results(verdicts, run=RUN) -> Results:
    return Results(
        path=Path(), run=run, verdicts=tuple(verdicts), summary=Summary.of(verdicts, 1.0).to_json()
    )


def hostile() -> Results:
    """Every text of a verdict is nasty."""
    witness = Witness(input=(NASTY,), corruption=(NASTY,), position=1, want=NASTY, got=NASTY)
    return results(
        [
            verdict(program=NASTY, method=NASTY, missing=(NASTY,), extra=(NASTY,), witness=witness, detail=NASTY, reason=NASTY)
        ]
    )  # fmt: skip
