"""ModelSpec: the shape of a decoder-style transformer, and nothing else."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from edgeprune_core.error_codes import user_error

Norm = Literal["none", "layernorm", "rmsnorm", "rms"]
Positions = Literal["learned", "rotary", "none"]
Activation = Literal["relu", "gelu", "gelu_tanh", "silu"]


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """The sizes and choices that fix a model's graph and its forward pass.

    n_kv_heads:      key/value heads; query head i reads key/value head i // (n_heads // n_kv_heads).
    norm:            "rms" is RMSNorm without a gain, as `folded` leaves it.
    d_out:           columns of the unembedding (a vocabulary, or the output coordinates of a program).
    positions:       "learned" gives the graph a `pos` writer; "rotary" turns queries and keys instead.
    parallel_blocks: the MLP of a layer reads what its heads read, not what they write.
    rope_theta:      base of the rotary angles; rope_scaling divides positions (linear scaling).
    """

    n_layers: int
    n_heads: int
    d_model: int
    d_head: int
    d_mlp: int
    d_vocab: int
    d_out: int
    n_ctx: int
    n_kv_heads: int = 0  # 0: as many as n_heads
    causal: bool = True
    norm: Norm = "none"
    norm_eps: float = 1e-5
    activation: Activation = "relu"
    gated_mlp: bool = False
    positions: Positions = "learned"
    parallel_blocks: bool = False
    rope_theta: float = 10_000.0
    rope_scaling: float = 1.0

    def __post_init__(self) -> None:
        if self.n_kv_heads == 0:
            object.__setattr__(self, "n_kv_heads", self.n_heads)
        for name in ("n_layers", "n_heads", "d_model", "d_head", "d_mlp", "d_vocab", "d_out", "n_ctx"):
            if getattr(self, name) < 1:
                raise user_error("EP101.size", got=getattr(self, name), name=name)
        if self.n_heads % self.n_kv_heads:
            raise user_error("EP101.kv_heads", got=f"{self.n_kv_heads} and {self.n_heads}")
        if self.positions == "rotary" and self.d_head % 2:
            raise user_error("EP101.rotary", got=self.d_head)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> ModelSpec:
        known = {f.name for f in fields(cls)}
        if surplus := sorted(set(record) - known):
            raise user_error("EP102.surplus", got=surplus, wanted=sorted(known))
        try:
            return cls(**record)
        except TypeError as error:
            raise user_error("EP102.missing", got=sorted(record), wanted=error) from error
