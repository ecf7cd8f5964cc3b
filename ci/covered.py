"""The lines and branches of edgeprune_core that a run of the tests went through, each file and all of them.

    python ci/covered.py build/ci/coverage.json

Exit 1 below the bar on lines. What is covered has been run, not checked: whether the tests would notice a fault is what
the seeded faults measure (`make mutants`).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LEAST = 95.0  # per cent of the lines


def percent(done: int, of: int) -> float:
    return 100.0 * done / of if of else 100.0


def shares(summary: Mapping[str, Any]) -> tuple[float, float]:
    """Of lines and of branches, in per cent, from a summary of coverage's JSON."""
    return (
        percent(summary["covered_lines"], summary["num_statements"]),
        percent(summary["covered_branches"], summary["num_branches"]),
    )


def page(found: Mapping[str, Any]) -> list[str]:
    """A row for each file that is not covered whole, the worst first, and one for all."""
    rows = [(*shares(file["summary"]), name, file["missing_lines"]) for name, file in found["files"].items()]
    lines = ["| file | lines | branches | lines not run |", "|---|---|---|---|"]
    for of_lines, of_branches, name, missing in sorted(rows):
        if of_lines < 100 or of_branches < 100:
            shown = ", ".join(map(str, missing[:12])) + (", ..." if len(missing) > 12 else "")
            lines.append(f"| {name} | {of_lines:.1f} % | {of_branches:.1f} % | {shown} |")
    of_lines, of_branches = shares(found["totals"])
    return [*lines, f"| all {len(rows)} files | {of_lines:.2f} % | {of_branches:.2f} % | |"]


def main(path: Path) -> int:
    found = json.loads(path.read_text(encoding="utf-8"))
    print("\n".join(page(found)))
    of_lines, _ = shares(found["totals"])
    print(f"{of_lines:.2f} % of lines; at least {LEAST:g} % wanted")
    return int(of_lines < LEAST)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
