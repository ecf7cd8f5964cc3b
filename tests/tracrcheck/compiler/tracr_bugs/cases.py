"""What Tracr 1.0.0 refuses, crashes on, or compiles wrongly: one smallest program for each class of fault.

Nothing here states an output: the tests compute what the interpreter says and what the model decodes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tracr.rasp import rasp
from tracr.rasp.rasp import (
    Aggregate,
    Comparison,
    Map,
    SelectorWidth,
    SequenceMap,
    SOp,
    indices,
    numerical,
    tokens,
)

from tests.tracrcheck.compiler.tracr_bugs.expressions import (
    EQUAL,
    EVERYTHING,
    NOTHING,
    chained_comparison,
    default_of_a_shifted_mean,
    diamonds,
    hidden_from_the_validator,
    late_digits,
    length,
    mean_of_ones,
    mean_of_x,
    nothing,
    one_label_two_encodings,
    same,
    selecting,
)
from tracrcheck import Program
from tracrcheck.compiler.tracr_bugs import FAULT_CLASSES

Kind = Literal["wrong", "undefined", "refused", "crash", "slow", "author"]


@dataclass(frozen=True, kw_only=True)
class FaultCase:
    """One class of fault.

    kind:   wrong      compiles, and decodes differently from the interpreter
            undefined  compiles, but the interpreter raises: there is nothing to agree with
            refused    Tracr raises, and says why
            crash      Tracr raises something that does not say why
            slow       compiling takes time exponential in the size of the program
            author     compiles rightly, but is not what was meant (`program.reference` is)
    why:    the mechanism, with the file and function of Tracr it sits in.
    raises: for undefined, refused and crash: the exception, and `says`, a part of its message.
    varies: the witness differs from one Python process to the next (it hangs on string hashes).
    """

    code: str
    kind: Kind
    program: Program
    why: str
    raises: type[Exception] | None = None
    says: str = ""
    varies: bool = False

    @property
    def slug(self) -> str:
        return FAULT_CLASSES[self.code].slug

    @property
    def do(self) -> str:
        return FAULT_CLASSES[self.code].do


def _program(build: Callable[[], SOp], vocab: set, max_seq_len: int, **rest) -> Program:
    return Program(name="fault", build=build, vocab=vocab, max_seq_len=max_seq_len, **rest)


def _of_length(n: int) -> Callable[[Sequence[Any]], bool]:
    return lambda given: len(given) == n


CASES: tuple[FaultCase, ...] = (
    FaultCase(
        code="TC301",
        kind="wrong",
        program=_program(
            lambda: SelectorWidth(selecting(lambda key, query: key != query, nothing())), {"a"}, 1
        ),
        why="None is the zero vector in the stream, so no predicate value is ever read for it "
        "(craft/chamber/categorical_attn.py qk_fun); the interpreter calls predicate(None, query)",
    ),
    FaultCase(
        code="TC302",
        kind="undefined",
        program=_program(lambda: SelectorWidth(selecting(EQUAL, nothing())), {"a"}, 1),
        why="rasp/rasp.py Comparison.__call__ raises on None; the compiled head selects nothing instead",
        raises=ValueError,
        says="key is None",
    ),
    FaultCase(
        code="TC303",
        kind="wrong",
        program=_program(lambda: Aggregate(selecting(EVERYTHING), tokens), {0, 1}, 2),
        why="a categorical Aggregate keeps its value set (compiler/basis_inference.py compute_value_set): "
        "a mean of two values is no direction of it, and argmax takes one of the two",
    ),
    FaultCase(
        code="TC304",
        kind="undefined",
        program=_program(lambda: Aggregate(selecting(EVERYTHING), tokens), {"a"}, 2),
        why="rasp/rasp.py _mean refuses two selected values unless all are numbers (None and strings are "
        "not), even if they are equal",
        raises=ValueError,
        says="Only types int, bool, and float are supported for aggregation",
    ),
    FaultCase(
        code="TC305",
        kind="wrong",
        program=_program(lambda: Map(lambda mean: mean > 0.6, mean_of_x()), {"x", "y"}, 3),
        why="compiler/basis_inference.py compute_value_set lists value/length for a mean, and leaves out "
        "the other fractions: 2/3 is rounded to the nearest listed value before the Map sees it",
    ),
    FaultCase(
        code="TC306",
        kind="wrong",
        program=_program(lambda: Map(lambda mean: mean == 0, mean_of_ones(NOTHING)), {"a"}, 1),
        why="compiler/basis_inference.py compute_value_set leaves out the default, 0: where nothing is "
        "selected a later Map sees the smallest listed value",
    ),
    FaultCase(
        code="TC307",
        kind="wrong",
        program=_program(lambda: numerical(length()), {"a"}, 7, domain=_of_length(7)),
        why="craft/chamber/numerical_mlp.py _get_discretising_layer needs neighbouring values at least "
        "2/mlp_exactness apart; a width w is read from 1/(w + 1), too close from 6 against 7 on",
    ),
    FaultCase(
        code="TC308",
        kind="wrong",
        program=_program(
            lambda: SelectorWidth(
                selecting(EVERYTHING, Map(lambda mean: mean > 0.4, mean_of_ones(EVERYTHING)))
            ),
            {"a"},
            1,
        ),
        why="a Map of a numerical value also writes f(0) at BOS (craft/chamber/numerical_mlp.py), where "
        "craft/chamber/categorical_attn.py assumes nothing: heads that select this key attend to BOS",
    ),
    FaultCase(
        code="TC309",
        kind="wrong",
        program=_program(default_of_a_shifted_mean, {"a"}, 1),
        why="a Map of a numerical value also writes f(0) at BOS (craft/chamber/numerical_mlp.py), and an "
        "Aggregate that selects nothing reads its default there: f(0), not 0",
    ),
    FaultCase(
        code="TC310",
        kind="wrong",
        program=_program(
            lambda: SelectorWidth(
                selecting(Comparison.LT, length(), SelectorWidth(selecting(EQUAL, indices, indices)))
            ),
            {"a"},
            1,
        ),
        why="craft/chamber/selector_width.py names the hidden unit that cleans BOS `_hidden_clean_bos_` in "
        "every width: in one layer they merge, and each width's trace at BOS is subtracted once per width",
    ),
    FaultCase(
        code="TC311",
        kind="wrong",
        program=_program(lambda: numerical(Map(lambda token: -token, tokens)), {0, 1}, 1),
        why="craft/chamber/categorical_mlp.py map_categorical_to_numerical_mlp puts f(x) in front of the "
        "ReLU: negative numbers become 0",
    ),
    FaultCase(
        code="TC312",
        kind="wrong",
        program=_program(
            lambda: numerical(
                Aggregate(
                    selecting(EQUAL, indices, indices), numerical(same(tokens, lambda token: 1)), default=0
                )
            ),
            {"a"},
            140,
            domain=_of_length(1),
        ),
        why="transformer/attention.py divides logits by sqrt(key_size) and compiler/assemble.py does not "
        "undo it: the margin to BOS is 50/sqrt(key_size), and key_size grows with vocabulary and max_seq_len",
    ),
    FaultCase(
        code="TC313",
        kind="wrong",
        program=_program(lambda: SelectorWidth(selecting(lambda key, query: key * query)), {2}, 2),
        why="compiler/expr_to_craft_graph.py attn_basis_fn passes the predicate's value on as a logit "
        "factor; the interpreter takes bool() of it",
    ),
    FaultCase(
        code="TC314",
        kind="wrong",
        program=_program(lambda: Map(str, Aggregate(selecting(EVERYTHING), tokens)), {1}, 2),
        why="rasp/rasp.py _mean of two or more equal values is a float, possibly a rounded one; "
        "the compiled lookup table was made from the values themselves",
    ),
    FaultCase(
        code="TC315",
        kind="wrong",
        program=_program(
            lambda: Map(str, SequenceMap(lambda token, index: token or True, tokens, indices)),
            {0, 1},
            1,
        ),
        why="value sets are Python sets (compiler/basis_inference.py compute_value_set), where True, 1 "
        "and 1.0 are one value: the Map sees whichever came first",
    ),
    FaultCase(
        code="TC316",
        kind="wrong",
        program=_program(
            lambda: Aggregate(selecting(EQUAL), tokens),
            set(range(5, 25)) | {f"1{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"},
            1,
        ),
        why='craft/bases.py BasisDirection.__lt__ falls back to text between types, so 9 < 10 < "1a" < 9; '
        "craft/chamber/categorical_attn.py pairs values with outputs by two sorts that then disagree",
        varies=True,
    ),
    FaultCase(
        code="TC317",
        kind="wrong",
        program=_program(one_label_two_encodings, {"a"}, 1),
        why="rasp/rasp.py annotate copies a cached unique_id, so a copy made after the label was read has "
        "the same label, and compiler/rasp_to_graph.py ensure_node merges the two",
    ),
    FaultCase(
        code="TC318",
        kind="wrong",
        program=_program(
            lambda: numerical(
                same(numerical(same(tokens, lambda token: token * 10**6)), lambda v: v / 10**6)
            ),
            {0, 1},
            1,
        ),
        why="craft/chamber/numerical_mlp.py _get_discretising_layer takes the difference of two hidden units "
        "near mlp_exactness * x, 1 apart: in float32 it is lost once that nears 2**24",
    ),
    FaultCase(
        code="TC321",
        kind="crash",
        program=_program(lambda: tokens, {"a"}, 1),
        why="compiler/craft_graph_to_model.py _allocate_modules_to_layers takes min() of no depths",
        raises=ValueError,
        says="min()",
    ),
    FaultCase(
        code="TC322",
        kind="crash",
        program=_program(lambda: tokens == indices, {0, 1}, 1),
        why="rasp/rasp.py SOp.__eq__ (and <, <=, >, >=, !=) takes constants only: the Map returns a Map",
        raises=TypeError,
        says="unhashable type",
    ),
    FaultCase(
        code="TC323",
        kind="crash",
        program=_program(
            lambda: SelectorWidth(selecting(EQUAL) | selecting(EQUAL, indices, indices)), {"a"}, 1
        ),
        why="compiler/expr_to_craft_graph.py _check_selector_expression reads .keys of a SelectorOr; and, "
        "or, not of selectors over different keys or queries are never merged into a Select",
        raises=AttributeError,
        says="'SelectorOr' object has no attribute",
    ),
    FaultCase(
        code="TC324",
        kind="crash",
        program=_program(lambda: Aggregate(selecting(EQUAL, indices, indices), tokens), {1, 2, 3, 4}, 1),
        why="compiler/assemble.py sizes heads by query and key spaces only: a value space larger than "
        "every one of them (+ 2) does not fit (vocabulary > max_seq_len + 2 when keys are indices)",
        raises=ValueError,
        says="broadcast",
    ),
    FaultCase(
        code="TC325",
        kind="crash",
        program=_program(lambda: Map(lambda width: 1 / width, length()), {"a"}, 1),
        why="value sets are too large (a width may be 0): compiler/basis_inference.py skips "
        "ArithmeticError, the categorical MLP does not; any other exception is skipped by neither",
        raises=ZeroDivisionError,
        says="division by zero",
    ),
    FaultCase(
        code="TC326",
        kind="crash",
        program=_program(lambda: numerical(Map(lambda token: None if token else 1, tokens)), {0, 1}, 1),
        why="craft/chamber/categorical_mlp.py map_categorical_to_numerical_mlp multiplies a vector by f(x): "
        "None, or a string, is no factor",
        raises=TypeError,
        says="unsupported operand",
    ),
    FaultCase(
        code="TC327",
        kind="crash",
        program=_program(hidden_from_the_validator, {0, 1}, 1),
        why="compiler/validating.py static_validate visits each *name* once, and unnamed expressions of a "
        "class share one: all but the first may hold anything, here numerical tokens",
        raises=ValueError,
        says="must have num_dims=1",
    ),
    FaultCase(
        code="TC331",
        kind="refused",
        program=_program(lambda: Map(lambda index: index + 1, indices), {"a"}, 1),
        why="compiler/craft_model_to_transformer.py needs a node for rasp.tokens",
        raises=ValueError,
        says="A program must include rasp.tokens",
    ),
    FaultCase(
        code="TC332",
        kind="refused",
        program=_program(lambda: SequenceMap(lambda x, y: y, tokens, rasp.length), {"a"}, 1),
        why="compiler/basis_inference.py knows no LengthType and no ConstantSOp; "
        "compiler/expr_to_craft_graph.py no Full",
        raises=ValueError,
        says="Unsupported S-Op",
    ),
    FaultCase(
        code="TC333",
        kind="refused",
        program=_program(
            lambda: Aggregate(selecting(EQUAL) | selecting(EQUAL, indices, indices), tokens), {"a"}, 1
        ),
        why="compiler/expr_to_craft_graph.py takes a Select and nothing else",
        raises=TypeError,
        says="composite Selectors is not supported",
    ),
    FaultCase(
        code="TC334",
        kind="refused",
        program=_program(
            lambda: numerical(Aggregate(selecting(EVERYTHING), numerical(same(tokens)), default=0)),
            {0, 2},
            1,
        ),
        why="compiler/basis_inference.py compute_value_set takes values v with int(v) in {0, 1} (so 0.25, "
        "averaged rightly, passes; 2 does not)",
        raises=NotImplementedError,
        says="only average binary variables",
    ),
    FaultCase(
        code="TC335",
        kind="refused",
        program=_program(
            lambda: numerical(Aggregate(selecting(EVERYTHING), numerical(tokens == "a"))), {"a"}, 1
        ),
        why="compiler/validating.py: a numerical Aggregate needs default=0, a categorical one None",
        raises=NotImplementedError,
        says="only supports 0 as default",
    ),
    FaultCase(
        code="TC341",
        kind="slow",
        program=_program(lambda: diamonds(6), {0, 1}, 1),
        why="compiler/rasp_to_graph.py visits an expression once for every path to it, and "
        "compiler/craft_graph_to_model.py once for every pair of paths",
    ),
    FaultCase(
        code="TC351",
        kind="author",
        program=_program(
            chained_comparison, {0, 1, 3}, 1, reference=lambda given: [0 < token < 3 for token in given]
        ),
        why="Python reads 0 < tokens < 3 as (0 < tokens) and (tokens < 3); a SOp has no __bool__ and counts "
        "as true (rasp/rasp.py), so the first half is dropped; `and`, `or`, `not`, `if`, max() likewise",
    ),
    FaultCase(
        code="TC352",
        kind="author",
        program=_program(
            late_digits, {7, 42}, 1, reference=lambda given: [sum(divmod(x, 10)) for x in given]
        ),
        why="a function sees a variable's last value: `lambda x: x // 10**d` made in a loop over d divides by the last "
        "power, in every expression",
    ),
)
