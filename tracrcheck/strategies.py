"""Hypothesis strategies: unseen programs for your own properties. They shrink to few operations and small tables.

    import hypothesis
    from tracrcheck.strategies import compiled_programs, settings

    @hypothesis.given(compiled_programs(), settings())
    @hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
    def test_my_pruner_is_right(compiled, setting): ...

Without a deadline: each program is compiled and compared with the interpreter on its whole domain, which Hypothesis
counts as slow.

What is drawn is put together as the fixed generator of `tracrcheck fuzz` does it, with Hypothesis' choices. Only what
Tracr refuses or compiles wrongly is rejected; `--hypothesis-show-statistics` counts it by its reason.
"""

from __future__ import annotations

from bisect import bisect
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from typing import TypeVar

from hypothesis import event, reject
from hypothesis import strategies as st

from tracrcheck.compiler.compile import Compiled
from tracrcheck.generator.accept import PROVED_UNDER, Rejected, compiled_of
from tracrcheck.generator.recipe import Recipe
from tracrcheck.generator.sample import COUNTS, draft
from tracrcheck.program import Program
from tracrcheck.truth.setting import Setting

T = TypeVar("T")


class _Drawn:
    """Choices by Hypothesis; the smallest number is the first and simplest option, so that examples shrink to it."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw

    def pick(self, options: Sequence[T], weights: Sequence[float] | None = None) -> T:
        if weights is None:
            return self.draw(st.sampled_from(list(options)))
        ends = list(accumulate(weights))
        return options[bisect(ends, self.draw(st.integers(0, int(ends[-1]) - 1)))]

    def below(self, n: int) -> int:
        return self.draw(st.integers(0, n - 1))


@st.composite
def recipes(draw: st.DrawFn, *, max_operations: int = max(COUNTS)) -> Recipe:
    """Recipes of 1 to `max_operations` operations, 2-4 tokens, lengths up to 4; causal and not. None is rejected."""
    return draft(_Drawn(draw), n_operations=draw(st.integers(1, max_operations)))


@st.composite
def compiled_recipes(
    draw: st.DrawFn, *, max_operations: int = max(COUNTS), rejected: Counter[str] | None = None
) -> tuple[Recipe, Compiled]:
    """Recipes that Tracr compiles rightly, each compared with the interpreter on its whole domain.

    rejected: reason -> how many, added to as they are rejected.
    """
    recipe = draw(recipes(max_operations=max_operations))
    try:
        return recipe, compiled_of(recipe)
    except Rejected as error:
        event(f"rejected: {error.reason}")
        if rejected is not None:
            rejected[error.reason] += 1
        reject()


def compiled_programs(
    *, max_operations: int = max(COUNTS), rejected: Counter[str] | None = None
) -> st.SearchStrategy[Compiled]:
    """As `compiled_recipes`, without the recipes."""
    return compiled_recipes(max_operations=max_operations, rejected=rejected).map(lambda pair: pair[1])


def programs(
    *, max_operations: int = max(COUNTS), rejected: Counter[str] | None = None
) -> st.SearchStrategy[Program]:
    """As `compiled_programs`, to be compiled again."""
    return compiled_programs(max_operations=max_operations, rejected=rejected).map(lambda c: c.program)


def settings(*, ablations: Sequence[str] = PROVED_UNDER) -> st.SearchStrategy[Setting]:
    """Settings by their ablation, `zero` the simplest; by value, every length, position 0 not judged."""
    return st.sampled_from(list(ablations)).map(lambda name: Setting(ablation=name))
