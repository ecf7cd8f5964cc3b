"""How a model's margin changes with each edge, to first order: at the full circuit, or on average along a path to it.

The engine gives reader r the input  x_r = background + sum_w mask[r, w] (out_w - background_w), so

    d margin / d mask[r, w]  =  (out_w - background_w) . d margin / d x_r:

the difference that the edge carries beyond its ablation, times the gradient at the reader's input. With every edge
kept, that is what attribution patching computes edge by edge (Nanda 2023; Syed et al. 2023, arXiv 2310.10348, eq. 2,
there for cutting, with the other sign), for whatever ablation the task has.

Integrated gradients (Sundararajan et al. 2017, arXiv 1703.01365) take the mean of gradients on a straight way from
where everything is cut to where everything is kept, at its points k / steps for k = 1 .. steps, as Hanna et al. 2024
(arXiv 2403.17806). One step is the full circuit itself. Two ways:

    masks    every edge kept to the share k / steps. These are integrated gradients of the function mask -> margin, so
             scores sum to margin(all kept) - margin(all cut), up to an error that falls as 1 / steps;
    inputs   every edge kept, and the embeddings k / steps of the way from what their cut edges carry to the clean ones.
             Gradients are those of these runs, differences those of the clean one. No such sum holds.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from edgeprune_core.engine import run, trace
from edgeprune_core.mask import edge_mask, edge_values
from edgeprune_core.task import Task
from edgeprune_core.weights import Model


def margin_gradient(task: Task, *, steps: int = 1, items_at_once: int = 32) -> Float[Tensor, " edge"]:
    """The mean over items, and along masks, of d margin / d mask, in the order of `graph.edges`.

    steps: on the way; 1 is the gradient at the full circuit. items_at_once: of a forward and backward pass.
    """
    total = torch.zeros_like(_everything(task))
    for items in task.items.split(items_at_once):
        for k in range(1, steps + 1):
            with torch.enable_grad():
                mask = (_everything(task) * (k / steps)).requires_grad_()
                margins = task.margins(task.outputs(mask, items), items)
            total += torch.autograd.grad(margins.sum(), mask)[0]
    return edge_values(task.graph, total)[0] / (steps * len(task.items))


def margin_gradient_along_inputs(
    task: Task, *, steps: int, items_at_once: int = 32
) -> Float[Tensor, " edge"]:
    """The same with the gradients along inputs and the differences of the clean run."""
    total = torch.zeros_like(_everything(task))
    for items in task.items.split(items_at_once):
        wrote, background = task.wrote(items[:, 0]), task.background(items)
        carried = wrote if background is None else wrote - background
        for k in range(1, steps + 1):
            total += _at_input(task, items, wrote, carried, k / steps)
    return edge_values(task.graph, total)[0] / (steps * len(task.items))


def _at_input(
    task: Task,
    items: Int[Tensor, "item 2"],
    wrote: Float[Tensor, "writer item pos d_model"],
    carried: Float[Tensor, "writer item pos d_model"],
    share: float,
) -> Float[Tensor, "1 reader writer"]:
    """The sum over items of carried_w . d margin / d x_r in runs on embeddings `share` of the way to the clean ones.

    With every mask entry 1 the background cancels. So we choose it such that what an edge carries beyond it is
    `carried`; the engine's gradient in the mask is then the product we want.
    """
    clean, n = items[:, 0], task.graph.n_embeddings
    embedded = wrote[:n].sum(0) - (1 - share) * carried[:n].sum(0)
    model = _embedding(task.model, embedded)
    tokens = torch.arange(model.spec.d_vocab, device=model.device).view(embedded.shape[:2])
    valid, places = task.valid[clean], None if task.places is None else task.places[clean]
    background = trace(model, tokens, valid=valid).writers - carried
    with torch.enable_grad():
        mask = _everything(task).requires_grad_()
        margins = task.margins(run(model, tokens, mask, background, valid=valid, places=places), items)
    return torch.autograd.grad(margins.sum(), mask)[0]


def _embedding(model: Model, embedded: Float[Tensor, "item pos d_model"]) -> Model:
    """The model with one token per place of `embedded`; that token's embedding, position included, is the value there."""
    weights = replace(model.weights, tok=embedded.flatten(0, 1))
    if weights.pos is not None:
        weights = replace(weights, pos=torch.zeros_like(weights.pos))
    return Model(replace(model.spec, d_vocab=len(weights.tok)), weights)


def _everything(task: Task) -> Float[Tensor, "1 reader writer"]:
    return edge_mask(task.graph, device=task.model.device)[None].to(task.model.dtype)
