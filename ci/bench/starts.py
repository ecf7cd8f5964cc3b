"""Where the gates of edge pruning start on a large model: `tracrcheck discover` by default, from a ranking, and from open gates.

    python ci/bench/starts.py [--model smollm2] [--task ioi] [--edges 4000] [--steps 240] [--prompts 24] [--json FILE]

`pruned` is the default: only the best edges of EAP-IG's ranking are trained. `warm` and `cold` train all edges with the paper's
sampled gates for `--steps` steps; they start from that ranking, and open. Exit 1 where one of them is nearer to the model on
held-out prompts than the default.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from edgeprune_core.atomic_write import write_whole
from tracrcheck.runs.base import made_now

STARTS = {"pruned": (), "warm": ("--set", "price.per_edge=1e-4"), "cold": ("--init", "none")}


def found_by(start: str, asked: argparse.Namespace) -> dict[str, Any]:
    """By the command line, in a process of its own."""
    steps = () if start == "pruned" else ("--steps", str(asked.steps))
    words = [
        "--model",
        asked.model,
        "--task",
        asked.task,
        "--edges",
        str(asked.edges),
        *STARTS[start],
        *steps,
    ]
    words += ["--prompts", str(asked.prompts), "--minutes", "0", "--threads", "1"]
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "found.json"
        command = [sys.executable, "-m", "tracrcheck.cli", "discover", *words, "--json", str(saved)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        found = json.loads(saved.read_text(encoding="utf-8"))
    shown = {name: found[name] for name in ("n_edges", "kl_mean", "kl_held_out", "n_held_out", "seconds")}
    return {"start": start, "options": " ".join(words), **shown}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--task", default="ioi")
    parser.add_argument("--edges", type=int, default=4000)
    parser.add_argument("--steps", type=int, default=240)
    parser.add_argument("--prompts", type=int, default=24)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    given = " ".join(f"--{name} {value}" for name, value in vars(asked).items() if name != "json")
    header = made_now(f"python ci/bench/starts.py {given}")
    found: list[dict[str, Any]] = []
    for start in STARTS:
        one = found_by(start, asked)
        found.append(one | {"met": not found or one["kl_held_out"] >= found[0]["kl_held_out"]})
        print(
            f"{start:>6}: {one['n_edges']:,} edges, {one['kl_held_out']:.3f} nats held out, "
            f"{one['kl_mean']:.3f} on its own prompts, {one['seconds']:.0f} s"
            f"{'' if found[-1]['met'] else ': NEARER THAN THE DEFAULT'}",
            flush=True,
        )
        if asked.json is not None:
            write_whole(asked.json, json.dumps({**header, "results": found}, indent=2) + "\n")
    return 0 if all(one["met"] for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
