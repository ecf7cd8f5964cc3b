"""The Edge Pruning authors' own code, unmodified, on a planted GPT-2 (docs/planted.md): their circuit is OUT/run/edges.json.

    python ci/edge_pruning_on_checkpoint.py DIR --code CLONE --out OUT --target_edge_sparsity 0.9
    tracrcheck grade OUT/run/edges.json --model DIR --ablation resample

CLONE holds princeton-nlp/Edge-Pruning, and this Python has the packages that it needs (transformers 4.45), not tracrcheck.
Their script reads the model from `gpt2`, here a link to DIR, and pairs whose answers stand in <predict>. All settings are those of
`run_scripts/custom_example.sh`, unless given after OUT. Without a GPU "cuda" is read as "cpu".
"""

from __future__ import annotations

import argparse
import json
import os
import runpy
import sys
from pathlib import Path
from typing import Any

import torch

SETTINGS = """
--report_to none --do_train --do_eval --dataset_path pairs.jsonl --train_split train --initialize_from gpt2
--per_device_train_batch_size 32 --per_device_eval_batch_size 16 --gradient_accumulation_steps 1 --eval_accumulation_steps 16
--edge_learning_rate 0.8 --layer_learning_rate 0.8 --reg_edge_learning_rate 0.8 --reg_layer_learning_rate 0.8
--max_steps 3000 --warmup_steps 200 --evaluation_strategy steps --eval_steps 64 --save_steps 64 --logging_steps 8
--save_total_limit 1 --start_edge_sparsity 0.00 --target_edge_sparsity 0.95 --start_layer_sparsity 0.00 --target_layer_sparsity 0.72
--num_sparsity_warmup_steps 2500 --max_train_samples 1000000 --max_eval_samples 200 --output_dir run
--remove_unused_columns false --dataloader_num_workers 0 --warmup_type linear --with_embedding_nodes --disable_node_loss
"""


def pair(line: str) -> str:
    """One line of pairs.jsonl as their script reads it."""
    found = json.loads(line)
    clean = f"{found['clean']} <predict>{found['answer'].strip()}</predict>"
    return json.dumps({"clean": clean, "corrupted": found["corrupted"]}) + "\n"


def run(script: str, *arguments: str) -> None:
    sys.argv = [script, *arguments]
    runpy.run_path(script, run_name="__main__")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--code", type=Path, required=True, help="A clone of princeton-nlp/Edge-Pruning.")
    parser.add_argument("--out", type=Path, required=True)
    args, own = parser.parse_known_args()
    args.out.mkdir(parents=True)
    for name, target in {"gpt2": args.folder, "src": args.code / "src"}.items():
        (args.out / name).symlink_to(target.resolve())
    os.chdir(args.out)
    longest = json.loads(Path("gpt2/config.json").read_text())["n_positions"]
    Path("pairs.jsonl").write_text("".join(map(pair, Path("gpt2/pairs.jsonl").read_text().splitlines())))
    cpu = [] if torch.cuda.is_available() else ["--use_cpu"]
    if cpu:
        to = torch.nn.Module.to

        def on_cpu(self: Any, *places: Any, **options: Any) -> Any:
            return to(self, *("cpu" if place == "cuda" else place for place in places), **options)

        torch.nn.Module.to = on_cpu  # type: ignore[assignment,method-assign]
    run("src/prune/fpt2_custom.py", *SETTINGS.split(), "--max_seq_length", str(longest), *cpu, *own)
    run("src/modeling/vis_fpt2.py", "-i", "run", "-w")


if __name__ == "__main__":
    main()
