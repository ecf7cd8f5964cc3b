"""Where models come from: local folders, whole or sharded; the hub, or why it cannot be reached; live models; never a pickle."""

from __future__ import annotations

import json
import subprocess
import sys

import huggingface_hub
import pytest
import torch
from safetensors.torch import load_file, save_file

from edgeprune_core.errors import CheckError
from edgeprune_core.families import load
from edgeprune_core.families.checkpoints import CONFIG, INDEX, SINGLE
from tests.edgeprune_core.families.cases import CASES, live


def refusal(make) -> CheckError:
    with pytest.raises(CheckError) as caught:
        make()
    return caught.value


def saved(kind: str, folder, **how):
    model = live(kind)
    model.save_pretrained(folder, **how)
    return load(model).digest()


@pytest.mark.parametrize("kind", CASES)
def test_a_folder_that_transformers_wrote_reads_as_the_live_model(kind, tmp_path):
    digest = saved(kind, tmp_path)
    assert load(tmp_path).digest() == digest
    assert load(str(tmp_path)).digest() == digest


def test_a_sharded_folder_reads_the_same(tmp_path):
    digest = saved("llama", tmp_path, max_shard_size=1000)
    assert len(list(tmp_path.glob("*.safetensors"))) > 3
    assert load(tmp_path).digest() == digest


def test_a_relative_folder_goes_before_a_name_on_the_hub(tmp_path, monkeypatch):
    digest = saved("gpt2", tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    assert load("mine").digest() == digest
    assert load("./mine").digest() == digest


def test_a_folder_of_pickles_is_refused_without_opening_them(tmp_path):
    saved("gpt2", tmp_path)
    (tmp_path / SINGLE).unlink()
    (tmp_path / "pytorch_model.bin").write_bytes(b"never read")
    error = refusal(lambda: load(tmp_path))
    assert (error.code, error.where) == ("EP177", str(tmp_path))
    assert error.got == "pickled weights: pytorch_model.bin"
    assert "save_pretrained" in error.do


def test_a_folder_without_weights_or_configuration_is_refused(tmp_path):
    error = refusal(lambda: load(tmp_path / "none"))
    assert (error.code, error.where, error.got) == ("EP177", str(tmp_path / "none" / CONFIG), "no such file")
    (tmp_path / CONFIG).write_text('{"model_type": "gpt2"}')
    assert refusal(lambda: load(tmp_path)).got == "no weights"
    for text in ("{", "[]", "\xff"):
        (tmp_path / CONFIG).write_bytes(text.encode("latin-1"))
        assert refusal(lambda: load(tmp_path)).code == "EP177"


def test_a_file_cut_short_is_refused(tmp_path):
    saved("gpt2", tmp_path)
    whole = (tmp_path / SINGLE).read_bytes()
    for size in (0, 5, len(whole) // 2):
        (tmp_path / SINGLE).write_bytes(whole[:size])
        error = refusal(lambda: load(tmp_path))
        assert (error.code, error.where) == ("EP177", str(tmp_path / SINGLE))


def test_a_missing_shard_an_unlisted_tensor_and_an_index_that_leads_elsewhere_are_refused(tmp_path):
    saved("llama", tmp_path, max_shard_size=1000)
    index = json.loads((tmp_path / INDEX).read_text())
    shard = sorted(set(index["weight_map"].values()))[1]
    whole = (tmp_path / shard).read_bytes()

    (tmp_path / shard).unlink()
    error = refusal(lambda: load(tmp_path))
    assert (error.code, error.where, error.got) == ("EP177", str(tmp_path / shard), "no such file")

    (tmp_path / shard).write_bytes(whole)
    save_file(load_file(tmp_path / shard) | {"model.extra": torch.ones(1)}, tmp_path / shard)
    error = refusal(lambda: load(tmp_path))
    assert (error.code, error.where, error.got) == ("EP174", str(tmp_path), "model.extra")

    for listed in ({"weight_map": {"a": "../elsewhere.safetensors"}}, {"weight_map": [1]}, {}):
        (tmp_path / INDEX).write_text(json.dumps(listed))
        assert refusal(lambda: load(tmp_path)).what == "not an index of tensors"


def test_an_error_inside_a_folder_names_the_folder(tmp_path):
    saved("gpt2", tmp_path)
    config = json.loads((tmp_path / CONFIG).read_text())
    (tmp_path / CONFIG).write_text(json.dumps(config | {"model_type": "bloom"}))
    error = refusal(lambda: load(tmp_path))
    assert (error.code, error.where) == ("EP171", str(tmp_path))
    assert "edgeprune_core/families/bloom.py" in error.do


def test_what_is_not_a_model_is_refused():
    error = refusal(lambda: load(torch.nn.Linear(2, 2)))
    assert (error.code, error.got) == ("EP177", "Linear")


# The hub -----------------------------------------------------------------------------------------------------


def test_a_name_is_looked_up_on_the_hub_for_configuration_and_safetensors_only(tmp_path, monkeypatch):
    digest, asked = saved("gpt2", tmp_path), []

    def download(name, *, revision, allow_patterns):
        asked.append((name, revision, allow_patterns))
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert load("openai-community/gpt2", revision="main").digest() == digest
    assert asked == [("openai-community/gpt2", "main", [CONFIG, "*.safetensors", INDEX])]


def test_a_path_is_never_looked_up_on_the_hub(monkeypatch, tmp_path):
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda *a, **k: pytest.fail("asked the hub"))
    for path in (tmp_path / "x", str(tmp_path / "x"), "./x", "a/b/c", "~/none"):
        assert refusal(lambda path=path: load(path)).code == "EP177"


def test_an_unreachable_hub_names_the_local_folder_option(monkeypatch):
    def fails(*args, **kwargs):
        raise ConnectionError("no route to host\nand more")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fails)
    assert str(refusal(lambda: load("gpt2"))) == (
        "EP178 cannot reach the hub for 'gpt2'\n"
        "    got     ConnectionError: no route to host\n"
        "    wanted  a connection, or a local folder\n"
        "    do      where there is one, run `hf download gpt2 --local-dir DIR`, and give the folder DIR instead"
    )


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))


@pytest.mark.usefixtures("empty_cache")
def test_the_hubs_own_client_offline_is_reported_the_same_way(monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    error = refusal(lambda: load("someone/some-model"))
    assert (error.code, error.what) == ("EP178", "cannot reach the hub for 'someone/some-model'")
    assert "--local-dir DIR" in error.do


@pytest.mark.usefixtures("empty_cache")
def test_a_refused_connection_is_reported_the_same_way(monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    error = refusal(lambda: load("someone/some-model"))
    assert (error.code, error.what) == ("EP178", "cannot reach the hub for 'someone/some-model'")


def test_a_name_that_cannot_be_a_repository_is_reported_as_such(monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    error = refusal(lambda: load("not a name!"))
    assert (error.code, error.what) == ("EP178", "the hub has no model 'not a name!' for you")


def test_without_the_hubs_package_a_name_is_refused_and_a_folder_read(monkeypatch, tmp_path):
    digest = saved("gpt2", tmp_path)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    error = refusal(lambda: load("gpt2"))
    assert (error.code, error.do) == (
        "EP178",
        "pip install 'tracrcheck[models]', or give a local folder",
    )
    assert load(tmp_path).digest() == digest


def test_reading_a_folder_imports_neither_transformers_nor_the_hub(tmp_path):
    saved("gpt2", tmp_path)
    code = (
        f"import sys\nfrom edgeprune_core.families import load\nload({str(tmp_path)!r})\n"
        "seen = lambda: [m for m in ('transformers', 'huggingface_hub') if m in sys.modules]\n"
        "print(seen())\nimport huggingface_hub\nprint(seen())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "['huggingface_hub']"]
