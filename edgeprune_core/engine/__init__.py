"""The masked forward pass: one function for training, evaluation and certification."""

from edgeprune_core.engine.forward import Trace, open_edges, outputs, run, trace

__all__ = ["Trace", "open_edges", "outputs", "run", "trace"]
