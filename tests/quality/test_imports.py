"""Who imports whom: a file only from earlier layers, and heavy packages only where they are used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Every module belongs to the layer with its longest name here, its own or that of a package above it. Later
# layers import earlier ones, and files of one layer each other.
LAYERS = [
    # edgeprune_core
    ("words", ["edgeprune_core", "edgeprune_core.errors", "edgeprune_core.spec", "edgeprune_core.graph",
               "edgeprune_core.circuit"]),
    ("tensors", ["edgeprune_core.weights", "edgeprune_core.mask", "edgeprune_core.outcome", "edgeprune_core.deltas",
                 "edgeprune_core.folding"]),
    ("engine", ["edgeprune_core.blocks", "edgeprune_core.stream", "edgeprune_core.engine", "edgeprune_core.ablations",
                "edgeprune_core.metrics", "edgeprune_core.families"]),
    ("large models", ["edgeprune_core.recomputed", "edgeprune_core.gathered", "edgeprune_core.distributed"]),
    ("work", ["edgeprune_core.task", "edgeprune_core.discovery",
              "edgeprune_core.attribution", "edgeprune_core.suffix", "edgeprune_core.patching", "edgeprune_core.checkpoint", "edgeprune_core.dry_run",
              "edgeprune_core.training"]),
    ("prompts", ["edgeprune_core.tasks", "edgeprune_core.faithfulness", "edgeprune_core.subjects"]),
    ("methods", ["edgeprune_core.methods"]),
    # tracrcheck
    ("compile", ["tracrcheck", "tracrcheck._version", "tracrcheck.program", "tracrcheck.domain",
                 "tracrcheck.expressions", "tracrcheck.provenance", "tracrcheck.compile",
                 "tracrcheck.oracle", "tracrcheck.walk", "tracrcheck.fault_classes", "tracrcheck.refusals"]),
    ("exam", ["tracrcheck.exam"]),
    ("truth", ["tracrcheck.structure", "tracrcheck.certificate", "tracrcheck.search", "tracrcheck.certify",
               "tracrcheck.faults", "tracrcheck.diagnosis", "tracrcheck.store", "tracrcheck.sources",
               "tracrcheck.wholefile"]),
    ("judge", ["tracrcheck.verdict", "tracrcheck.examinee", "tracrcheck.grade", "tracrcheck.library",
               "tracrcheck.ranking", "tracrcheck.granularity", "tracrcheck.importers", "tracrcheck.foreign",
               "tracrcheck.routes", "tracrcheck.explain", "tracrcheck.pins", "tracrcheck.options",
               "tracrcheck.checkup", "tracrcheck.chained", "tracrcheck.template", "tracrcheck.planted"]),
    ("gate", ["tracrcheck.gate", "tracrcheck.recipes", "tracrcheck.drafts", "tracrcheck.draws",
              "tracrcheck.profiles", "tracrcheck.machine", "tracrcheck.leaving", "tracrcheck.ledger", "tracrcheck.sweep",
              "tracrcheck.cluster", "tracrcheck.hands", "tracrcheck.passport",
              "tracrcheck.run", "tracrcheck.results", "tracrcheck.baseline", "tracrcheck.invariant_results",
              "tracrcheck.mutant_results", "tracrcheck.false_alarm_results",
              "tracrcheck.composition", "tracrcheck.fuzz", "tracrcheck.campaign", "tracrcheck.bar",
               "tracrcheck.prompt_lists", "tracrcheck.discover", "tracrcheck.plan", "tracrcheck.together",
               "tracrcheck.overlap", "tracrcheck.shapes", "tracrcheck.fuzz_results", "tracrcheck.regressions",
               "tracrcheck.evidence", "tracrcheck.compare_results", "tracrcheck.frontier",
               "tracrcheck.comparing"]),
    ("invariants", ["tracrcheck.invariants"]),
    ("seeded faults", ["tracrcheck.in_copy", "tracrcheck.gauntlet", "tracrcheck.suite", "tracrcheck.suite_run",
                       "tracrcheck.mutants"]),
    ("checked again", ["tracrcheck.recheck"]),
    ("surfaces", ["tracrcheck.strategies", "tracrcheck.reports", "tracrcheck.commands", "tracrcheck.cli",
                  "tracrcheck.testing", "tracrcheck.pytest_gate", "tracrcheck.pytest_plugin", "tracrcheck.doctor",
                  "tracrcheck.entry"]),
]  # fmt: skip

# Packages that a file may import inside a function, and why.
HIDDEN = {
    "tracrcheck/oracle.py": ({"haiku", "jax"}, "seconds to import, needed by one function"),
    "tracrcheck/sweep.py": ({"joblib"}, "needed only where --jobs asks for other processes"),
    "tracrcheck/cluster.py": (
        {"distributed"},
        "an optional package, needed only where --cluster asks for it",
    ),
    "tracrcheck/hands.py": ({"distributed"}, "as above; and the process itself has no need of it"),
    "tracrcheck/passport.py": (
        {"tracrcheck"},
        "what finds a method loads torch: only those of others are looked for",
    ),
    "tracrcheck/commands/fuzz.py": (None, "as the other commands"),
    "edgeprune_core/families/sources.py": (
        {"huggingface_hub"},
        "an optional package, and seconds to import: needed by hub names only",
    ),
    "edgeprune_core/subjects/tokens.py": (
        {"transformers"},
        "an optional package, and seconds to import: needed by models without a word list of ours",
    ),
    "tracrcheck/commands/compare.py": (None, "as the other commands"),
    "tracrcheck/commands/discover.py": (None, "as the other commands"),
    "tracrcheck/commands/doctor.py": (None, "as the other commands"),
    "tracrcheck/entry.py": (None, "an installation may lack what the command line needs"),
    "tracrcheck/commands/gate.py": (None, "a command loads what it runs: `--help` costs milliseconds"),
    "tracrcheck/commands/certify.py": (None, "as above"),
    "tracrcheck/commands/grade.py": (None, "as above"),
    "tracrcheck/commands/results.py": (None, "as above"),
    "tracrcheck/commands/author.py": (None, "as above"),
    "tracrcheck/commands/overlap.py": (None, "as above"),
    "tracrcheck/commands/plan.py": (None, "as above"),
    "tracrcheck/commands/plant.py": (None, "as above"),
    "tracrcheck/commands/invariants.py": (None, "as above"),
    "tracrcheck/commands/mutants.py": (None, "as above"),
    "tracrcheck/testing.py": (None, "imported by whole test modules, of which one test may run"),
    "tracrcheck/pytest_plugin.py": (None, "loaded by every pytest run of whoever has us installed"),
}

FILES = sorted((*ROOT.glob("edgeprune_core/**/*.py"), *ROOT.glob("tracrcheck/**/*.py")))


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(source: str) -> list[tuple[str, bool]]:
    """Every module (or name in one) that is imported, and whether inside a function."""
    found = []

    def walk(node, inside):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                found.extend((alias.name, inside) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, "relative imports hide where a name comes from"
                found.extend((f"{child.module}.{alias.name}", inside) for alias in child.names)
            elif isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
                continue
            walk(child, inside or isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)))

    walk(ast.parse(source), False)
    return found


def layer_of(module: str) -> int:
    best, place = -1, -1
    for number, (_, names) in enumerate(LAYERS):
        for name in names:
            owns = module == name or module.startswith(name if name.endswith(".") else f"{name}.")
            if (
                owns
                and len(name) > best
                and not (name in ("edgeprune_core", "tracrcheck") and module != name)
            ):
                best, place = len(name), number
    return place


def existing(name: str) -> str:
    """The module that `from a.b import c` reads: a.b.c where that is a file, else a.b."""
    path = ROOT / Path(*name.split("."))
    return (
        name
        if path.with_suffix(".py").exists() or (path / "__init__.py").exists()
        else name.rpartition(".")[0]
    )


def faults(path: Path, source: str) -> list[str]:
    module, where = module_name(path), str(path.relative_to(ROOT))
    own, found = layer_of(module), []
    lazy, _ = HIDDEN.get(where, (set(), ""))
    for name, inside in imported(source):
        top = name.split(".")[0]
        if inside and lazy is not None and top not in lazy:
            found.append(f"{where} hides the import of {name} in a function")
        if module.startswith("edgeprune_core") and top in ("tracrcheck", "tracr", "jax", "haiku"):
            found.append(f"{where} imports {name}: the engine knows nothing of it")
        if top in ("pickle", "cloudpickle", "dill", "shelve", "marshal"):
            found.append(f"{where} imports {name}: no pickles")
        if top in ("edgeprune_core", "tracrcheck") and layer_of(existing(name)) > own:
            found.append(f"{where} ({LAYERS[own][0]}) imports {name} ({LAYERS[layer_of(existing(name))][0]})")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_imports_only_from_its_own_layer_and_those_before(path):
    assert layer_of(module_name(path)) >= 0, f"{path} belongs to no layer: give it one in LAYERS"
    assert not faults(path, path.read_text())


@pytest.mark.parametrize(
    ("file", "source", "fault"),
    [
        (
            "edgeprune_core/graph.py",
            "from edgeprune_core.engine import run",
            "imports edgeprune_core.engine.run",
        ),
        ("edgeprune_core/graph.py", "import tracrcheck.program", "knows nothing of it"),
        ("edgeprune_core/engine.py", "import jax", "knows nothing of it"),
        ("edgeprune_core/task.py", "from edgeprune_core.methods import METHODS", "(work) imports"),
        ("tracrcheck/compile.py", "from tracrcheck.certify import certify", "(compile) imports"),
        ("tracrcheck/exam.py", "from tracrcheck import certificate", "(exam) imports"),
        ("tracrcheck/certify.py", "def f():\n    import torch", "hides the import of torch"),
        ("edgeprune_core/weights.py", "import pickle", "no pickles"),
    ],
)
def test_a_wrong_import_is_noticed(file, source, fault):
    assert any(fault in told for told in faults(ROOT / file, source))


def test_nothing_of_ours_loads_a_pickle():
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                assert ast.unparse(node.func) not in ("torch.load", "torch.save", "numpy.load", "np.load"), (
                    path
                )


def using_torch_distributed(sources):
    return [path for path, text in sources.items() if "torch.distributed" in _modules(text)]


def _modules(source):
    """What is imported, and what stands above it; `import torch` alone is not `torch.distributed`."""
    names = [name.split(".") for name, _ in imported(source)]
    return {".".join(parts[:n]) for parts in names for n in range(1, len(parts) + 1)}


def test_one_file_imports_torch_distributed():
    sources = {str(p.relative_to(ROOT)): p.read_text() for p in FILES}
    assert using_torch_distributed(sources) == ["edgeprune_core/distributed.py"]
    for path, text in sources.items():
        used = [ast.unparse(node) for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Attribute)]
        assert "torch.distributed" not in used, path


@pytest.mark.parametrize(
    "line",
    [
        "import torch.distributed as dist",
        "from torch import distributed",
        "from torch.distributed.fsdp import fully_shard",
        "def f():\n    from torch.distributed import all_reduce",
    ],
)
def test_a_second_file_that_imports_torch_distributed_is_noticed(line):
    assert using_torch_distributed({"edgeprune_core/engine.py": f"import torch\n{line}"})


def test_nothing_of_ours_sets_a_global_seed_or_prints():
    banned = (
        "torch.manual_seed",
        "random.seed",
        "np.random.seed",
        "numpy.random.seed",
        "torch.set_num_threads",
    )
    # A foreign method may use the global generator: it gets a forked one, put back afterwards.
    surfaces = ("cli.py", "reports", "pytest_plugin.py", "mutants", "examinee.py")
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                assert name not in banned or any(s in path.parts for s in surfaces), f"{path}: {name}"
                assert name != "print" or any(s in path.parts for s in surfaces), f"{path}: print"


HEAVY = ("torch", "jax", "haiku", "numpy", "tracr")


def _loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*(n for n in {HEAVY!r} if n in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import tracrcheck",
        "from tracrcheck import Program",
        "import tracrcheck.pytest_plugin",
        "from tracrcheck.testing import cases; cases('reverse')",
        "import edgeprune_core",
        "import edgeprune_core.circuit",
    ],
)
def test_importing_the_package_loads_nothing_heavy(statement):
    assert _loaded_by(statement) == set()


def test_importing_tracrcheck_loads_the_standard_library_alone():
    code = "import sys; before = set(sys.modules); import tracrcheck; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    tops = {name.partition(".")[0] for name in done.stdout.split()}
    assert tops - set(sys.stdlib_module_names) == {"tracrcheck"}


def test_the_test_of_cheap_imports_can_fail():
    assert "torch" in _loaded_by("import edgeprune_core.mask")
