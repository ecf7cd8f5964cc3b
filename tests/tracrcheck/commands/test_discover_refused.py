"""`tracrcheck discover` and `faithfulness`: a wrong call is reported, ends with exit code 2 and writes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from edgeprune_core.circuit import Circuit
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.trained_models import FOLDER
from tests.tracrcheck.calls import finished
from tests.tracrcheck.commands.english import FEW, PAIR, graph


def folder_with(here: Path, name: str, change) -> str:
    """A copy of the shipped model with changed tensors."""
    folder = here / name
    folder.mkdir()
    for path in (FOLDER / "english").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return name


def spoilt(tensors: dict[str, torch.Tensor]) -> None:
    tensors["transformer.wpe.weight"][0, 0] = float("nan")


def lacking(tensors: dict[str, torch.Tensor]) -> None:
    del tensors["transformer.h.1.ln_2.bias"]


def in_surplus(tensors: dict[str, torch.Tensor]) -> None:
    tensors["transformer.h.9.ln_2.bias"] = torch.zeros(1)


def of_another_shape(tensors: dict[str, torch.Tensor]) -> None:
    tensors["transformer.ln_f.bias"] = tensors["transformer.ln_f.bias"][1:].clone()


FOLDERS = {"nan": spoilt, "lacking": lacking, "surplus": in_surplus, "shape": of_another_shape}
# The second line of a file is wrong.
LINES = {
    "unknown": PAIR | {"clean": "So Zebedee works very hard, doesn't"},
    "longer": PAIR | {"corrupted": "So John works hard, doesn't"},
    "unchanged": PAIR | {"corrupted": PAIR["clean"]},
    "two_tokens": PAIR | {"answer": " she he"},
    "no_answer": {k: v for k, v in PAIR.items() if k != "answer"},
}


WRONG = {
    "a task of no such name": (
        ["discover", "--task", "iio"],
        "TC171 --task no task 'iio'\n",
        "did you mean 'ioi'",
    ),
    "a method of no such name": (["discover", "--task", "ioi", "--method", "adcd"], "TC113 --method ", "'acdc'"),
    "a metric of no such name": (
        ["faithfulness", "full.json", "--task", "ioi", "--metric", "kll"],
        "TC113 --metric no metric 'kll'\n    got     kll\n    wanted  a metric's name, or module:callable that takes (task, outputs, items)",
        "did you mean 'kl'",
    ),
    "two metrics of one name": (
        ["faithfulness", "full.json", "--task", "ioi", "--metric", "kl", "--metric", "edgeprune_core.metrics.kl:Kl"],
        "TC117 --metric two metrics with the name 'kl'\n    got     kl, edgeprune_core.metrics.kl:Kl\n",
        "one metric per name",
    ),
    "an ablation of no such name": (
        ["discover", "--task", "ioi", "--ablation", "resampel"],
        "TC117 --ablation no ablation 'resampel'",
        "did you mean 'resample'",
    ),
    "an empty file": (["discover", "--task", "empty.jsonl"], "EP180 empty.jsonl a task without pairs", "an empty file"),
    "an empty file to judge on": (
        ["faithfulness", "full.json", "--task", "empty.jsonl"],
        "EP180 empty.jsonl a task without pairs",
        "an empty file",
    ),
    "a single pair": (["discover", "--task", "one.jsonl"], "TC172 one.jsonl a task with a single pair leaves none", "2 or more"),
    "a pair that is repeated": (
        ["discover", "--task", "twice.jsonl"],
        "TC172 twice.jsonl a task with a single pair leaves none",
        "every second of which repeats another",
    ),
    "brackets without end": (
        ["discover", "--task", "deep.jsonl"], "EP181 deep.jsonl:1 not a line of JSON", "recursion",
    ),
    "a size that is none": (
        ["discover", "--task", "ioi", "--model", "./sizeless"],
        "EP172 sizeless 'n_layer' of the configuration is not a size",
        "'four'",
    ),
    "a word that the model does not know": (
        ["faithfulness", "full.json", "--task", "unknown.jsonl"],
        "EP182 unknown.jsonl:2 out of vocabulary: ' Zebedee'",
        "pieces among",
    ),
    "a word that the model does not know, to discover on": (
        ["discover", "--task", "unknown.jsonl"],
        "EP182 unknown.jsonl:2 out of vocabulary: ' Zebedee'",
        "pieces among",
    ),
    "a pair of unequal lengths": (
        ["discover", "--task", "longer.jsonl"],
        "EP183 longer.jsonl:2 clean and corrupted prompts differ in length",
        "7 and 6 tokens: So| Mary",
    ),
    "a corruption that leaves the answer as it is": (
        ["discover", "--task", "unchanged.jsonl"],
        "EP185 unchanged.jsonl:2 a corrupted prompt that leaves the answer unchanged",
        "the corrupted prompt is the clean one",
    ),
    "an answer of two tokens": (
        ["discover", "--task", "two_tokens.jsonl"],
        "EP184 two_tokens.jsonl:2 ' she he' does not continue the prompt as one token",
        "and one more",
    ),
    "a line without an answer": (
        ["faithfulness", "full.json", "--task", "no_answer.jsonl"],
        "EP181 no_answer.jsonl:2 'answer' is missing or no text",
        "fields clean, corrupted",
    ),
    "a file that is no text of JSON": (
        ["discover", "--task", "full.json"],
        "EP181 full.json:1 not a line of JSON",
        "an object",
    ),
    "a task in words that the model does not have": (
        ["discover", "--task", "boolean_few_shot", "--model", "english"],
        "TC172 --task the model's tokenizer does not fit the prompts of 'boolean_few_shot'",
        "EP182 out of vocabulary",
    ),
    "weights that are not numbers": (
        ["discover", "--task", "ioi", "--model", "./nan"],
        "EP176 nan tensor 'transformer.wpe.weight' is not finite",
        "finite numbers",
    ),
    "weights of which one is lacking": (
        ["discover", "--task", "ioi", "--model", "./lacking"],
        "EP173 lacking a checkpoint lacks tensors",
        "transformer.h.1.ln_2.bias",
    ),
    "weights of which one is in surplus": (
        ["faithfulness", "full.json", "--task", "ioi", "--model", "./surplus"],
        "EP174 surplus a checkpoint has tensors",
        "transformer.h.9.ln_2.bias",
    ),
    "weights of another shape": (
        ["discover", "--task", "ioi", "--model", "./shape"],
        "EP175 shape tensor 'transformer.ln_f.bias' has another shape",
        "(71,)",
    ),
    "a folder without a model": (
        ["discover", "--task", "ioi", "--model", "./nothing"],
        "EP177 nothing/config.json cannot read a part of a model",
        "no such file",
    ),
    "a folder without a tokenizer": (
        ["discover", "--task", "ioi", "--model", "./wordless"],
        "EP189 ./wordless no tokenizer of this model can be read",
        "words.json of ours",
    ),
    "a circuit that is not there": (
        ["faithfulness", "gone.json", "--task", "ioi"],
        "TC131 cannot read a circuit from 'gone.json'",
        "No such file",
    ),
    "a circuit of another graph": (
        ["faithfulness", "other.json", "--task", "ioi"],
        "TC133 other.json the circuit is of another graph than the model's",
        "name the program, or the model",
    ),
    "a file that cannot be written": (
        ["discover", "--task", "ioi", "--json", "no/such/folder.json"],
        "TC115 cannot write 'no/such/folder.json'",
        "another path",
    ),
    "a folder that is a file": (
        ["discover", "--task", "ioi", "--out", "full.json"],
        "TC115 cannot write 'full.json'",
        "is no folder",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_call_is_reported_ends_with_2_and_writes_nothing(call, here, case):
    (here / "empty.jsonl").write_text("\n")
    (here / "one.jsonl").write_text(json.dumps(PAIR))
    for name, second in LINES.items():
        lines = [PAIR, second, PAIR]
        (here / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (here / "full.json").write_text(Circuit.full(graph()).dumps())
    (here / "other.json").write_text(Circuit.full(ResidualGraph(2, 3, 3)).dumps())
    for name in FOLDERS:
        if f"./{name}" in WRONG[case][0]:
            folder_with(here, name, FOLDERS[name])
    if "tokenizer" in case and "folder" in case:
        (here / folder_with(here, "wordless", lambda tensors: None) / "words.json").unlink()
    (here / "twice.jsonl").write_text(2 * (json.dumps(PAIR) + "\n"))
    (here / "deep.jsonl").write_text("[" * 100_000 + "\n")
    if "./sizeless" in WRONG[case][0]:
        path = here / folder_with(here, "sizeless", lambda tensors: None) / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"n_layer": "four"}))
    before = sorted(here.rglob("*"))
    words, head, detail = WRONG[case]
    extra = [] if "--json" in words else ["--json", "out.json"]
    result = finished(call(*words, *extra), 2)
    assert result.stderr.startswith(head)
    assert detail in result.stderr
    assert [line.split()[0] for line in result.stderr.splitlines()[1:3]] == ["got", "wanted"]
    assert result.stdout == ""
    assert sorted(here.rglob("*")) == before


def test_a_hub_that_cannot_be_reached_is_reported_and_a_local_folder_suggested(call, here, monkeypatch):
    import huggingface_hub

    def offline(*args, **kwargs):
        raise ConnectionError("no route to host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    result = finished(call("discover", "--task", "ioi", "--model", "gpt2"), 2)
    assert result.stderr.startswith("EP178 cannot reach the hub for 'gpt2'\n")
    assert "hf download gpt2 --local-dir DIR" in result.stderr


@pytest.mark.parametrize(
    ("words", "where"),
    [
        (["--edges", "1005"], "--edges"),
        (["--edges", "10", "--kl", "1"], "--edges, --sparsity, --kl, --tolerance"),
        (["--sparsity", "1"], "--sparsity"),
        (["--set", "stepps=3"], "--set"),
        (["--method", "eap", "--steps", "3"], "--steps"),
        (["--method", "eap", "--init", "eap_ig"], "--init"),
        (["--device", "tpu"], "--device"),
        (["--dtype", "float8"], "--dtype"),
        (["--model", "smollm"], ""),
    ],
)
def test_wrong_sizes_settings_and_places_are_refused(call, words, where, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    result = finished(call("discover", "--task", "ioi", *FEW, *words), 2)
    assert where in result.stderr.splitlines()[0]


def test_a_learning_rate_below_0_is_refused_and_the_method_not_run(call):
    assert (
        "--learning-rate"
        in finished(call("discover", "--task", "ioi", *FEW, "--learning-rate", "-1"), 2).stderr
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_a_gpu_that_is_not_there_is_refused(call):
    result = finished(call("discover", "--task", "ioi", *FEW, "--device", "cuda"), 2)
    assert result.stderr.startswith("TC117 --device")
