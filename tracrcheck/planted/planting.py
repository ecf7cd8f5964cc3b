"""Planting: Compiled -> Planted, a larger model with the same outputs and a known circuit.

    1. The program's heads and MLPs go to slots in order (slots.py). Its stream is the first n_read coordinates.
    2. Distractors fill every other slot (distractors.py), layer by layer, scaled to what the stream allows (host.py).
    3. Everything is rotated: the stream by a random orthogonal matrix Q, and within each true head its queries and keys
       by one, its values by another. A reader's weights W become Q^T W, and what is written, w, becomes w Q: every
       product of a writer and a reader stays the same, and no zeros remain visible.

The units of a true MLP are shuffled. If the host's MLPs are wider, some units are split: two units with the same input
and half the output each equal one unit.

The truth. Program components read only the program's coordinates, and distractors write nothing there. So in any
circuit of the host a program component sees what it sees in the same circuit of the original, whichever edges of
distractors are kept: the faithful circuits are the mapped ones plus any edges of distractors, and the smallest ones
are the mapped smallest. (Heads of one layer that are spread over several could now read each other, but compiled heads
read nothing that their own layer writes.) Only rounding leaks through: see leak.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from edgeprune_core.circuit import Circuit
from edgeprune_core.graph import Edge, ResidualGraph
from edgeprune_core.weights import Model
from tracrcheck.compiler.compile import Compiled, compile_program
from tracrcheck.error_codes import user_error
from tracrcheck.planted.distractors import Draw
from tracrcheck.planted.host import Host
from tracrcheck.planted.slots import check_slots, components, random_slots
from tracrcheck.program import ByHand


@dataclass(frozen=True, kw_only=True, eq=False)
class Planted:
    """A planted program.

    original:    the program as it was compiled.
    model:       the host, float64.
    slots:       component of the original -> writer of the host.
    distractors: writer of the host -> what it is, in words.
    copied:      distractor that nearly copies a component of the program -> that component's slot.
    directions:  the program's stream inside the host's: orthonormal rows.
    """

    original: Compiled
    model: Model
    slots: dict[str, str]
    distractors: dict[str, str]
    copied: dict[str, str]
    seed: int
    directions: Float[Tensor, "n_read d_model"]

    @cached_property
    def graph(self) -> ResidualGraph:
        return ResidualGraph.of(self.model.spec)

    @cached_property
    def compiled(self) -> Compiled:
        """The planted program as `compile_program` returns it for a program file with this model."""
        program = self.original.program
        return compile_program(replace(program, name=f"planted_{program.name}", by_hand=self.by_hand))

    def mapped(self, circuit: Circuit) -> Circuit:
        """A circuit of the original in the host. Edges of heads and MLPs that are empty in the original carry
        nothing and have no counterpart: they are left out."""
        return Circuit(self.graph, frozenset(self._hosted[e] for e in circuit if e in self._hosted))

    def own(self, circuit: Circuit) -> Circuit:
        """The original's edges that a circuit of the host keeps."""
        kept = frozenset(mine for mine, edge in self._hosted.items() if edge in circuit)
        return Circuit(self.original.graph, kept)

    @cached_property
    def _hosted(self) -> dict[Edge, Edge]:
        """Edge of the original -> edge of the host."""
        found = {}
        for edge in self.original.graph.edges:
            port = f".{edge.reader.port}" if edge.reader.port else ""
            node, writer = str(edge.reader).removesuffix(port), str(edge.writer)
            if node in self._at and writer in self._at:
                found[edge] = self.graph.edge(f"{self._at[writer]} -> {self._at[node]}{port}")
        return found

    @cached_property
    def _at(self) -> dict[str, str]:
        return {"tok": "tok", "pos": "pos", "out": "out"} | self.slots

    def by_hand(self) -> ByHand:
        """The model as a program file supplies it."""
        tokens = sorted(self.original.token_ids, key=self.original.token_ids.__getitem__)
        provenance: dict[str, Any] = {w: (text,) for w, text in self.distractors.items()}
        for name, texts in self.original.provenance.items():
            if name in self._at:
                provenance[self._at[name]] = texts
        return ByHand(
            model=self.model,
            tokens=tokens,
            output_values=self.original.output_values,
            provenance=provenance,
        )


def plant(
    compiled: Compiled,
    *,
    layers: int,
    heads: int,
    d_model: int | None = None,
    d_head: int | None = None,
    d_mlp: int | None = None,
    seed: int = 0,
    slots: Mapping[str, str] | None = None,
    crowded: bool = False,
) -> Planted:
    """Hides a program in a transformer of `layers` x `heads`. The same call gives the same model.

    d_model: at least one more than the program's; by default twice the program's.
    d_head, d_mlp: at least the program's, which is the default.
    slots:   component -> writer of the host, for every component; drawn at random by default.
    crowded: the program may take more than half of the heads of a layer.

    Errors: TC160 (a size, or a model of another kind), TC161 (slots).
    """
    own = compiled.model.spec
    _check_kind(compiled)
    spec = replace(
        own,
        n_layers=layers,
        n_heads=heads,
        n_kv_heads=heads,
        d_model=_size("d_model", d_model, own.d_model + 1, 2 * own.d_model),
        d_head=_size("d_head", d_head, own.d_head, own.d_head),
        d_mlp=_size("d_mlp", d_mlp, own.d_mlp, own.d_mlp),
    )
    graph, stages = ResidualGraph.of(spec), components(compiled.model)
    if slots is None:
        placed = random_slots(stages, graph, generator=torch.Generator().manual_seed(seed))
    else:
        placed = check_slots(slots, stages, graph, crowded=crowded)
    draw = Draw.of(seed)
    host = Host(compiled, spec, placed, draw)
    host.put_program()
    host.fill()
    turn = draw.orthogonal(spec.d_model)
    return Planted(
        original=compiled,
        model=host.turned(turn),
        slots=placed,
        distractors=host.distractors,
        copied=host.copied,
        seed=seed,
        directions=turn[: own.d_model],
    )


def _size(name: str, got: int | None, least: int, usual: int) -> int:
    if got is None:
        return usual
    if got < least:
        raise user_error("TC160.size", got=got, name=name, least=least)
    return got


def _check_kind(compiled: Compiled) -> None:
    spec, w = compiled.model.spec, compiled.model.weights
    plain = replace(
        spec,
        norm="none",
        gated_mlp=False,
        positions="learned",
        parallel_blocks=False,
        n_kv_heads=spec.n_heads,
    )
    loose = any(bool((w.b_o[n] != 0).any()) and not bool((w.w_o[n] != 0).any()) for n in range(spec.n_layers))
    if spec != plain or loose:
        raise user_error("TC160.kind", got=spec, program=compiled.program.name)
