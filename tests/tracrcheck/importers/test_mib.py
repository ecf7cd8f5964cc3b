"""Circuit folders of MIB: written and read back, as JSON and as tensors, without running what a file holds."""

from __future__ import annotations

import os
import pickle

import pytest
import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.errors import CheckError
from edgeprune_core.graph import ResidualGraph
from tests import zoo
from tracrcheck.grading.export import mib_files
from tracrcheck.importers import mib, read_file


@pytest.fixture
def folder(here):
    """A circuit of hist: its graph, the circuit, and the folder."""
    compiled = zoo.compiled("hist")
    circuit = Circuit.of(compiled.graph, ["tok -> a0.h0.v", "pos -> m0", "a0.h0 -> m0", "m0 -> out"])
    (here / "d").mkdir()
    for name, content in mib_files(compiled, circuit).items():
        (here / "d" / name).write_bytes(content)
    return compiled.graph, circuit, here / "d"


def read(path, graph):
    found = read_file(path, graph, format="eap_ig_hooked", threshold=None)
    return found.granularity.expand(graph, found.kept)


def test_both_files_of_a_folder_hold_the_circuit(folder):
    graph, circuit, path = folder
    assert {file.name for file in path.iterdir()} == {mib.JSON, mib.PT}
    assert read(path, graph) == circuit
    assert read(path / mib.PT, graph) == circuit
    (path / mib.JSON).unlink()
    assert read(path, graph) == circuit, "the tensors alone"


def test_the_tensors_are_where_eap_ig_has_them(folder):
    _, _, path = folder
    record = torch.load(path / mib.PT, weights_only=True)
    assert record["src_nodes"] == ["input", "a0.h0", "a0.h1", "m0", "a1.h0", "a1.h1", "m1"]
    assert record["dst_nodes"][:7] == [
        "a0.h0<q>",
        "a0.h1<q>",
        "a0.h0<k>",
        "a0.h1<k>",
        "a0.h0<v>",
        "a0.h1<v>",
        "m0",
    ]
    assert record["dst_nodes"][-1] == "logits"
    kept = {
        (record["src_nodes"][row], record["dst_nodes"][column])
        for row, column in record["edges_in_graph"].nonzero().tolist()
    }
    assert kept == {("input", "m0"), ("input", "a1.h0<v>"), ("m0", "m1"), ("a1.h0", "m1"), ("m1", "logits")}
    assert record["nodes_in_graph"].tolist() == [True, False, False, True, True, False, True]


@pytest.mark.parametrize("parallel", [False, True])
def test_a_circuit_of_a_model_that_eap_ig_reads_itself_is_read_back_but_for_its_positions(parallel):
    graph = ResidualGraph(2, 2, 2, parallel_blocks=parallel)
    circuit = Circuit.of(graph, ["tok -> a0.h1.q", "a0.h1 -> m1", "m1 -> out", "pos -> m0"])
    document = mib.document_of(mib.contents_of(mib.plain_document(circuit, d_model=8))[mib.PT], "x.pt")
    assert [name for name, told in document["edges"].items() if told["in_graph"]] == [
        "input->a0.h1<q>", "a0.h1->m1", "m1->logits"
    ]  # fmt: skip
    assert document["edges"].keys() == mib.plain_document(circuit, d_model=8)["edges"].keys()


class _Runs:
    def __reduce__(self):
        return os.mkdir, ("it_ran",)


def test_a_pickle_is_refused_and_never_run(here):
    (here / "evil.pt").write_bytes(pickle.dumps(_Runs()))
    torch.save({"cfg": _Runs()}, here / "zipped.pt")
    for name in ("evil.pt", "zipped.pt"):
        with pytest.raises(CheckError, match=f"TC131 cannot read a circuit from '{name}'"):
            read(here.joinpath(name).relative_to(here), ResidualGraph(1, 1, 1))
    assert not (here / "it_ran").exists()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda r: [r], "TC132"),
        (lambda r: {k: v for k, v in r.items() if k != "cfg"}, "TC132"),
        (lambda r: r | {"cfg": {"n_layers": 2}}, "TC132"),
        (lambda r: r | {"cfg": r["cfg"] | {"n_layers": 9}}, "TC132"),
        (lambda r: r | {"edges_scores": r["edges_scores"][:-1]}, "TC132"),
        (lambda r: r | {"edges_in_graph": [1]}, "TC132"),
        (lambda r: r | {"nodes_in_graph": r["nodes_in_graph"][:-1]}, "TC132"),
    ],
)
def test_a_file_that_holds_something_else_is_refused(folder, change, error):
    graph, _, path = folder
    torch.save(change(torch.load(path / mib.PT, weights_only=True)), path / mib.PT)
    with pytest.raises(CheckError, match=error):
        read(path / mib.PT, graph)


def test_a_file_that_is_cut_short_and_a_folder_without_a_circuit_are_refused(folder, here):
    graph, _, path = folder
    (path / mib.PT).write_bytes((path / mib.PT).read_bytes()[:200])
    with pytest.raises(CheckError, match="TC131 cannot read a circuit"):
        read(path / mib.PT, graph)
    (here / "empty").mkdir()
    with pytest.raises(CheckError, match="TC131 no circuit in the folder"):
        read(here / "empty", graph)
