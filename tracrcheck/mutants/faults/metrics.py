"""Faults of metrics and of the criterion by which a circuit is accepted."""

from __future__ import annotations

from tracrcheck.mutants.base import Mutant

_OUTCOME = "edgeprune_core/criterion.py"
_DIVERGENCE = "edgeprune_core/metrics/divergence.py"

METRICS = (
    Mutant(
        name="kl_arguments_swapped",
        file=_DIVERGENCE,
        old="return (p.exp() * (p - q)).sum(-1)",
        new="return (q.exp() * (q - p)).sum(-1)",
        why="KL(pruned || model) stands for KL(model || pruned)",
        source="field: order of arguments, log_target",
    ),
    Mutant(
        name="kl_over_positions",
        file=_DIVERGENCE,
        old="p, q = (want / temperature).log_softmax(-1), (got / temperature).log_softmax(-1)",
        new="p, q = (want / temperature).log_softmax(-2), (got / temperature).log_softmax(-2)",
        why="probabilities sum to 1 over positions: a shift of all of them alike is not seen",
        source="Edge Pruning, xproportion",
    ),
    Mutant(
        name="loss_over_all_places",
        file=_DIVERGENCE,
        old="return (x * scored).sum((-1, -2)) / scored.sum().clamp_min(1)",
        new="return (x * scored).mean((-1, -2))",
        why="the mean is over padding and unscored positions too",
        source="InterpBench: a mean that divides by something else",
    ),
    Mutant(
        name="loss_scores_everything",
        file=_DIVERGENCE,
        old="return (x * scored).sum((-1, -2)) / scored.sum().clamp_min(1)",
        new="return x.mean((-1, -2))",
        why="BOS and padding enter the loss",
        source="field: BOS and padding in the loss",
    ),
    Mutant(
        name="loss_not_bounded",
        file=_DIVERGENCE,
        old="return _mean_scored(-torch.expm1(-distance), scored)",
        new="return _mean_scored(distance, scored)",
        why="a confident wrong answer costs many times what none does",
        source="ours",
    ),
    Mutant(
        name="temperature_counts_the_right_value",
        file=_DIVERGENCE,
        old="max(n_values - 1, 1) * (1 - doubt)",
        new="max(n_values, 1) * (1 - doubt)",
        why="the model's own probability is not the one meant",
        source="field: off by one in a count of classes",
    ),
    Mutant(
        name="everything_scored",
        file=_OUTCOME,
        old="return torch.where(scored, off, 0.0).amax(-1)",
        new="return off.amax(-1)",
        why="BOS, padding and positions without a value are judged",
        source="field: BOS scored, padding scored",
    ),
    Mutant(
        name="worst_position_diluted",
        file=_OUTCOME,
        old="return torch.where(scored, off, 0.0).amax(-1)",
        new="return torch.where(scored, off, 0.0).mean(-1)",
        why="a circuit is judged by its mean position",
        source="field: means that dilute rare faults",
    ),
    Mutant(
        name="worst_coordinate_diluted",
        file=_OUTCOME,
        old="off = (got - want).abs().amax(-1) / (self.scale or 1.0)",
        new="off = (got - want).abs().mean(-1) / (self.scale or 1.0)",
        why="the more values an output has, the further it may be off",
        source="InterpBench: mean over the vocabulary",
    ),
    Mutant(
        name="range_of_outputs_ignored",
        file=_OUTCOME,
        old="off = (got - want).abs().amax(-1) / (self.scale or 1.0)",
        new="off = (got - want).abs().amax(-1)",
        why="the tolerance of numerical outputs is in their own units",
        source="ours",
    ),
    Mutant(
        name="not_a_number_is_no_deviation",
        file=_OUTCOME,
        old="off = torch.nan_to_num(off, nan=torch.inf, posinf=torch.inf)",
        new="off = torch.nan_to_num(off, nan=0.0, posinf=torch.inf)",
        why="an output that is not a number passes",
        source="InterpBench: SIIA of NaN",
    ),
    Mutant(
        name="ties_go_to_the_last",
        file=_OUTCOME,
        old="return (outputs >= top - DECODE_TIE).to(torch.uint8).argmax(-1)",
        new="near = (outputs >= top - DECODE_TIE).to(torch.uint8)\n"
        "    return outputs.shape[-1] - 1 - near.flip(-1).argmax(-1)",
        why="of values that are equally likely the last is decoded",
        source="field: ties",
    ),
    Mutant(
        name="decoding_by_rounding_error",
        file=_OUTCOME,
        old="return (outputs >= top - DECODE_TIE).to(torch.uint8).argmax(-1)",
        new="return outputs.argmax(-1)",
        why="rounding decides between values that are equally likely",
        source="field: precision changes decoding",
    ),
    Mutant(
        name="limit_not_included",
        file="edgeprune_core/task.py",
        old="return bool(self.deviations(circuit).max() <= self.outcome.limit)",
        new="return bool(self.deviations(circuit).max() < self.outcome.limit)",
        why="a circuit that decodes rightly everywhere is refused, its deviation of 0 being the limit",
        source="field: > for >= at a threshold",
    ),
    Mutant(
        name="margin_of_the_wrong_sign",
        file="edgeprune_core/metrics/answers.py",
        old="return right - wrong",
        new="return wrong - right",
        why="the logit difference is of foils over answers",
        source="field: sign conventions",
    ),
    Mutant(
        name="answers_among_their_foils",
        file="edgeprune_core/metrics/answers.py",
        old="others = _log_total(logits.scatter(-1, _everywhere(answers, logits), -torch.inf), None)",
        new="others = _log_total(logits, None)",
        why="where no foil is named, the answers count as foils too",
        source="ours",
    ),
    Mutant(
        name="mean_of_ratios",
        file="edgeprune_core/faithfulness.py",
        old="""        means = self.margins[[row, 0, 1]][:, picks].mean(-1)
        apart, size = means[1] - means[2], self.margins[[1, 2]].abs().mean()""",
        new="""        each = self.margins[[row, 0, 1]][:, picks]
        means = torch.stack([((each[0] - each[2]) / (each[1] - each[2])).mean(-1), each[1, :, 0] * 0 + 1, each[2, :, 0] * 0])
        apart, size = means[1] - means[2], self.margins[[1, 2]].abs().mean()""",
        why="recovered is the mean of the items' ratios, not the ratio of means",
        source="field: ratio of means against mean of ratios",
    ),
    Mutant(
        name="knocked_out_is_kept",
        file="edgeprune_core/faithfulness.py",
        old="kept.float(), (~kept).float()])",
        new="kept.float(), kept.float()])",
        why="a circuit that should be knocked out is kept",
        source="AutoCircuit: the complement patched",
    ),
    Mutant(
        name="null_of_a_single_draw",
        file="edgeprune_core/faithfulness.py",
        old="""    for row in random:
        row[torch.randperm(n, generator=generator)[: len(circuit)]] = 1""",
        new="""    order = torch.randperm(n, generator=generator)
    for row in random:
        row[order[: len(circuit)]] = 1""",
        why="all random circuits are one",
        source="field: a random null from a single draw",
    ),
    Mutant(
        name="tau_of_the_first_outputs",
        file="edgeprune_core/metrics/tau.py",
        old="chosen = want.topk(min(top, want.shape[-1]), dim=-1).indices",
        new="chosen = torch.zeros_like(want, dtype=torch.long)[..., : min(top, want.shape[-1])]",
        why="Kendall's tau looks at one output, which has no order",
        source="ours",
    ),
)
