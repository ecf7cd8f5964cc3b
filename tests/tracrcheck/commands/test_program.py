"""new, check, show and explain."""

from __future__ import annotations

import doctest
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import pytest

from tests import zoo
from tests.tracrcheck.calls import finished
from tracrcheck.grading import explain
from tracrcheck.rasp import legal_lists
from tracrcheck.rasp.library import load_file
from tracrcheck.truth import cache, program_check
from tracrcheck.truth.setting import Setting


def test_a_new_program_passes_as_it_stands(call, here):
    assert "tracrcheck check programs/alike.py" in finished(call("new", "alike"), 0).stdout
    out = finished(call("check", "programs/alike.py"), 0).stdout
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[0] == "alike: 2 layers x 1 heads, 32 edges"
    assert lines[1] == "compared 30 inputs; 98 positions, 0 without a value"
    assert lines[2] == "interpreter, reference, torch, JAX: agree"
    assert lines[4:7] == [
        f"{a} {n} 12 sufficient, minimal, smallest, unique"
        for a, n in (("zero", 10), ("mean", 5), ("resample", 5))
    ]
    assert re.fullmatch(r"[\d.]+ s", lines[7])


def test_the_example_in_a_new_program_is_right(call, here):
    finished(call("new", "alike"), 0)
    program = load_file(here / "programs" / "alike.py").program
    example = doctest.DocTestParser().get_doctest(
        (here / "programs" / "alike.py").read_text().split('"""')[1],
        {"program": program},
        "alike",
        None,
        None,
    )
    assert doctest.DocTestRunner().run(example) == doctest.TestResults(failed=0, attempted=1)


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("alike", "TC116 'programs/alike.py' already exists\n"),
        ("reverse", "TC116 there is a program named 'reverse' already\n"),
        (
            "a-b",
            "TC116 'a-b' is not a valid name for a program\n    got     a-b\n    wanted  letters, digits and _, and not a Python keyword\n",
        ),
        ("class", "TC116 'class' is not a valid name for a program\n"),
    ],
)
def test_new_overwrites_nothing(call, here, name, start):
    finished(call("new", "alike"), 0)
    before = (here / "programs" / "alike.py").read_text()
    assert finished(call("new", name), 2).stderr.startswith(start)
    assert (here / "programs" / "alike.py").read_text() == before


def test_check_reports_every_problem_at_once(call, write):
    mean = "rasp.Aggregate(rasp.Select(rasp.tokens, rasp.tokens, rasp.Comparison.TRUE), rasp.tokens)"
    path = write("bad", build=mean, rest="reference=lambda tokens: tokens,")
    result = finished(call("check", path), 2)
    assert re.findall(r"^TC\d+", result.stderr, re.MULTILINE) == ["TC303", "TC110"]
    assert "2 problems" in result.stdout


def test_objects_that_are_others_each_time_are_not_chance(call, write):
    text = "rasp.Map(lambda t, kept=[]: kept.append(rasp.Map(abs, rasp.tokens)) or kept[-1], rasp.tokens)"
    result = finished(call("check", write("objects", build=text)), 2)
    assert "different outputs" not in result.stderr


def test_a_program_of_chance_is_the_authors_error_and_not_one_of_tracr(call, write):
    path = write("chance", build="rasp.Map(lambda t, calls=[]: calls.append(t) or len(calls), rasp.tokens)")
    for command in ("check", "gate"):
        result = finished(call(command, path), 2)
        assert result.stderr.startswith(f"TC106 {path} 'chance' gives one input different outputs\n")
        assert "of input [0, 1]" in result.stderr
        assert result.stderr.count("TC") == 1


GIVEN = "inputs=[[0, 1] * n for n in range(1, 9)],"
RARE = "domain=lambda t: len(t) % 2 == 0 and t == t[::-1],"


def test_given_inputs_are_the_whole_list(call, write):
    path = write("given", max_seq_len=16, rest=GIVEN)
    assert "compared  8 inputs; 72 positions" in finished(call("check", path), 0).stdout
    finished(call("certify", path, "--ablation", "zero", "--require-whole"), 0)


@pytest.mark.parametrize("words", [["check"], ["certify"], ["show"], ["explain"]], ids=lambda w: w[0])
def test_that_a_sample_will_be_used_is_said_before_the_work(call, words, monkeypatch):
    """Before anything is certified, whatever the size; and only where it is one."""

    def stop(*_, **__):
        raise KeyboardInterrupt

    for module in (cache, program_check, explain):
        monkeypatch.setattr(module, "certificate_of", stop)
    edge = ["tok -> out"] if words == ["explain"] else []
    said = "hist: 86 inputs, a sample of 120 in all: nothing is proved of the others (--inputs N|all)"
    for more, lines in (
        (["--inputs", "100"], [said]),
        (["--inputs", "all"], []),
        (["--inputs", "100", "--lengths", "1-2"], []),  # of which all are used
    ):
        result = call(*words, "hist", *edge, "--ablation", "zero", *more)
        assert [line for line in result.stderr.splitlines() if "sample" in line] == lines, result.output


@pytest.mark.parametrize(("sampled", "words"), [(7380, "7,380 in all"), ("unknown", "an unknown number")])
def test_an_edge_that_is_not_needed_on_a_sample_is_explained(sampled, words):
    compiled, setting = zoo.compiled("hist"), Setting(ablation="zero")
    certificate = replace(cache.certificate_of(compiled, setting), sampled=sampled)
    assert f" (a sample, of {words}), and this is none of them" in explain._exhausted(certificate)


def test_a_sample_is_said_to_be_one_and_how_it_was_found(call, write, monkeypatch):
    monkeypatch.setattr(legal_lists, "TRIES", 200)
    path = write("rare", max_seq_len=16, rest=RARE)
    out = " ".join(finished(call("check", path, "--ablation", "zero"), 0).stdout.split())
    assert re.search(r"compared \d+ inputs, a sample of an unknown number; ", out)
    assert re.search(
        r"of 600 random lists of length 14-16, \d+ different ones are legal none of length 15", out
    )
    assert " none of length 15 was found: if there are any, give them as `Program(inputs=...)` interp" in out
    assert re.search(r"zero \d+ \d+ sampled \d+ of unknown; proved: minimal, smallest, unique", out)
    words = ["certify", path, "--ablation", "zero"]
    out = finished(call(*words), 0).stdout
    assert re.search(
        r"  sampled   sufficient on \d+ inputs, of an unknown number\n  proved    minimal, smallest", out
    )
    result = finished(call(*words, "--require-whole"), 1)
    assert re.search(r"^SAMPLED rare, zero, value: sampled \d+ of unknown\n", result.stderr, re.MULTILINE)


def test_reports_of_samples_fail_where_the_whole_list_is_required(call, write, here):
    words = ["certify", write("long", max_seq_len=9), "--ablation", "zero", "--inputs", "300"]
    for more, sign, failures in (([], "✓", 0), (["--require-whole"], "✗", 1)):
        finished(call(*words, *more, "--md", "c.md", "--junit", "c.xml"), failures)
        assert (
            (here / "c.md")
            .read_text()
            .startswith(f"### {sign} tracrcheck certify: 0 of 1 truths are proved, 1 on")
        )
        assert f'failures="{failures}"' in (here / "c.xml").read_text()


def test_how_many_inputs_a_list_holds_is_an_option(call, write):
    path = write("long", max_seq_len=9)
    words = ["certify", path, "--ablation", "zero", "--require-whole"]
    result = finished(call(*words, "--inputs", "300"), 1)
    first, second = result.stderr.splitlines()
    assert re.match(r"long: 2\d\d inputs, a sample of 1,022 in all: ", first)
    assert re.fullmatch(r"SAMPLED long, zero, value: sampled 2\d\d of 1,022", second)
    assert "of 1,022 in all" in result.stdout
    for inputs in ("all", "1022"):
        assert "(on 1,022 inputs)" in finished(call(*words, "--inputs", inputs), 0).stdout
    finished(call(*words, "--inputs", "300", "--lengths", "1-3"), 0)


def test_a_sample_on_which_nothing_changes_does_not_say_that_nothing_can(call, write):
    """The output changes on one list of 1,022, which is not among these 300."""
    ones = "rasp.SelectorWidth(rasp.Select(rasp.tokens, rasp.tokens, lambda key, query: key == 1))"
    path = write("nine", build=f"rasp.Map(lambda n: n >= 9, {ones})", max_seq_len=9)
    words = ["certify", path, "--ablation", "mean", "--inputs"]
    changes = finished(call(*words, "300"), 0).stdout.splitlines()[1].split("; ")[1]
    assert changes == "vacuous: the output does not change on the sample"
    assert "vacuous" not in finished(call(*words, "all"), 0).stdout


@pytest.mark.parametrize("text", ["0", "-1", "many", "", "1e3", "2000001", "9" * 5000])
def test_a_number_of_inputs_that_is_not_a_number_is_refused(call, text):
    assert finished(call("check", "hist", "--inputs", text), 2).stderr.startswith(
        "TC117 --inputs not a number of inputs"
    )


def test_a_chained_comparison_is_reported_at_its_line_by_every_command(call, write):
    path = write("between", build="0 < rasp.tokens < 3", vocab="{0, 1, 3}")
    result = finished(call("check", path), 2)
    (line,) = [n for n, text in enumerate(path.read_text().splitlines(), 1) if "0 < rasp.tokens" in text]
    assert result.stderr.startswith(f"TC351 {path}:{line} 'between' uses an expression as a boolean")
    assert "1 problem" in result.stdout
    for words in (["certify", path], ["gate", path], ["explain", path, "tok -> m0"]):
        assert finished(call(*words, "--ablation", "zero"), 2).stderr.startswith(f"TC351 {path}:{line} ")


def test_a_chained_comparison_of_values_is_right(call, write):
    finished(call("check", write("between", build="rasp.Map(lambda t: 0 < t < 3, rasp.tokens)")), 0)


def test_check_says_that_a_model_made_by_hand_has_no_second_route(call):
    out = finished(call("check", "copy_tokens"), 0).stdout
    assert "interpreter, reference, torch: agree; made by hand, so there is no JAX model to compare\n" in out


def test_routes_that_differ_are_reported(write):
    from dataclasses import replace

    from edgeprune_core.weights import Model
    from tracrcheck.compiler.compile import compile_program
    from tracrcheck.compiler.cross_check import compare_routes

    compiled = compile_program(load_file(write("flip")).program)
    assert compare_routes(compiled) == []
    weights = compiled.model.weights
    louder = replace(
        compiled, model=Model(compiled.model.spec, replace(weights, unembed=weights.unembed * 2))
    )
    (error,) = compare_routes(louder)
    assert str(error).startswith(
        "TC120 the two compile routes give 'flip' different weights\n    got     unembed\n"
    )


def test_check_refuses_a_program_on_which_the_routes_differ(write, call, monkeypatch):
    from tracrcheck.error_codes import user_error
    from tracrcheck.truth import program_check

    error = user_error("TC120.weights", got="unembed", program="flip")
    monkeypatch.setattr(program_check, "compare_routes", lambda compiled: [error])
    assert "TC120" in finished(call("check", write("flip")), 2).stderr


@pytest.mark.parametrize("unproved", ["zero", "mean", "resample"])
def test_check_ends_with_1_where_one_setting_is_not_proved(write, call, monkeypatch, unproved):
    from dataclasses import replace

    from tracrcheck.truth import program_check

    real = program_check.certificate_of

    def certificate_of(compiled, setting):
        proved = ("sufficient",) if setting.ablation == unproved else ("sufficient", "minimal")
        return replace(real(compiled, setting), proved=proved, unknown={})

    monkeypatch.setattr(program_check, "certificate_of", certificate_of)
    monkeypatch.setattr(program_check, "compare_routes", lambda compiled: [])
    finished(call("check", write("flip")), 1)


def test_activations_that_differ_are_reported(write, monkeypatch):
    from tracrcheck.compiler import cross_check
    from tracrcheck.compiler.compile import compile_program

    compiled = compile_program(load_file(write("flip")).program)
    real = cross_check._residuals
    monkeypatch.setattr(cross_check, "_residuals", lambda *a: (x + 1e-3 * i for i, x in enumerate(real(*a))))
    (error,) = cross_check.compare_routes(compiled)
    assert str(error).startswith(
        "TC121 torch and JAX differ on 'flip' after attention of layer 0\n    got     0.001 apart at input [0]"
    )


# Pictures ----------------------------------------------------------------------------------------------


def test_a_tree_shows_what_the_output_is_made_of(call):
    out = finished(call("show", "reverse"), 0).stdout
    assert "11 required of 15 permitted edges" in out
    assert "└── v: tok  tokens" in out
    assert "q: m2  opp_idx-1 = map(opp_idx)" in out


def test_a_drawing_has_every_edge_and_every_expression(call, here):
    finished(call("show", "reverse", "--ablation", "resample", "--out", "c.svg"), 0)
    root = ElementTree.parse(here / "c.svg").getroot()
    titles = [t.text for t in root.iter("{http://www.w3.org/2000/svg}title")]
    assert "tok -> a3.h0.v" in titles
    assert "a3.h0: reverse = aggregate(reverse_selector, tokens)" in titles
    strokes = [p.get("stroke-width") for p in root.iter("{http://www.w3.org/2000/svg}path")]
    assert (strokes.count("2.0"), len(strokes)) == (2, 15)


def test_a_page_holds_the_drawing_and_a_table(call, here):
    finished(call("show", "hist", "--out", "c.html"), 0)
    text = (here / "c.html").read_text()
    assert "The file does not say what it was made on." not in text
    assert "<svg" in text
    assert "<th scope=row>tok -&gt; m0<td>tokens, into hist = selector_width(same_tok)" in text


def test_dot_has_required_edges_solid_and_others_faint(call, here):
    finished(call("show", "reverse", "--ablation", "resample", "--out", "c.dot"), 0)
    lines = (here / "c.dot").read_text().splitlines()
    assert lines[0] == 'digraph "reverse" {'
    assert '  "tok" -> "a3.h0" [headlabel="v"];' in lines
    assert '  "m2" -> "a3.h0" [headlabel="q", color=gray80];' in lines


def test_one_picture_shows_one_ablation(call, here):
    result = finished(call("show", "hist", "--ablation", "all", "--out", "c.svg"), 2)
    assert result.stderr.startswith("TC117 --ablation one picture shows one ablation")


# Explanations ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        (
            ["reverse", "a0.h0 -> m0"],
            [
                "a0.h0 -> m0, zero ablation: required",
                "    why     without it the required circuit gives another output",
                "    witness input ['a'], position 1: want [1.0, 0.0, 0.0], got [0.5, 0.0, 0.0]",
                "    writer  a0.h0 computes length = selector_width(all_true_selector)",
                "    reader  m0 belongs to length = selector_width(all_true_selector)",
            ],
        ),
        (
            ["reverse", "pos->a3.h0.k", "--ablation", "resample"],
            [
                "pos -> a3.h0.k, resample ablation: not required",
                "    why     the 2 required edges alone give the same output on all 7,380 pairs, and this is none of them",
            ],
        ),
        (
            ["reverse", "a0.h0 -> a3.h0.q"],
            [
                "a0.h0 -> a3.h0.q, zero ablation: carries nothing",
                "    why     the weights: a3.h0.q multiplies all that a0.h0 writes by zero",
            ],
        ),
        (
            ["reverse", "tok -> out"],
            [
                "tok -> out, zero ablation: carries nothing",
                "    why     the weights: the output reads nothing that the writer writes",
            ],
        ),
        (
            ["reverse", "tok -> m3"],
            [
                "tok -> m3, zero ablation: carries nothing",
                "    why     the weights: nothing that the component of m3 writes reaches out",
            ],
        ),
    ],
)
def test_an_edge_is_explained(call, words, lines):
    assert finished(call("explain", *words), 0).stdout.splitlines()[: len(lines)] == lines


def test_an_edge_that_was_not_proved_to_be_required_is_not_said_to_be(call, monkeypatch):
    from dataclasses import replace

    from tracrcheck.grading import explain

    real = explain.certificate_of
    unproved = {"proved": ("sufficient",), "unknown": {"minimal": "too near"}}
    monkeypatch.setattr(explain, "certificate_of", lambda *of, **by: replace(real(*of, **by), **unproved))
    out = finished(call("explain", "reverse", "a0.h0 -> m0"), 0).stdout
    assert "    why     it is in the circuit that was found, but: UNKNOWN(too near)\n" in out


def test_an_edge_of_another_smallest_circuit_is_explained(call):
    from tracrcheck.compiler.compile import compile_program
    from tracrcheck.rasp.library import Library
    from tracrcheck.truth.cache import certificate_of
    from tracrcheck.truth.setting import Setting

    certificate = certificate_of(
        compile_program(Library.here().load("either_of_two_heads").program), Setting()
    )
    edge = next(iter(certificate.other - certificate.required))
    out = finished(call("explain", "either_of_two_heads", str(edge)), 0).stdout
    assert out.startswith(f"{edge}, zero ablation: in another smallest circuit\n")
