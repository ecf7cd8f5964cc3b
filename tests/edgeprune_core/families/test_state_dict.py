"""Checkpoints that are refused: tensors that are missing, unknown, of another shape or not finite, and unsupported options."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, GPT2Model, LlamaModel

from edgeprune_core.engine import trace
from edgeprune_core.errors import CheckError
from edgeprune_core.families import FAMILIES, family_of, load, model_of, tensors_of
from tests.edgeprune_core.families.cases import CASES, SMALL, live, some_tokens


def refusal(make) -> CheckError:
    with pytest.raises(CheckError) as caught:
        make()
    return caught.value


def parts(kind: str) -> tuple[dict, dict]:
    model = live(kind)
    return model.config.to_dict(), dict(model.state_dict())


def convert(kind: str, config: dict, tensors: dict):
    return model_of(FAMILIES[kind], config, tensors)


ONE_NAME = {"gpt2": "transformer.h.1.ln_2.bias", "llama": "model.layers.1.self_attn.k_proj.bias"}


@pytest.mark.parametrize("kind", CASES)
def test_a_missing_tensor_is_named(kind):
    config, tensors = parts(kind)
    n = len(tensors) - 1
    del tensors[ONE_NAME[kind]]
    assert str(refusal(lambda: convert(kind, config, tensors))) == (
        f"EP173 a checkpoint lacks tensors\n    got     {n} tensors\n    wanted  {ONE_NAME[kind]}"
    )


@pytest.mark.parametrize("kind", CASES)
def test_every_missing_tensor_is_noticed(kind):
    config, tensors = parts(kind)
    for name in tensors:
        left = {k: t for k, t in tensors.items() if k != name}
        assert refusal(lambda left=left: convert(kind, config, left)).wanted == name


@pytest.mark.parametrize("kind", CASES)
def test_a_surplus_tensor_is_named(kind):
    config, tensors = parts(kind)
    error = refusal(lambda: convert(kind, config, tensors | {"score.weight": torch.ones(2, 2)}))
    assert (error.code, error.got) == ("EP174", f"{FAMILIES[kind].body}score.weight")
    assert kind in error.what
    many = tensors | {f"{FAMILIES[kind].body}extra.{i}": torch.ones(1) for i in range(8)}
    assert refusal(lambda: convert(kind, config, many)).got.endswith("extra.4 and 3 more")


def test_a_bias_that_the_configuration_does_not_announce_is_surplus():
    config, tensors = parts("llama")
    error = refusal(lambda: convert("llama", config | {"attention_bias": False}, tensors))
    assert error.code == "EP174"
    assert "k_proj.bias" in error.got


@pytest.mark.parametrize("kind", CASES)
def test_a_tensor_of_another_shape_is_refused_even_where_it_would_broadcast(kind):
    config, tensors = parts(kind)
    for name, t in tensors.items():
        for other in (t[:1], t.T if t.dim() == 2 and t.shape[0] != t.shape[1] else t[:-1], t[None]):
            error = refusal(lambda name=name, other=other: convert(kind, config, tensors | {name: other}))
            shapes = (str(tuple(other.shape)), str(tuple(t.shape)))
            assert (error.code, error.got, error.wanted) == ("EP175", *shapes)
            assert name in error.what


@pytest.mark.parametrize("kind", CASES)
@pytest.mark.parametrize("bad", [float("nan"), float("-inf")])
def test_a_weight_that_is_not_a_finite_number_is_refused_by_its_own_name(kind, bad):
    config, tensors = parts(kind)
    for name, t in tensors.items():
        spoilt = t.clone()
        spoilt.view(-1)[-1] = bad
        error = refusal(lambda name=name, spoilt=spoilt: convert(kind, config, tensors | {name: spoilt}))
        assert str(error) == (
            f"EP176 tensor '{name}' is not finite\n    got     NaN or infinity\n    wanted  finite numbers"
        )


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("gpt2", {"scale_attn_weights": False}),
        ("gpt2", {"scale_attn_by_inverse_layer_idx": True}),
        ("gpt2", {"add_cross_attention": True}),
        ("gpt2", {"activation_function": "quick_gelu"}),
        ("gpt2", {"n_embd": 10}),
        ("gpt2", {"n_layer": None}),
        ("llama", {"mlp_bias": True}),
        ("llama", {"hidden_act": "xielu"}),
        ("llama", {"hidden_size": None}),
        ("llama", {"rope_parameters": {"rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0}}),
        ("llama", {"rope_parameters": None, "rope_scaling": {"type": "dynamic", "factor": 2.0}}),
        ("llama", {"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}}),
    ],
)
def test_an_option_that_we_do_not_compute_is_refused(kind, change):
    config, tensors = parts(kind)
    error = refusal(lambda: convert(kind, config | change, tensors))
    assert error.code == "EP172"
    assert error.wanted


def test_the_message_of_an_option_says_what_is_computed():
    config, tensors = parts("gpt2")
    assert str(refusal(lambda: convert("gpt2", config | {"scale_attn_weights": False}, tensors))) == (
        "EP172 the option 'scale_attn_weights' is not computed here\n    got     False\n"
        "    wanted  scale_attn_weights = True"
    )
    del config["n_head"]
    error = refusal(lambda: convert("gpt2", config, tensors))
    assert (error.what, error.wanted) == ("the configuration lacks 'n_head'", "n_head")


def test_an_architecture_without_a_table_is_refused_with_the_file_to_add():
    error = refusal(lambda: family_of({"model_type": "gpt_neox", "architectures": ["GPTNeoXForCausalLM"]}))
    assert str(error) == (
        "EP171 no table for this architecture\n"
        "    got     model_type 'gpt_neox', architectures ['GPTNeoXForCausalLM']\n"
        "    wanted  one of: gpt2, llama\n"
        "    do      add edgeprune_core/families/gpt_neox.py with its table, and a row in "
        "edgeprune_core/families/__init__.py"
    )
    assert "your_family.py" in refusal(lambda: family_of({})).do


# Forms in which the same model comes ---------------------------------------------------------------------


def test_the_bare_body_of_a_tied_model_will_do():
    config = GPT2Config(n_layer=1, n_head=2, n_embd=6, vocab_size=5, n_positions=4, **SMALL)
    whole = live("gpt2", config)
    assert isinstance(whole.transformer, GPT2Model)
    assert load(whole.transformer).digest() == load(whole).digest()


def test_the_bare_body_of_an_untied_model_lacks_its_head():
    body = live("llama").model
    assert isinstance(body, LlamaModel)
    error = refusal(lambda: load(body))
    assert (error.code, error.where, error.wanted) == ("EP173", "LlamaModel", "lm_head.weight")


@pytest.mark.parametrize(
    ("kind", "name"),
    [("gpt2", "h.0.attn.bias"), ("gpt2", "h.1.attn.masked_bias"),
     ("llama", "model.layers.0.self_attn.rotary_emb.inv_freq")],
)  # fmt: skip
def test_buffers_of_old_checkpoints_are_ignored(kind, name):
    config, tensors = parts(kind)
    old = tensors | {name: torch.full((1, 1, 8, 8), float("nan"))}
    assert convert(kind, config, old).digest() == convert(kind, config, tensors).digest()


@pytest.mark.parametrize("kind", CASES)
def test_a_head_that_differs_though_tied_is_refused(kind):
    config, tensors = parts(kind)
    error = refusal(lambda: convert(kind, config | {"tie_word_embeddings": True}, tensors))
    assert error.code == "EP179"
    assert error.wanted == "equal tensors, or tie_word_embeddings = false"


@pytest.mark.parametrize("kind", CASES)
def test_weights_are_copied_from_the_live_model(kind):
    model = live(kind)
    ours = load(model)
    before = ours.digest()
    with torch.no_grad():
        for p in model.parameters():
            p.zero_()
    assert ours.digest() == before
    assert not any(t.requires_grad for t in ours.weights.tensors().values())


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_result_has_the_dtype_asked_for(dtype):
    model = load(live("llama").to(torch.bfloat16), dtype=dtype)
    assert model.dtype == dtype
    assert trace(model, some_tokens(CASES["llama"].small())).outputs.dtype == dtype


# Back ------------------------------------------------------------------------------------------------------


def test_a_model_that_the_configuration_cannot_hold_is_refused_on_the_way_back():
    model, config = load(live("llama")), live("llama").config.to_dict()
    llama = FAMILIES["llama"]
    error = refusal(lambda: tensors_of(llama, config | {"attention_bias": False}, model))
    assert (error.code, error.got) == ("EP179", "b_k, b_o, b_q, b_v")
    error = refusal(lambda: tensors_of(llama, config | {"num_hidden_layers": 3}, model))
    assert (error.code, error.what) == ("EP179", "a configuration of another shape")
    error = refusal(lambda: tensors_of(llama, config | {"tie_word_embeddings": True}, model))
    assert error.code == "EP179"
    headed = type(model)(model.spec, replace(model.weights, b_unembed=torch.ones(model.spec.d_out)))
    assert refusal(lambda: tensors_of(llama, config, headed)).got == "b_unembed"


def test_what_is_written_back_loads_into_transformers():
    source = live("gpt2")
    theirs = tensors_of(FAMILIES["gpt2"], source.config.to_dict(), load(source))
    fresh = GPT2LMHeadModel(source.config).eval()
    fresh.load_state_dict(theirs)
    tokens = some_tokens(source.config)
    with torch.no_grad():
        assert torch.equal(fresh(tokens).logits, source(tokens).logits)
