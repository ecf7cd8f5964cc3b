"""What is special about each format, and published circuits, in the settings in which they are right."""

from __future__ import annotations

import re

import pytest

from edgeprune_core.circuit import Circuit
from edgeprune_core.errors import CheckError
from tests.tracrcheck.importers.conftest import refused, sample
from tracrcheck.importers.base import kept_above

# ours --------------------------------------------------------------------------------------------------


def test_scores_of_our_own_files_are_ranked(reverse):
    verdict = reverse.grade(reverse.read("tracrcheck", sample("tracrcheck")))
    assert (verdict.ranking.auroc, verdict.ranking.exact_threshold) == (1.0, True)


def test_edges_may_be_listed_as_bare_text(reverse):
    edges = reverse.certificate.required.texts
    assert reverse.grade(reverse.read("tracrcheck", edges)).verdict == "HOLDS"


def test_scores_of_some_edges_only_are_not_ranked_and_it_says_so(reverse):
    document = sample("tracrcheck")
    document["scores"].popitem()
    imported = reverse.read("tracrcheck", document)
    assert imported.notes == ("1 edges have no score, so the scores are not ranked",)
    assert reverse.grade(imported).ranking is None


def test_scores_that_are_not_numbers_are_refused(reverse):
    document = sample("tracrcheck")
    document["scores"]["tok -> m0"] = float("nan")
    with refused("TC132", "not a circuit in the format 'tracrcheck'"):
        reverse.read("tracrcheck", document)


@pytest.mark.parametrize(
    ("change", "got"),
    [
        (lambda d: d["graph"].update(n_layers=10**9), "n_layers 1000000000"),
        (lambda d: d["graph"].update(n_heads=2, n_kv_heads=2), "n_heads 2, n_kv_heads 2"),
        (lambda d: d["graph"].update(depth=3), "a graph with 'depth'"),
        (lambda d: d.pop("edges"), "no edges"),
        (lambda d: d.update(graph=[4, 1]), "a graph that is [4, 1]"),
    ],
)
def test_a_file_of_another_graph_is_refused_before_any_is_made_of_its_claims(
    reverse, monkeypatch, change, got
):
    monkeypatch.setattr(Circuit, "from_json", lambda document: pytest.fail("a graph was made"))
    document = sample("tracrcheck")
    change(document)
    with pytest.raises(CheckError) as error:
        reverse.read("tracrcheck", document)
    assert error.value.code in ("TC132", "TC133")
    assert error.value.got == got


@pytest.mark.parametrize(
    "name", ["tracrcheck", "edge_pruning", "edge_pruning_without_embeddings", "acdc", "autocircuit"]
)
def test_a_threshold_is_refused_where_the_edges_are_listed(reverse, name):
    with refused("TC135", f"the file ({name}) lists the edges of a circuit"):
        reverse.read(name, sample(name), threshold=1e9)


def test_a_threshold_is_refused_with_a_bare_list(reverse):
    with refused("TC135", "lists the edges of a circuit"):
        reverse.read("autocircuit", XPROPORTION, threshold=0.5)


def test_a_score_larger_than_any_number_is_refused(reverse):
    document = sample("tracrcheck")
    document["scores"]["tok -> m0"] = 10**400
    with refused("TC132", "not a circuit in the format 'tracrcheck'"):
        reverse.read("tracrcheck", document)
    with refused("TC132", "not a circuit in the format 'autocircuit'"):
        reverse.read("autocircuit", {"Resid Start->MLP 0": 10**400}, threshold=0.5)
    document = sample("eap_ig")
    next(iter(document["edges"].values()))["score"] = 10**400
    with refused("TC132", "not a circuit in the format 'eap_ig'"):
        reverse.read("eap_ig", document)


# the Edge Pruning code ---------------------------------------------------------------------------------


@pytest.mark.parametrize("token_writer", ["token_embeds", "tok_embeds", "embeds"])
def test_the_token_embedding_has_a_name_for_each_of_its_models(reverse, token_writer):
    document = [[w.replace("token_embeds", token_writer), r] for w, r in sample("edge_pruning")]
    assert reverse.grade(reverse.read("edge_pruning", document)).verdict == "HOLDS"


def test_a_file_without_embedding_edges_is_read_as_pruned_and_says_how_else(reverse):
    imported = reverse.read("edge_pruning", sample("edge_pruning_without_embeddings"))
    assert "--format edge_pruning_without_embeddings" in imported.notes[0]
    assert reverse.grade(imported).verdict == "FAILS"


def test_embeddings_that_cannot_be_cut_are_no_part_of_the_truth(reverse):
    imported = reverse.read("edge_pruning_without_embeddings", sample("edge_pruning_without_embeddings"))
    verdict = reverse.grade(imported)
    assert (verdict.n_required, verdict.n_found, verdict.verdict) == (5, 5, "HOLDS")
    assert imported.granularity.says() == (
        "no embedding can be cut: their edges are always kept and not judged",
    )


# ACDC --------------------------------------------------------------------------------------------------


def test_edges_inside_a_component_are_not_counted(reverse):
    document = sample("acdc")
    assert len(document) == 23
    assert len(reverse.read("acdc", document).kept) == 11


def test_an_absent_edge_may_be_listed_as_such(reverse):
    assert sample("acdc")[-1][1] is False
    assert "tok -> m3" not in reverse.read("acdc", sample("acdc")).kept


def test_effect_sizes_stand_for_presence_even_where_they_are_zero(reverse):
    document = [[edge, 0.0] for edge, present in sample("acdc") if present]
    assert reverse.grade(reverse.read("acdc", document)).verdict == "HOLDS"


def test_an_effect_size_that_was_not_measured_stands_for_presence(reverse):
    document = [[edge, None] for edge, present in sample("acdc") if present]
    assert reverse.grade(reverse.read("acdc", document)).verdict == "HOLDS"


@pytest.mark.parametrize("presence", [0, 1, "false", [], float("nan")])
def test_a_presence_that_says_neither_is_refused(reverse, presence):
    document = sample("acdc")
    document[-1][1] = presence
    with refused("TC132", "not a circuit in the format 'acdc'"):
        reverse.read("acdc", document)


def test_an_edge_that_is_listed_as_present_and_as_absent_is_refused(reverse):
    edge, present = sample("acdc")[0]
    with refused("TC132", "not a circuit in the format 'acdc'"):
        reverse.read("acdc", [*sample("acdc"), [edge, not present]])


@pytest.mark.parametrize(("receiver", "head"), [("blocks.0.hook_v_input", 9), ("blocks.0.hook_v_input", -1), ("blocks.0.attn.hook_v", 9),
                                                ("blocks.7.hook_mlp_in", None)])  # fmt: skip
@pytest.mark.parametrize("present", [True, False])
def test_nodes_that_the_model_does_not_have_are_refused(reverse, receiver, head, present):
    sender = receiver.replace("attn.hook_v", "hook_v_input") if "attn" in receiver else "hook_embed"
    index = [None] if head is None else [None, None, head]
    document = [
        *sample("acdc"),
        [[receiver, index, sender, index if "attn" in receiver else [None]], present],
    ]
    with refused("TC133", "the circuit has nodes that the model's graph does not have"):
        reverse.read("acdc", document)


def test_what_a_reader_reads_is_dropped_where_its_own_input_is_cut(reverse):
    cut = ["blocks.3.attn.hook_v", [None, None, 0], "blocks.3.hook_v_input", [None, None, 0]]
    imported = reverse.read("acdc", [row for row in sample("acdc") if row[0] != cut])
    assert "tok -> a3.h0.v" not in imported.kept
    assert imported.notes == ("1 edges dropped: their readers are cut off",)


def test_all_that_heads_read_is_dropped_where_every_input_of_theirs_is_listed_as_cut(reverse):
    document = [
        [edge, present and not re.search(r"attn\.hook_[qkv]$", edge[0])] for edge, present in sample("acdc")
    ]
    imported = reverse.read("acdc", document)
    assert imported.kept
    assert not any(re.search(r"\.[qkv]$", edge) for edge in imported.kept)
    assert reverse.grade(imported).verdict == "FAILS"


def test_a_list_without_any_edge_inside_a_head_is_taken_as_it_is(reverse):
    document = [
        row for row in sample("acdc") if ".attn.hook_v" not in row[0][0] and "hook_q" not in row[0][0]
    ]
    document = [row for row in document if not re.search(r"attn\.hook_[qkv]$", row[0][0])]
    q = [["blocks.3.hook_q_input", [None, None, 0], "blocks.2.hook_mlp_out", [None]], True]
    assert reverse.grade(reverse.read("acdc", [*document, q])).verdict == "HOLDS"


def test_merged_embeddings_coarsen_the_truth(reverse):
    document = sample("acdc")
    merged = [
        [[r, i, "blocks.0.hook_resid_pre" if s in ("hook_embed", "hook_pos_embed") else s, j], present]
        for (r, i, s, j), present in document
    ]
    imported = reverse.read("acdc", merged)
    verdict = reverse.grade(imported)
    assert (verdict.n_required, verdict.verdict) == (10, "HOLDS")  # tok -> m1 and pos -> m1 are one
    assert imported.granularity.says() == ("token and position embeddings are one writer, `tok+pos`",)


def test_older_files_name_the_input_of_the_mlp_otherwise(reverse):
    document = [
        [[x.replace("hook_mlp_in", "hook_resid_mid") if isinstance(x, str) else x for x in edge], present]
        for edge, present in sample("acdc")
    ]
    assert reverse.grade(reverse.read("acdc", document)).verdict == "HOLDS"


# AutoCircuit -------------------------------------------------------------------------------------------

# What `metrics/official_circuits/circuits/tracr/` names, under resampling and prompts of one length.
XPROPORTION = ["Resid Start->MLP 0", "MLP 0->A1.0.V", "A1.0->Resid End"]


def test_the_published_circuit_of_xproportion_holds_under_resampling(xproportion):
    assert xproportion.grade(xproportion.read("autocircuit", XPROPORTION)).verdict == "HOLDS"


def test_an_edge_kept_at_no_position_is_not_kept(reverse):
    assert "m0 -> out" not in reverse.read("autocircuit", sample("autocircuit")).kept


def test_destinations_without_q_k_or_v_merge_them_and_coarsen_the_truth(xproportion):
    names = ["Resid Start->MLP 0", "MLP 0->A1.0", "A1.0->Resid End"]
    imported = xproportion.read("autocircuit", names)
    verdict = xproportion.grade(imported)
    assert (verdict.n_required, verdict.verdict) == (3, "HOLDS")
    assert "a head's q, k and v are one reader" in imported.granularity.says()
    verdict = xproportion.grade(xproportion.read("autocircuit", names[1:]))
    assert (verdict.verdict, verdict.missing) == ("FAILS", ("tok+pos -> m0",))


def test_both_kinds_of_destination_in_one_file_are_refused(xproportion):
    with refused("TC132", "not a circuit in the format 'autocircuit'"):
        xproportion.read("autocircuit", ["MLP 0->A1.0.V", "MLP 0->A1.0"])


def all_names(graph):
    writers = {w: f"A{w.layer}.{w.head}" if w.kind == "head" else f"MLP {w.layer}" for w in graph.writers}
    writers |= dict.fromkeys(graph.writers[:2], "Resid Start")
    for edge in graph.edges:
        r = edge.reader
        ends = {"mlp": f"MLP {r.layer}", "out": "Resid End", "head": f"A{r.layer}.{r.head}.{r.port.upper()}"}
        yield f"{writers[edge.writer]}->{ends[r.kind]}"


def test_scores_by_name_count_by_magnitude_and_need_a_threshold(xproportion):
    scores = {name: -2.0 if name in XPROPORTION else 0.1 for name in all_names(xproportion.graph)}
    with refused("TC135", "the file (autocircuit) holds scores, and no circuit"):
        xproportion.read("autocircuit", scores)
    verdict = xproportion.grade(xproportion.read("autocircuit", scores, threshold=1.0))
    assert (verdict.verdict, verdict.ranking.auroc, verdict.ranking.exact_threshold) == ("HOLDS", 1.0, True)


def modules(graph, positions):
    """PruneScores of that many token positions (0: none), the published circuit scoring -3 at the last."""
    sources = ["Resid Start", "A0.0", "MLP 0", "A1.0", "MLP 1"]
    ends = {"mlp_in": "MLP {}", "q_input": "A{}.0.Q", "k_input": "A{}.0.K", "v_input": "A{}.0.V"}
    scores = {}
    for layer in range(2):
        for kind, end in ends.items():
            n = 1 + 2 * layer + (kind == "mlp_in")
            row = [-3.0 if f"{s}->{end.format(layer)}" in XPROPORTION else 0.0 for s in sources[:n]]
            rows = row if kind == "mlp_in" else [row]
            quiet = [0.0] * n if kind == "mlp_in" else [[0.0] * n]
            scores[f"blocks.{layer}.hook_{kind}"] = [*[quiet] * (positions - 1), rows] if positions else rows
    last = [0.0, 0.0, 0.0, -3.0, 0.0]
    scores["blocks.1.hook_resid_post"] = [*[[0.0] * 5] * (positions - 1), last] if positions else last
    return scores


@pytest.mark.parametrize("positions", [0, 1, 4])
def test_prune_scores_by_module_are_read_with_or_without_token_positions(xproportion, positions):
    imported = xproportion.read("autocircuit", modules(xproportion.graph, positions), threshold=1.0)
    verdict = xproportion.grade(imported)
    assert (verdict.verdict, verdict.ranking.exact_threshold) == ("HOLDS", True)


def test_the_score_of_an_edge_is_its_largest_at_any_token_position(xproportion):
    backwards = {name: rows[::-1] for name, rows in modules(xproportion.graph, 4).items()}
    imported = xproportion.read("autocircuit", backwards, threshold=1.0)
    assert xproportion.grade(imported).verdict == "HOLDS"


# EAP-IG ------------------------------------------------------------------------------------------------


def test_the_position_embedding_is_no_part_of_its_truth(reverse):
    verdict = reverse.grade(reverse.read("eap_ig", sample("eap_ig")))
    assert (verdict.n_required, verdict.verdict) == (9, "HOLDS")  # of 11, pos -> m1 and pos -> a3.h0.k
    assert (verdict.ranking.auroc, verdict.ranking.exact_threshold) == (1.0, True)


def test_nodes_may_be_bare_booleans_and_the_edges_decide(reverse):
    document = sample("eap_ig")
    document["nodes"] = dict.fromkeys(document["nodes"], False)
    assert reverse.grade(reverse.read("eap_ig", document)).verdict == "HOLDS"


def test_a_score_at_the_threshold_is_kept(reverse):
    assert kept_above("autocircuit", {"a": 0.5, "b": 0.4999, "c": 2.0}, 0.5) == ["a", "c"]
    document = sample("eap_ig")
    scores = {edge["score"] for edge in document["edges"].values()}
    for score in sorted(map(abs, scores)):
        read = reverse.read("eap_ig", document, threshold=score)
        assert len(read.kept) == sum(abs(edge["score"]) >= score for edge in document["edges"].values())


def test_a_threshold_overrides_the_circuit_of_the_file(reverse):
    document = sample("eap_ig")
    for edge in document["edges"].values():
        edge["in_graph"] = False
    assert reverse.grade(reverse.read("eap_ig", document)).verdict == "FAILS"
    assert reverse.grade(reverse.read("eap_ig", document, threshold=0.5)).verdict == "HOLDS"


def test_a_graph_of_neurons_is_refused(reverse):
    document = sample("eap_ig")
    document["nodes"]["m1"]["neurons"] = [True, False]
    with refused("TC132", "not a circuit in the format 'eap_ig'"):
        reverse.read("eap_ig", document)


@pytest.mark.parametrize("neurons", [None, 5])
def test_neurons_that_are_not_a_list_are_refused(reverse, neurons):
    document = sample("eap_ig")
    document["nodes"]["m1"]["neurons"] = neurons
    with refused("TC132", "not a circuit in the format 'eap_ig'"):
        reverse.read("eap_ig", document)


def test_an_edge_without_a_score_is_refused_where_scores_decide(reverse):
    document = sample("eap_ig")
    del next(iter(document["edges"].values()))["score"]
    assert reverse.grade(reverse.read("eap_ig", document)).verdict == "HOLDS"
    with refused("TC132", "not a circuit in the format 'eap_ig'"):
        reverse.read("eap_ig", document, threshold=0.1)


def test_a_graph_of_another_size_is_refused(reverse):
    document = sample("eap_ig")
    document["cfg"]["n_heads"] = 2
    with refused("TC133", "the circuit is of another graph than the model's"):
        reverse.read("eap_ig", document)


def test_a_graph_of_a_hooked_model_is_refused_with_the_format_that_reads_it(reverse):
    with refused("TC133", "the circuit is of another graph than the model's") as caught:
        reverse.read("eap_ig", sample("eap_ig_hooked"))
    assert caught.value.do.startswith("add --format eap_ig_hooked")


def test_scores_of_a_hooked_model_are_those_of_our_edges(reverse):
    document = sample("eap_ig_hooked")
    for name, edge in document["edges"].items():
        edge["score"] = -2.0 if edge["in_graph"] else 0.5
        edge["in_graph"] = name == "m1->logits"
    verdict = reverse.grade(reverse.read("eap_ig_hooked", document, threshold=1.0))
    assert (verdict.verdict, verdict.ranking.auroc, verdict.ranking.exact_threshold) == ("HOLDS", 1.0, True)
    assert reverse.grade(reverse.read("eap_ig_hooked", document)).n_found == 1
    scores = {name: 3.0 if kept else -0.5 for name, kept in sample("autocircuit_hooked").items()}
    imported = reverse.read("autocircuit_hooked", scores, threshold=1.0)
    assert reverse.grade(imported).verdict == "HOLDS"
    with refused("TC135", "the file (autocircuit_hooked) holds scores, and no circuit"):
        reverse.read("autocircuit_hooked", scores)
    with refused("TC132", "not a circuit in the format 'autocircuit_hooked'"):
        reverse.read("autocircuit_hooked", scores | {"MLP 1->Resid End": float("inf")}, threshold=1.0)
