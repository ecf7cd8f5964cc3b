"""The part of EAP-IG's `eap.attribute` that a method calls."""

from __future__ import annotations

import json
from pathlib import Path

import torch

RECORDED = Path(__file__).parents[2] / "recorded"
METHODS = {"EAP": "eap", "EAP-IG-inputs": "eap_ig_inputs", "exact": "exact"}
ABLATIONS = {"patching": "resample", "zero": "zero"}


def attribute(
    model, graph, dataloader, metric, method, intervention="patching", *, ig_steps=None, quiet=False
):
    torch.zeros(1, device="cuda")  # as the tool does
    for clean, corrupted, items in dataloader:
        assert clean.shape == corrupted.shape
        logits = model(model.to_tokens(clean, prepend_bos=True))
        value = metric(logits, logits.detach(), torch.full((len(clean),), clean.shape[1]), items)
        if method != "exact":
            value.backward()
    wanted = f"eap_ig-{METHODS[method]}-*-{ABLATIONS[intervention]}.json"
    (scores,) = [
        found
        for path in RECORDED.glob(wanted)
        if (found := json.loads(path.read_text())["scores"]).keys() == graph.edges.keys()
    ]
    for name, edge in graph.edges.items():
        edge.score = torch.tensor(scores[name])
