"""The masked forward pass: one function for training, evaluation and certification."""

from edgeprune_core.engine.forward import Trace, live_writers, outputs, run, trace

__all__ = ["Trace", "live_writers", "outputs", "run", "trace"]
