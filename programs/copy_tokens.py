"""Each token, as it is: the output reads the embedding, and nothing else is needed.

Assembled by hand, because Tracr cannot express it: it refuses a bare input, and compiles an identity map to an
MLP. The edge `tok -> out` is required under every ablation. Beside it stand a head that writes how much of the
list is `a`, and an MLP that would write on the output where that is more than the whole list: it never fires, so
the weights permit its edges and no output needs them; the second layer copies on what nobody reads.

>>> program.reference(["a", "c"])
['a', 'c']
"""

from tracr.rasp import rasp

from tracrcheck import ByHand, Program

TOKENS = ("a", "b", "c", "compiler_bos", "compiler_pad")


def by_hand():
    import torch

    from edgeprune_core.spec import ModelSpec
    from edgeprune_core.weights import Model, Weights

    # The stream: 0-4 the token, 5 one, 6 the share of `a`, 7 what the first MLP found, 8 what nobody reads.
    one, share, found, unread, d_model = 5, 6, 7, 8, 9
    spec = ModelSpec(
        n_layers=2, n_heads=1, d_model=d_model, d_head=1, d_mlp=1, d_vocab=5, d_out=3, n_ctx=5, causal=False
    )

    def zeros(*shape):
        return torch.zeros(*shape, dtype=torch.float64)

    tok = torch.eye(5, d_model, dtype=torch.float64)
    tok[:, one] = 1
    pos = zeros(5, d_model)
    pos[1:, unread] = torch.arange(4)
    w_v, w_o = zeros(2, 1, d_model, 1), zeros(2, 1, 1, d_model)
    w_in, w_out = zeros(2, d_model, 1), zeros(2, 1, d_model)
    w_v[0, 0, TOKENS.index("a"), 0], w_o[0, 0, 0, share] = 1, 1
    w_in[0, share, 0], w_in[0, one, 0], w_out[0, 0, found] = 1, -2, 1  # share - 2 is never above 0
    w_v[1, 0, share, 0], w_o[1, 0, 0, unread] = 1, 1
    w_in[1, share, 0], w_out[1, 0, unread] = 1, 1
    unembed = zeros(d_model, 3)
    unembed[:3] = torch.eye(3)
    unembed[found, 0] = 1
    weights = Weights(
        tok=tok, pos=pos, unembed=unembed,
        w_q=zeros(2, 1, d_model, 1), b_q=zeros(2, 1, 1), w_k=zeros(2, 1, d_model, 1), b_k=zeros(2, 1, 1),
        w_v=w_v, b_v=zeros(2, 1, 1), w_o=w_o, b_o=zeros(2, d_model),
        w_in=w_in, b_in=zeros(2, 1), w_out=w_out, b_out=zeros(2, d_model),
    )  # fmt: skip
    return ByHand(
        model=Model(spec, weights),
        tokens=TOKENS,
        output_values=TOKENS[:3],
        provenance={
            "tok": ["tokens"],
            "pos": ["indices, for nobody"],
            "a0.h0": ["the share of `a`, BOS counted"],
            "m0": ["where the share of `a` is above 2: nowhere"],
            "a1.h0": ["the mean share of `a`, for nobody"],
            "m1": ["the share of `a`, for nobody"],
        },
    )


program = Program(
    name="copy_tokens",
    build=lambda: rasp.tokens,
    by_hand=by_hand,
    vocab={"a", "b", "c"},
    max_seq_len=4,
    reference=lambda tokens: list(tokens),
)
