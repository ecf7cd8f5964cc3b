"""The pruning methods of AutoCircuit (Miller et al. 2024, arXiv 2407.08734; https://github.com/UFO-101/auto-circuit).

Named for the gate: `--method tracrcheck.peers.autocircuit:acdc`. Each is one that the package registers in
`prune_algos.py`, with the settings registered there, of version 1.0.1 with TransformerLens 3.9.0. What is done around it:

    - TransformerLens 3 moved and renamed HookedTransformerKeyValueCache: the old name is put back
    - torch 2.13 hides `torch.optim.adam`, which subnetwork probing calls: it is put back
    - no training curve is drawn
    - Integrated Edge Gradients take 50 samples; 1,000 are registered for logit differences, 50 for answer logits

AutoCircuit takes inputs of one length, and ACDC one batch of them: the longest inputs are used, in one batch. All positions
but BOS count, those where a program has no output among them. For numerical outputs the squared error is the metric, where it
has one; a KL divergence over a single logit is constant, so that `acdc` removes everything: use `acdc_mse`. ACDC takes
patching alone. Subnetwork probing trains under the mean over corrupted inputs, whatever the task's ablation.

Each method scores every edge; the circuit is left open, so the gate judges the ranking. Scores count by magnitude, as in its
`prune_scores_threshold`. ACDC marks edges that it never removes by infinity; here they score above all others.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import torch

from edgeprune_core.criterion import decode
from edgeprune_core.discovery import Discovery, Scores
from edgeprune_core.methods.selectors import Selector
from edgeprune_core.task import Task
from tracrcheck.error_codes import user_error
from tracrcheck.peers import installed
from tracrcheck.peers.peer import Peer, hooked

OLD_CACHE = "transformer_lens.past_key_value_caching"


def _put_back_old_names() -> None:
    lens: Any = installed.transformer_lens()
    if not hasattr(lens, "HookedTransformerKeyValueCache"):
        moved: Any = ModuleType(OLD_CACHE)
        moved.HookedTransformerKeyValueCache = lens.TransformerLensKeyValueCache
        lens.HookedTransformerKeyValueCache = lens.TransformerLensKeyValueCache
        sys.modules.setdefault(OLD_CACHE, moved)
    if not hasattr(torch.optim, "adam"):
        torch.optim.adam = sys.modules["torch.optim.adam"]


_put_back_old_names()
_algorithms = installed.auto_circuit("prune_algos.prune_algos")
_data = installed.auto_circuit("data")
_graphs = installed.auto_circuit("utils.graph_utils")
_types = installed.auto_circuit("types")


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoCircuit:
    """algorithm: its name in `prune_algos.py`. settings: other than registered. numerical, numerical_settings: for numerical
    outputs. takes_zero: whether it has zero ablation. at_most: pairs. select: what makes a circuit of the scores; None: the ranking
    is judged."""

    algorithm: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    numerical: str = ""
    numerical_settings: Mapping[str, Any] = field(default_factory=dict)
    takes_zero: bool = False
    at_most: int = 96
    select: Selector | None = None

    def __call__(self, task: Task) -> Discovery | Scores:
        peer = hooked(task)
        numerical = not task.outcome.categorical
        settings = {**self.settings, **(self.numerical_settings if numerical else {})}
        if peer.intervention == "zero":
            if not self.takes_zero:
                raise user_error(
                    "TC192.patching", where=task.name, got=task.ablation.name, method=self.algorithm
                )
            settings |= {"ablation_type": _types.AblationType.ZERO, "clean_corrupt": None}
        registered = getattr(_algorithms, (numerical and self.numerical) or self.algorithm).func
        model = _graphs.patchable_model(
            peer.model, factorized=True, separate_qkv=True, device=task.model.device,
            slice_output=None if task.scored[:, 0].any() else "not_first_seq",
        )  # fmt: skip
        found = registered(model, prompts(peer, at_most=self.at_most), None, **settings)
        scores = {edge.name: float(edge.prune_score(found)) for edge in model.edges}
        return peer.discovery(_finite(scores), names="autocircuit", by_magnitude=True, select=self.select)


def prompts(peer: Peer, *, at_most: int = 96) -> Any:
    """Its loader of the longest inputs, in one batch. Answers are the model's own outputs: a value and all the others, by
    position; for numerical outputs the numbers."""
    task = peer.task
    n = int(task.valid.sum(1)[task.items[:, 0]].max())
    items = peer.items(at_most=at_most, length=n)
    clean, corrupted = task.tokens[items[:, 0], :n], task.tokens[items[:, 1], :n]
    first = 0 if task.scored[:, 0].any() else 1
    want = task.reference[items[:, 0], first:n]
    if task.outcome.categorical:
        right = decode(want)[..., None]
        every = torch.arange(want.shape[-1]).expand(want.shape)
        wrong = every[every != right].reshape(*want.shape[:-1], -1)
    else:
        right = wrong = want
    dataset = _data.PromptDataset(clean, corrupted, list(right), list(wrong))
    return _data.PromptDataLoader(dataset, seq_len=None, diverge_idx=0, batch_size=len(items), shuffle=False)


def _finite(scores: Mapping[str, float]) -> dict[str, float]:
    """Infinity as a number above all others."""
    largest = max((abs(x) for x in scores.values() if math.isfinite(x)), default=0.0)
    return {name: 2 * largest + 1 if x == math.inf else x for name, x in scores.items()}


_NO_CURVES = {"show_train_graph": False}

acdc = AutoCircuit(algorithm="ACDC_PRUNE_ALGO")
acdc_mse = AutoCircuit(algorithm="MSE_ACDC_PRUNE_ALGO")
edge_attribution = AutoCircuit(
    algorithm="LOGIT_DIFF_GRAD_PRUNE_ALGO", numerical="LOGIT_MSE_GRAD_PRUNE_ALGO", takes_zero=True
)
integrated_edge_gradients = AutoCircuit(
    algorithm="INTEGRATED_EDGE_GRADS_LOGIT_DIFF_PRUNE_ALGO",
    settings={"integrated_grad_samples": 50},
    numerical_settings={"answer_function": "mse"},
    takes_zero=True,
)
subnetwork_edge_probing = AutoCircuit(
    algorithm="SUBNETWORK_EDGE_PROBING_PRUNE_ALGO",
    settings=_NO_CURVES,
    numerical_settings={"faithfulness_target": "mse"},
)
subnetwork_tree_probing = AutoCircuit(
    algorithm="SUBNETWORK_TREE_PROBING_PRUNE_ALGO",
    numerical="MSE_SUBNETWORK_TREE_PROBING_PRUNE_ALGO",
    settings=_NO_CURVES,
)
