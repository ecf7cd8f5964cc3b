"""Compact results files read as the same results, and a fault in one is found as in the whole file."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.tracrcheck.runs.test_results import finished, made, put  # noqa: F401
from tracrcheck.runs.compact import merged, spread

ROWS = st.lists(
    st.fixed_dictionaries({
        "name": st.sampled_from(["a", "b"]),
        "seed": st.integers(0, 12),
        "subject": st.sampled_from(["gpt2_{seed}", "drawn_{seed}_1", "other"]),
        "verdict": st.sampled_from(["HOLDS", "FAILS"]),
        "seconds": st.floats(0, 9).map(lambda x: round(x, 3)),
    }),
    unique_by=lambda row: (row["name"], row["seed"], row["subject"]),
)  # fmt: skip


def in_order(rows):
    return sorted(rows, key=partial(json.dumps, sort_keys=True))


@given(ROWS)
def test_merged_rows_spread_to_the_same_rows(drawn):
    rows = [{**row, "subject": row["subject"].format(seed=row["seed"])} for row in drawn]
    few = merged(rows)
    back = list(spread(few))
    assert in_order(back) == in_order(rows)
    alike = {(r["name"], r["subject"].replace(f"_{r['seed']}", "_*", 1), r["verdict"]) for r in rows}
    assert len(few) == len(alike)
    assert merged(few) == few


def test_rows_without_seeds_stay_as_they_are():
    rows = [{"number": 1, "seconds": 2.0}, {"number": 2, "seconds": 2.0}, 7]
    assert list(spread(rows)) == rows
    assert merged(rows[:2]) == rows[:2]


def compacted(call) -> dict:
    finished(call("report", "out.json", "--compact", "out.json"), 0)
    return json.loads(Path("out.json").read_text())


def test_a_compact_file_reads_and_reports_as_the_whole_one(call, put):  # noqa: F811
    put()
    page = finished(call("report", "out.json"), 0).output
    few = compacted(call)
    assert [len(row.get("seeds", [])) for row in few["verdicts"]] == [
        0
    ] * 8  # the method is wrong on one of two seeds

    def alike(found):
        found["run"]["asked"]["seeds"] = [0, 1]
        right = [v for v in found["verdicts"] if v["seed"] == 0]
        found["verdicts"] = [v | {"seed": seed} for v in right for seed in (0, 1)]
        found["summary"] |= {"holds": 6, "vacuous": 2, "fails": 0}

    assert finished(call("report", "out.json"), 0).output == page
    put(alike)
    page = finished(call("report", "out.json"), 0).output
    few = compacted(call)
    assert [row["seeds"] for row in few["verdicts"]] == [[0, 1]] * 4
    assert finished(call("report", "out.json"), 0).output == page
    result = finished(call("recheck", "out.json", "--share", "1"), 1)
    assert "4 the same, 4 different" in result.output
    for part, wrong in [*(("seeds", x) for x in ([0, 1, 1], [0], [0, 2], [0, "1"])), ("seconds", [1.0])]:
        first = {**few["verdicts"][0], part: wrong}
        Path("out.json").write_text(json.dumps({**few, "verdicts": [first, *few["verdicts"][1:]]}))
        finished(call("recheck", "out.json"), 2)


def test_results_that_are_of_no_run_cannot_be_made_compact(call, here):
    finished(call("certify", "length", "--json", "truth.json"), 0)
    result = finished(call("report", "truth.json", "--compact", "few.json"), 2)
    assert "TC117" in result.output
    assert not Path("few.json").exists()
