"""Faults of what a cut edge carries, and on which inputs."""

from __future__ import annotations

from tracrcheck.mutants.base import Mutant

_MEAN = "edgeprune_core/ablations/mean.py"
_TASK = "edgeprune_core/task.py"

ABLATIONS = (
    Mutant(
        name="clean_and_corrupted_swapped",
        file="edgeprune_core/task.py",
        old="""\
        clean = items[:, 0]
        places = None if self.places""",
        new="""\
        items = items.flip(1)
        clean = items[:, 0]
        places = None if self.places""",
        why="the corrupted input is run, and patched with the clean one",
        source="AutoCircuit; ACDC: clean and corrupted swapped",
    ),
    Mutant(
        name="corruption_is_the_clean_input",
        file="edgeprune_core/task.py",
        old="return self.writers[:, items[:, 1]]",
        new="return self.writers[:, items[:, 0]]",
        why="cut edges carry what they would carry anyway, and every edge seems irrelevant",
        source="AutoCircuit: corruption equal to clean",
    ),
    Mutant(
        name="reference_sees_padding",
        file=_TASK,
        old="return trace(self.model, self.tokens, valid=self.valid)",
        new="return trace(self.model, self.tokens)",
        why="the unpruned model's run looks at padding where the pruned one does not",
        source="field: lengths aligned left in silence",
    ),
    Mutant(
        name="pruned_run_sees_padding",
        file=_TASK,
        old="return None if bool(valid.all()) else valid",
        new="return None",
        why="the pruned model's run looks at padding where the unpruned one does not",
        source="field: lengths aligned left in silence",
    ),
    Mutant(
        name="zero_leaves_the_bias_of_mlps",
        file="edgeprune_core/ablations/zero.py",
        old="        return None",
        new="""        w = model.weights
        n, d = w.b_out.shape
        out = w.tok.new_zeros((1 if w.pos is None else 2) + n * (model.spec.n_heads + 1), *valid.shape, d)
        out[(1 if w.pos is None else 2) + model.spec.n_heads :: model.spec.n_heads + 1] = w.b_out[:, None, None]
        return out""",
        why="a cut edge of an MLP still carries its output bias",
        source="ACDC pull request 82: zero before the output projection instead of after it",
    ),
    Mutant(
        name="mean_of_the_last_batch",
        file=_MEAN,
        old="inputs = [torch.cat([t for t in inputs if t.shape[1] == n]).unique(dim=0) for n in lengths]",
        new="inputs = [[t for t in inputs if t.shape[1] == n][-1].unique(dim=0) for n in lengths]",
        why="of the reference inputs of a length, only the last batch enters the mean",
        source="MIB: mean only over the last batch",
    ),
    Mutant(
        name="mean_of_the_batch_at_hand",
        file=_MEAN,
        old="out[:, lengths == n, :n] = self.table[n].to(out)[:, None]",
        new="mean = trace(model, corrupted[lengths == n][:, :n]).writers.mean(1, keepdim=True)\n"
        "            out[:, lengths == n, :n] = mean",
        why="the mean is over the items that happen to be run together",
        source="MIB; EAP-IG: mean over a batch",
    ),
    Mutant(
        name="mean_over_positions",
        file=_MEAN,
        old="out[:, lengths == n, :n] = self.table[n].to(out)[:, None]",
        new="out[:, lengths == n, :n] = self.table[n].to(out).mean(1, keepdim=True)[:, None]",
        why="one mean serves all positions",
        source="EAP-IG: mean against mean-positional",
    ),
    Mutant(
        name="mean_over_writers",
        file=_MEAN,
        old="out[:, lengths == n, :n] = self.table[n].to(out)[:, None]",
        new="out[:, lengths == n, :n] = self.table[n].to(out).mean(0, keepdim=True)[:, None]",
        why="one mean serves all writers",
        source="EAP-IG: means.mean(0)",
    ),
    Mutant(
        name="mean_of_the_longest",
        file=_MEAN,
        old="out[:, lengths == n, :n] = self.table[n].to(out)[:, None]",
        new="out[:, lengths == n, :n] = self.table[max(self.table)].to(out)[:, None, :n]",
        why="short inputs get the means of the longest ones",
        source="field: means over padding",
    ),
    Mutant(
        name="repeats_enter_the_mean",
        file=_MEAN,
        old="inputs = [torch.cat([t for t in inputs if t.shape[1] == n]).unique(dim=0) for n in lengths]",
        new="inputs = [torch.cat([t for t in inputs if t.shape[1] == n]) for n in lengths]",
        why="a reference input that is given twice counts twice",
        source="InterpBench: removal of duplicates that removes none",
    ),
    Mutant(
        name="pooled_mean_of_long_inputs",
        file=_MEAN,
        old="longer = [m for m in sums if m > p]",
        new="longer = [m for m in sums if m >= n]",
        why="the pooled mean of a length leaves shorter inputs out",
        source="ours: pooling over lengths changes truths",
    ),
)
