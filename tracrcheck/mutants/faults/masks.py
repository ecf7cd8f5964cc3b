"""Faults of graphs, circuits and masks: which edges there are, and which are kept."""

from __future__ import annotations

from tracrcheck.mutants.base import Mutant

MASKS = (
    Mutant(
        name="future_edges_counted",
        file="edgeprune_core/graph.py",
        old='own_heads = self.n_heads if reader.kind == "mlp" and not self.parallel_blocks else 0',
        new='own_heads = self.n_heads if reader.kind in ("mlp", "head") and not self.parallel_blocks else 0',
        why="heads of one layer count as read by each other: edges that cannot exist",
        source="EAP-IG, top n at node level",
    ),
    Mutant(
        name="layers_counted_for_heads",
        file="edgeprune_core/graph.py",
        old="first = self.n_embeddings + reader.layer * (self.n_heads + 1)",
        new="first = self.n_embeddings + reader.layer * (self.n_layers + 1)",
        why="the number of layers stands for that of heads: unseen where they are equal, as in GPT-2 small",
        source="Edge Pruning, fixed August 2025",
    ),
    Mutant(
        name="parallel_and_sequential_swapped",
        file="edgeprune_core/graph.py",
        old='reader.kind == "mlp" and not self.parallel_blocks else 0',
        new='reader.kind == "mlp" and self.parallel_blocks else 0',
        why="an MLP has no edges from its own layer's heads where blocks are sequential",
        source="field: same-layer attention; ACDC pull request 14",
    ),
    Mutant(
        name="position_edges_missing",
        file="edgeprune_core/graph.py",
        old='spec.positions == "learned", spec.parallel_blocks',
        new="False, spec.parallel_blocks",
        why="the position embedding is no writer, and its edges are missing",
        source="ACDC pull request 67",
    ),
    Mutant(
        name="own_ports_of_another_group",
        file="edgeprune_core/graph.py",
        old="kv = writer.head // (self.n_heads // self.n_kv_heads)",
        new="kv = writer.head % self.n_kv_heads",
        why="with grouped heads, a head counts as reading the keys and values of another group",
        source="TransformerLens issues 519 and 520",
    ),
    Mutant(
        name="sparsity_of_impossible_edges",
        file="edgeprune_core/circuit.py",
        old="return len(self) / self.graph.n_edges",
        new="return len(self) / (len(self.graph.readers) * len(self.graph.writers))",
        why="the share of edges kept is taken of all entries of the mask, legal or not",
        source="EAP-IG; Edge Pruning counts nodes alike",
    ),
    Mutant(
        name="dangling_edges_kept",
        file="edgeprune_core/circuit.py",
        old="""                kept.add(edge)
                queue += self.graph.readers_of(edge.writer)
        return Circuit(self.graph, frozenset(kept))""",
        new="""                kept.add(edge)
                queue += self.graph.readers_of(edge.writer)
        return Circuit(self.graph, self.edges)""",
        why="edges without a path to the output count as kept",
        source="EAP-IG pull requests 16 and 17",
    ),
    Mutant(
        name="circuit_file_forgets_parallel_blocks",
        file="edgeprune_core/circuit.py",
        old='"parallel_blocks": graph.parallel_blocks,',
        new='"parallel_blocks": False,',
        why="a circuit of a model with parallel blocks is read back as one of another graph",
        source="ours, after stale artefacts evaluated as new ones",
    ),
    Mutant(
        name="one_writer_too_many_is_legal",
        file="edgeprune_core/mask.py",
        old="< reach[:, None]",
        new="<= reach[:, None]",
        why="every reader may read one writer that has not yet written",
        source="field: future edges",
    ),
    Mutant(
        name="circuits_of_a_batch_share_a_mask",
        file="edgeprune_core/mask.py",
        old="row[list(readers), list(writers)] = 1",
        new="mask[:, list(readers), list(writers)] = 1",
        why="every circuit of a batch keeps the edges of all",
        source="AutoCircuit: one mask for all readers of a module",
    ),
    Mutant(
        name="impossible_edges_picked",
        file="edgeprune_core/mask.py",
        old="on = kept & legal(graph, device=kept.device)",
        new="on = kept",
        why="marks with no edge behind them name some other edge",
        source="EAP-IG: edges from the future in the top n",
    ),
    Mutant(
        name="masks_filled_by_writer",
        file="edgeprune_core/mask.py",
        old="return mask.masked_scatter(on.expand_as(mask), values) if values.numel() else mask",
        new="""if not values.numel():
        return mask
    turned = mask.transpose(1, 2).contiguous()
    return turned.masked_scatter(on.T.expand_as(turned), values).transpose(1, 2)""",
        why="values in the order of readers are put down in the order of writers",
        source="Edge Pruning: (batch, writer) taken for (writer, batch)",
    ),
    Mutant(
        name="dead_writers_sought_forwards",
        file="edgeprune_core/engine/forward.py",
        old="for writer in reversed(graph.writers):",
        new="for writer in graph.writers:",
        why="only what is joined to the output by one edge, or by luck, counts as alive",
        source="EAP-IG pull request 16: the pruning loop ends early",
    ),
)
