"""The folder of a planted GPT-2: what `transformers` reads, the truth beside it, and a program file that loads both.

config.json, model.safetensors, tokenizer.json, tokenizer_config.json   a checkpoint as `save_pretrained` writes it
truth.json    the required edges in the names of several tools, with the certificate, for each ablation
pairs.jsonl   prompts: clean, corrupted, answer, foil
program.py    the model with the program's outputs in place of logits, for the gate and all other commands
original.py   the program's own file, unless it is a shipped one
README.md     the card
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from edgeprune_core.atomic_write import folder_beside
from edgeprune_core.families import load
from tracrcheck._version import __version__
from tracrcheck.compiler.compile import compile_program
from tracrcheck.error_codes import unwritable, user_error
from tracrcheck.planted.card import card_of
from tracrcheck.planted.carried import Carried
from tracrcheck.planted.gpt2 import BALLAST, Gpt2Host, program_model, token_order
from tracrcheck.planted.names import names_of
from tracrcheck.planted.pairs import pairs_of
from tracrcheck.program import BOS, PAD, ByHand, Program
from tracrcheck.rasp.library import PLANTED_PROGRAM, TRUTH, shipped_folder
from tracrcheck.truth.cache import to_record

SCHEMA = "tracrcheck.planted/1"
WEIGHTS, CONFIG, PAIRS = "model.safetensors", "config.json", "pairs.jsonl"
ORIGINAL = "original.py"  # the program's file, where it is not a shipped one

PROGRAM = '''"""`{original}`, planted in the GPT-2 of this folder.

Written by `tracrcheck plant`. The model is read from the folder, and so is its truth: both are as they were written.
"""

from dataclasses import replace
from pathlib import Path

from tracrcheck.rasp.library import {library}

original = load_file({source}).program


def by_hand():
    from tracrcheck.planted.folder import by_hand

    return by_hand(
        Path(__file__).parent,
        original,
        sha256={{
{sha256}
        }},
    )


program = replace(original, name="{name}", by_hand=by_hand, ablations={ablations})
'''


def check_new_folder(path: Path) -> None:
    """Errors: TC115 (it cannot be made), TC116 (it holds something already)."""
    try:
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise user_error("TC116.there", got=path, name=path)
        with folder_beside(path):
            pass
    except OSError as error:
        raise unwritable(path, error) from None


def write_gpt2(
    path: Path,
    host: Gpt2Host,
    truths: Iterable[Carried],
    *,
    source: Path,
    command: str,
    measured: Mapping[str, float],
) -> None:
    """Writes the folder whole or not at all. source: the program's file. measured: `shrink` and `outputs`.

    Errors: TC115.
    """
    contents = contents_of(path, host, list(truths), source=source, command=command, measured=measured)
    try:
        with folder_beside(path) as work:
            whole = work / path.name
            whole.mkdir()
            for name, content in contents.items():
                (whole / name).write_bytes(content)
            os.replace(whole, path)
    except OSError as error:
        raise unwritable(path, error) from None


def contents_of(
    path: Path,
    host: Gpt2Host,
    truths: list[Carried],
    *,
    source: Path,
    command: str,
    measured: Mapping[str, float],
) -> dict[str, bytes]:
    """Each file's content, by its name."""
    compiled = host.planted.original
    pairs = "".join(json.dumps(pair) + "\n" for pair in pairs_of(host))
    weights = {name: tensor.contiguous() for name, tensor in host.tensors.items()}
    found = {
        WEIGHTS: save(weights, {"format": "pt"}),
        CONFIG: _dumped(host.config),
        **{name: _dumped(part) for name, part in tokenizer_files(host.texts).items()},
        PAIRS: pairs.encode(),
    }
    record = truth_document(host, truths, measured=measured)
    record["sha256"] = {name: _sha256(content) for name, content in found.items()}
    found[TRUTH] = _dumped(record)
    found["README.md"] = card_of(host, truths, record, command=command).encode()
    if source.resolve().parent == shipped_folder().resolve():
        library, place = "load_file, shipped_folder", f'shipped_folder() / "{source.name}"'
    else:
        library, place = "load_file", f'Path(__file__).parent / "{ORIGINAL}"'
        found[ORIGINAL] = source.read_bytes()
    shas = {name: _sha256(found[name]) for name in (CONFIG, WEIGHTS, TRUTH)}
    found[PLANTED_PROGRAM] = PROGRAM.format(
        original=compiled.program.name,
        name=f"{compiled.program.name}_gpt2",
        library=library,
        source=place,
        sha256="\n".join(f'            "{name}": "{sha}",' for name, sha in shas.items()),
        ablations=tuple(c.certificate.setting.ablation for c in truths),
    ).encode()
    return found


def truth_document(host: Gpt2Host, truths: list[Carried], *, measured: Mapping[str, float]) -> dict[str, Any]:
    """`truth.json`: the same for the same call, wherever the folder is."""
    planted, spec = host.planted, host.model.spec
    own = planted.original.model.spec
    return {
        "schema": SCHEMA,
        "tracrcheck": __version__,
        "program": planted.original.program.name,
        "seed": planted.seed,
        "model": {
            "layers": spec.n_layers,
            "heads": spec.n_heads,
            "d_model": spec.d_model,
            "d_mlp": spec.d_mlp,
            "edges": planted.graph.n_edges,
        },
        "vocabulary": {
            "tokens": host.texts[: own.d_vocab],
            "outputs": host.texts[own.d_vocab : own.d_vocab + own.d_out],
            "sharpness": host.sharpness,
        },
        "slots": planted.slots,
        "distractors": planted.distractors,
        "norm": {"ballast": BALLAST, "shrinks_by_at_most": measured["shrink"]},
        "outputs_within": measured["outputs"],
        "truths": {
            c.certificate.setting.ablation: {
                "required": names_of(c.certificate.required),
                "tolerances": c.to_json(),
                "certificate": to_record(c.certificate),
            }
            for c in truths
        },
    }


def tokenizer_files(texts: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """A tokenizer of whole words, separated by spaces. `transformers` reads an unknown word as padding; we refuse it."""
    model = {"type": "WordLevel", "vocab": {text: i for i, text in enumerate(texts)}, "unk_token": PAD}
    parts = ("truncation", "padding", "normalizer", "post_processor", "decoder")
    return {
        "tokenizer.json": {
            "version": "1.0",
            **dict.fromkeys(parts),
            "added_tokens": [],
            "pre_tokenizer": {"type": "WhitespaceSplit"},
            "model": model,
        },
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "clean_up_tokenization_spaces": False,
            "bos_token": BOS,
            **dict.fromkeys(("pad_token", "unk_token", "eos_token"), PAD),
        },
    }


# Read back ---------------------------------------------------------------------------------------------


def by_hand(folder: Path, original: Program, *, sha256: Mapping[str, str]) -> ByHand:
    """The model of a folder with the program's outputs, and its truth.

    Errors: TC165 (a file is missing, or is not the one that was written), and those of `families.load`.
    """
    contents = {name: _read(folder / name, sha) for name, sha in sha256.items()}
    record, compiled = json.loads(contents[TRUTH]), compile_program(original)
    own, sharpness = compiled.model.spec, record["vocabulary"]["sharpness"]
    model = program_model(load(folder, dtype=torch.float64), own.d_vocab, own.d_out, sharpness)
    places = {"tok": "tok", "pos": "pos", **record["slots"]}
    provenance = {places[name]: texts for name, texts in compiled.provenance.items() if name in places}
    return ByHand(
        model=model,
        tokens=token_order(compiled),
        output_values=compiled.output_values,
        provenance=provenance | {writer: (words,) for writer, words in record["distractors"].items()},
        truths={name: truth["certificate"] for name, truth in record["truths"].items()},
    )


def _read(path: Path, sha256: str) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise user_error("TC165.missing", where=path, got=error.strerror or error) from None
    if _sha256(content) != sha256:
        raise user_error("TC165.other", where=path, got=f"SHA-256 {_sha256(content)}", wanted=sha256)
    return content


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _dumped(document: Any) -> bytes:
    return (json.dumps(document, indent=1, allow_nan=False) + "\n").encode()
