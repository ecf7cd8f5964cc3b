"""Published methods and our own on proved truths: runs the gate with each, and writes the table `ci/results/peers.md`.

    python -m ci.peers run [--out DIR] [--timeout SECONDS] [PROGRAM ...]    the gate of each method; can be stopped and repeated
    python -m ci.peers table [--out DIR]                                   the table, from what was run

A method that returns scores gets its circuit by `fewest_within_tolerance`, ours as well, so that all are judged alike; whether
some threshold on its scores is exact stands beside it. A tool that is not installed is left out, with the command that
installs it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections import Counter
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "ci" / "results" / "peers.md"
ROWS = ROOT / "ci" / "results" / "peers" / "rows.json"

BOTH, RESAMPLE = ("resample", "zero"), ("resample",)
EAP_IG, AUTOCIRCUIT = "tracrcheck.peers.eap_ig:", "tracrcheck.peers.autocircuit:"
METHODS = {
    f"{EAP_IG}eap": BOTH,
    f"{EAP_IG}eap_ig_inputs": RESAMPLE,
    f"{EAP_IG}eap_ig_activations": BOTH,
    f"{EAP_IG}clean_corrupted": RESAMPLE,
    f"{EAP_IG}information_flow_routes": BOTH,
    f"{EAP_IG}exact": BOTH,
    f"{AUTOCIRCUIT}edge_attribution": BOTH,
    f"{AUTOCIRCUIT}integrated_edge_gradients": BOTH,
    f"{AUTOCIRCUIT}acdc": RESAMPLE,
    f"{AUTOCIRCUIT}acdc_mse": RESAMPLE,
    f"{AUTOCIRCUIT}subnetwork_edge_probing": RESAMPLE,
    "eap": BOTH,
    "eap_ig": BOTH,
    "eap_ig_activations": BOTH,
    "exact": BOTH,
    "acdc": BOTH,
    "edge_pruning_score_function": BOTH,
    f"{AUTOCIRCUIT}subnetwork_tree_probing": RESAMPLE,  # 2,000 epochs: minutes a program
}
OWN_CIRCUIT = ("acdc", "edge_pruning_score_function")  # their scores do not rank edges for a selector
TOOLS = ("eap", "auto-circuit", "transformer-lens", "torch")
WORDS = ("unfaithful", "not_smallest", "raised", "timeout")


def file_of(out: Path, method: str, ablation: str) -> Path:
    return out / f"{method.replace(':', '-')}-{ablation}.json"


def run(out: Path, programs: list[str], timeout: float) -> None:
    """Continues what was begun; a method that another run has finished is not run again."""
    out.mkdir(parents=True, exist_ok=True)
    for method, ablations in METHODS.items():
        for ablation in ablations:
            words = [*programs, "--method", method, "--ablation", ablation, "--timeout", f"{timeout:g}"]
            words += [] if method in OWN_CIRCUIT else ["--select", "fewest_within_tolerance"]
            words += ["--json", str(file_of(out, method, ablation)), "--resume"]
            print("tracrcheck gate", *words, flush=True)
            done = subprocess.run(
                [sys.executable, "-m", "tracrcheck", "gate", *words], cwd=ROOT, text=True, capture_output=True
            )
            if done.returncode not in (0, 1):
                print(done.stderr.strip()[-2000:], flush=True)


def rows_of(out: Path) -> list[dict[str, Any]]:
    found = []
    for method, ablations in METHODS.items():
        for ablation in ablations:
            path = file_of(out, method, ablation)
            if not path.is_file():
                continue
            for v in json.loads(path.read_text())["verdicts"]:
                ranking = v["ranking"] or {}
                found.append({
                    "method": method, "ablation": ablation, "program": v["program"], "verdict": v["verdict"],
                    "reason": v["reason"], "vacuous": v["vacuous"], "required": v["n_required"], "found": v["n_found"],
                    "exact_threshold": ranking.get("exact_threshold"), "auroc": ranking.get("auroc"),
                    "seconds": v["seconds"],
                })  # fmt: skip
    return found


def table(document: dict[str, Any]) -> str:
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in document["rows"]:
        if not row["vacuous"]:
            groups.setdefault((row["method"], row["ablation"]), []).append(row)
    lines = [
        "| method | ablation | exact circuit | some threshold exact | mean AUROC | not exact, because | median seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    for (method, ablation), rows in groups.items():
        ranked = [row["auroc"] for row in rows if row["auroc"] is not None]
        exact = sum(bool(row["exact_threshold"]) for row in rows)
        why = Counter(row["reason"] for row in rows if row["verdict"] != "HOLDS")
        words = ", ".join(f"{why[word]} {word}" for word in WORDS if why[word])
        other = sum(n for reason, n in why.items() if reason not in WORDS)
        lines.append(
            f"| `{method.removeprefix('tracrcheck.peers.')}` | {ablation} "
            f"| {sum(row['verdict'] == 'HOLDS' for row in rows)} of {len(rows)} "
            f"| {exact if ranked else '-'} | {f'{statistics.mean(ranked):.3f}' if ranked else '-'} "
            f"| {', '.join(filter(None, (words, f'{other} other' if other else '')))} "
            f"| {statistics.median(row['seconds'] for row in rows):.2f} |"
        )
    return "\n".join(lines)


def page(document: dict[str, Any]) -> str:
    programs = list(dict.fromkeys(row["program"] for row in document["rows"]))
    versions = ", ".join(f"{name} {found}" for name, found in document["versions"].items())
    return f"""# Published methods on proved truths

{len(programs)} programs: {", ".join(programs)}. {versions}; commit {document["commit"]}.

A row counts the programs on which an edge is required. The circuit of a method that scores edges is the shortest head of its
ranking within the tolerance. `eap_ig:` and `autocircuit:` are the tools themselves, unmodified, in their registered settings
(docs/peers.md says what is done around them); the other rows are our own methods. One seed. Seconds are of one thread, on a
machine that did other work. A method without a row was not run.

{table(document)}

Why some are not exact: on a staircase of ReLUs the gradient is zero at every clean input, so the edges before it tie at zero with
useless ones (`hist`); the squared error, which AutoCircuit's attribution takes for numbers, has no gradient where nothing is
cut; a KL divergence over a single number is constant, so ACDC removes everything; information flow routes score by size, not by
effect.

Made by `make peers`; the rows are in `ci/results/peers/rows.json`.
"""


def versions() -> dict[str, str]:
    found = {}
    for name in TOOLS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def write(out: Path) -> None:
    rows = rows_of(out)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, text=True, capture_output=True, check=True)
    document = {"commit": head.stdout.strip()[:7], "versions": versions(), "rows": rows}
    ROWS.parent.mkdir(exist_ok=True)
    head_part = json.dumps({"commit": document["commit"], "versions": document["versions"]})[:-1]
    ROWS.write_text(head_part + ', "rows": [\n' + ",\n".join(map(json.dumps, rows)) + "\n]}\n")
    RESULTS.write_text(page(document))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("run", "table"))
    parser.add_argument("programs", nargs="*")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "ci" / "peers")
    parser.add_argument("--timeout", type=float, default=600.0)
    given = parser.parse_args()
    if given.what == "run":
        run(given.out, given.programs, given.timeout)
    write(given.out)


if __name__ == "__main__":
    main()
