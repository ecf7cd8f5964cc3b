"""The fast route and Tracr's own: the same weights, the same activations, the interpreter's outputs."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from tracr.compiler import test_cases
from tracr.craft import bases
from tracr.rasp import rasp

from edgeprune_core.criterion import decode
from edgeprune_core.engine import trace
from edgeprune_core.errors import CheckError
from tests import zoo
from tracrcheck import Program
from tracrcheck.compiler import one_order
from tracrcheck.compiler.compile import compile_program
from tracrcheck.compiler.cross_check import compare_routes
from tracrcheck.compiler.equivalence import compare
from tracrcheck.compiler.haiku import in_float64

# One of each kind: chains, numbers, several heads, causal, both parts of SequenceMap, a selector width.
BY_DEFAULT = ("reverse", "xproportion", "pair_balance", "sort", "nesting_level", "mean_token", "square")
BOTH_ROUTES = [
    n if n in BY_DEFAULT else pytest.param(n, marks=pytest.mark.slow)
    for n in zoo.NAMES
    if zoo.made_by_tracr(n)
]


# ---------------------------------------------------------------- weights and activations


@pytest.mark.parametrize("name", BOTH_ROUTES)
def test_the_fast_route_makes_the_weights_that_tracr_makes_bit_for_bit(name, compiled, oracle):
    fast, slow = compiled(name).model, oracle(name).model
    assert fast.spec == slow.spec
    ours, theirs = fast.weights.tensors(), slow.weights.tensors()
    assert ours.keys() == theirs.keys()
    for key, tensor in ours.items():
        assert torch.equal(tensor, theirs[key]), key


@pytest.mark.parametrize("name", BOTH_ROUTES)
def test_tokens_and_outputs_are_encoded_as_tracr_encodes_them(name, compiled, oracle):
    ours, theirs = compiled(name), oracle(name).assembled
    assert ours.token_ids == theirs.input_encoder.encoding_map
    if ours.categorical:
        assert list(ours.output_values) == theirs.output_encoder.decode(list(range(len(ours.output_values))))


def _near(got, want):
    """Within 1e-9 of the largest magnitude of the tensor, or of 1."""
    got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
    assert got.shape == want.shape
    assert np.abs(got - want).max() <= 1e-9 * max(1.0, np.abs(want).max())


@pytest.mark.parametrize("name", BOTH_ROUTES)
def test_torch_and_jax_have_the_same_activations_at_every_layer(name, compiled, oracle):
    import jax
    import jax.numpy as jnp

    ours, assembled = compiled(name), oracle(name).assembled
    model = ours.model
    length = max(len(x) for x in ours.domain.inputs)
    inputs = [x for x in ours.domain.inputs if len(x) == length]
    inputs = inputs[:: max(1, len(inputs) // 50)]
    tokens, _ = ours.encode(inputs)
    with in_float64():
        args = (assembled.params, jnp.asarray(tokens.numpy()))
        forward = jax.jit(assembled.forward).lower(*args).compile({"xla_backend_optimization_level": 0})
        jaxs = forward(*args)
    theirs, traced, w = jaxs.transformer_output, trace(model, tokens), model.weights

    def wrote(writer):
        return traced.writers[ours.graph.writer(writer).index]

    stream = wrote("tok") + wrote("pos")
    _near(stream, theirs.input_embeddings)
    later = torch.ones(tokens.shape[1], tokens.shape[1], dtype=torch.bool).triu(1)
    for layer in range(model.spec.n_layers):
        for head in range(model.spec.n_heads):
            q, k = (stream @ m[layer, head] for m in (w.w_q, w.w_k))
            scores = q @ k.transpose(-1, -2) / math.sqrt(model.spec.d_head)
            jax_scores = np.asarray(theirs.attn_logits[layer])[:, head]
            if model.spec.causal:
                scores, jax_scores = (np.where(later, 0.0, x) for x in (scores, jax_scores))
            _near(scores, jax_scores)
        heads = sum(wrote(f"a{layer}.h{head}") for head in range(model.spec.n_heads))
        _near(heads, theirs.layer_outputs[2 * layer])
        stream = stream + heads
        _near(stream, theirs.residuals[2 * layer])
        _near(wrote(f"m{layer}"), theirs.layer_outputs[2 * layer + 1])
        stream = stream + wrote(f"m{layer}")
        _near(stream, theirs.residuals[2 * layer + 1])
    _near(stream, theirs.output)
    unembedded = np.asarray(jaxs.unembedded_output)
    if ours.categorical:
        said = np.array([[value is not None for value in ours.interpret(x)] for x in inputs])
        decoded = decode(traced.outputs).numpy()
        # Where the program gives no value all coordinates tie, and rounding picks one.
        assert (decoded == unembedded)[:, 1:][said].all()
    else:
        _near(traced.outputs[..., 0], unembedded)


# ---------------------------------------------------------------- outputs


def _same(got, want):
    """Equal values; numbers from a model may be off by what leaks through a softmax."""
    if isinstance(want, float) or isinstance(got, float):
        return abs(got - want) <= 1e-4
    return got == want


def _decoded(ours, tokens, valid):
    outputs = trace(ours.model, tokens, valid=valid).outputs
    if not ours.categorical:
        return outputs[..., 0].tolist()
    return [[ours.output_values[i] for i in row] for row in decode(outputs).tolist()]


@pytest.mark.parametrize("name", zoo.NAMES)
def test_the_compiled_model_the_interpreter_and_the_reference_agree_on_every_input(name, compiled):
    ours = compiled(name)
    reference = ours.program.reference
    assert reference is not None
    rows = _decoded(ours, *ours.encode(ours.domain.inputs))
    values = 0
    for tokens, row in zip(ours.domain.inputs, rows, strict=True):
        said = ours.interpret(tokens)
        described = list(reference(list(tokens)))
        assert len(said) == len(described) == len(tokens)
        for got, interpreted, referred in zip(row[1:], said, described, strict=False):
            assert (interpreted is None) == (referred is None), (tokens, said, described)
            if interpreted is not None:
                values += 1
                assert _same(interpreted, referred), (tokens, said, described)
                assert _same(got, interpreted), (tokens, row, said)
    assert values


@pytest.mark.parametrize("name", zoo.NAMES)
def test_provenance_names_an_expression_for_every_component_that_writes(name, compiled):
    ours = compiled(name)
    w = ours.model.weights
    for writer in ours.graph.writers:
        if writer.kind == "head":
            writes = (w.w_o[writer.layer, writer.head] != 0).any()
        elif writer.kind == "mlp":
            writes = (w.w_out[writer.layer] != 0).any()
        else:
            writes = True
        described = ours.provenance.get(str(writer), ())
        assert bool(described) == bool(writes), str(writer)
        assert all(isinstance(text, str) and text for text in described)


def test_provenance_says_which_head_reverses():
    described = zoo.compiled("reverse").provenance
    assert described["a3.h0"][0].startswith("reverse = aggregate(")
    assert any("selector_width" in text or "length" in text for text in described["a0.h0"] + described["m0"])


# ---------------------------------------------------------------- independent of history


def _weights(program):
    return compile_program(program).model.weights.tensors()


@pytest.mark.parametrize("name", ["sort", "mean_token", "two_of_three_heads"])
def test_compiling_does_not_depend_on_what_was_compiled_before(name):
    before = _weights(zoo.program(name))
    for other in ("reverse", "shuffle_dyck2", name):
        compile_program(zoo.program(other))
    after = _weights(zoo.program(name))
    assert all(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize("offset", [1, 2, 3, 4, 5])
def test_compiling_does_not_depend_on_how_many_labels_were_given_out_before(offset, monkeypatch):
    """Directions are sorted by label as text, and `map_100` comes before `map_99`."""

    def build():
        flags = [rasp.Map(lambda t, i=i: (t == "a") * i, rasp.tokens) for i in range(3)]
        two = rasp.SequenceMap(lambda x, y: x + y, flags[0], flags[1])
        return rasp.SequenceMap(lambda x, y: x + y, two, flags[2])

    program = Program(name="flags", build=build, vocab={"a", "b"}, max_seq_len=3)
    before = _weights(program)
    digits = len(str(rasp.Map(str, rasp.tokens).unique_id + 10))
    # Tracr numbers the labels that are read. The next number after this one is 10**digits - offset.
    monkeypatch.setattr(rasp.RASPExpr, "_ids", itertools.count(10**digits - offset - 1))
    assert rasp.Map(str, rasp.tokens).unique_id == 10**digits - offset - 1
    after = _weights(program)
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_an_annotated_copy_of_an_expression_whose_label_was_read_is_not_merged_with_it():
    """The copy inherits the cached label, and Tracr keys its graph by label."""

    def make(read_first):
        def build():
            bit = rasp.Map(lambda t: int(t == "a"), rasp.tokens).named("bit")
            if read_first:
                assert bit.label
            everywhere = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.TRUE)
            alike = rasp.Select(bit, bit, rasp.Comparison.EQ)
            share = rasp.numerical(rasp.Aggregate(everywhere, rasp.numerical(bit), default=0))
            own = rasp.numerical(rasp.Aggregate(alike, rasp.numerical(bit), default=0))
            return rasp.numerical(rasp.LinearSequenceMap(share, own, 1, 2))

        return Program(name="copy", build=build, vocab={"a", "b"}, max_seq_len=3)

    plain, read = _weights(make(False)), _weights(make(True))
    assert plain.keys() == read.keys()
    assert all(torch.equal(plain[key], read[key]) for key in plain)
    ours = compile_program(make(True))
    for tokens, row in zip(ours.domain.inputs, _decoded(ours, *ours.encode(ours.domain.inputs)), strict=True):
        for got, token in zip(row[1:], tokens, strict=False):
            assert _same(got, tokens.count("a") / len(tokens) + 2.0 * (token == "a"))


# ---------------------------------------------------------------- Tracr's own test programs


def _cases():
    for kind, cases, causal in (
        ("universal", test_cases.UNIVERSAL_TEST_CASES, False),
        ("both_ways", test_cases.TEST_CASES, False),
        ("causal", test_cases.CAUSAL_TEST_CASES, True),
    ):
        for case in cases:
            yield pytest.param(case, causal, id=f"{kind}-{case['testcase_name']}")


def _program_of(case, causal=False):
    return Program(
        name=case["testcase_name"],
        build=lambda: case["program"],
        vocab=case["vocab"],
        max_seq_len=case["max_seq_len"],
        causal=causal,
        # The whole domain is not needed here, and some have 4^10 lists: the case's own input alone.
        domain=None if case["max_seq_len"] <= 6 else lambda tokens: len(tokens) == 1,
    )


@pytest.mark.parametrize(("case", "causal"), list(_cases()))
def test_the_fast_route_reproduces_what_tracr_expects_of_its_own_programs(case, causal):
    ours = compile_program(_program_of(case, causal))
    tokens, valid = ours.encode([case["test_input"]])
    got = _decoded(ours, tokens, valid)[0][1:]
    wanted = case["expected_output"]
    assert len(got) == len(wanted)
    for position, (value, want) in enumerate(zip(got, wanted, strict=True)):
        if want is not None:
            assert _same(value, want), (position, got, wanted)


@pytest.mark.parametrize("case", test_cases.UNSUPPORTED_TEST_CASES, ids=lambda c: c["testcase_name"])
def test_what_tracr_does_not_support_is_refused(case):
    with pytest.raises(CheckError) as caught:
        compile_program(_program_of(case))
    assert caught.value.code == "TC106" or caught.value.code.startswith("TC3")
    assert caught.value.got


def test_several_faults_of_a_program_are_reported_at_once():
    def build():
        everywhere = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.TRUE)
        first = rasp.Aggregate(everywhere, rasp.numerical(rasp.Map(lambda x: x, rasp.tokens)))
        second = rasp.Aggregate(everywhere, rasp.numerical(rasp.Map(lambda x: x + 1, rasp.tokens)))
        return rasp.SequenceMap(lambda x, y: x + y, first, second)

    with pytest.raises(CheckError) as caught:
        compile_program(Program(name="two", build=build, vocab={1, 2}, max_seq_len=2))
    assert len(caught.value.got.split("; ")) == 2


@pytest.mark.parametrize(
    ("build", "code", "what"),
    [
        (lambda: rasp.tokens, "TC321", "nothing to compute: tokens"),
        (lambda: rasp.indices, "TC321", "nothing to compute: indices"),
        (lambda: rasp.Map(lambda i: i + 1, rasp.indices), "TC331", "program without tokens"),
        (lambda: 3, "TC106", "does not return an SOp"),
        (lambda: 1 / 0, "TC106", "Tracr refuses"),
        (lambda: rasp.Map(lambda t: [t], rasp.tokens), "TC106", "Tracr refuses"),
        (lambda: rasp.Map(lambda t: None, rasp.tokens), "TC106", "never has a value"),
        (
            lambda: rasp.numerical(rasp.Map(lambda t: None, rasp.tokens)),
            "TC326",
            "numerical function returns none",
        ),
    ],
)
def test_a_program_that_cannot_be_compiled_is_refused_with_the_reason(build, code, what):
    with pytest.raises(CheckError, match=what) as caught:
        compile_program(Program(name="p", build=build, vocab={"a"}, max_seq_len=2))
    assert caught.value.code == code


@pytest.mark.parametrize("token", ["compiler_bos", "compiler_pad"])
def test_a_vocabulary_with_a_token_that_tracr_adds_is_refused(token):
    program = Program(name="p", build=lambda: rasp.Map(str, rasp.tokens), vocab={"a", token}, max_seq_len=2)
    with pytest.raises(CheckError) as caught:
        compile_program(program)
    assert caught.value.code == "TC104"
    assert token in caught.value.got


@pytest.mark.parametrize(
    ("token", "kind"), [(None, "NoneType"), (np.True_, type(np.True_).__name__), (b"a", "bytes")]
)
def test_a_token_that_is_not_a_rasp_value_is_refused_by_its_type(token, kind):
    program = Program(name="p", build=lambda: rasp.Map(str, rasp.tokens), vocab={"a", token}, max_seq_len=2)
    with pytest.raises(CheckError) as caught:
        compile_program(program)
    assert caught.value.code == "TC104"
    assert caught.value.got == f"{token!r}, a {kind}"


def test_truth_values_are_tokens_like_others():
    program = Program(
        name="p",
        build=lambda: rasp.Map(lambda t: not t, rasp.tokens),
        vocab={True, False},
        max_seq_len=2,
        reference=lambda tokens: [not t for t in tokens],
    )
    assert compare(compile_program(program))[1] == []


@pytest.mark.parametrize("vocab", [{1, "1", 2}, {0.5, "0.5", 1}, {9, 10, "1a", "9", True}, {"(", 1, "2"}])
def test_tokens_of_several_types_have_one_order_on_both_routes(vocab):
    def build():
        same = rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.EQ)
        return rasp.SequenceMap(lambda n, token: (n, str(token)), rasp.SelectorWidth(same), rasp.tokens)

    program = Program(name="p", build=build, vocab=vocab, max_seq_len=2)
    made = compile_program(program)
    assert compare_routes(made) == []
    assert compare(made)[1] == []


def test_who_asks_the_interpreter_may_change_what_it_is_given(compiled):
    program = compiled("hist")
    said = program.interpret(["a", "a"])
    said.clear()
    assert program.interpret(("a", "a")) == [2, 2]


def test_values_that_compare_directly_are_in_the_order_of_their_keys():
    values = [
        None,
        True,
        0,
        1,
        2.5,
        "a",
        "1",
        (1, "a"),
        (1, 2),
        ("a", 1),
        (True, 0),
        (1,),
        (),
        ((1, 2), 3),
        (1, (2,)),
    ]
    directions = [bases.BasisDirection(name, value) for name in ("p", "q") for value in values]
    for one, other in itertools.product(directions, repeat=2):
        keys = [(one_order._key(d.name), one_order._key(d.value)) for d in (one, other)]
        assert one_order._before(one, other) == (keys[0] < keys[1]), (one, other)
