"""Faults of attribution scores and of the methods that rank or try edges."""

from __future__ import annotations

from tracrcheck.mutants.base import Mutant

_ATTRIBUTION = "edgeprune_core/attribution.py"
_RANKED = "edgeprune_core/methods/top_edges.py"
_ACDC = "edgeprune_core/methods/acdc.py"

SCORES = (
    Mutant(
        name="integrated_gradients_from_the_left",
        file=_ATTRIBUTION,
        old="""                mask = (_everything(task) * (k / steps)).requires_grad_()""",
        new="""                mask = (_everything(task) * ((k - 1) / steps)).requires_grad_()""",
        why="the sum takes the corrupted end and leaves the clean one: with one step, the empty circuit's gradient",
        source="EAP-IG: range(0, steps) and range(1, steps + 1)",
    ),
    Mutant(
        name="input_path_from_the_left",
        file=_ATTRIBUTION,
        old="total += _at_input(task, items, carried, k / steps)",
        new="total += _at_input(task, items, carried, (k - 1) / steps)",
        why="the same along inputs",
        source="EAP-IG: range(0, steps) and range(1, steps + 1)",
    ),
    Mutant(
        name="input_path_is_one_point",
        file=_ATTRIBUTION,
        old="embedded = task.writers[:n, clean].sum(0) - (1 - share) * carried[:n].sum(0)",
        new="embedded = task.writers[:n, clean].sum(0)",
        why="gradients are taken at the clean input at every step",
        source="EAP-IG against EAP",
    ),
    Mutant(
        name="difference_of_the_wrong_sign",
        file=_ATTRIBUTION,
        old="carried = wrote if background is None else wrote - background",
        new="carried = wrote if background is None else background - wrote",
        why="the difference carried is corrupted less clean",
        source="field: sign of (clean - corrupted) times gradient",
    ),
    Mutant(
        name="attributions_of_the_last_batch",
        file=_ATTRIBUTION,
        old="            total += torch.autograd.grad(margins.sum(), mask)[0]\n    return edge_values",
        new="            total = torch.autograd.grad(margins.sum(), mask)[0]\n    return edge_values",
        why="earlier batches and steps are forgotten",
        source="MIB: only the last batch",
    ),
    Mutant(
        name="attributions_scaled_by_the_batch",
        file=_ATTRIBUTION,
        old="""            total += torch.autograd.grad(margins.sum(), mask)[0]
    return edge_values(task.graph, total)[0] / (steps * len(task.items))""",
        new="""            total += torch.autograd.grad(margins.sum(), mask)[0]
    return edge_values(task.graph, total)[0] / (steps * items_at_once)""",
        why="the mean is over the batch size that was asked for",
        source="field: denominators",
    ),
    Mutant(
        name="numerical_margins_by_value",
        file="edgeprune_core/task.py",
        old="weight = (want - self.reference[self.scored].mean(0)).sign()",
        new="weight = torch.ones_like(want)",
        why="inputs with low and with high outputs cancel in the mean",
        source="ours",
    ),
    Mutant(
        name="top_of_signed_scores",
        file="edgeprune_core/methods/eap.py",
        old="scores = margin_gradient(task, items_at_once=self.items_at_once).abs()",
        new="scores = margin_gradient(task, items_at_once=self.items_at_once)",
        why="edges that lower the metric rank last, however large their effect",
        source="MIB: --absolute",
    ),
    Mutant(
        name="top_of_signed_integrated_scores",
        file="edgeprune_core/methods/eap_ig.py",
        old="scores = _PATHS[self.path](task, steps=self.steps, items_at_once=self.items_at_once).abs()",
        new="scores = _PATHS[self.path](task, steps=self.steps, items_at_once=self.items_at_once)",
        why="edges that lower the metric rank last, however large their effect",
        source="MIB: --absolute",
    ),
    Mutant(
        name="lowest_scores_kept",
        file=_RANKED,
        old="return scores.argsort(descending=True, stable=True).tolist()",
        new="return scores.argsort(stable=True).tolist()",
        why="the ranking is upside down",
        source="field: top k of the wrong sign",
    ),
    Mutant(
        name="bisection_ends_at_the_last_midpoint",
        file=_RANKED,
        old="    return _first(task, order, enough), tried",
        new="    return _first(task, order, middle if tried else enough), tried",
        why="the last number tried is returned, accepted or not",
        source="Edge Pruning: binary search at evaluation",
    ),
    Mutant(
        name="bisection_one_short",
        file=_RANKED,
        old="    while few < enough:",
        new="    while few < enough - 1:",
        why="the search ends with two candidates left, and takes the larger",
        source="field: search that stops early",
    ),
    Mutant(
        name="exact_cuts_pile_up",
        file="edgeprune_core/methods/exact.py",
        old="            kept[torch.arange(len(cut)), cut] = 0",
        new="            kept[:, : int(cut[0])] = 0\n            kept[torch.arange(len(cut)), cut] = 0",
        why="edges that were scored before stay cut",
        source="EAP-IG: exact scoring mutates the graph",
    ),
    Mutant(
        name="exact_by_the_mean_item",
        file="edgeprune_core/methods/exact.py",
        old='parts.append(moved.amax(1) if self.over == "worst" else moved.mean(1))',
        new='parts.append(moved.mean(1) if self.over == "worst" else moved.amax(1))',
        why="the worst item and the mean are exchanged",
        source="field: means that dilute rare items",
    ),
    Mutant(
        name="divergence_of_one_part",
        file="edgeprune_core/deviations.py",
        old="        n += part",
        new="        n = part",
        why="the mean over the list is divided by its last part's positions",
        source="MIB: only the last batch",
    ),
    Mutant(
        name="acdc_against_the_full_model",
        file=_ACDC,
        old="            kept[reader, writer] = False\n            now = value",
        new="            kept[reader, writer] = False",
        why="growth is measured from the reader's start, not from the last cut",
        source="ACDC, Algorithm 1",
    ),
    Mutant(
        name="acdc_from_the_first_reader",
        file=_ACDC,
        old="    for reader in reversed(graph.readers):",
        new="    for reader in graph.readers:",
        why="readers are tried from the embeddings on",
        source="ACDC 4e2390e5: order of receivers and senders",
    ),
    Mutant(
        name="acdc_skips_heads_with_one_dead_port",
        file=_ACDC,
        old="if reader in nodes and not kept[:, nodes[reader]].any():",
        new="if reader in nodes and not kept[:, nodes[reader]].any(0).all():",
        why="with shared keys and values, a reader is skipped where one of its heads is dead",
        source="TransformerLens issue 519; ACDC: connectedness",
    ),
    Mutant(
        name="acdc_keeps_what_grows_least",
        file=_ACDC,
        old="            if not value - now < tau:",
        new="            if value - now < tau:",
        why="edges are kept where cutting them costs little",
        source="field: direction of a threshold",
    ),
    Mutant(
        name="random_keeps_the_rest",
        file="edgeprune_core/methods/random_edges.py",
        old="if s < self.keep_fraction]",
        new="if s > self.keep_fraction]",
        why="the floor keeps the share that it should cut",
        source="field: sparsity taken for density",
    ),
)
