"""Circuits of formats that merge edges of ours: which truth they are graded against, and what cannot be decided."""

from __future__ import annotations

import pytest

from edgeprune_core.circuit import Circuit
from tests.tracrcheck.importers.conftest import Paper, refused
from tests.tracrcheck.importers.test_formats import XPROPORTION


def coarse(paper, kept):
    return paper.read("autocircuit", kept)


def test_a_faithful_coarse_circuit_with_an_edge_too_many_is_not_smallest(xproportion):
    verdict = xproportion.grade(coarse(xproportion, [*XPROPORTION, "MLP 0->Resid End"]))
    assert (verdict.verdict, verdict.reason, verdict.extra) == ("FAILS", "not_smallest", ("m0 -> out",))


def test_a_coarsened_truth_that_its_further_members_make_unfaithful_fails():
    from tracrcheck.importers import Imported
    from tracrcheck.importers.granularity import Granularity

    paper = Paper("shuffle_dyck1", ablation="zero", lengths=(1, 3))
    merged = Granularity(embeddings="merged")

    def graded(kept):
        return paper.grade(Imported(format="autocircuit", granularity=merged, kept=frozenset(kept)))

    truth = merged.coarsen(paper.certificate.required)
    verdict = graded(truth)
    assert (verdict.verdict, verdict.reason, verdict.missing, verdict.extra) == (
        "FAILS",
        "unfaithful",
        (),
        (),
    )
    assert verdict.witness is not None
    assert (
        graded(merged.members(paper.graph)).verdict == "UNKNOWN"
    )  # all edges: faithful, and larger than no answer


def test_another_faithful_coarse_circuit_of_the_same_size_is_unknown():
    paper = Paper("either_of_two_heads")
    required, other = paper.certificate.required, paper.certificate.other
    from dataclasses import replace

    from tracrcheck.importers import Imported
    from tracrcheck.importers.granularity import Granularity

    merged = Granularity(embeddings="merged")
    kept = merged.coarsen(other)
    imported = Imported(format="autocircuit", granularity=merged, kept=kept)
    assert kept != merged.coarsen(required)
    assert paper.grade(imported).verdict == "HOLDS"
    verdict = paper.grade(imported, replace(paper.certificate, other=None))
    assert (verdict.verdict, verdict.reason) == (
        "UNKNOWN",
        "this circuit is faithful, and what is smallest was proved of finer edges than its own",
    )


def test_nothing_is_decided_of_a_coarse_circuit_where_nothing_is_proved(xproportion):
    from dataclasses import replace

    unproved = replace(xproportion.certificate, proved=(), unknown={"sufficient": "a narrow gap"})
    verdict = xproportion.grade(coarse(xproportion, XPROPORTION), unproved)
    assert (verdict.verdict, verdict.reason) == ("UNKNOWN", "sufficient is not proved: a narrow gap")


@pytest.mark.parametrize("embeddings", ["apart", "merged", "tokens_only", "always_kept"])
@pytest.mark.parametrize("merged_qkv", [False, True])
def test_every_edge_has_one_coarse_edge_or_is_always_kept(reverse, embeddings, merged_qkv):
    from tracrcheck.importers.granularity import Granularity

    granularity, graph = Granularity(embeddings=embeddings, merged_qkv=merged_qkv), reverse.graph
    members = granularity.members(graph)
    always = granularity.expand(graph, [])
    together = [edge for edges in members.values() for edge in edges]
    assert sorted([*together, *always]) == list(graph.edges)
    assert granularity.coarsen(always) == frozenset()
    for name in members:
        assert granularity.coarsen(granularity.expand(graph, [name])) == {name}
    assert granularity.finest is (members.keys() == set(Circuit.full(graph).texts))


def test_heads_that_share_keys_cannot_be_described_with_q_k_and_v_merged():
    from edgeprune_core.graph import ResidualGraph
    from tracrcheck.importers.granularity import Granularity

    with refused("TC134", "q, k and v cannot be merged for heads that share keys and values"):
        Granularity(merged_qkv=True).members(ResidualGraph(n_layers=1, n_heads=4, n_kv_heads=2))
