"""Faults of the gates and their noise."""

from __future__ import annotations

from tracrcheck.mutants.base import Mutant

_FILE = "edgeprune_core/training/gates.py"

GATES = (
    Mutant(
        name="lower_limit_too_near",
        file=_FILE,
        old="low: float = -0.1",
        new="low: float = -0.01",
        why="gates hardly ever reach an exact 0",
        source="field: stretch limits wrong",
    ),
    Mutant(
        name="upper_limit_too_near",
        file=_FILE,
        old="high: float = 1.1",
        new="high: float = 1.01",
        why="gates hardly ever reach an exact 1",
        source="field: stretch limits wrong",
    ),
    Mutant(
        name="clamp_missing",
        file=_FILE,
        old="return (torch.sigmoid(x) * (self.high - self.low) + self.low).clamp(0, 1)",
        new="return torch.sigmoid(x) * (self.high - self.low) + self.low",
        why="gates run from below 0 to above 1",
        source="field: clamp missing",
    ),
    Mutant(
        name="temperature_dropped",
        file=_FILE,
        old="return self._stretch((torch.logit(u) + log_alpha) / self.temperature)",
        new="return self._stretch(torch.logit(u) + log_alpha)",
        why="samples are drawn at temperature 1",
        source="field: temperature dropped",
    ),
    Mutant(
        name="temperature_inverted",
        file=_FILE,
        old="return self._stretch((torch.logit(u) + log_alpha) / self.temperature)",
        new="return self._stretch((torch.logit(u) + log_alpha) * self.temperature)",
        why="samples are drawn at the inverse temperature",
        source="field: temperature inverted",
    ),
    Mutant(
        name="temperature_on_the_noise_alone",
        file=_FILE,
        old="(torch.logit(u) + log_alpha) / self.temperature",
        new="torch.logit(u) / self.temperature + log_alpha",
        why="only the noise is divided by the temperature",
        source="ours, after copies of the gate with other constants",
    ),
    Mutant(
        name="expected_l0_of_the_other_sign",
        file=_FILE,
        old="return torch.sigmoid(self.temperature * math.log(-self.low / self.high) - log_alpha)",
        new="return torch.sigmoid(self.temperature * math.log(-self.low / self.high) + log_alpha)",
        why="the more open a gate, the less it is counted",
        source="field: expected L0 with its sign flipped",
    ),
    Mutant(
        name="expected_l0_counts_whole_gates",
        file=_FILE,
        old="return 1 - self.p_zero(log_alpha)",
        new="return self.p_one(log_alpha)",
        why="half-open gates are not counted",
        source="ours, after L0 norms of the sample",
    ),
    Mutant(
        name="gate_without_noise_at_a_temperature",
        file=_FILE,
        old="return self._stretch(log_alpha)",
        new="return self._stretch(log_alpha / self.temperature)",
        why="the gate used after training is sharpened",
        source="Edge Pruning: a fixed factor on the deterministic mask",
    ),
    Mutant(
        name="noise_shared_across_edges",
        file=_FILE,
        old="order = torch.rand(circuits, *shape, generator=generator).argsort(0)",
        new="order = torch.rand(circuits, *(1 for _ in shape), generator=generator).argsort(0)",
        why="the strata of all gates come in one order, so that they open and close together",
        source="field: one noise sample for many gates",
    ),
    Mutant(
        name="strata_too_wide",
        file="edgeprune_core/training/gates.py",
        old="return ((order + torch.rand(circuits, *shape, generator=generator)) / circuits).to(device, dtype)",
        new="return ((order + 2 * torch.rand(circuits, *shape, generator=generator)) / (circuits + 1)).to(device, dtype)",
        why="noise of several strata is not uniform",
        source="ours",
    ),
    Mutant(
        name="every_circuit_of_a_step_alike",
        file=_FILE,
        old="order = torch.rand(circuits, *shape, generator=generator).argsort(0)",
        new="order = torch.rand(1, *shape, generator=generator).mul(circuits).floor()",
        why="one stratum a gate is drawn for all circuits of a step",
        source="field: noise shared over the batch where it should not be",
    ),
)
