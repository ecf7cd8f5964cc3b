"""Every family's logits are those of `transformers`, on tiny random configurations."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import GPT2Config, LlamaConfig

from edgeprune_core.engine import trace
from edgeprune_core.families import FAMILIES, load, model_of, tensors_of
from edgeprune_core.graph import ResidualGraph
from tests.edgeprune_core.families.cases import CASES, InFloat64, live, live_in_float64, some_tokens

FLOAT32, FLOAT64 = 1e-4, 1e-10
FEW, MANY = 8, 400  # examples per family and test: of 400, some would differ only in the seed
DISTINCT = 200  # configurations that must be among them, per family


def test_every_family_has_configurations_to_try():
    assert FAMILIES.keys() == CASES.keys()
    assert all(name == family.model_type for name, family in FAMILIES.items())


def differences(kind: str, config, seed: int) -> tuple[float, float]:
    """The largest differences of logits, in float32 and in float64."""
    tokens = some_tokens(config, seed=seed)
    single = live(kind, config, seed=seed)
    with torch.no_grad():
        want = single(tokens).logits
        got = trace(load(single), tokens).outputs
        double = live_in_float64(kind, config, seed=seed)
        with InFloat64():
            exact_want = double(tokens).logits
        exact_got = trace(load(double, dtype=torch.float64), tokens).outputs
    assert exact_want.dtype == exact_got.dtype == torch.float64
    return float((got - want).abs().max()), float((exact_got - exact_want).abs().max())


@pytest.mark.parametrize("kind", CASES)
def test_logits_are_those_of_transformers(kind):
    @settings(max_examples=FEW)
    @given(config=CASES[kind].configs(), seed=st.integers(0, 2**16))
    def check(config, seed):
        single, double = differences(kind, config, seed)
        assert single <= FLOAT32
        assert double <= FLOAT64

    check()


@pytest.mark.slow
@pytest.mark.parametrize("kind", CASES)
def test_logits_are_those_of_transformers_on_many_configurations(kind):
    tried = []

    @settings(max_examples=MANY)
    @given(config=CASES[kind].configs(), seed=st.integers(0, 2**16))
    def check(config, seed):
        single, double = differences(kind, config, seed)
        tried.append(config.to_json_string())
        assert single <= FLOAT32
        assert double <= FLOAT64

    check()
    assert len(set(tried)) >= DISTINCT, len(set(tried))


@pytest.mark.parametrize("kind", CASES)
def test_parity_in_float64_needs_the_float32_of_transformers_lifted_only_where_it_has_any(kind):
    config = CASES[kind].small()
    tokens = some_tokens(config)
    double = live_in_float64(kind, config)
    with torch.no_grad():
        off = (double(tokens).logits - trace(load(double, dtype=torch.float64), tokens).outputs).abs().max()
    assert (off > FLOAT64) == (kind == "llama")


@pytest.mark.parametrize("kind", CASES)
def test_each_tensor_of_the_table_moves_the_logits(kind):
    config = CASES[kind].small()
    model, tokens = live(kind, config), some_tokens(config)
    before = trace(load(model), tokens).outputs
    for name, p in model.named_parameters():
        kept = p.detach().clone()
        with torch.no_grad():
            p.mul_(1.1)
            want, got = model(tokens).logits, trace(load(model), tokens).outputs
            p.copy_(kept)
        assert (got - want).abs().max() <= FLOAT32, name
        if not name.endswith(("c_attn.bias", "k_proj.bias")):  # softmax takes no notice of part of these
            assert (got - before).abs().max() > 10 * FLOAT32, name


@pytest.mark.parametrize("kind", CASES)
def test_the_table_read_backwards_gives_the_same_tensors(kind):
    @settings(max_examples=FEW)
    @given(config=CASES[kind].configs(), seed=st.integers(0, 2**16))
    def check(config, seed):
        model = live(kind, config, seed=seed)
        record, family = config.to_dict(), FAMILIES[kind]
        theirs = tensors_of(family, record, load(model))
        state = model.state_dict()
        if config.tie_word_embeddings:
            del state["lm_head.weight"]
        assert theirs.keys() == state.keys()
        assert all(torch.equal(theirs[name], state[name]) for name in state)
        again = model_of(family, record, theirs)
        assert again.digest() == load(model).digest()

    check()


def test_gpt2_small_has_the_graph_that_the_field_knows():
    graph = ResidualGraph.of(FAMILIES["gpt2"].spec(GPT2Config().to_dict()))
    assert (len(graph.writers), len(graph.readers), graph.n_edges) == (158, 445, 32_936)


CODELLAMA_13B = {
    "architectures": ["LlamaForCausalLM"], "hidden_act": "silu", "hidden_size": 5120,
    "intermediate_size": 13824, "max_position_embeddings": 16384, "model_type": "llama",
    "num_attention_heads": 40, "num_hidden_layers": 40, "num_key_value_heads": 40, "pretraining_tp": 1,
    "rms_norm_eps": 1e-05, "rope_scaling": None, "rope_theta": 1000000, "tie_word_embeddings": False,
    "vocab_size": 32016,
}  # fmt: skip


def test_codellama_is_read_from_the_older_form_of_its_configuration():
    spec = FAMILIES["llama"].spec(CODELLAMA_13B)
    assert (spec.n_layers, spec.n_heads, spec.n_kv_heads, spec.d_head) == (40, 40, 40, 128)
    assert (spec.rope_theta, spec.rope_scaling, spec.norm_eps, spec.n_ctx) == (1e6, 1.0, 1e-5, 16384)
    assert 3_800_000 < ResidualGraph.of(spec).n_edges < 4_000_000


@pytest.mark.parametrize(
    "older",
    [{}, {"rope_theta": 1e6}, {"rope_theta": 1e6, "rope_scaling": {"type": "linear", "factor": 4.0}}],
)
def test_both_forms_of_rotary_settings_mean_the_same(older):
    record = {k: v for k, v in CODELLAMA_13B.items() if not k.startswith("rope")} | older
    newer = LlamaConfig(**record).to_dict()
    assert "rope_parameters" in newer
    assert "rope_theta" not in newer
    assert FAMILIES["llama"].spec(record) == FAMILIES["llama"].spec(newer)
