"""The model families by their `model_type` in `config.json`, and `load`, which reads a model of any of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgeprune_core.error_codes import user_error
from edgeprune_core.lazy import Lazy, Table, exports

if TYPE_CHECKING:
    from edgeprune_core.families.base import Config, Family, Row
    from edgeprune_core.families.gpt2 import Gpt2
    from edgeprune_core.families.llama import Llama
    from edgeprune_core.families.pretrained import load
    from edgeprune_core.families.state_dict import model_of, tensors_of

FAMILIES: Table[Family] = Table({
    "gpt2": Lazy("edgeprune_core.families.gpt2:Gpt2"),
    "llama": Lazy("edgeprune_core.families.llama:Llama"),
})  # fmt: skip

__all__ = [
    "FAMILIES",
    "Config",
    "Family",
    "Gpt2",
    "Llama",
    "Row",
    "family_of",
    "load",
    "model_of",
    "tensors_of",
]

_HOMES = {
    "base": ("Config", "Family", "Row"),
    "gpt2": ("Gpt2",),
    "llama": ("Llama",),
    "pretrained": ("load",),
    "state_dict": ("model_of", "tensors_of"),
}  # fmt: skip

__getattr__ = exports(__name__, _HOMES)


def family_of(config: Config) -> Family:
    """The family of a configuration. Errors: EP171; it names the file to add."""
    kind = config.get("model_type")
    if isinstance(kind, str) and kind in FAMILIES:
        return FAMILIES[kind]
    raise user_error(
        "EP171",
        got=f"model_type {kind!r}, architectures {config.get('architectures')}",
        wanted="one of: " + ", ".join(sorted(FAMILIES)),
        file=kind or "your_family",
    )
