"""A group of processes that share one model: the only file that imports `torch.distributed`.

`torchrun` starts the processes and sets their ranks in the environment. Each process holds a shard of every weight (FSDP2's
`fully_shard`, Zhao et al. 2023, arXiv 2304.11277) and gathers one layer at a time while it computes; the engine sees an
ordinary model (`sharded_weights.py`). All processes must therefore read the same layers in the same order: they make
the same calls, each on its own items.

When a process dies, the others notice at their next collective operation: at once if its connection closes, otherwise
after `patience` seconds. For the same reason small tensors on GPUs are summed on the CPU, over gloo.
"""

from __future__ import annotations

import os
import re
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import fsdp
from torch.distributed.device_mesh import init_device_mesh

from edgeprune_core.distributed.sharded_weights import ENDS, gathered, unit_of
from edgeprune_core.error_codes import user_error
from edgeprune_core.errors import CheckError
from edgeprune_core.weights import Model

# Seconds until a silent process counts as dead, and until all processes must have loaded and joined.
PATIENCE, UNTIL_ALL_ARE_HERE = 45.0, 1800.0
_SAID = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@dataclass(eq=False)
class Group:
    """The processes of a run. rank: the number of this process. device: where it computes."""

    size: int
    rank: int = field(repr=False)
    device: torch.device = field(repr=False)

    @property
    def first(self) -> bool:
        """Whether this is the process that prints and writes."""
        return self.rank == 0

    def add(self, tensor: Tensor) -> None:
        """Sums over all processes, in place; every process gets the same bits."""
        with self._collective():
            dist.all_reduce(tensor)

    def largest(self, value: float) -> float:
        """The largest of the values that the processes pass."""
        held = torch.tensor(value, dtype=torch.float64)
        with self._collective():
            dist.all_reduce(held, dist.ReduceOp.MAX)
        return float(held)

    def sharded(self, model: Model) -> Model:
        """The same model, with each tensor sharded over the group.

        For runs without gradients and for runs that `recompute`. All processes must pass equal weights.
        """
        mesh = init_device_mesh(self.device.type, (self.size,))
        units = {}
        for unit in (ENDS, *range(model.spec.n_layers)):
            units[unit] = module = _Unit(unit_of(model, unit))
            fsdp.fully_shard(module, mesh=mesh, reshard_after_forward=True)
        return gathered(model, _Shards(self, units), self.device)

    @contextmanager
    def _collective(self) -> Iterator[None]:
        """Reports a failed collective operation as the death of another process. Errors: EP212."""
        try:
            yield
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            raise _gone(str(error)) from error


class _Unit(nn.Module):
    """The tensors of one layer, or those outside the layers, as frozen parameters."""

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        for name, tensor in tensors.items():
            self.register_parameter(name, nn.Parameter(tensor, requires_grad=False))


@dataclass(eq=False)
class _Shards:
    """A `Shelf` that gathers one unit at a time."""

    group: Group
    units: Mapping[int, nn.Module]
    whole: int | None = None

    def take(self, unit: int) -> Mapping[str, Tensor]:
        if unit != self.whole:
            if self.whole is not None:
                _sharding(self.units[self.whole]).reshard()
            with self.group._collective():
                _sharding(self.units[unit]).unshard()
            self.whole = unit
        return dict(self.units[unit].named_parameters())


def _sharding(module: nn.Module) -> fsdp.FSDPModule:
    assert isinstance(module, fsdp.FSDPModule)
    return module


@contextmanager
def joined(*, patience: float = PATIENCE) -> Iterator[Group]:
    """Joins the group that `torchrun` started this process in. Errors: EP211 (not started by torchrun), EP212, EP213."""
    if not hasattr(fsdp, "fully_shard"):  # torch 2.4 and 2.5 have it elsewhere, for GPUs only
        raise user_error("EP213", got=f"torch {torch.__version__}")
    if missing := [name for name in _SAID if name not in os.environ]:
        raise user_error("EP211", got=f"no {', '.join(missing)} in the environment")
    device = _device()
    try:
        store, rank, size = next(dist.rendezvous("env://", timeout=timedelta(seconds=UNTIL_ALL_ARE_HERE)))
        dist.init_process_group(
            backend="gloo" if device.type == "cpu" else "cpu:gloo,cuda:nccl",
            store=store, rank=rank, world_size=size, timeout=timedelta(seconds=patience),
        )  # fmt: skip
        store.set(f"here/{rank}", "1")
        store.wait([f"here/{other}" for other in range(size)], timedelta(seconds=UNTIL_ALL_ARE_HERE))
    except (RuntimeError, ValueError) as error:
        raise _gone(str(error)) from error
    group = Group(size=size, rank=rank, device=device)
    try:
        with _error_on_sigterm():
            yield group
    finally:
        dist.destroy_process_group()


def _device() -> torch.device:
    if not torch.cuda.is_available():
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(device)
    return device


@contextmanager
def _error_on_sigterm() -> Iterator[None]:
    """Raises an error on SIGTERM, which `torchrun` sends to all processes when one has died."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(signum, frame):
        raise _gone("SIGTERM, which torchrun sends when another process has ended")

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _gone(message: str) -> CheckError:
    # Keeps the sentence of gloo's message between the source location and the advice.
    sentence = re.sub(r"^\[\S+\]\s*", "", message.strip()).split(". This is")[0].split("\n")[0]
    return user_error("EP212", got=sentence or "no answer")
