"""Faults of the masked forward: what a reader sees, and what a cut edge carries."""

from __future__ import annotations

from tracrcheck.mutants.base import Mutant

_FILE = "edgeprune_core/engine.py"

ENGINE = (
    Mutant(
        name="one_edge_cut_for_all_heads",
        file=_FILE,
        old="q = stream.read([row + h for h in heads])",
        new="q = stream.read([row for h in heads])",
        why="all heads of a layer read queries through the first one's edges",
        source="AutoCircuit a6022f1: one edge changes all readers of the module",
    ),
    Mutant(
        name="keys_through_the_edges_of_queries",
        file=_FILE,
        old="k_row = row + spec.n_heads",
        new="k_row = row",
        why="key masks are aliases of query masks, and value masks of key masks",
        source="field: q, k and v masks aliased; TransformerLens split_qkv",
    ),
    Mutant(
        name="values_through_the_edges_of_keys",
        file=_FILE,
        old="v_row = k_row + spec.n_kv_heads",
        new="v_row = k_row",
        why="value masks are aliases of key masks",
        source="field: q, k and v masks aliased",
    ),
    Mutant(
        name="keys_and_values_exchanged",
        file=_FILE,
        old="out = heads_output(model, layer, q, k, v, heads=heads",
        new="out = heads_output(model, layer, q, v, k, heads=heads",
        why="what keys should read is read as values",
        source="field: q, k and v masks permuted",
    ),
    Mutant(
        name="queries_unmasked",
        file=_FILE,
        old="q = stream.read([row + h for h in heads])",
        new="""everything = stream.deltas.sum(1).view(stream.circuits, 1, *stream.shape) + stream.base
            q = everything.expand(-1, len(heads), -1, -1, -1)""",
        why="edges into queries are never cut",
        source="field: the pattern frozen when it should be computed anew",
    ),
    Mutant(
        name="mlp_edges_off_by_one",
        file=_FILE,
        old="mlp_row = row + graph.readers_per_layer - 1",
        new="mlp_row = row + graph.readers_per_layer",
        why="an MLP reads through the edges of the next reader",
        source="ACDC pull request 14: MLP edges off by one layer",
    ),
    Mutant(
        name="mlp_blind_to_its_layer",
        file=_FILE,
        old="seen = (before_heads, mlp_base) if graph.parallel_blocks else (stream.written, stream.base)",
        new="seen = (before_heads, mlp_base)",
        why="an MLP does not see the heads of its own layer",
        source="field: sequential taken for parallel blocks",
    ),
    Mutant(
        name="parallel_mlp_sees_its_layer",
        file=_FILE,
        old="seen = (before_heads, mlp_base) if graph.parallel_blocks else (stream.written, stream.base)",
        new="seen = (stream.written, stream.base)",
        why="with parallel blocks an MLP sees its own layer's attention bias and the backgrounds of its heads",
        source="field: parallel taken for sequential blocks",
    ),
    Mutant(
        name="attention_bias_lost",
        file=_FILE,
        old="stream.base = stream.base + weights.b_o[layer]",
        new="pass",
        why="the attention output bias is not added: Tracr's models have none",
        source="field: b_O lost",
    ),
    Mutant(
        name="attention_bias_doubled",
        file=_FILE,
        old="stream.base = stream.base + weights.b_o[layer]",
        new="stream.base = stream.base + 2 * weights.b_o[layer]",
        why="the attention output bias is added twice",
        source="field: b_O doubled",
    ),
    Mutant(
        name="attention_bias_split_over_heads",
        file=_FILE,
        old="""            mlp_base = stream.base
            stream.write(out, [first + h for h in heads])
        else:
            mlp_base = stream.base
        stream.skip([first + h for h in range(spec.n_heads) if h not in heads])
        stream.base = stream.base + weights.b_o[layer]""",
        new="""            mlp_base = stream.base
            stream.write(out + weights.b_o[layer] / spec.n_heads, [first + h for h in heads])
        else:
            mlp_base = stream.base
        stream.skip([first + h for h in range(spec.n_heads) if h not in heads])""",
        why="each head writes its share of the bias, so that cutting an edge cuts a part of it",
        source="Edge Pruning: b_O / num_heads inside of each head",
    ),
    Mutant(
        name="heads_normed_as_they_write",
        file=_FILE,
        old="            stream.write(out, [first + h for h in heads])",
        new="""            if spec.norm != "none":
                out = out / (out.square().mean(-1, keepdim=True) + spec.norm_eps).sqrt()
            stream.write(out, [first + h for h in heads])""",
        why="what heads write is normed before the masked sum",
        source="field: LayerNorm applied before the sum",
    ),
    Mutant(
        name="positions_travel_with_tokens",
        file=_FILE,
        old="""        embedded.append(weights.pos[: tokens.shape[1]].expand_as(embedded[0]))""",
        new="""        embedded[0] = embedded[0] + weights.pos[: tokens.shape[1]]
        embedded.append(torch.zeros_like(embedded[0]))""",
        why="the edges of `tok` carry the position embedding, those of `pos` nothing",
        source="ACDC pull request 67: position embedding lost as a writer",
    ),
    Mutant(
        name="ablation_beneath_kept_edges",
        file=_FILE,
        old="            out = out - base",
        new="            pass",
        why="a kept edge carries the ablation beside the value",
        source="field: the complement patched, or both",
    ),
    Mutant(
        name="complement_patched",
        file=_FILE,
        old="    stream = _Stream(model, mask, background, tokens.shape, alive)",
        new="    mask = mask if live is None else 1 - mask\n"
        "    stream = _Stream(model, mask, background, tokens.shape, alive)",
        why="where only live writers are computed, kept edges are cut and cut ones kept",
        source="AutoCircuit: the complement patched",
    ),
    Mutant(
        name="cache_overwritten_by_the_run",
        file=_FILE,
        old="self.buffer = self.base.new_empty(self.circuits, sum(alive), flat)",
        new="""floats = self.circuits * sum(alive) * flat
            room = _forward.__dict__.setdefault(self.base.dtype, self.base.new_empty(2**21))
            room = room if floats <= len(room) else self.base.new_empty(floats)
            self.buffer = room[:floats].view(self.circuits, sum(alive), flat)""",
        why="runs share one buffer, so that the corrupted activations kept from one are overwritten by the next",
        source="ACDC de20b56e: corrupted cache overwritten by online activations",
    ),
    Mutant(
        name="writers_reshaped_as_batch",
        file=_FILE,
        old="writers = stream.deltas[0].view(len(graph.writers), *tokens.shape, model.spec.d_model)",
        new="batch, pos = tokens.shape\n"
        "    writers = stream.deltas[0].view(batch, len(graph.writers), pos, -1).transpose(0, 1)",
        why="(writer, batch) is read as (batch, writer)",
        source="Edge Pruning on several GPUs",
    ),
    Mutant(
        name="ablation_of_dead_writers_lost",
        file=_FILE,
        old="        if self.background is not None and writers:",
        new="        if False:",
        why="cut edges of writers that are not computed carry nothing, whatever the ablation",
        source="EAP-IG: childless nodes",
    ),
    Mutant(
        name="gradient_stops_at_writers",
        file=_FILE,
        old="self.chunks.append(out.reshape(self.circuits, len(keep), -1))",
        new="self.chunks.append(out.detach().reshape(self.circuits, len(keep), -1))",
        why="gradients reach the edges into the output only",
        source="nnsight issues 143 and 502: patches without effect",
    ),
    Mutant(
        name="gradient_run_keeps_whole_edges",
        file=_FILE,
        old="mixed = torch.bmm(self.mask[:, rows, :n], self.deltas[:, :n])",
        new="share = self.mask[:, rows, :n]\n"
        "        mixed = torch.bmm(share + (share.round() - share).detach(), self.deltas[:, :n])",
        why="half-open gates are rounded in the forward pass, and pass their gradient straight through",
        source="ours, after straight-through estimators",
    ),
)
