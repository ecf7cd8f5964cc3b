"""Runs tools that create tensors on "cuda" on another device.

EAP-IG (commit 795f560) creates its scores with `device="cuda"` in every scoring function.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.overrides import TorchFunctionMode


class OwnDevice(TorchFunctionMode):
    """Reads the argument `device="cuda"` of any function of torch as another device."""

    def __init__(self, device: Any) -> None:
        super().__init__()
        self.device = torch.device(device)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if str(kwargs.get("device")) == "cuda":
            kwargs["device"] = self.device
        return func(*args, **kwargs)
