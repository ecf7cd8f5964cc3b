"""The part of EAP-IG's `eap.graph` that a method calls."""

from __future__ import annotations


class Edge:
    def __init__(self) -> None:
        self.score, self.in_graph = 0.0, False


class Graph:
    def __init__(self, names) -> None:
        self.edges = {name: Edge() for name in names}

    @classmethod
    def from_model(cls, model) -> Graph:
        writers, names = ["input"], []
        for layer in range(model.cfg.n_layers):
            heads = [f"a{layer}.h{head}" for head in range(model.cfg.n_heads)]
            names += [f"{w}->{head}<{port}>" for head in heads for port in "qkv" for w in writers]
            writers += heads
            names += [f"{w}->m{layer}" for w in writers]
            writers.append(f"m{layer}")
        return cls([*names, *(f"{w}->logits" for w in writers)])
