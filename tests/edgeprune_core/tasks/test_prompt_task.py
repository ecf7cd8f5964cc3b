"""PromptTask: prompts as a Task; the model itself, circuits and margins on it."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import pytest
import torch
from transformers import GPT2Config

from edgeprune_core import task as tasks
from edgeprune_core.ablations import Zero
from edgeprune_core.circuit import Circuit
from edgeprune_core.criterion import Outcome
from edgeprune_core.engine import trace
from edgeprune_core.errors import CheckError
from edgeprune_core.families import load
from edgeprune_core.mask import to_mask
from edgeprune_core.methods import EdgePruning, RandomEdges
from edgeprune_core.tasks import TASKS, Pair, pairs
from edgeprune_core.tasks.prompt_task import prompt_task
from edgeprune_core.tasks.vocabulary import tokenizer
from tests.edgeprune_core.families.cases import SMALL, live

WORDS = tokenizer("english")


def config(**change) -> GPT2Config:
    sizes = {
        "n_layer": 2,
        "n_head": 3,
        "n_embd": 12,
        "n_inner": 7,
        "n_positions": 32,
        "vocab_size": len(WORDS),
    }
    return GPT2Config(**SMALL | sizes | change)


@pytest.fixture(scope="module")
def model():
    return load(live("gpt2", config()), dtype=torch.float64)


def some(name: str = "ioi", n: int = 6) -> list[Pair]:
    return list(islice(pairs(TASKS[name], seed=3), n))


@pytest.mark.parametrize("name", ["ioi", "greater_than", "gendered_pronoun"])
def test_every_edge_kept_is_the_model(model, name):
    task = prompt_task(name, model, some(name), WORDS)
    full = Circuit.full(task.graph)
    assert task.deviations(full).max() < 1e-12
    assert task.accepts(full)


@pytest.mark.parametrize("name", ["ioi", "greater_than", "gendered_pronoun"])
def test_outputs_are_those_of_each_prompt_alone(model, name):
    the_pairs = some(name)
    task = prompt_task(name, model, the_pairs, WORDS)
    full = to_mask(Circuit.full(task.graph), dtype=torch.float64)
    got = task.outputs(full, task.items)[0]
    for row, pair in enumerate(the_pairs):
        ids = torch.tensor([WORDS.encode(pair.clean)])
        want = trace(model, ids).outputs[0]
        assert torch.allclose(got[row], want[-1:], atol=1e-12)
        assert task.places[row].tolist() == [ids.shape[1] - 1]
        assert task.scored[row].tolist() == [True]


def test_each_item_is_read_at_its_own_place_whatever_else_is_in_its_batch(model):
    task = prompt_task("ioi", model, some(), WORDS)
    places = task.places[task.items[:, 0], 0].tolist()
    assert len(set(places)) > 1
    assert places[0] != places[-1]
    full = to_mask(Circuit.full(task.graph), dtype=torch.float64)
    whole = task.outputs(full, task.items)
    for n in range(len(task.items)):
        assert torch.allclose(task.outputs(full, task.items[n : n + 1]), whole[:, n : n + 1], atol=1e-12)
    assert torch.allclose(task.outputs(full, task.items.flip(0)), whole.flip(1), atol=1e-12)


def test_no_edge_kept_under_resampling_is_the_model_on_the_corrupted_prompt(model):
    the_pairs = some("gendered_pronoun")
    task = prompt_task("gendered_pronoun", model, the_pairs, WORDS)
    got = task.outputs(to_mask(Circuit.empty(task.graph), dtype=torch.float64), task.items)[0]
    for row, pair in enumerate(the_pairs):
        ids = torch.tensor([WORDS.encode(pair.corrupted)])
        assert torch.allclose(got[row], trace(model, ids).outputs[0, -1:], atol=1e-12)
    assert task.deviations(Circuit.empty(task.graph)).min() > 1e-6


def test_a_circuit_is_accepted_where_its_divergence_on_the_worst_prompt_is_within_the_tolerance(model):
    task = prompt_task("ioi", model, some(), WORDS)
    circuit = RandomEdges(keep_fraction=0.9)(task).circuit
    got = task.outputs(to_mask(circuit, dtype=torch.float64), task.items)[0]
    worst = []
    for row, clean in enumerate(task.items[:, 0].tolist()):
        p, q = task.reference[clean, 0].softmax(-1), got[row, 0].softmax(-1)
        worst.append(float((p * (p / q).log()).sum()))
    assert torch.allclose(task.deviations(circuit)[0], torch.tensor(worst, dtype=torch.float64))
    at = max(worst)
    assert at > 1e-3
    for tolerance, accepted in ((1.001 * at, True), (0.999 * at, False)):
        assert prompt_task("ioi", model, some(), WORDS, tolerance_nats=tolerance).accepts(circuit) == accepted


def test_divergence_in_nats_is_infinite_where_an_output_is_no_number():
    outcome = Outcome(categorical=True, criterion="kl", tolerance=0.1)
    want, scored = torch.tensor([[0.0, 1.0]]), torch.tensor([True])
    assert outcome.deviation(torch.tensor([[torch.nan, 0.0]]), want, scored) == torch.inf
    assert (
        outcome.deviation(torch.tensor([[7.0, 8.0]]), want, scored) < 1e-6
    )  # a shift of all logits changes nothing
    assert outcome.limit == 0.1


def test_margins_are_logit_differences_at_the_last_token(model):
    the_pairs = some()
    task = prompt_task("ioi", model, the_pairs, WORDS)
    got = task.margins(task.reference[task.items[:, 0]][None], task.items)[0]
    for row, pair in enumerate(the_pairs):
        logits = trace(model, torch.tensor([WORDS.encode(pair.clean)])).outputs[0, -1]
        right, wrong = (WORDS.encode(text)[0] for text in (pair.answers[0], pair.foils[0]))
        assert torch.allclose(got[row], logits[right] - logits[wrong])


def test_margins_of_many_answers_are_log_odds(model):
    the_pairs = some("greater_than")
    task = prompt_task("greater_than", model, the_pairs, WORDS)
    got = task.margins(task.reference[task.items[:, 0]][None], task.items)[0]
    for row, pair in enumerate(the_pairs):
        p = trace(model, torch.tensor([WORDS.encode(pair.clean)])).outputs[0, -1].softmax(-1)
        right = sum(p[WORDS.encode(a)[0]] for a in pair.answers)
        wrong = sum(p[WORDS.encode(f)[0]] for f in pair.foils)
        assert torch.allclose(got[row], (right / wrong).log())


def test_a_method_that_knows_only_tasks_runs_on_prompts(model):
    task = replace(prompt_task("ioi", model, some(), WORDS, ablation=Zero()), seed=5)
    found = RandomEdges()(task)
    assert found.circuit.graph == task.graph
    assert task.to(torch.float32).margins(task.to(torch.float32).reference[:6][None], task.items).shape == (
        1,
        6,
    )


def held(task) -> int:
    """Bytes of every tensor that a task keeps."""
    return sum(t.nbytes for name, t in vars(task).items() if isinstance(t, torch.Tensor))


def test_of_a_long_list_tokens_alone_are_held_and_training_is_the_same(model, monkeypatch):
    method = EdgePruning(steps=4, circuits=2, fresh=2, n_edges=20)
    task = replace(prompt_task("ioi", model, some(n=200), WORDS), seed=1)

    def trained():
        training = method.begin(task)
        while not training.done:
            training.advance()
        return training

    want = trained()
    assert {"reference", "writers"} <= vars(want.task).keys()
    monkeypatch.setattr(tasks, "HELD_BYTES", 0)
    monkeypatch.setattr(tasks, "HELD_OUTPUT_BYTES", 0)
    got = trained()
    assert not {"reference", "writers"} & vars(got.task).keys()
    assert held(got.task) <= 400 * (9 * task.tokens.shape[1] + 50) < held(want.task) / 10
    torch.testing.assert_close(got.scores(), want.scores(), rtol=1e-4, atol=1e-4)


def test_a_prompt_may_be_as_long_as_the_context_and_no_longer():
    pair = some()[0]
    n = len(WORDS.encode(pair.clean))
    prompt_task("ioi", load(live("gpt2", config(n_positions=n))), [pair], WORDS)
    with pytest.raises(CheckError, match="EP187"):
        prompt_task("ioi", load(live("gpt2", config(n_positions=n - 1))), [pair], WORDS)


def test_a_prompt_that_does_not_fit_the_model_is_refused(model):
    def refusal(the_model):
        with pytest.raises(CheckError) as caught:
            prompt_task("ioi", the_model, [replace(p, where="x:1") for p in some()], WORDS)
        return caught.value

    short = load(live("gpt2", config(n_positions=4)))
    error = refusal(short)
    assert (error.code, error.where, error.wanted) == ("EP187", "x:1", "at most 4")
    few = load(live("gpt2", config(vocab_size=30)))
    assert refusal(few).what == "a token that the model does not know"


# The same prompts under other ablations --------------------------------------------------------------------


def test_means_are_over_the_corrupted_prompts_of_the_list_with_as_many_tokens(model):
    task = prompt_task("ioi", model, some(n=12), WORDS).under("mean")
    corrupted = task.items[:, 1]
    lengths = task.valid[corrupted].sum(1)
    assert len(lengths.unique()) > 1
    for row in range(len(task.items)):
        n = int(lengths[row])
        alike = task.tokens[corrupted[lengths == n], :n].unique(dim=0)
        want = trace(model, alike).writers.mean(1)
        got = task.background(task.items[row : row + 1])[:, 0, :n]
        assert (got - want).abs().max() < 1e-12


def test_the_ablation_of_the_same_prompts_is_what_it_is_called(model):
    task = prompt_task("ioi", model, some(), WORDS)
    empty = to_mask(Circuit.empty(task.graph), dtype=torch.float64)
    outputs = {name: task.under(name).outputs(empty, task.items) for name in ("zero", "mean", "resample")}
    clean, corrupted = task.items.T
    end = task.scored[clean].int().argmax(-1)
    rows = torch.arange(len(clean))
    # With every edge cut, `out` reads what the writers wrote on the corrupted prompts, or nothing.
    assert torch.allclose(outputs["resample"][0][rows, end], task.reference[corrupted][rows, end])
    assert (outputs["zero"][0][rows, end] - outputs["zero"][0][0, end[0]]).abs().max() < 1e-12
    assert not torch.allclose(outputs["mean"], outputs["resample"])
    assert not torch.allclose(outputs["mean"], outputs["zero"])


def test_an_ablation_of_no_such_name_is_refused(model):
    with pytest.raises(CheckError) as caught:
        prompt_task("ioi", model, some(), WORDS).under("means")
    assert str(caught.value).startswith("EP152 no ablation 'means' of prompts\n")
    assert "did you mean 'mean'?" in str(caught.value)


def test_a_prompt_leads_where_its_likeliest_token_is_any_of_its_answers(model):
    task = prompt_task("greater_than", model, some("greater_than"), WORDS)
    outputs = torch.zeros(2, len(task.items), task.tokens.shape[1], model.spec.d_out, dtype=torch.float64)
    clean = task.items[:, 0]
    for item in range(len(task.items)):
        end = int(task.scored[clean[item]].int().argmax())
        outputs[0, item, end, task.answers[clean[item]][-1]] = (
            1  # the last of several answers, or padding's -1
        )
        outputs[1, item, end, task.foils[clean[item]][0]] = 1
    last_is_real = (task.answers[clean][:, -1] >= 0).double()
    assert torch.equal(task.leads(outputs, task.items)[0], last_is_real)
    assert not task.leads(outputs, task.items)[1].any()
