"""The index of each position: the output reads the position embedding, and no token.

Assembled by hand, because Tracr cannot express it: it refuses a bare input, and a program that reads no token. The
edge `pos -> out` is required under zero ablation; under mean and resample ablation nothing is, since no other input
of the same length has another position there. Beside it stand a head that writes the share of `a`, and an MLP
that writes on the output where that is above 2, so never: permitted by the weights, and needed by no output.

>>> program.reference(["a", "b", "b"])
[0, 1, 2]
"""

from tracr.rasp import rasp

from tracrcheck import ByHand, Program

TOKENS = ("a", "b", "compiler_bos", "compiler_pad")
LENGTH = 4


def by_hand():
    import torch

    from edgeprune_core.spec import ModelSpec
    from edgeprune_core.weights import Model, Weights

    # The stream: 0-3 the index, 4 whether the token is `a`, 5 one, 6 the share of `a`, 7 what the MLP found.
    is_a, one, share, found, d_model = 4, 5, 6, 7, 8
    spec = ModelSpec(
        n_layers=1, n_heads=1, d_model=d_model, d_head=1, d_mlp=1, d_vocab=4, d_out=LENGTH, n_ctx=LENGTH + 1,
        causal=False,
    )  # fmt: skip

    def zeros(*shape):
        return torch.zeros(*shape, dtype=torch.float64)

    tok, pos = zeros(4, d_model), zeros(LENGTH + 1, d_model)
    tok[TOKENS.index("a"), is_a] = 1
    tok[:, one] = 1
    pos[1:, :LENGTH] = torch.eye(LENGTH)
    w_v, w_o = zeros(1, 1, d_model, 1), zeros(1, 1, 1, d_model)
    w_in, w_out = zeros(1, d_model, 1), zeros(1, 1, d_model)
    w_v[0, 0, is_a, 0], w_o[0, 0, 0, share] = 1, 1
    w_in[0, share, 0], w_in[0, one, 0], w_out[0, 0, found] = 1, -2, 1
    unembed = zeros(d_model, LENGTH)
    unembed[:LENGTH] = torch.eye(LENGTH)
    unembed[found, 0] = 1
    weights = Weights(
        tok=tok, pos=pos, unembed=unembed,
        w_q=zeros(1, 1, d_model, 1), b_q=zeros(1, 1, 1), w_k=zeros(1, 1, d_model, 1), b_k=zeros(1, 1, 1),
        w_v=w_v, b_v=zeros(1, 1, 1), w_o=w_o, b_o=zeros(1, d_model),
        w_in=w_in, b_in=zeros(1, 1), w_out=w_out, b_out=zeros(1, d_model),
    )  # fmt: skip
    return ByHand(
        model=Model(spec, weights),
        tokens=TOKENS,
        output_values=range(LENGTH),
        provenance={
            "tok": ["tokens"],
            "pos": ["indices"],
            "a0.h0": ["the share of `a`, BOS counted"],
            "m0": ["where the share of `a` is above 2: nowhere"],
        },
    )


program = Program(
    name="copy_indices",
    build=lambda: rasp.indices,
    by_hand=by_hand,
    vocab={"a", "b"},
    max_seq_len=LENGTH,
    reference=lambda tokens: list(range(len(tokens))),
)
