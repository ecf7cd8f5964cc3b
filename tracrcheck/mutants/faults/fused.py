"""Faults of reading and writing in one buffer, of its gradient twin, and of norms folded into weights."""

from __future__ import annotations

from tracrcheck.mutants.base import Mutant

_STREAM = "edgeprune_core/engine/stream.py"
_DELTAS = "edgeprune_core/engine/write_buffer.py"
_FOLDING = "edgeprune_core/fold_norms.py"

FUSED = (
    Mutant(
        name="last_read_alone_in_the_gradient",
        file=_DELTAS,
        old="self.gradient[:, slots].baddbmm_(rows.mT, of_inputs)",
        new="self.gradient[:, slots] = torch.bmm(rows.mT, of_inputs)",
        why="a writer's gradient is that of its earliest reader, not the sum over all",
        source="ours: gradients that overwrite where they should add up",
    ),
    Mutant(
        name="earlier_writers_read_twice",
        file=_STREAM,
        old="return self._read([row], seen[:, 0], written) if",
        new="return self._read([row], seen[:, 0], 0) if",
        why="an MLP sees what was written before its layer twice",
        source="ours: a share added to a sum that has it",
    ),
    Mutant(
        name="bias_between_attention_and_mlp_unseen",
        file=_STREAM,
        old="seen = seen + (self.base - base)",
        new="seen = seen + 0 * (self.base - base)",
        why="an MLP sees neither its layer's attention bias nor what its heads' cut edges carry",
        source="field: attention bias lost",
    ),
    Mutant(
        name="places_of_the_first_input",
        file="edgeprune_core/engine/forward.py",
        old="(places + pos * torch.arange(batch, device=places.device)[:, None])",
        new="(places + 0 * torch.arange(batch, device=places.device)[:, None])",
        why="every prompt of a batch is scored on the first one's stream",
        source="ours, after batches flattened in another order",
    ),
    Mutant(
        name="plain_run_without_its_background",
        file=_STREAM,
        old="            self.base = self.base + background.sum(0)\n",
        new="            pass\n",
        why="what cut edges carry reaches nobody",
        source="field: ablation never applied",
    ),
    Mutant(
        name="norm_without_a_gradient",
        file=_DELTAS,
        old="            into.addcmul_(along, x[:, :readers].view_as(into))\n",
        new="",
        why="the norm of what a folded head reads is taken for a constant on the way back",
        source="field: norm frozen to the clean run",
    ),
    Mutant(
        name="norm_bias_not_projected",
        file=_FOLDING,
        old='+ torch.einsum("ld,lhde->lhe", bias, getattr(w, f"w_{port}"))',
        new='+ 0 * torch.einsum("ld,lhde->lhe", bias, getattr(w, f"w_{port}"))',
        why="folding loses the bias of the norm before attention",
        source="TransformerLens: fold_ln and biases",
    ),
    Mutant(
        name="embedding_not_centred",
        file=_FOLDING,
        old='for name in ("tok", "pos", "w_o"',
        new='for name in ("pos", "w_o"',
        why="folding leaves LayerNorm's mean in the token embedding",
        source="TransformerLens: center_writing_weights",
    ),
)
