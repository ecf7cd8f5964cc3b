"""The figures of SmolLM2 that are committed: the guide shows them, and they meet their bars."""

from __future__ import annotations

import json
import re
from pathlib import Path
from statistics import median

from edgeprune_core.methods.edge_pruning import AnnealedSweep
from edgeprune_core.tasks import TASKS
from tracrcheck.runs.kinds import read_any
from tracrcheck.trained.curve import standings

ROOT = Path(__file__).parents[2]
FOUND = json.loads((ROOT / "ci" / "bench" / "results" / "tasks-smollm2.json").read_text())


def test_the_guide_shows_how_well_it_does_each_task_and_four_reach_nine_prompts_of_ten():
    rows = {row["task"]: row for row in FOUND["tasks"]}
    assert list(rows) == list(TASKS)
    guide = (ROOT / "docs" / "trained.md").read_text()
    shown = re.findall(r"^\| `(\w+)` \| (\d+%) \| (-?[\d.]+) \| (-?[\d.]+) \|$", guide, re.MULTILINE)
    assert shown == [
        (name, f"{row['accuracy']:.0%}", f"{row['margin']:.2f}", f"{row['corrupted']:.2f}")
        for name, row in rows.items()
    ]
    (claim,) = re.findall(r"nine prompts of ten or more in (.*?);", guide, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", claim)) == {
        name for name, row in rows.items() if row["accuracy"] >= 0.9
    }
    assert sum(row["accuracy"] >= 0.9 for row in rows.values()) >= 4


def test_the_logits_are_within_their_bars():
    rows = json.loads((ROOT / "ci" / "bench" / "results" / "logits-smollm2.json").read_text())
    assert {row["dtype"]: row["prompts"] for row in rows} == {"float32": 200, "float64": 200}
    assert all(row["worst"] <= {"float32": 1e-4, "float64": 1e-9}[row["dtype"]] for row in rows)


def test_the_guide_shows_how_many_edges_each_method_needs():
    guide = (ROOT / "docs" / "trained.md").read_text()
    shown = re.findall(r"^\| `(\w+)` \| `(\w+)` \|(( [\d,]+ \|){4})$", guide, re.MULTILINE)
    wanted = []
    for task in ("ioi", "gendered_pronoun"):
        found = read_any(ROOT / "ci" / "results" / f"compare-smollm2-{task}.json")
        assert len(found.run["asked"]["seeds"]) == 3
        at = {(s.method, s.level): s.median for s in standings(found.curves)}
        for method in found.run["asked"]["methods"]:
            wanted.append((task, method, [f"{at[method, level]:,}" for level in (0.03, 0.1, 0.3, 1.0)]))
    assert [(task, method, row.strip(" |").split(" | ")) for task, method, row, _ in shown] == wanted


def test_the_guide_says_how_many_edges_the_second_task_needs():
    guide = " ".join((ROOT / "docs" / "trained.md").read_text().split())
    found = read_any(ROOT / "ci" / "results" / "compare-smollm2-gendered_pronoun.json")
    at = {(s.method, s.level): s.median for s in standings(found.curves)}
    said = re.search(r"needs more: (\S+) times as many at 0.3 nats and (\S+) times as many at 1\.", guide)
    ratios = [at["edge_pruning", level] / at["eap_ig", level] for level in (0.3, 1.0)]
    assert list(said.groups()) == [f"{ratio:.1f}" for ratio in ratios]
    assert at["eap_ig", 1.0] < round(AnnealedSweep().smallest * 70_651)
    for results in (found, read_any(ROOT / "ci" / "results" / "compare-smollm2-ioi.json")):
        assert held_out_share(results, "edge_pruning") > 1.5
        assert held_out_share(results, "eap_ig") < 1.2


def test_the_guide_says_what_more_prompts_change():
    guide = " ".join((ROOT / "docs" / "trained.md").read_text().split())
    found = read_any(ROOT / "ci" / "results" / "compare-smollm2-gendered_pronoun-100.json")
    assert (found.run["asked"]["prompts"], len(found.run["asked"]["seeds"])) == (100, 1)
    at = {(s.method, s.level): s.median for s in standings(found.curves)}
    said = re.search(
        r"needs (\S+) times as many edges as EAP-IG at 0.3 nats and (\S+) times as many at 1\.", guide
    )
    ratios = [at["edge_pruning", level] / at["eap_ig", level] for level in (0.3, 1.0)]
    assert list(said.groups()) == [f"{ratio:.1f}" for ratio in ratios]
    said = re.search(
        r"circuit of (\d+) edges is .*?\((\S+) nats\) than EAP-IG's circuit of (\d+) \((\S+)\)", guide
    )
    trained = {(curve.method, p.n_edges): p.train_kl for curve in found.curves for p in curve.points}
    edges, kl, fewer, its_kl = said.groups()
    assert (kl, its_kl) == (
        f"{trained['edge_pruning', int(edges)]:.2f}",
        f"{trained['eap_ig', int(fewer)]:.2f}",
    )
    assert int(fewer) < int(edges)
    assert float(its_kl) < float(kl)


def test_the_guide_says_what_each_start_finds_on_it():
    guide = " ".join((ROOT / "docs" / "trained.md").read_text().split())
    found = json.loads((ROOT / "ci" / "bench" / "results" / "starts-smollm2.json").read_text())["results"]
    said = guide.partition("On SmolLM2 a start from open gates")[2].partition("starts-smollm2")[0]
    shown = re.findall(r"at (\S+) nats (?:on held-out prompts )?after (\d+) s", said)
    assert shown == [(f"{one['kl_held_out']:.2f}", f"{one['seconds']:.0f}") for one in found]
    assert [one["start"] for one in found] == ["pruned", "warm", "cold"]


def held_out_share(found, method):
    """The median divergence on held-out prompts, as a multiple of that on those the circuits were found on."""
    points = [point for curve in found.curves if curve.method == method for point in curve.points]
    return median(p.held_out_kl / p.train_kl for p in points if 0.15 < p.train_kl < 0.3)


def test_the_guide_says_how_long_acdc_would_take():
    guide = " ".join((ROOT / "docs" / "trained.md").read_text().split())
    (step,) = json.loads((ROOT / "ci" / "bench" / "results" / "step-smollm2.json").read_text())["results"]
    hours = 70_651 * step["seconds"]["evaluation"] / 3600
    assert f"70,651 evaluations of {step['batch']} prompts take {hours:.0f} hours" in guide


def test_the_guide_says_how_often_each_start_of_edge_pruning_is_exact():
    said = " ".join((ROOT / "docs" / "trained.md").read_text().split()).partition("A start from a ranking")[2]
    shares = []
    for start in ("cold", "warm", "pruned"):
        found = json.loads((ROOT / "ci" / "results" / f"starts-{start}.json").read_text())["verdicts"]
        assert not [verdict for verdict in found if verdict["missing"]]
        shares.append((sum(verdict["verdict"] == "HOLDS" for verdict in found), len(found)))
    named = [(int(n), int(of)) for n, of in re.findall(r"in (\d+) of (\d+)", said)[:3]]
    assert named == shares
    found = read_any(ROOT / "ci" / "results" / "compare-starts.json")
    at = {(s.method.partition(":")[2], s.level): s.median for s in standings(found.curves)}
    edges = [at[start, level] for level in (0.1, 1.0) for start in ("cold", "warm", "pruned")]
    said_of_edges = re.search(
        r"has (\d+) edges if .* open, (\d+) if .*, and (\d+) if .* it has (\d+), (\d+) and (\d+)", said
    )
    assert [int(n) for n in said_of_edges.groups()] == edges


def test_the_guide_shows_what_the_two_circuits_of_a_task_share_and_do():
    found = json.loads((ROOT / "ci" / "bench" / "results" / "overlap-capital.json").read_text())
    guide = (ROOT / "docs" / "large.md").read_text()
    share = f"share {len(found['shared']):,} edges, {found['jaccard']:.0%} of those that either has"
    assert share in guide.replace("\n", " ")
    shown = re.findall(
        r"^\| (A|B|shared) \| `(\w+)` \| ([\d,]+) \| (\S+) \| (\S+) \| (\S+) \| (\S+) \|$",
        guide,
        re.MULTILINE,
    )
    wanted = [
        (
            {"a": "A", "b": "B", "shared": "shared"}[row["circuit"]],
            row["task"],
            f"{row['faithfulness']['n_edges']:,}",
            f"{kept(row, 'kl')['circuit']['mean']:.2f}",
            f"{kept(row, 'kl')['random']['mean']:.2f}",
            f"{kept(row, 'recovered')['circuit']['mean']:.2f}",
            f"{kept(row, 'accuracy')['circuit']['mean']:.2f}",
        )
        for row in found["judged"]
    ]
    assert shown == wanted
    accuracy = {row["task"]: row["accuracy"] for row in FOUND["tasks"]}
    assert all(accuracy[found["asked"][task]] >= 0.85 for task in ("task_a", "task_b"))


def kept(row, metric):
    wanted = ("resample", "kept", metric)
    return next(
        c for c in row["faithfulness"]["cells"] if (c["ablation"], c["direction"], c["metric"]) == wanted
    )
