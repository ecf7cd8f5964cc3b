"""The committed results in one page: what each shows, and the command, commit, date, machine and time that made it.

    python -m ci.evidence > docs/evidence.md

Everything is read from the files. A test compares the page with what this prints.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import ci.faults.suite  # noqa: F401 -- reads its results files
from edgeprune_core.errors import shortened
from tracrcheck.records.machine import in_words
from tracrcheck.reports.kinds import document_of
from tracrcheck.runs.kinds import read_any

ROOT = Path(__file__).resolve().parents[1]
MOST = 400  # characters of a command: some name hundreds of faults
RESULTS, BENCHMARKS = ROOT / "ci" / "results", ROOT / "ci" / "bench" / "results"
LEAD = """# Evidence

Each committed result: what it shows, and the command that makes it again. `make recheck` says whether our sources are still those
of a result (it prints STALE where they are not) and makes a random share of it again. Where that needs something that is not
here, such as SmolLM2 or planted checkpoints, it prints UNCHECKED. This page is made by `python -m ci.evidence > docs/evidence.md`
from the files themselves.

| result | shows | command | made |
|---|---|---|---|
"""


def page() -> str:
    return LEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows())


def rows() -> Iterator[tuple[str, ...]]:
    for path in sorted(RESULTS.glob("*.json")):
        found = read_any(path)
        document = document_of(found)
        shows = f"{document.title}: {'; '.join(document.summary or [document.outcome])}. {document.scope}"
        yield _link(path), shows, f"`{shortened(found.run['command'], MOST)}`", made(found.run)
    for path in sorted(BENCHMARKS.glob("*.json")):
        found = json.loads(path.read_text(encoding="utf-8"))
        for record in found if isinstance(found, list) else [found]:
            run = record.get("run", record)
            yield _link(path), benchmark(record), f"`{run['command']}`" if "command" in run else "", made(run)


def made(run: Mapping[str, Any]) -> str:
    """Date, commit, machine and time, as far as the file has them."""
    seconds = run.get("seconds")
    date = [run["started"][:10]] if "started" in run else []
    parts = [*date, f"commit {run['commit'][:7]}", in_words(run["machine"])] if "commit" in run else []
    return ", ".join([*parts, *([] if seconds is None else [f"{seconds:,.0f} s"])])


def benchmark(record: Mapping[str, Any]) -> str:
    if "tasks" in record:
        right = [task["accuracy"] for task in record["tasks"] if task["accuracy"] is not None]
        leads = sum(share >= 0.9 for share in right)
        return f"{record['asked']['model']} leads with an answer on nine prompts of ten in {leads} of {len(right)} tasks"
    if "worst" in record:
        return f"logits in {record['dtype']} are at most {record['worst']:.2g} from those of transformers, of up to {record['largest']:.3g}"
    if "jaccard" in record:
        return f"two circuits have {len(record['shared']):,} edges in common, of {record['n_a']:,} and {record['n_b']:,}"
    met = [result["met"] for result in record["results"]]
    return f"{Path(record['command'].split()[1]).stem}: {sum(met)} of {len(met)} figures within their bars"


def _link(path: Path) -> str:
    page = path.with_suffix(".md")
    return f"`{(page if page.exists() else path).relative_to(ROOT)}`"


if __name__ == "__main__":
    sys.stdout.write(page())
