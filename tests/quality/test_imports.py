"""Who imports whom: a file only from earlier layers, and heavy packages only where they are used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# The folders and top-level modules in the order of the pipeline. A file imports only from its own folder and
# those before it.
LAYERS = [
    "edgeprune_core.lazy",
    "edgeprune_core",
    *(f"edgeprune_core.{name}" for name in (
        "errors", "error_codes", "atomic_write", "ties", "spec", "weights", "graph", "circuit", "mask", "criterion", "fold_norms",
        "engine", "ablations", "metrics", "families", "task", "discovery", "attribution",
        "training", "tasks", "faithfulness", "trained_models", "methods", "distributed",
    )),
    "tracrcheck._version",
    "tracrcheck.program",
    "tracrcheck",
    "tracrcheck.error_codes",
    *(f"tracrcheck.{name}" for name in (
        "processes", "rasp", "compiler", "records", "truth", "peers", "importers", "grading", "planted", "generator",
        "invariants", "executors", "trained", "mutants", "runs", "reports", "doctor", "commands", "cli", "strategies",
        "testing", "pytest_items", "pytest_plugin", "__main__",
    )),
]  # fmt: skip

# Packages that a file may import inside a function, and why.
HIDDEN = {
    "tracrcheck/compiler/haiku.py": ({"haiku", "jax", "tracr"}, "seconds to import, needed by `check` alone"),
    "tracrcheck/compiler/cross_check.py": ({"jax"}, "as above"),
    "tracrcheck/doctor.py": ({"packaging"}, "may be missing, which doctor reports"),
    "tracrcheck/executors/worker.py": ({"joblib"}, "needed only where --jobs asks for other processes"),
    "tracrcheck/executors/dask_cluster.py": (
        {"distributed"},
        "an optional package, needed only where --cluster asks for it",
    ),
    "tracrcheck/executors/dask_worker.py": (
        {"distributed"},
        "as above; and the process itself has no need of it",
    ),
    "tracrcheck/peers/peer.py": (
        {"tracrcheck"},
        "TransformerLens is an optional package, and seconds to import",
    ),
    "tracrcheck/commands/arguments.py": (None, "a wrong call is answered before torch is loaded"),
    "tracrcheck/commands/base.py": (None, "as above"),
    "tracrcheck/reports/files.py": (
        {"safetensors"},
        "may be missing, which doctor reports, and writes to a file",
    ),
    "tracrcheck/reports/outputs.py": (
        {"tracrcheck"},
        "outputs are checked before anything is loaded; the reports of every kind are needed only to write one",
    ),
    "tracrcheck/reports/render/templates.py": (
        {"jinja2"},
        "slow to import, and many tables need no template",
    ),
    "tracrcheck/commands/fuzz.py": (None, "as the other commands"),
    "edgeprune_core/families/checkpoints.py": (
        {"huggingface_hub"},
        "an optional package, and seconds to import: needed by hub names only",
    ),
    "edgeprune_core/families/gguf.py": (
        {"transformers", "gguf"},
        "optional packages, needed by GGUF files alone",
    ),
    "edgeprune_core/trained_models/tokenizers.py": (
        {"transformers"},
        "an optional package, and seconds to import: needed by models without a word list of ours",
    ),
    "tracrcheck/commands/compare.py": (None, "as the other commands"),
    "tracrcheck/commands/discover.py": (None, "as the other commands"),
    "tracrcheck/commands/computing.py": (None, "as the other commands"),
    "tracrcheck/commands/tasks.py": (None, "as the other commands"),
    "tracrcheck/commands/models.py": (None, "as the other commands"),
    "tracrcheck/commands/doctor.py": (None, "as the other commands"),
    "tracrcheck/__main__.py": (None, "an installation may lack what the command line needs"),
    "tracrcheck/commands/gate.py": (None, "a command loads what it runs: `--help` costs milliseconds"),
    "tracrcheck/commands/certify.py": (None, "as above"),
    "tracrcheck/commands/export.py": (None, "as above"),
    "tracrcheck/commands/grade.py": (None, "as above"),
    "tracrcheck/commands/results.py": (None, "as above"),
    "tracrcheck/commands/program.py": (None, "as above"),
    "tracrcheck/commands/overlap.py": (None, "as above"),
    "tracrcheck/commands/plan.py": (None, "as above"),
    "tracrcheck/commands/plant.py": (None, "as above"),
    "tracrcheck/commands/invariants.py": (None, "as above"),
    "tracrcheck/commands/mutants.py": (None, "as above"),
    "tracrcheck/testing.py": (None, "imported by whole test modules, of which one test may run"),
    "tracrcheck/pytest_plugin.py": (None, "loaded by every pytest run of whoever has us installed"),
}

# What we send to our own processes is pickled here; what comes back is not.
PICKLES = "tracrcheck/processes/packing.py"

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
            elif isinstance(child, ast.Call) and ast.unparse(child.func) == "Lazy":
                found.append((ast.literal_eval(child.args[0]).replace(":", "."), inside))
            elif isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
                continue
            walk(child, inside or isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)))

    walk(ast.parse(source), False)
    return found


def layer_of(module: str) -> int:
    """The place of the module, or of its top folder, in `LAYERS`; -1 where it has none."""
    name = ".".join(module.split(".")[:2])
    return LAYERS.index(name) if name in LAYERS else -1


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
        if top in ("pickle", "cloudpickle", "dill", "shelve", "marshal") and where != PICKLES:
            found.append(f"{where} imports {name}: no pickles")
        if top in ("edgeprune_core", "tracrcheck") and layer_of(existing(name)) > own:
            found.append(f"{where} ({LAYERS[own]}) imports {name} ({LAYERS[layer_of(existing(name))]})")
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
            "from edgeprune_core.engine.forward import run",
            "imports edgeprune_core.engine.forward.run",
        ),
        ("edgeprune_core/graph.py", "import tracrcheck.program", "knows nothing of it"),
        ("edgeprune_core/engine/forward.py", "import jax", "knows nothing of it"),
        (
            "edgeprune_core/task.py",
            "from edgeprune_core.methods import METHODS",
            "(edgeprune_core.task) imports",
        ),
        (
            "tracrcheck/compiler/compile.py",
            "from tracrcheck.truth.certify import certify",
            "(tracrcheck.compiler) imports",
        ),
        ("tracrcheck/truth/setting.py", "import tracrcheck.grading.grade", "(tracrcheck.truth) imports"),
        (
            "edgeprune_core/metrics/__init__.py",
            'Table({"new": Lazy("edgeprune_core.training.new:New")})',
            "imports edgeprune_core.training.new.New",
        ),
        ("tracrcheck/truth/certify.py", "def f():\n    import torch", "hides the import of torch"),
        ("edgeprune_core/weights.py", "import pickle", "no pickles"),
    ],
)
def test_a_wrong_import_is_noticed(file, source, fault):
    assert any(fault in message for message in faults(ROOT / file, source))


# The one file that reads and writes a format of torch: that of MIB and EAP-IG, tensors and texts.
TENSORS = ROOT / "tracrcheck" / "importers" / "mib.py"


def test_nothing_of_ours_loads_a_pickle():
    calls = [
        (path, node)
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in ("torch.load", "torch.save", "numpy.load", "np.load")
    ]
    assert {path for path, _ in calls} == {TENSORS}
    for _, node in calls:
        safe = any(ast.unparse(keyword) == "weights_only=True" for keyword in node.keywords)
        assert safe == (ast.unparse(node.func) == "torch.load"), "torch.load runs no code only so"


def using_torch_distributed(sources):
    return [path for path, text in sources.items() if "torch.distributed" in _modules(text)]


def _modules(source):
    """Imported modules and the packages they are in; `import torch` alone does not count as `torch.distributed`."""
    names = [name.split(".") for name, _ in imported(source)]
    return {".".join(parts[:n]) for parts in names for n in range(1, len(parts) + 1)}


def test_one_file_imports_torch_distributed():
    sources = {str(p.relative_to(ROOT)): p.read_text() for p in FILES}
    assert using_torch_distributed(sources) == ["edgeprune_core/distributed/process_group.py"]
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
    assert using_torch_distributed({"edgeprune_core/engine/forward.py": f"import torch\n{line}"})


def test_nothing_of_ours_sets_a_global_seed_or_prints():
    banned = (
        "torch.manual_seed",
        "random.seed",
        "np.random.seed",
        "numpy.random.seed",
        "torch.set_num_threads",
    )
    # A foreign method may use the global generator: it gets a forked one, put back afterwards.
    surfaces = (
        "cli.py", "commands", "reports", "pytest_plugin.py", "mutants", "run_method.py", "method_child.py",
    )  # fmt: skip
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


def test_importing_tracrcheck_loads_nothing_but_us_and_the_standard_library():
    code = "import sys; before = set(sys.modules); import tracrcheck; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    tops = {name.partition(".")[0] for name in done.stdout.split()}
    assert tops - set(sys.stdlib_module_names) == {"tracrcheck", "edgeprune_core"}


def test_the_test_of_cheap_imports_can_fail():
    assert "torch" in _loaded_by("import edgeprune_core.mask")
