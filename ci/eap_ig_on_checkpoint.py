"""EAP-IG, unmodified, on a planted GPT-2 (docs/planted.md): writes its graph with as many edges as are required.

    python ci/eap_ig_on_checkpoint.py DIR --out found.json
    tracrcheck grade found.json --model DIR --ablation resample

It needs EAP-IG (docs/peers.md) and reads DIR as any user of EAP-IG would: a checkpoint, a tokenizer and pairs of prompts.
TransformerLens puts the first token, BOS, in front of every prompt itself, so it is left out here.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from transformer_lens import HookedTransformer, HookedTransformerConfig
from transformer_lens.loading_from_pretrained import convert_hf_model_config
from transformer_lens.pretrained.weight_conversions import convert_gpt2_weights
from transformers import AutoTokenizer, GPT2LMHeadModel

from tracrcheck.peers import installed
from tracrcheck.peers.device import OwnDevice

SWITCHES = {"device": "cpu", "use_attn_result": True, "use_split_qkv_input": True, "use_hook_mlp_in": True}
BATCH = 20


def hooked(folder: Path, tokenizer: Any) -> HookedTransformer:
    config = HookedTransformerConfig.from_dict({**convert_hf_model_config(str(folder)), **SWITCHES})
    model = HookedTransformer(config, tokenizer=tokenizer)
    model.load_and_process_state_dict(convert_gpt2_weights(GPT2LMHeadModel.from_pretrained(folder), config))
    return model


def batches(
    folder: Path, tokenizer: Any, at_most: int
) -> Iterator[tuple[list[str], list[str], torch.Tensor]]:
    """(clean, corrupted, [answer, foil]) of the longest prompts, which have one length."""
    pairs = [json.loads(line) for line in (folder / "pairs.jsonl").read_text().splitlines()]
    longest = max(len(pair["clean"].split()) for pair in pairs)
    pairs = [pair for pair in pairs if len(pair["clean"].split()) == longest][:at_most]
    for start in range(0, len(pairs), BATCH):
        part = pairs[start : start + BATCH]
        texts = ([pair[name].split(" ", 1)[1] for pair in part] for name in ("clean", "corrupted"))
        labels = [[tokenizer.encode(pair[name])[0] for name in ("answer", "foil")] for pair in part]
        yield (*texts, torch.tensor(labels))


def loss(
    logits: torch.Tensor, clean: torch.Tensor, lengths: torch.Tensor, labels: torch.Tensor
) -> torch.Tensor:
    """Less the mean logit difference at the last position."""
    last = logits[torch.arange(len(logits)), lengths - 1].gather(-1, labels)
    return -(last[:, 0] - last[:, 1]).mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=200)
    args = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(args.folder)
    model = hooked(args.folder, tokenizer)
    graph = installed.eap_ig("graph").Graph.from_model(model)
    with OwnDevice("cpu"):
        loader = list(batches(args.folder, tokenizer, args.pairs))
        installed.eap_ig("attribute").attribute(model, graph, loader, loss, "EAP-IG-inputs", ig_steps=5)
    truth = json.loads((args.folder / "truth.json").read_text())["truths"]["resample"]["required"]["eap_ig"]
    graph.apply_topn(len(truth), True)
    graph.to_json(str(args.out))
    kept = {name for name, edge in graph.edges.items() if bool(edge.in_graph)}
    print(
        f"{len(kept & set(truth))} of {len(truth)} required edges among the {len(truth)} best of {len(graph.edges)}"
    )


if __name__ == "__main__":
    main()
