"""`tracrcheck discover` and `faithfulness`: what they print and write, and exit code 2 for every wrong call."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from safetensors.torch import load_file, save_file

from edgeprune_core.circuit import Circuit
from edgeprune_core.graph import ResidualGraph
from edgeprune_core.trained_models import FOLDER, load_model
from tracrcheck.reports.discovery import circuit_svg
from tracrcheck.trained import prompts

DOCS = Path(__file__).parents[3] / "docs" / "json.md"
FEW = ["--prompts", "6", "--draws", "3"]
METHODS = "tests.tracrcheck.trained_pruners:"
CELL = ["ablation", "direction", "metric", "circuit", "random", "model", "no_edges", "faithful"]
MATRIX = ["n_edges", "n_prompts", "draws", "confidence", "sentence", "cells"]
DISCOVERY = ["schema", "asked", "fault", "seconds", "n_edges", "n_graph_edges", "n_dangling", "kl_mean", "kl_worst",
             "circuit", "scores", "faithfulness"]  # fmt: skip


def finished(result, code: int):
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result


def graph() -> ResidualGraph:
    return ResidualGraph.of(load_model("english").model.spec)


# discover ----------------------------------------------------------------------------------------------


def test_a_circuit_is_printed_judged_drawn_and_written(call, here):
    words = ["--method", METHODS + "with_a_dangling_edge", *FEW, "--out", "found", "--json", "out.json"]
    lines = finished(call("discover", "--task", "ioi", *words), 0).stdout.splitlines()
    wanted = "wanted: every prompt within the tolerance, of 1,004 in the graph"
    assert lines[0] == f"ioi in english: {METHODS}with_a_dangling_edge, resample ablation, seed 0; {wanted}"
    assert re.match(r"3 of 1,004 edges, 1 dangling ones dropped, found in \d+ s; on the 6 prompts it was found on, KL ",
                    lines[1])  # fmt: skip
    assert lines[2:4] == ["    edges into v 1, out 2", "    most edges: a1.h2 2"]
    assert lines[4].startswith("wrote ")
    assert len([line for line in lines if line.split()[0:1] in (["zero"], ["mean"], ["resample"])]) == 30
    assert any(line.startswith("3 edges on 6 prompts; intervals: 95 %") for line in lines)
    assert any(line.startswith(("faithful in ", "the circuit is faithful")) for line in lines)
    circuit = Circuit.from_json(json.loads((here / "found" / "circuit.json").read_text()))
    assert circuit.texts == ["tok -> a1.h2.v", "tok -> out", "a1.h2 -> out"]
    root = ElementTree.parse(here / "found" / "circuit.svg").getroot()
    titles = [t.text for t in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles[1:4] == circuit.texts
    assert "a1.h2: reads 1, writes 1" in titles
    assert len([t for t in titles if ": " in t and " -> " not in t]) == 1 + 3  # the title, tok, a1.h2 and out


def test_what_is_looked_for_is_printed_before_the_method_runs(call, here):
    lines = finished(
        call("discover", "--task", "ioi", "--method", METHODS + "prints", *FEW), 0
    ).stdout.splitlines()
    assert lines[0].startswith("ioi in english: ")
    assert lines[1] == "at work"


def test_the_documented_fields_are_written(call, here):
    finished(call("discover", "--task", "ioi", "--method", "random", *FEW, "--json", "d.json"), 0)
    found = json.loads((here / "d.json").read_text())
    assert list(found) == DISCOVERY
    assert list(found["asked"]) == ["task", "model", "method", "ablation", "prompts", "draws", "seed", "size"]
    assert list(found["faithfulness"]) == MATRIX
    assert list(found["faithfulness"]["cells"][0]) == CELL
    (here / "c.json").write_text(json.dumps(found["circuit"]))
    finished(call("faithfulness", "c.json", "--task", "ioi", *FEW, "--json", "f.json"), 0)
    judged = json.loads((here / "f.json").read_text())
    assert list(judged) == ["schema", "asked", *MATRIX]
    assert list(judged["asked"]) == ["circuit", "task", "model", "prompts", "draws", "seed"]
    # The same circuit on the same prompts, whether by one command or by the other.
    assert {k: judged[k] for k in MATRIX} == found["faithfulness"]
    documented = set(re.findall(r"`(\w+)`", DOCS.read_text()))
    fields = {*DISCOVERY, *MATRIX, *CELL, *judged, *judged["asked"], *found["asked"]}
    assert fields <= documented, fields - documented


def test_edges_that_are_printed_are_those_that_count(call, here):
    words = ["--method", "random", *FEW, "--json", "out.json"]
    finished(call("discover", "--task", "gendered_pronoun", *words), 0)
    found = json.loads((here / "out.json").read_text())
    circuit = Circuit.from_json(found["circuit"])
    assert circuit == circuit.connected()
    assert found["n_edges"] == len(circuit) == found["faithfulness"]["n_edges"]


def test_the_method_is_asked_under_the_ablation_and_seed_on_other_prompts_than_the_judge(call, here):
    words = ["--method", METHODS + "writes_what_it_sees", "--ablation", "mean", "--seed", "7", *FEW]
    finished(call("discover", "--task", "ioi", *words), 0)
    seen = json.loads((here / "seen.json").read_text())
    assert (seen["ablation"], seen["seed"], len(seen["prompts"])) == ("mean", 7, 6)
    english = load_model("english")
    judged = prompts.judging_list("ioi", english.tokenizer, n=6, seed=7)
    assert not {p.clean for p in judged} & set(seen["prompts"])


def test_a_method_that_fails_ends_with_1_its_reason_and_nothing_written_but_the_record(call, here):
    words = ["--method", METHODS + "raises", *FEW, "--out", "found", "--json", "out.json"]
    result = finished(call("discover", "--task", "ioi", *words), 1)
    assert result.stdout.splitlines()[1] == "FAILS: raised: ValueError: no idea"
    assert sorted(p.name for p in here.iterdir()) == ["out.json"]
    found = json.loads((here / "out.json").read_text())
    assert (found["fault"], found["circuit"], found["faithfulness"]) == ("raised", None, None)


def test_pairs_of_a_file_are_taken_in_turn_to_discover_on_and_to_judge_on(call, here):
    lines = [
        {"clean": f"So {a} is always on time, isn't", "corrupted": f"So {b} is always on time, isn't",
         "answer": " she", "foil": " he"}
        for a, b in (("Mary", "John"), ("Lucy", "Mark"), ("Amy", "Paul"), ("Jane", "Jack"), ("Anna", "Carl"))
    ]  # fmt: skip
    (here / "mine.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    words = ["--method", METHODS + "writes_what_it_sees", "--draws", "2", "--json", "out.json"]
    finished(call("discover", "--task", "mine.jsonl", *words), 0)
    seen = json.loads((here / "seen.json").read_text())["prompts"]
    assert [prompt.split()[1] for prompt in seen] == ["Mary", "Amy", "Anna"]
    assert json.loads((here / "out.json").read_text())["faithfulness"]["n_prompts"] == 2
    # and whoever judges that circuit later does so on the same
    (here / "full.json").write_text(Circuit.full(graph()).dumps())
    finished(
        call("faithfulness", "full.json", "--task", "mine.jsonl", "--draws", "2", "--json", "judged.json"), 0
    )
    assert json.loads((here / "judged.json").read_text())["n_prompts"] == 2


def test_a_pair_that_a_file_repeats_is_not_judged_on_where_it_was_found_on(here):
    names = ("Mary", "Lucy", "Amy", "Mary")  # taken in turn: Mary and Amy, then Lucy and Mary
    lines = [PAIR | {"clean": f"So {name} works very hard, doesn't"} for name in names]
    Path("mine.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    lists = prompts.both_lists("mine.jsonl", load_model("english").tokenizer, n=10, seed=0)
    subjects = [[p.clean.split()[1] for p in pairs] for pairs in (lists.train, lists.held_out)]
    assert subjects == [["Mary", "Amy"], ["Lucy"]]


def test_the_lines_of_a_large_circuit_have_a_colour_of_each_writer_and_those_of_a_small_one_are_alike():
    full = Circuit.full(graph())
    few = Circuit.of(full.graph, ["tok -> out", "m1 -> out"])
    for circuit, colours in ((full, len(full.graph.writers)), (few, 1)):
        root = ElementTree.fromstring(circuit_svg(circuit, name="ioi", title="ioi"))
        paths = list(root.iter("{http://www.w3.org/2000/svg}path"))
        found = {(p[0].text.split(" -> ")[0], p.get("stroke")) for p in paths}
        assert len(paths) == len(circuit)
        assert len({stroke for _, stroke in found}) == colours
        assert len(found) == len({writer for writer, _ in found})


# faithfulness ------------------------------------------------------------------------------------------


def test_the_full_circuit_is_faithful_where_anything_could_be(call, here):
    (here / "full.json").write_text(Circuit.full(graph()).dumps())
    result = finished(
        call("faithfulness", "full.json", "--task", "gendered_pronoun", *FEW, "--json", "f.json"), 0
    )
    cells = {
        (c["ablation"], c["direction"], c["metric"]): c
        for c in json.loads((here / "f.json").read_text())["cells"]
    }
    for ablation in ("zero", "mean", "resample"):
        assert cells[ablation, "kept", "kl"]["circuit"]["mean"] == pytest.approx(0, abs=1e-5)
        assert cells[ablation, "kept", "exact_match"]["circuit"]["mean"] == 1
    # Random circuits of all edges are the full one: no cell is better than those.
    assert result.stdout.splitlines()[-1].startswith("faithful in none of 30 cells")


def test_metrics_are_chosen_by_name_and_taken_from_outside(call, here):
    (here / "full.json").write_text(Circuit.full(graph()).dumps())
    (here / "mine.py").write_text(
        "from dataclasses import dataclass\n"
        "from edgeprune_core import Metric\n"
        "def spread(task, outputs, items):\n"
        "    return outputs.std(-1).mean(-1)\n"
        "@dataclass(frozen=True)\n"
        "class Scaled(Metric):\n"
        "    name: str = 'scaled'\n"
        "    label: str = 'spread, of 1'\n"
        "    rescaled: bool = True\n"
        "    def __call__(self, task, outputs, items):\n"
        "        return spread(task, outputs, items)\n"
    )
    own = ["--metric", "mine:spread", "--metric", "kl", "--metric", "mine:Scaled"]
    words = ["faithfulness", "full.json", "--task", "ioi", *FEW]
    result = finished(call(*words, *own, "--json", "f.json"), 0)
    found = json.loads((here / "f.json").read_text())
    assert found["asked"]["metrics"] == ["mine:spread", "kl", "mine:Scaled"]
    kept = [c for c in found["cells"] if (c["ablation"], c["direction"]) == ("zero", "kept")]
    assert [c["metric"] for c in kept] == ["spread", "kl", "scaled"]
    assert len(found["cells"]) == 3 * 2 * 3
    assert kept[0]["circuit"]["mean"] == pytest.approx(kept[0]["model"], rel=1e-4) != kept[0]["no_edges"]
    assert (kept[2]["model"], kept[2]["no_edges"]) == (1, 0)
    assert result.stdout.count("spread, of 1") == result.stdout.count("KL, nats") == 6
    finished(call(*words, "--json", "all.json"), 0)
    ours = json.loads((here / "all.json").read_text())
    assert "metrics" not in ours["asked"]
    assert [c for c in ours["cells"] if c["metric"] == "kl"] == [
        c for c in found["cells"] if c["metric"] == "kl"
    ]


# Wrong calls -------------------------------------------------------------------------------------------


def folder_with(here: Path, name: str, change) -> str:
    """A copy of the shipped subject with other tensors."""
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
PAIR = {
    "clean": "So Mary works very hard, doesn't",
    "corrupted": "So John works very hard, doesn't",
    "answer": " she",
}
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


# How large, which settings, where ----------------------------------------------------------------------


def found_with(call, here, *words: str) -> dict:
    finished(call("discover", "--task", "ioi", *FEW, *words, "--json", "d.json"), 0)
    return json.loads((here / "d.json").read_text())


def test_a_size_is_kept_to_and_recorded(call, here):
    found = found_with(call, here, "--method", "random", "--edges", "40")
    assert 0 < found["n_edges"] + found["n_dangling"] <= 40
    assert found["asked"]["size"] == "40 edges"
    wide = found_with(call, here, "--method", "eap", "--kl", "1")
    assert 0 < wide["kl_mean"] <= 1
    assert wide["n_edges"] < found_with(call, here, "--method", "eap", "--kl", "0.1")["n_edges"]


def test_settings_reach_the_method_and_are_recorded(call, here):
    words = ["--steps", "3", "--circuits", "2", "--batch", "2", "--learning-rate", "0.5", "--edges", "100"]
    found = found_with(call, here, *words, "--set", "kept=0", "--init", "eap")
    given = {
        "setting": ["kept=0"],
        "steps": 3,
        "circuits": 2,
        "batch": 2,
        "learning_rate": 0.5,
        "init": "eap",
    }
    assert {name: found["asked"][name] for name in given} == given
    cold = found_with(call, here, *words, "--set", "kept=0")
    assert cold["circuit"] != found["circuit"]


def test_every_edge_is_printed_only_where_that_is_wanted(call):
    words = ["discover", "--task", "ioi", "--method", "eap", "--edges", "300", *FEW]
    short, long = (finished(call(*words, *more), 0).stdout for more in ((), ("--list",)))
    assert " <- " not in short
    assert len([line for line in long.splitlines() if " <- " in line]) > 20


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


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is there")
def test_a_gpu_that_is_not_there_is_refused(call):
    result = finished(call("discover", "--task", "ioi", *FEW, "--device", "cuda"), 2)
    assert result.stderr.startswith("TC117 --device")


def test_an_evaluation_that_would_take_too_long_says_what_it_evaluates(call, here):
    result = finished(
        call("discover", "--task", "ioi", "--method", "eap", *FEW[:2], "--minutes", "0", "--json", "d.json"),
        0,
    )
    found = json.loads((here / "d.json").read_text())["faithfulness"]
    assert (found["n_prompts"], found["draws"]) == (6, 2)
    assert "6 prompts against 2 random circuits" in result.stderr
