"""Faults of the masked forward: what a reader sees, and what a cut edge carries."""

from __future__ import annotations

from tracrcheck.mutants.base import Mutant

_FILE = "edgeprune_core/engine/forward.py"

ENGINE = (
    Mutant(
        name="one_edge_cut_for_all_heads",
        file="edgeprune_core/engine/stream.py",
        old="""\
        return self.mask[:, _span(rows)]
""",
        new="""\
        at = list(rows)
        n = len(at) // 3
        at[:n] = at[:1] * n
        return self.mask[:, at]
""",
        why="all heads of a layer read queries through the first one's edges",
        source="AutoCircuit a6022f1: one edge changes all readers of the module",
    ),
    Mutant(
        name="keys_through_the_edges_of_queries",
        file="edgeprune_core/engine/stream.py",
        old="""\
        return self.mask[:, _span(rows)]
""",
        new="""\
        at = list(rows)
        n = len(at) // 3
        at[n : 2 * n] = at[:n]
        return self.mask[:, at]
""",
        why="key masks are aliases of query masks, and value masks of key masks",
        source="field: q, k and v masks aliased; TransformerLens split_qkv",
    ),
    Mutant(
        name="values_through_the_edges_of_keys",
        file="edgeprune_core/engine/stream.py",
        old="""\
        return self.mask[:, _span(rows)]
""",
        new="""\
        at = list(rows)
        n = len(at) // 3
        at[2 * n : 3 * n] = at[n : 2 * n]
        return self.mask[:, at]
""",
        why="value masks are aliases of key masks",
        source="field: q, k and v masks aliased",
    ),
    Mutant(
        name="keys_and_values_exchanged",
        file="edgeprune_core/engine/forward.py",
        old="attended(model, layer, *ports, heads=heads",
        new="attended(model, layer, ports[0], ports[2], ports[1], heads=heads",
        why="what keys should read is read as values",
        source="field: q, k and v masks permuted",
    ),
    Mutant(
        name="queries_unmasked",
        file="edgeprune_core/engine/stream.py",
        old="""\
        return self.mask[:, _span(rows)]
""",
        new="""\
        at = list(rows)
        n = len(at) // 3
        part = self.mask[:, at].clone()
        part[:, :n] = 1
        return part
""",
        why="edges into queries are never cut",
        source="field: the pattern frozen when it should be computed anew",
    ),
    Mutant(
        name="mlp_edges_off_by_one",
        file="edgeprune_core/engine/forward.py",
        old="""\
row + graph.readers_per_layer - 1
""",
        new="""\
row + graph.readers_per_layer
""",
        why="an MLP reads through the edges of the next reader",
        source="ACDC pull request 14: MLP edges off by one layer",
    ),
    Mutant(
        name="mlp_blind_to_its_layer",
        file="edgeprune_core/engine/forward.py",
        old="""\
    if not graph.parallel_blocks:
""",
        new="""\
    if False:
""",
        why="an MLP does not see the heads of its own layer",
        source="field: sequential taken for parallel blocks",
    ),
    Mutant(
        name="parallel_mlp_sees_its_layer",
        file="edgeprune_core/engine/forward.py",
        old="""\
    if not graph.parallel_blocks:
""",
        new="""\
    if True:
""",
        why="with parallel blocks an MLP sees its own layer's attention bias and the backgrounds of its heads",
        source="field: parallel taken for sequential blocks",
    ),
    Mutant(
        name="attention_bias_lost",
        file="edgeprune_core/engine/forward.py",
        old="""\
    stream.shift(model.weights.b_o[layer])
""",
        new="""\
    pass
""",
        why="the attention output bias is not added: Tracr's models have none",
        source="field: b_O lost",
    ),
    Mutant(
        name="attention_bias_doubled",
        file="edgeprune_core/engine/forward.py",
        old="""\
    stream.shift(model.weights.b_o[layer])
""",
        new="""\
    stream.shift(2 * model.weights.b_o[layer])
""",
        why="the attention output bias is added twice",
        source="field: b_O doubled",
    ),
    Mutant(
        name="attention_bias_split_over_heads",
        file="edgeprune_core/engine/forward.py",
        old="""\
        stream.write(out, [first + h for h in heads])
    elif alive:
        seen = stream.read(mlp_row)
    stream.skip([first + h for h in range(spec.n_heads) if h not in heads])
    stream.shift(model.weights.b_o[layer])
""",
        new="""\
        stream.write(out + model.weights.b_o[layer] / spec.n_heads, [first + h for h in heads])
    elif alive:
        seen = stream.read(mlp_row)
    stream.skip([first + h for h in range(spec.n_heads) if h not in heads])
""",
        why="each head writes its share of the bias, so that cutting an edge cuts a part of it",
        source="Edge Pruning: b_O / num_heads inside of each head",
    ),
    Mutant(
        name="heads_normed_as_they_write",
        file="edgeprune_core/engine/forward.py",
        old="""\
        stream.write(out, [first + h for h in heads])
""",
        new="""\
        if spec.norm != "none":
            out = out / (out.square().mean(-1, keepdim=True) + spec.norm_eps).sqrt()
        stream.write(out, [first + h for h in heads])
""",
        why="what heads write is normed before the masked sum",
        source="field: LayerNorm applied before the sum",
    ),
    Mutant(
        name="positions_travel_with_tokens",
        file="edgeprune_core/engine/forward.py",
        old="""\
        embedded.append(weights.pos[: tokens.shape[1]].expand_as(embedded[0]))
""",
        new="""\
        embedded[0] = embedded[0] + weights.pos[: tokens.shape[1]]
        embedded.append(torch.zeros_like(embedded[0]))
""",
        why="the edges of `tok` carry the position embedding, those of `pos` nothing",
        source="ACDC pull request 67: position embedding lost as a writer",
    ),
    Mutant(
        name="ablation_beneath_kept_edges",
        file="edgeprune_core/engine/write_buffer.py",
        old="""\
            torch.sub(flat.expand_as(slot), background.flatten(1), out=slot)
""",
        new="""\
            slot.copy_(flat.expand_as(slot))
""",
        why="a kept edge carries the ablation beside the value",
        source="field: the complement patched, or both",
    ),
    Mutant(
        name="complement_patched",
        file="edgeprune_core/engine/forward.py",
        old="""\
    stream = Stream(model, mask, background, tokens.shape, alive)
""",
        new="""\
    stream = Stream(model, mask if live is None else 1 - mask, background, tokens.shape, alive)
""",
        why="where only live writers are computed, kept edges are cut and cut ones kept",
        source="AutoCircuit: the complement patched",
    ),
    Mutant(
        name="cache_overwritten_by_the_run",
        file="edgeprune_core/engine/stream.py",
        old="""\
        self.writers = self.base.new_empty(n_writers, *self.base.shape) if keep else None
""",
        new="""\
        floats = n_writers * self.base.numel()
        room = _span.__dict__.setdefault(self.base.dtype, self.base.new_empty(2**21))
        room = room if floats <= len(room) else self.base.new_empty(floats)
        self.writers = room[:floats].view(n_writers, *self.base.shape) if keep else None
""",
        why="runs share one buffer, so that the corrupted activations kept from one are overwritten by the next",
        source="ACDC de20b56e: corrupted cache overwritten by online activations",
    ),
    Mutant(
        name="writers_reshaped_as_batch",
        file="edgeprune_core/engine/forward.py",
        old="""\
    return Trace(stream.writers, outputs)
""",
        new="""\
    batch, pos = tokens.shape
    return Trace(stream.writers.reshape(batch, -1, pos, model.spec.d_model).transpose(0, 1), outputs)
""",
        why="(writer, batch) is read as (batch, writer)",
        source="Edge Pruning on several GPUs",
    ),
    Mutant(
        name="ablation_of_dead_writers_lost",
        file="edgeprune_core/engine/stream.py",
        old="""\
        if self.background is not None and writers:
""",
        new="""\
        if False:
""",
        why="cut edges of writers that are not computed carry nothing, whatever the ablation",
        source="EAP-IG: childless nodes",
    ),
    Mutant(
        name="gradient_stops_at_writers",
        file="edgeprune_core/engine/stream.py",
        old="Write.apply(self.tape, out, background",
        new="Write.apply(self.tape, out.detach(), background",
        why="gradients reach the edges into the output only",
        source="nnsight issues 143 and 502: patches without effect",
    ),
    Mutant(
        name="gradient_run_keeps_whole_edges",
        file="edgeprune_core/engine/stream.py",
        old="""\
        return self.mask[:, _span(rows)]
""",
        new="""\
        part = self.mask[:, _span(rows)]
        return part if self.tape is None else part + (part.round() - part).detach()
""",
        why="half-open gates are rounded in the forward pass, and pass their gradient straight through",
        source="ours, after straight-through estimators",
    ),
)
