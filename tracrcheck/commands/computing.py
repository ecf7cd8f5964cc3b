"""Options of the commands that run a trained model: where, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from edgeprune_core.trained_models import TrainedModel


Device = Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="auto: a GPU if there is one.")]


@dataclass(frozen=True, kw_only=True)
class ComputeOptions:
    """Where and how precisely the model runs."""

    device: Device = "auto"
    dtype: Annotated[
        str, typer.Option(metavar="NAME", help="Precision of the model: float32, float64 or bfloat16.")
    ] = "float32"
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Threads of the CPU. By default 1, and every core on a large graph.",
            show_default=False,
        ),
    ] = None

    def placed(self, subject: TrainedModel) -> TrainedModel:
        """The model there; sets the threads of this process. Errors: TC117 (no such device or precision)."""
        import torch

        from tracrcheck.trained import compute

        torch.set_num_threads(self.threads or compute.threads_for(subject))
        return compute.placed(subject, device=self.device, dtype=self.dtype)


@dataclass(frozen=True, kw_only=True)
class EvaluationOptions:
    """How long an evaluation may take."""

    minutes: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Evaluate on as many prompts and random circuits as fit into this time. By default 10; when "
            "`discover` ranks the edges of a large graph, as long as the ranking took.",
            show_default=False,
        ),
    ] = None
