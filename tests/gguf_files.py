"""Tiny GGUF files, and wheels that carry them: what an index serves, without one."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import gguf
import numpy as np

D, HEADS, KV_HEADS, D_MLP, LAYERS = 16, 4, 2, 24, 2
TOKENS = ["<s>", "</s>", "a", "b", "c", "ab", "Ġ", "Ġa", "Ġb"]
MERGES = ["a b", "Ġ a", "Ġ b"]


def write_llama(path: Path, *, architecture: str = "llama", seed: int = 0, tied: bool = True) -> Path:
    """A Llama with random float32 weights and a byte-pair tokenizer. tied: its output is the embedding, transposed."""
    draw = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_name("tiny")  # older versions of transformers ask for it
    writer.add_context_length(64)
    writer.add_embedding_length(D)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(D_MLP)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_freq_base(10_000.0)
    writer.add_rope_dimension_count(D // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(len(TOKENS))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(TOKENS)
    writer.add_token_types([3, 3] + [1] * (len(TOKENS) - 2))
    writer.add_token_merges(MERGES)
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    shapes = {"token_embd.weight": (len(TOKENS), D), "output_norm.weight": (D,)}
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        shapes |= {
            block + "attn_norm.weight": (D,),
            block + "attn_q.weight": (D, D),
            block + "attn_k.weight": (D * KV_HEADS // HEADS, D),
            block + "attn_v.weight": (D * KV_HEADS // HEADS, D),
            block + "attn_output.weight": (D, D),
            block + "ffn_norm.weight": (D,),
            block + "ffn_gate.weight": (D_MLP, D),
            block + "ffn_up.weight": (D_MLP, D),
            block + "ffn_down.weight": (D, D_MLP),
        }
    if not tied:
        shapes["output.weight"] = (len(TOKENS), D)
    for name, shape in shapes.items():
        writer.add_tensor(name, (draw.standard_normal(shape) * 0.5).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_wheel(folder: Path, *, name: str, member: str, content: bytes) -> tuple[Path, str]:
    """A wheel with one file in it, and its SHA-256."""
    path = folder / f"{name}-0.1-py3-none-any.whl"
    info = f"{name}-0.1.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, content)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path, hashlib.sha256(path.read_bytes()).hexdigest()
