"""Faults of a layer's pieces: attention, MLP, norms, positions, unembedding. Tracr's models are blind to many."""

from __future__ import annotations

from tracrcheck.mutants.base import Mutant

_ATTENTION = "edgeprune_core/engine/blocks/attention.py"

BLOCKS = (
    Mutant(
        name="attention_scale_missing",
        file=_ATTENTION,
        old="scores = (q @ k.transpose(-1, -2)).div_(math.sqrt(spec.d_head))",
        new="scores = q @ k.transpose(-1, -2)",
        why="scores are not divided by sqrt(d_head): saturated attention hardly shows it",
        source="field: attention scale missing",
    ),
    Mutant(
        name="attention_scale_doubled",
        file=_ATTENTION,
        old=".div_(math.sqrt(spec.d_head))",
        new=".div_(spec.d_head)",
        why="scores are divided by sqrt(d_head) twice",
        source="field: attention scale doubled",
    ),
    Mutant(
        name="attention_scale_of_the_stream",
        file=_ATTENTION,
        old=".div_(math.sqrt(spec.d_head))",
        new=".div_(math.sqrt(spec.d_model / spec.n_heads))",
        why="scores are divided by sqrt(d_model / heads), which is d_head in most models only",
        source="field: d_head taken for d_model / heads",
    ),
    Mutant(
        name="pattern_of_the_first_circuit",
        file=_ATTENTION,
        old="mixed = pattern(spec, q, k, valid) @ v",
        new="mixed = pattern(spec, q[:1], k[:1], valid) @ v",
        why="the attention pattern is frozen to that of the batch's first circuit",
        source="field: attention pattern frozen",
    ),
    Mutant(
        name="shared_heads_in_turns",
        file=_ATTENTION,
        old="k, v = k.repeat_interleave(group, -4), v.repeat_interleave(group, -4)",
        new="k, v = torch.cat([k] * group, -4), torch.cat([v] * group, -4)",
        why="query heads take key/value heads in turns, not in groups",
        source="TransformerLens issue 520",
    ),
    Mutant(
        name="causal_whatever_the_model",
        file=_ATTENTION,
        old="    if spec.causal:",
        new="    if True:",
        why="bidirectional models are run with a causal mask",
        source="field: causal mask on a bidirectional Tracr model",
    ),
    Mutant(
        name="causal_mask_one_late",
        file=_ATTENTION,
        old=".triu(1)",
        new=".triu(2)",
        why="each position sees the next one",
        source="field: causal mask",
    ),
    Mutant(
        name="causal_mask_soft",
        file=_ATTENTION,
        old="scores.masked_fill_(later, -math.inf)",
        new="scores.masked_fill_(later, -20.0)",
        why="masked scores are low, not minus infinity",
        source="field: -1e4 for minus infinity",
    ),
    Mutant(
        name="padding_attended",
        file=_ATTENTION,
        old="scores.masked_fill_(~valid[:, None, :], -math.inf)",
        new="pass",
        why="queries look at padding",
        source="field: padding in the mean and the loss",
    ),
    Mutant(
        name="softmax_over_queries",
        file=_ATTENTION,
        old="return weights.div_(weights.sum(-1, keepdim=True))",
        new="return weights.div_(weights.sum(-2, keepdim=True))",
        why="probabilities sum to 1 over queries, not keys",
        source="Edge Pruning, xproportion: softmax over positions",
    ),
    Mutant(
        name="projection_biases_lost",
        file=_ATTENTION,
        old='return torch.einsum("...hbpd,hde->...hbpe", x, w).add_(b[:, None, None, :])',
        new='return torch.einsum("...hbpd,hde->...hbpe", x, w)',
        why="queries, keys and values have no bias: Tracr's have none",
        source="field: biases lost",
    ),
    Mutant(
        name="values_not_normed",
        file="edgeprune_core/engine/blocks/attention.py",
        old="""\
    q, k, v = (normalise(model.spec, x, gain, bias) for x in inputs)
""",
        new="""\
    q, k = (normalise(model.spec, x, gain, bias) for x in inputs[:2])
    v = inputs[2]
""",
        why="the norm is applied to queries and keys only",
        source="field: one norm for q, k and v",
    ),
    Mutant(
        name="norm_shared_by_heads",
        file="edgeprune_core/engine/blocks/attention.py",
        old="""\
    q, k, v = (normalise(model.spec, x, gain, bias) for x in inputs)
""",
        new="""\
    q, k, v = (normalise(model.spec, x, gain, bias) for x in inputs)
    if model.spec.norm != "none":
        q = normalise(model.spec, inputs[0].mean(-4, keepdim=True), gain, bias).expand_as(q)
""",
        why="one norm, of the mean of what the heads read, serves all of them",
        source="field: one norm shared by readers; TransformerLens issue 335",
    ),
    Mutant(
        name="norm_frozen_to_the_first_circuit",
        file="edgeprune_core/engine/blocks/norm.py",
        old="return torch.nn.functional.rms_norm(x, x.shape[-1:], gain, spec.norm_eps)",
        new="return x * (x[:1].square().mean(-1, keepdim=True) + spec.norm_eps).rsqrt() * gain",
        why="RMSNorm's scale is frozen to that of the batch's first circuit",
        source="field: norm frozen to clean",
    ),
    Mutant(
        name="norm_not_centred",
        file="edgeprune_core/engine/blocks/norm.py",
        old="return torch.nn.functional.layer_norm(x, x.shape[-1:], gain, bias, spec.norm_eps)",
        new="return torch.nn.functional.rms_norm(x, x.shape[-1:], gain, spec.norm_eps) + bias",
        why="LayerNorm does not take off the mean",
        source="ours, after folded norms",
    ),
    Mutant(
        name="rotary_pairs_interleaved",
        file="edgeprune_core/engine/blocks/rotary.py",
        old="a, b = x[..., :half], x[..., half:]",
        new="a, b = x[..., ::2], x[..., 1::2]",
        why="neighbouring entries are turned together, not those half a head apart",
        source="ours: the two layouts of rotary embeddings",
    ),
    Mutant(
        name="rotary_scaling_ignored",
        file="edgeprune_core/engine/blocks/rotary.py",
        old="[:, None] * inverse / spec.rope_scaling",
        new="[:, None] * inverse",
        why="linear scaling of positions is left out",
        source="ours, after Chen et al. 2023",
    ),
    Mutant(
        name="gate_and_value_exchanged",
        file="edgeprune_core/engine/blocks/mlp.py",
        old="hidden = activate(spec, x @ w.w_gate[layer]) * hidden",
        new="hidden = (x @ w.w_gate[layer]) * activate(spec, hidden)",
        why="the activation of a gated MLP is on the wrong factor",
        source="ours, after up and gate projections swapped",
    ),
    Mutant(
        name="mlp_bias_lost",
        file="edgeprune_core/engine/blocks/mlp.py",
        old="return (hidden @ w.w_out[layer]).add_(w.b_out[layer])",
        new="return hidden @ w.w_out[layer]",
        why="the MLP's output bias is not written",
        source="field: biases lost",
    ),
    Mutant(
        name="unembedding_is_the_identity",
        file="edgeprune_core/engine/blocks/unembed.py",
        old="@ w.unembed\n",
        new="[..., : w.unembed.shape[1]]\n",
        why="the first directions of the stream are taken for the outputs",
        source="TransformerLens issue 481; ACDC: W_U = eye",
    ),
    Mutant(
        name="unembedding_not_normed",
        file="edgeprune_core/engine/blocks/unembed.py",
        old="out = normalise(model.spec, x, w.norm_gain, w.norm_bias) @ w.unembed",
        new="out = x @ w.unembed",
        why="the last norm is left out",
        source="field: norms",
    ),
)
