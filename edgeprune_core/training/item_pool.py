"""The items of a step: fresh random ones, and hard ones from earlier steps.

Some edges matter on only one input in hundreds, and a random batch rarely contains it. So an item on which a mostly right
circuit failed is kept and shown again.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Bool, Int
from torch import Tensor


@dataclass
class ItemPool:
    """Chooses the items of each step.

    n_items: in the whole list. fresh, kept: how many random and hard items a step sees. memory: how many hard items are
    remembered in all.
    """

    n_items: int
    fresh: int
    kept: int
    generator: torch.Generator
    memory: int = 48
    hard: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.long))
    remembered: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.long))

    def draw(self) -> Int[Tensor, " item"]:
        """Rows of the list; each row once where the list is short."""
        if self.n_items <= self.fresh + self.kept:
            return torch.arange(self.n_items)
        return torch.cat([self.hard, torch.randint(self.n_items, (self.fresh,), generator=self.generator)])

    def remember_failures(
        self, rows: Int[Tensor, " item"], wrong: Bool[Tensor, "circuit item"], *, n_circuits: int = 4
    ) -> None:
        """Keeps one wrong item from each of the `n_circuits` circuits that were wrong on the fewest items, but on some."""
        share = wrong.float().mean(1)
        candidates = [self.hard]
        for circuit in torch.where(share > 0, share, 2.0).argsort()[:n_circuits].tolist():
            items = wrong[circuit].nonzero()[:, 0]
            if len(items):
                pick = torch.randint(len(items), (1,), generator=self.generator)
                candidates.append(rows[items[pick]])
        self.remembered = self._at_most(torch.cat([self.remembered, *candidates]), self.memory)
        self.hard = self._at_most(torch.cat(candidates), self.kept)

    def recalling(self, fresh: int) -> ItemPool:
        """A pool that shows every remembered item at every step."""
        return replace(self, fresh=fresh, kept=self.memory, hard=self.remembered)

    def _at_most(self, items: Tensor, most: int) -> Tensor:
        items = items.unique()
        if len(items) > most:
            items = items[torch.randperm(len(items), generator=self.generator)[:most]]
        return items
