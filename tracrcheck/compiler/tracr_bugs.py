"""Known bugs and limits of Tracr's compiler, by error code: a name for each, and how to work around it.

docs/compiler-faults.md shows the smallest program that triggers each, why it fails, and the message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgeprune_core.errors import CheckError


@dataclass(frozen=True)
class FaultClass:
    slug: str
    do: str

    @property
    def words(self) -> str:
        return self.slug.replace("-", " ")


FAULT_CLASSES = {
    "TC301": FaultClass(
        "none-reaches-a-predicate",
        "make every Aggregate that feeds a Select choose exactly one position on every input",
    ),
    "TC302": FaultClass(
        "none-reaches-a-comparison",
        "make every Aggregate that feeds a Select choose exactly one position on every input",
    ),
    "TC303": FaultClass(
        "categorical-mean", "narrow the selector to one value, or average a numerical 0/1 encoding"
    ),
    "TC304": FaultClass("mean-of-symbols", "narrow the selector to one position"),
    "TC305": FaultClass(
        "mean-outside-its-value-set",
        "compare counts (SelectorWidth) instead of means, or return the mean itself",
    ),
    "TC306": FaultClass(
        "default-outside-its-value-set",
        "average a value that is 0 for some token, or make the selector choose something everywhere",
    ),
    "TC307": FaultClass(
        "values-too-close-for-mlp-exactness",
        "raise mlp_exactness (2n(n + 1) is enough for widths up to n), or lower max_seq_len",
    ),
    "TC308": FaultClass(
        "numerical-map-as-selector-key",
        "clear BOS first: key = SequenceMap(lambda key, token: key, key, tokens)",
    ),
    "TC309": FaultClass(
        "numerical-map-as-aggregated-value", "aggregate a Map with f(0) = 0, or a Map of a categorical value"
    ),
    "TC310": FaultClass(
        "two-widths-in-one-layer", "use Map(lambda width: width, width) as the selector's key"
    ),
    "TC311": FaultClass("negative-number", "map to f(x) + c >= 0 and subtract c with rasp.LinearSequenceMap"),
    "TC312": FaultClass(
        "wide-head", "use a smaller vocabulary or max_seq_len: every head's query or key space counts"
    ),
    "TC313": FaultClass("predicate-is-not-a-bool", "return True or False from the predicate"),
    "TC314": FaultClass(
        "mean-turns-int-into-float",
        "after an Aggregate, use functions that do not tell x from float(x), or Map(round, ...) first",
    ),
    "TC315": FaultClass("equal-values-of-two-types", "let no expression mix bool, int and float"),
    "TC316": FaultClass("values-without-an-order", "use a vocabulary of one type, outside tracrcheck"),
    "TC317": FaultClass(
        "two-expressions-with-one-label",
        "build the program afresh for every compilation; do not re-annotate what was compiled",
    ),
    "TC318": FaultClass(
        "large-number", "keep mlp_exactness * |x| well under 2**24 for every number a Map reads"
    ),
    "TC321": FaultClass(
        "nothing-to-compute",
        "wrap it: Map(lambda token: token, rasp.tokens); or make the model by hand (`Program.by_hand`)",
    ),
    "TC322": FaultClass("two-sops-compared", "SequenceMap(lambda x, y: x == y, ...)"),
    "TC323": FaultClass(
        "width-of-a-composite-selector", "combine keys and queries with SequenceMap and use one Select"
    ),
    "TC324": FaultClass("more-values-than-keys", "raise max_seq_len, or shrink the vocabulary"),
    "TC325": FaultClass(
        "function-undefined-on-an-inferred-value",
        "define the function for every value of the inferred set, not only for those that occur",
    ),
    "TC326": FaultClass("numerical-function-returns-none", "return a number for every value"),
    "TC327": FaultClass(
        "hidden-from-the-validator", "never annotate rasp.tokens or rasp.indices as numerical: Map them first"
    ),
    "TC331": FaultClass(
        "program-without-tokens",
        "mention tokens: SequenceMap(lambda value, token: value, value, rasp.tokens)",
    ),
    "TC332": FaultClass(
        "unsupported-primitive",
        "length is SelectorWidth of a Select that is always True; a constant is a Map",
    ),
    "TC333": FaultClass(
        "aggregate-of-a-composite-selector", "combine keys and queries with SequenceMap and use one Select"
    ),
    "TC334": FaultClass(
        "mean-of-other-than-zero-and-one",
        "divide by a constant first, multiply after with rasp.LinearSequenceMap",
    ),
    "TC335": FaultClass(
        "default-of-an-aggregate",
        "write default=0 in every numerical Aggregate, and none in a categorical one",
    ),
    "TC341": FaultClass(
        "shared-subexpressions",
        "share expressions over few levels: one more of these levels takes four times as long",
    ),
    "TC351": FaultClass(
        "chained-comparison", "(0 < tokens) & (tokens < 3), or Map(lambda token: 0 < token < 3, tokens)"
    ),
    "TC352": FaultClass("late-binding", "bind it when the function is made: lambda x, d=d: x // 10**d"),
}


def tracr_bug(code: str, what: str, expression: str = "", **given: Any) -> CheckError:
    """The error for a known bug: what happened, the bug's name, and the expression at fault."""
    known = FAULT_CLASSES[code]
    what = f"{what}, {known.words}" + (f": {expression}" if expression else "")
    return CheckError(code, what, do=known.do, **given)
