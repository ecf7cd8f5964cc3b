"""A RASP program as a torch model: the passes in order.

Tracr assembles a Haiku model and initialises it through JAX, which takes seconds. Its craft model is plain NumPy and
holds every number already, so we stop there and assemble the weights ourselves (`assemble`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import Any

import torch
from tracr.rasp import rasp

from edgeprune_core.graph import ResidualGraph
from edgeprune_core.weights import Model
from tracrcheck.compiler.assemble import assemble
from tracrcheck.compiler.craft import craft_of
from tracrcheck.compiler.one_order import one_order
from tracrcheck.compiler.unsupported import unrecognised
from tracrcheck.error_codes import user_error
from tracrcheck.program import BOS, PAD, Program, Token
from tracrcheck.rasp.domain import WHOLE, Domain, domain_of
from tracrcheck.rasp.expressions import expressions
from tracrcheck.rasp.interpreter import Evaluator


@dataclass(frozen=True, kw_only=True, eq=False)
class Compiled:
    """A program as a torch model (float64), with its domain and what each writer computes.

    token_ids:     token -> row of the embedding, BOS and PAD included.
    output_values: what each output coordinate stands for; None for a numerical output.
    provenance:    writer name -> the RASP expressions it computes.
    truths:        ablation -> certificate, as a record, where a hand-made model brings its truth along; else None.
    """

    program: Program
    sop: rasp.SOp
    model: Model
    domain: Domain
    token_ids: dict[Token, int]
    output_values: tuple[Any, ...] | None
    provenance: dict[str, tuple[str, ...]]
    truths: Mapping[str, Mapping[str, Any]] | None = None

    @cached_property
    def graph(self) -> ResidualGraph:
        return ResidualGraph.of(self.model.spec)

    @property
    def categorical(self) -> bool:
        return self.output_values is not None

    def encode(self, inputs: Sequence[Sequence[Token]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Token ids `input pos` with BOS in front, and a mask of real tokens: shorter inputs end in PAD."""
        longest = 1 + max(len(x) for x in inputs)
        ids = torch.full((len(inputs), longest), self.token_ids[PAD])
        valid = torch.zeros(len(inputs), longest, dtype=torch.bool)
        for row, x in enumerate(inputs):
            ids[row, : len(x) + 1] = torch.tensor([self.token_ids[BOS], *(self.token_ids[t] for t in x)])
            valid[row, : len(x) + 1] = True
        return ids, valid

    def interpret(self, tokens: Sequence[Token]) -> list[Any]:
        """The RASP interpreter's outputs, without BOS; None where the program gives no value."""
        key = tuple(tokens)
        if key not in self._interpreted:
            self._interpreted[key] = list(Evaluator(tokens, causal=self.program.causal)(self.sop))
        return list(self._interpreted[key])

    @cached_property
    def _interpreted(self) -> dict[tuple[Token, ...], list[Any]]:
        """Earlier answers of the interpreter: the compiler checks and every setting use the same inputs."""
        return {}


@one_order()
def compile_program(program: Program, most: int | None = WHOLE) -> Compiled:
    """Program -> Compiled. most: inputs above which the domain is sampled; None for never.

    Errors: TC104 (vocabulary), TC105 (domain), TC106 (Tracr refuses it), TC122 (a hand-made model does not fit).
    """
    _check_fields(program)
    domain = domain_of(program, most)
    sop = build(program)
    if program.by_hand is not None:
        return _by_hand(program, sop, domain)
    craft = craft_of(program, sop)
    return Compiled(
        program=program,
        sop=sop,
        domain=domain,
        model=assemble(craft),
        token_ids={d.value: i for i, d in enumerate(craft.tokens.basis)},
        output_values=craft.output_values,
        provenance=craft.provenance(),
    )


def _by_hand(program: Program, sop: rasp.SOp, domain: Domain) -> Compiled:
    """The program's own model. Errors: TC122 (it does not match the program's fields)."""
    assert program.by_hand is not None
    made = program.by_hand()
    spec, values = made.model.spec, made.output_values
    wanted = {
        "the tokens": (set(made.tokens), {*program.vocab, BOS, PAD}),
        "the number of tokens": (spec.d_vocab, len(made.tokens)),
        "the number of output coordinates": (spec.d_out, 1 if values is None else len(values)),
        "`causal`": (spec.causal, program.causal),
        "that there is a place for every token and BOS": (spec.n_ctx > program.max_seq_len, True),
        "the dtype": (made.model.dtype, torch.float64),
    }
    for what, (got, want) in wanted.items():
        if got != want:
            raise user_error("TC122", got=got, wanted=want, program=program.name, part=what)
    return Compiled(
        program=program,
        sop=sop,
        domain=domain,
        model=made.model,
        token_ids={token: row for row, token in enumerate(made.tokens)},
        output_values=None if values is None else tuple(values),
        provenance={writer: tuple(computed) for writer, computed in made.provenance.items()},
        truths=made.truths,
    )


def build(program: Program) -> rasp.SOp:
    """The program's SOp, with labels that depend on the program alone.

    Tracr labels expressions with a global counter and caches the label on each. So the order of directions depends on
    what was compiled before, and an annotated copy of a labelled expression keeps its label and is merged with the
    original. Renumbering here prevents both.
    """
    try:
        sop = program.build()
    except Exception as error:
        raise unrecognised(program, f"{type(error).__name__}: {error}") from error
    if not isinstance(sop, rasp.SOp):
        raise user_error("TC106.sop", got=type(sop).__name__, program=program.name)
    for number, expr in enumerate(list(expressions(sop)), start=1):
        expr.__dict__["unique_id"] = number
    return sop


def _check_fields(program: Program) -> None:
    if clash := [t for t in (BOS, PAD) if t in program.vocab]:
        raise user_error("TC104.reserved", got=clash, program=program.name, bos=BOS, pad=PAD)
    if strange := [t for t in program.vocab if not isinstance(t, (Real, str, tuple))]:
        kinds = sorted({f"{t!r}, a {type(t).__name__}" for t in strange})
        raise user_error("TC104.type", got="; ".join(kinds), program=program.name)
    if not program.vocab or program.max_seq_len < 1:
        raise user_error(
            "TC105.fields",
            got=f"{len(program.vocab)} tokens, max_seq_len {program.max_seq_len}",
            program=program.name,
        )
