"""Planted models that several tests look at, each made once."""

from __future__ import annotations

from functools import cache

from tests import zoo
from tracrcheck.planted.planting import Planted, plant

# Name, layers, heads, seed: deep and shallow, categorical and numerical, heads that spread over layers, made by hand.
SOME = (
    ("reverse", 4, 4, 0),
    ("reverse", 6, 3, 1),
    ("sort", 4, 4, 2),
    ("hist", 3, 2, 3),
    ("pair_balance", 4, 4, 4),
    ("mean_token", 4, 4, 5),
    ("shuffle_dyck1", 7, 4, 6),
    ("xproportion", 5, 3, 7),
    ("running_parity", 4, 4, 8),
    ("copy_tokens", 3, 4, 9),
)


@cache
def planted(name: str, layers: int, heads: int, seed: int = 0) -> Planted:
    return plant(zoo.compiled(name), layers=layers, heads=heads, seed=seed)
