"""A program in a GPT-2: the same outputs and the same circuit, in a checkpoint that other tools load."""

from __future__ import annotations

import json
import warnings
from dataclasses import replace
from functools import cache

import pytest
import torch

from edgeprune_core.circuit import Circuit
from edgeprune_core.engine import outputs
from edgeprune_core.errors import CheckError
from edgeprune_core.families import load
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.task import Task
from edgeprune_core.tasks import read_pairs
from edgeprune_core.tasks.encode import encode
from edgeprune_core.trained_models.tokenizers import tokenizer_of
from tests import zoo
from tests.quality.docs.test_schemas import complaint
from tracrcheck.planted import carried, gpt2, pairs
from tracrcheck.planted.folder import write_gpt2
from tracrcheck.planted.gpt2 import Gpt2Host, gpt2_of, program_model
from tracrcheck.planted.names import names_of
from tracrcheck.program import BOS
from tracrcheck.truth.certify import certify
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

CAUSAL = tuple(name for name in zoo.NAMES if zoo.program(name).causal)


@cache
def host(name: str = "frac_prevs", **size: int) -> Gpt2Host:
    return gpt2_of(zoo.compiled(name), **size)


@cache
def truth(name: str = "frac_prevs", ablation: str = "resample") -> carried.Carried:
    return carried.carried(host(name), carried.of_program(host(name)), Setting(ablation=ablation))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """frac_prevs at its own size."""
    path = tmp_path_factory.mktemp("planted") / "d"
    truths = [truth(ablation=name) for name in gpt2.PLANTED_UNDER]
    measured = {"shrink": 1e-12, "outputs": 1e-6}
    write_gpt2(path, host(), truths, source=zoo.FOLDER / "frac_prevs.py", command="-", measured=measured)
    return path


def test_before_rounding_every_circuit_gives_what_the_planted_program_gives():
    made = host()
    original = made.planted.original
    own = original.model.spec
    model = program_model(made.model, own.d_vocab, own.d_out, made.sharpness)
    setting = Setting(ablation="resample")
    there, plain = task_of(replace(original, model=model), setting), task_of(original, setting)
    for circuit in carried.circuits(made.planted, certify(plain, setting)):
        got, want = there.deviations(circuit), plain.deviations(made.planted.own(circuit))
        assert float((got - want).abs().max()) < 1e-9


@pytest.mark.parametrize("name", ["slow_motion", "running_parity"])
def test_outputs_in_float32_are_those_of_the_program(name):
    assert carried.outputs_within(host(name), carried.of_program(host(name))) < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("name", CAUSAL)
@pytest.mark.parametrize("ablation", gpt2.PLANTED_UNDER)
def test_the_truth_of_every_causal_program_carries_over(name, ablation):
    found = truth(name, ablation)
    assert found.others < 0.1
    assert found.weakest >= 10
    assert found.furthest < 0.1


@pytest.mark.slow
def test_a_program_is_planted_in_the_shape_of_gpt2_small():
    made = host("slow_motion", layers=12, heads=12)
    assert (made.model.spec.d_model, made.model.spec.d_mlp, made.planted.graph.n_edges) == (768, 3072, 32_936)
    compiled = carried.of_program(made)
    assert carried.outputs_within(made, compiled) < 1e-3
    assert carried.carried(made, compiled, Setting(ablation="mean")).weakest >= 10


def test_layers_and_heads_are_as_asked_and_the_sizes_those_of_gpt2():
    spec = host("slow_motion", layers=3, heads=2).model.spec
    assert (spec.n_layers, spec.n_heads, spec.d_model, spec.d_head, spec.d_mlp) == (3, 2, 128, 64, 512)
    assert len(host("slow_motion", layers=3, heads=2).planted.distractors) == 3 * 3 - 1


def test_the_certificate_calls_proved_what_was_run_and_says_what_is_known_of_the_rest():
    certificate = truth().certificate
    assert certificate.proved == ("sufficient", "minimal")
    assert set(certificate.unknown) == {"smallest", "unique"}
    for why in certificate.unknown.values():
        assert why.startswith(
            "proved of the program at twice the tolerance; in 13 circuits the GPT-2 was within "
        )


def test_the_stream_is_turned_and_its_mean_is_zero():
    weights = host().model.weights
    for written in (weights.tok, weights.pos, weights.b_out, weights.w_out[0]):
        assert float(written.sum(-1).abs().max()) < 1e-6
    read = weights.w_in[0][:-2]
    assert float((read != 0).double().mean()) > 0.9
    assert not weights.w_in[0][-2:].any(), "nothing reads the ballast"


def test_a_short_ballast_is_refused(monkeypatch):
    monkeypatch.setattr(gpt2, "BALLAST", 3.0)
    made = gpt2_of(zoo.compiled("frac_prevs"))
    compiled = carried.of_program(made)
    with pytest.raises(CheckError, match="TC164 the GPT-2 does not give the outputs of 'frac_prevs'"):
        carried.outputs_within(made, compiled)
    with pytest.raises(CheckError, match="TC164 the truth of 'frac_prevs' does not carry over"):
        carried.carried(made, compiled, Setting(ablation="resample"))


@pytest.mark.parametrize(
    ("lack", "got"),
    [
        ({"sampled": 10**6}, "sampled 1364 of 1000000"),
        ({"sampled": "unknown"}, "sampled 1364 of unknown"),
        ({"proved": ()}, "UNKNOWN(not decided)"),
    ],
)
def test_a_truth_that_is_sampled_or_not_proved_is_not_carried_over(lack, got, monkeypatch):
    proved = carried.certificate_for
    monkeypatch.setattr(carried, "certificate_for", lambda *asked: replace(proved(*asked), **lack))
    with pytest.raises(CheckError) as caught:
        carried.carried(host(), carried.of_program(host()), Setting(ablation="resample"))
    assert (caught.value.code, caught.value.got) == ("TC164", got)


@pytest.mark.parametrize(("bar", "value"), [("WORTH", 1e4), ("OTHERS", 1e-9)])
def test_each_bar_of_the_truth_is_held(monkeypatch, bar, value):
    monkeypatch.setattr(carried, bar, value)
    with pytest.raises(CheckError, match="TC164 the truth of 'frac_prevs' does not carry over"):
        carried.carried(host(), carried.of_program(host()), Setting(ablation="resample"))


@pytest.mark.parametrize(
    ("name", "size", "error"),
    [
        ("hist", {}, "TC160 'hist' is not causal"),
        ("frac_prevs", {"d_model": 15}, "TC160 the stream cannot have this width"),
        ("frac_prevs", {"layers": 1, "heads": 2}, "TC160 too few layers for the program"),
        ("last_a", {"layers": 4, "heads": 3, "d_model": 200}, "TC160 the stream cannot have this width"),
    ],
)
def test_a_size_that_does_not_fit_and_a_program_that_is_not_causal_are_refused(name, size, error):
    with pytest.raises(CheckError) as caught:
        gpt2_of(zoo.compiled(name), **size)
    assert str(caught.value).startswith(error)


def test_texts_of_the_vocabulary_have_no_spaces_and_differ():
    assert gpt2._distinct(["a", "b", "a", "a"]) == ("a", "b", "a#2", "a#3")
    assert gpt2._text("two words") == "two_words"
    assert host().texts == ("0", "1", "compiler_bos", "compiler_pad", "=number", "=zero")


# The folder --------------------------------------------------------------------------------------------


def test_transformers_and_transformer_lens_load_it_and_agree_with_the_engine(folder):
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import AutoTokenizer, GPT2LMHeadModel

    words, pair = AutoTokenizer.from_pretrained(folder), next(iter(read_pairs(folder / "pairs.jsonl")))
    ids = torch.tensor([words.encode(pair.clean)])
    assert ids[0].tolist() == tokenizer_of(folder).encode(pair.clean)
    assert words.eos_token == words.pad_token  # GPT-2 tools pad with it
    ours = outputs(load(folder), ids)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        bridge = TransformerBridge.boot_transformers(str(folder), device="cpu")
        for theirs in (GPT2LMHeadModel.from_pretrained(folder)(ids).logits, bridge(ids)):
            torch.testing.assert_close(theirs, ours, atol=1e-4, rtol=0)


def test_every_pair_is_one_of_prompts_of_one_length_whose_answer_gains_on_its_foil(folder):
    words, model = tokenizer_of(folder), load(folder)
    for pair in list(read_pairs(folder / "pairs.jsonl"))[:30]:
        found = encode(pair, words)
        clean, corrupted = (
            outputs(model, torch.tensor([ids]))[0, -1, [found.answers[0], found.foils[0]]]
            for ids in (found.clean, found.corrupted)
        )
        assert clean[0] - clean[1] > corrupted[0] - corrupted[1] + 0.1


@pytest.mark.parametrize("tries", [40, 100_000])
def test_pairs_of_a_domain_are_all_different_and_drawn_where_there_are_too_many_to_list(monkeypatch, tries):
    monkeypatch.setattr(pairs, "TRIES", tries)
    compiled = zoo.compiled("frac_prevs")
    found = [(p["clean"], p["corrupted"]) for p in pairs.pairs_of(host())]
    inputs = [x for x in compiled.domain.inputs if x]
    last = {" ".join(host().text_of[token] for token in (BOS, *x)): compiled.interpret(x)[-1] for x in inputs}
    assert all(
        len(clean.split()) == len(corrupted.split()) and last[clean] != last[corrupted]
        for clean, corrupted in found
    )
    everything = sum(
        len(x) == len(y) and compiled.interpret(x)[-1] != compiled.interpret(y)[-1]
        for x in inputs
        for y in inputs
    )
    assert len(set(found)) == len(found)
    assert len(found) == min(everything, pairs.MOST) if tries > 40 else 10 < len(found) <= 40


def test_required_edges_are_named_as_each_tool_names_them():
    graph = ResidualGraph(2, 1, 1, True)
    found = names_of(Circuit.of(graph, ["pos -> a0.h0.q", "tok -> m0", "a1.h0 -> out"]))
    assert found == {
        "tracrcheck": ["pos -> a0.h0.q", "tok -> m0", "a1.h0 -> out"],
        "eap_ig": ["input->m0", "a1.h0->logits"],
        "transformer_lens": [
            "hook_pos_embed -> blocks.0.hook_q_input[:, :, 0]",
            "hook_embed -> blocks.0.hook_mlp_in",
            "blocks.1.attn.hook_result[:, :, 0] -> blocks.1.hook_resid_post",
        ],
        "edge_pruning": [["pos_embeds", "a0.h0.q"], ["tok_embeds", "m0"], ["a1.h0", "resid_post"]],
    }


def test_the_truth_file_says_what_was_run_on_how_much(folder):
    record = json.loads((folder / "truth.json").read_text())
    assert complaint("planted", record) is None
    for name in gpt2.PLANTED_UNDER:
        found = record["truths"][name]
        assert found["required"]["tracrcheck"] == found["certificate"]["required"]
        assert found["certificate"]["n_items"] == {"resample": 1364, "mean": 62}[name]
        assert found["tolerances"]["others"] < 0.1
        assert found["tolerances"]["weakest"] >= 10


def test_only_edges_of_the_required_circuit_matter_to_the_checkpoint():
    made, found = host(), truth()
    task: Task = task_of(carried.of_program(made), Setting(ablation="resample"))
    assert task.accepts(found.certificate.required)
    assert all(
        not task.accepts(found.certificate.required.without(edge)) for edge in found.certificate.required
    )
