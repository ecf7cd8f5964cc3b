"""The bars of committed results: what each kind falls short of, in words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from edgeprune_core.trained_models import DEFAULT
from tests import zoo
from tracrcheck.invariants import INVARIANTS
from tracrcheck.invariants.subjects import KINDS
from tracrcheck.mutants import MUTANTS
from tracrcheck.runs.compare import CompareResults
from tracrcheck.runs.false_alarms import FalseAlarmResults
from tracrcheck.runs.fuzz import FuzzResults
from tracrcheck.runs.fuzz_score import Bar
from tracrcheck.runs.gate import Results
from tracrcheck.runs.invariants import InvariantResults
from tracrcheck.runs.kinds import read_any
from tracrcheck.runs.mutants import MutantResults
from tracrcheck.runs.peers import PeersResults
from tracrcheck.runs.plants import PlantsResults
from tracrcheck.runs.profiles import PROFILES
from tracrcheck.runs.results import RunResults
from tracrcheck.trained.curve import LEVELS, standings

FOLDER = Path(__file__).parents[2] / "ci" / "results"
# The share that each method must get right, of all settings that are not vacuous.
LEAST = {"edge_pruning_score_function": 1.0, "edge_pruning_bounded": 0.95}
# The names that methods had when some of the results were made; a name goes when its result is made again.
OLD_NAMES = {"edge_pruning_pathwise": "edge_pruning_bounded"}

# Of the gate on planted GPT-2s, by method: their size, the share that must be right, the ablations and seeds.
PLANTED = {
    "edge_pruning_bounded": ("own", 0.95, ["resample", "mean"], 5),
    "ci.planted_pruner:small_steps": ("12x12", 1.0, ["resample"], 1),
}
# Seeds of the gate on each program of published size; on the others, those of the full profile.
LARGE_SEEDS = 5
# The number of seeds on which no invariant may be broken, and of runs of the gauntlet in which nothing may be red.
SEEDS = 200
QUIET = 20
# The share of seeded faults that each way to check must catch. Faults written blind have no bar.
CAUGHT = {"gauntlet": 1.0, "suite": 0.95, "targeted": 1.0}
TARGETED = {mutant.name for mutant in MUTANTS.values() if mutant.tests}  # these name tests of their own
# Faults of the table that no committed file has yet, at most. These numbers only go down.
NOT_RUN = {"gauntlet": 0, "suite": 2, "targeted": 0}
# What a comparison must contain: methods, seeds and settings. NEAR: edge pruning's edges, as a multiple of the fewest.
COMPARED = {"edge_pruning", "acdc", "eap", "eap_ig", "random"}
COMPARED_SEEDS, SETTINGS, NEAR = 5, 20, 1.1
# Where edge pruning needs at most half of EAP-IG's edges on a model that is not the shipped one.
HALVED = (0.3, 1.0)
# The share of ACDC's edges that the figures of the edge-pruning paper show; docs/trained.md says that we do not see it.
PAPER = 0.5


@cache
def committed() -> dict[str, RunResults]:
    return {path.name: read_any(path) for path in FOLDER.glob("*.json")}


def short_of_the_bar(found: RunResults) -> list[str]:
    """What is below its bar, in words."""
    asked = found.run["asked"]
    if isinstance(found, MutantResults):  # see `short_of_faults`
        return []
    if isinstance(
        found, PeersResults
    ):  # the methods of others have no bar; a share is committed, and its page says what is missing
        return []
    if isinstance(found, PlantsResults):
        return [f"{plant.program}, {plant.size}: {plant.fault}" for plant in found.plants if plant.fault]
    if not found.run["finished"]:
        return ["not finished"]
    if isinstance(found, FuzzResults):
        return list(found.score(Bar()).short)
    if isinstance(found, InvariantResults):
        return short_of_laws(found)
    if isinstance(found, FalseAlarmResults):
        return short_of_quiet(found)
    if all(method.startswith("ci.starts:") for method in asked.get("methods", [asked.get("method", "")])):
        return []  # compared with each other: docs/trained.md has their figures
    if isinstance(found, CompareResults):
        return short_of_a_comparison(found)
    if asked["programs"][0].endswith("_gpt2"):
        return short_of_planted(found)
    method = OLD_NAMES.get(asked["method"], asked["method"])
    short = short_of_share(found, LEAST[method])
    full, large = PROFILES["full"], not set(asked["programs"]) - set(zoo.LARGE)
    if missing := set(zoo.LARGE if large else zoo.NAMES) - set(zoo.LATER) - set(asked["programs"]):
        short.append(f"without {', '.join(sorted(missing))}")
    seeds = LARGE_SEEDS if large else full.seeds
    wanted = {"ablations": list(full.ablations), "seeds": list(range(seeds))}
    if method == "edge_pruning_score_function" and {name: asked[name] for name in wanted} != wanted:
        short.append("not the full profile")
    return short


def short_of_share(found: Results, least: float) -> list[str]:
    counted = [v for v in found.verdicts if not v.vacuous]
    share = sum(v.verdict == "HOLDS" for v in counted) / len(counted)
    return [] if share >= least else [f"{share:.2%} hold"]


def short_of_planted(found: Results) -> list[str]:
    """The gate on GPT-2s: all that `plant` certified at the size, by committed results."""
    asked = found.run["asked"]
    size, least, ablations, seeds = PLANTED[asked["method"]]
    short = short_of_share(found, least)
    plants = [plant for one in committed().values() if isinstance(one, PlantsResults) for plant in one.plants]
    wanted = {f"{plant.program}_gpt2" for plant in plants if plant.size == size}
    if missing := wanted - set(asked["programs"]):
        short.append(f"without {', '.join(sorted(missing))}")
    if set(ablations) - set(asked["ablations"]) or len(asked["seeds"]) < seeds:
        short.append(f"{asked['ablations']}, {len(asked['seeds'])} seeds")
    return short


def short_of_laws(found: InvariantResults) -> list[str]:
    asked = found.run["asked"]
    broken = [f"{c.invariant} on {c.subject}" for c in found.checks if c.red]
    short = [f"{', '.join(broken)} broken"] if broken else []
    if missing := {i.name for i in INVARIANTS} - set(asked["invariants"]):
        short.append(f"without {', '.join(sorted(missing))}")
    if len(asked["seeds"]) < SEEDS or not asked["programs"]:
        short.append(f"{len(asked['seeds'])} seeds, {asked['programs']} programs each")
    subjects = Counter(unit.seed for unit in found.units)
    if set(subjects.values()) != {len(KINDS) + asked["programs"]}:
        short.append("subjects are missing")
    return short


def short_of_faults(files: Sequence[MutantResults], *, not_run: Mapping[str, int]) -> list[str]:
    """Of all files together: of a fault, the newest row counts. A fault that is newer than a file is run by itself, into another.

    Those written blind count only where a fault names tests of its own, which must catch it.
    """
    status: dict[tuple[str, str], str] = {}
    for found in sorted(files, key=lambda found: found.run["started"]):
        status |= {(found.by, row.name): row.status for row in found.found}
    whole = set(MUTANTS) - TARGETED
    short = []
    for way, by, faults in (
        ("gauntlet", "gauntlet", whole),
        ("suite", "suite", whole),
        ("targeted", "suite", TARGETED),
    ):
        run = {name: status[by, name] for name in faults if (by, name) in status}
        counted = [s for name, s in run.items() if way == "targeted" or not MUTANTS[name].blind]
        share = sum(s == "killed" for s in counted) / len(counted) if counted else 1.0
        short += [] if share >= CAUGHT[way] else [f"{way}: {share:.2%} of the faults killed"]
        if len(missing := sorted(faults - set(run))) > not_run.get(way, 0):
            short.append(f"{way}: without {', '.join(missing)}")
    return short


def short_of_quiet(found: FalseAlarmResults) -> list[str]:
    loud = [f"seed {run.seed}: {run.red or run.error}" for run in found.runs if not run.quiet]
    few = [f"{len(found.runs)} runs"] if len(found.runs) < QUIET else []
    profile = PROFILES["mutants"]
    wanted = {"programs": list(profile.programs or ()), "ablations": list(profile.ablations)}
    asked = {name: found.run["asked"][name] for name in wanted}
    return [*loud, *few, *([] if asked == wanted else ["not the profile of the seeded faults"])]


def short_of_a_comparison(found: CompareResults) -> list[str]:
    """Enough was done for every method, and edge pruning is near the best at every level."""
    asked = found.run["asked"]
    if asked["model"] != DEFAULT:
        return short_on_a_large_model(found)
    short = [
        f"{c.method}, seed {c.seed}: {c.fault or c.candidates}"
        for c in found.curves
        if c.candidates < SETTINGS
    ]
    if missing := COMPARED - set(asked["methods"]):
        short.append(f"without {', '.join(sorted(missing))}")
    if len(asked["seeds"]) < COMPARED_SEEDS:
        short.append(f"{len(asked['seeds'])} seeds")
    at = {(s.method, s.level): s.median for s in standings(found.curves)}
    for level in LEVELS:
        best = min(median for (_, there), median in at.items() if there == level)
        if best == 0:  # the empty circuit is near enough there: there was nothing to find
            continue
        if at.get(("edge_pruning", level), math.inf) > NEAR * best:
            short.append(f"edge_pruning at {level} nats")
    return short


def short_on_a_large_model(found: CompareResults) -> list[str]:
    """There edge pruning needs at most half of the edges of attribution."""
    at = {(s.method, s.level): s.median for s in standings(found.curves)}
    return [
        f"edge_pruning at {x} nats"
        for x in HALVED
        if not at["edge_pruning", x] <= at["eap_ig", x] / 2 < math.inf
    ]


def levels_of_the_paper(found: CompareResults) -> list[float]:
    """The levels at which edge pruning needs at most the paper's share of ACDC's edges."""
    at = {(s.method, s.level): s.median for s in standings(found.curves)}
    return [x for x in LEVELS if at["edge_pruning", x] <= PAPER * at["acdc", x] < math.inf and at["acdc", x]]
