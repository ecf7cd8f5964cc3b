"""Results as a comment on a pull request: short, what is wrong first, within what GitHub takes."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tracrcheck.grading.verdict import Verdict
from tracrcheck.records.machine import in_words
from tracrcheck.reports import compare
from tracrcheck.reports.faithfulness import DIRECTIONS, metric_label, number, span
from tracrcheck.reports.fuzz import failure
from tracrcheck.reports.gate_baseline import comparison_lines, in_a_sentence
from tracrcheck.reports.render.sanitize import shown
from tracrcheck.reports.saved import CertificatesFile, DiscoveryFile, setting_words, usable
from tracrcheck.reports.text import verdict_story
from tracrcheck.runs.baseline import Comparison
from tracrcheck.runs.fuzz_results import FuzzResults
from tracrcheck.runs.fuzz_score import Bar
from tracrcheck.runs.mutant_results import MutantResults
from tracrcheck.runs.results import Results
from tracrcheck.trained.curve import CompareResults

# Bytes of UTF-8. GitHub refuses a comment above 65,536 characters; a character is a byte at least.
LIMIT = 65_000
# Wrong ones that have a row, and those told in full below the table.
MOST_ROWS, MOST_BLOCKS, MOST_BLOCK = 30, 10, 3000
MOST_COMPARED, MOST_LINE = 12_000, 2000
# Settings of certificates that have a row.
MOST_TRUTHS = 150


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """cells: of its row. title and block: told in full."""

    cells: tuple[str, ...]
    title: str
    block: str


def gate_comment(
    results: Results, replay: Callable[[Verdict], str], compared: Comparison | None = None
) -> str:
    verdicts, s, asked = results.verdicts, results.summary, results.run["asked"]
    bad = sorted((v for v in verdicts if v.verdict != "HOLDS"), key=lambda v: v.verdict != "FAILS")
    headline = _headline(
        "gate", len(bad), len(verdicts), "verdicts hold", "verdicts do not hold", results.run
    )
    lines = [
        f"{_code(asked['method'])}: {s['holds']:,} hold, {s['fails']:,} fail, {s['unknown']:,} unknown, "
        f"{s['vacuous']:,} vacuous; {s['seconds']:,.0f} s",
        *_compared(compared),
    ]
    wrong = [
        Wrong(
            cells=(_mark(v.verdict), _code(v.program), v.ablation, str(v.seed), _why(v), str(len(v.missing)), str(len(v.extra))),
            title=f"{v.verdict} {v.program}, {v.ablation}, {v.criterion}, seed {v.seed}",
            block=verdict_story(v, replay(v)),
        )
        for v in bad
    ]  # fmt: skip
    head = ("verdict", "program", "ablation", "seed", "why", "missing", "surplus")
    return _comment([headline, *lines], head, wrong, [*_by_ablation(verdicts), *_foot(results.run)])


def fuzz_comment(results: FuzzResults) -> str:
    score, seed = results.score(Bar()), results.run["asked"]["seed"]
    bad = [row for row in results.rows if row.counts and not row.holds]
    o = score.overall
    reached = "the bar is reached" if not score.short else "the bar is not reached"
    lines = [
        f"### {'✗' if score.short else '✓'} tracrcheck fuzz: {reached}{_unfinished(results.run)}",
        f"{o.exact:,} of {o.counted:,} settings exact: {o.share:.2%} (95 % interval {o.low:.2%} to {o.high:.2%})",
        *(f"* {_text(what)}" for what in score.short),
    ]
    wrong = [
        Wrong(
            cells=(_mark(row.verdict.verdict), _code(row.verdict.program), row.ablation, _why(row.verdict)),
            title=f"{row.verdict.verdict} {row.verdict.program}, {row.ablation}",
            block=failure(row, seed),
        )
        for row in bad
    ]
    return _comment(lines, ("verdict", "program", "ablation", "why"), wrong, _foot(results.run))


def mutants_comment(results: MutantResults) -> str:
    document = results.document
    bad = [row for row in document["mutants"] if row["status"] != "killed"]
    n = len(document["mutants"])
    lines = [
        _headline(
            "mutants",
            len(bad),
            n,
            "seeded faults are caught",
            "seeded faults are not caught",
            document["run"],
        )
    ]
    wrong = [
        Wrong(
            cells=(f"✗ {row['status']}", _code(row["name"]), _text(row["why"])),
            title=f"{row['status']} {row['name']}",
            block=f"{row['why']}\n{row['killed_by'] or 'every check is green'}",
        )
        for row in bad
    ]
    return _comment(lines, ("status", "fault", "what is wrong"), wrong, _foot(document["run"]))


def compare_comment(results: CompareResults) -> str:
    """The same table as the whole page, and what it comes to."""
    bad = [c for c in results.curves if c.fault]
    asked, n = results.run["asked"], len(results.curves)
    headline = _headline("compare", len(bad), n, "curves were made", "curves failed", results.run)
    of = f"{_code(asked['task'])} in {_code(asked['model'])}, {_text(asked['ablation'])} ablation, {len(asked['seeds'])} seeds"
    wrong = [
        Wrong(
            cells=("✗", _code(c.method), str(c.seed), _text(c.fault or "")),
            title=f"{c.method}, seed {c.seed}",
            block=c.fault or "",
        )
        for c in bad
    ]
    told = "\n".join(f"* {_text(line)}" for line in compare.lines(results) if not line.startswith("FAILED"))
    foot = [
        "Fewest edges at so many nats on held-out prompts: median over seeds (range).",
        _table(compare.heads(), [[_text(cell) for cell in row] for row in compare.rows_of(results)]),
        *([told] if told else []),
        *_foot(results.run),
    ]
    return _comment([headline, of], ("", "method", "seed", "why"), wrong, foot)


def discovery_comment(saved: DiscoveryFile) -> str:
    """How large the circuit is, whether its faithfulness survives, and every cell."""
    d = saved.document
    asked, matrix = d["asked"], d["faithfulness"]
    if d["circuit"] is None:
        headline = f"### ✗ tracrcheck discover: no circuit, {_text(d['fault'] or 'no_result')}"
    else:
        headline = f"### ✓ tracrcheck discover: {d['n_edges']:,} of {d['n_graph_edges']:,} edges"
    top = [
        headline,
        f"{_code(asked['method'])} on {_code(asked['task'])} in {_code(asked['model'])}, {_text(asked['ablation'])} ablation",
    ]
    foot = _foot(saved.run) if saved.run else []
    if matrix is not None:
        cells = [
            [c["ablation"], DIRECTIONS.get(c["direction"], c["direction"]), metric_label(c["metric"]),
             number(c["circuit"]["mean"]), span(c["circuit"]["low"], c["circuit"]["high"]), number(c["random"]["mean"]),
             number(c["model"]), number(c["no_edges"]), "yes" if c["faithful"] else "no"]
            for c in matrix["cells"]
        ]  # fmt: skip
        head = (
            "ablation",
            "circuit is",
            "metric",
            "circuit",
            "interval",
            "random",
            "model",
            "no edges",
            "faithful",
        )
        table = _table(head, [[_text(str(cell)) for cell in row] for row in cells])
        top.append(_text(matrix["sentence"]))
        foot = [f"<details><summary>every cell</summary>\n\n{table}\n\n</details>", *foot]
    return _comment(top, (), (), foot)


def certify_comment(saved: CertificatesFile) -> str:
    """What is not proved first, then a row for each setting."""
    rows = [
        [
            _code(c["program"]), _text(setting_words(c)), str(len(c["required"])), str(len(c["permitted"])),
            _text(", ".join(c["proved"]) or "nothing"),
        ]
        for c in saved.certificates
    ]  # fmt: skip
    bad = [c for c in saved.certificates if not usable(c)]
    wrong = [
        Wrong(
            cells=("? UNKNOWN", _code(c["program"]), _text(setting_words(c)), _text(", ".join(c["unknown"]))),
            title=f"UNKNOWN {c['program']}, {setting_words(c)}",
            block="\n".join(f"{name}: {why}" for name, why in c["unknown"].items()),
        )
        for c in bad
    ]
    n = len(saved.certificates)
    what = f"{len(bad):,} of {n:,} truths are not proved" if bad else f"{n:,} of {n:,} truths are proved"
    table = _table(("program", "setting", "required", "permitted", "proved"), rows[:MOST_TRUTHS])
    more = [f"and {n - MOST_TRUTHS:,} more."] if n > MOST_TRUTHS else []
    foot = [table, *more, *(_foot(saved.run) if saved.run else [])]
    headline = f"### {'✗' if bad else '✓'} tracrcheck certify: {what}"
    return _comment([headline], ("", "program", "setting", "not proved"), wrong, foot)


# Parts -------------------------------------------------------------------------------------------------


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows))


def _headline(command: str, bad: int, n: int, right: str, wrong: str, run: dict[str, Any]) -> str:
    what = f"{bad:,} of {n:,} {wrong}" if bad else f"{n:,} of {n:,} {right}"
    return f"### {'✗' if bad else '✓'} tracrcheck {command}: {what}{_unfinished(run)}"


def _unfinished(run: dict[str, Any]) -> str:
    return "" if run["finished"] else " (NOT FINISHED)"


def _mark(word: str) -> str:
    return f"{'✗' if word == 'FAILS' else '?'} {word}"


def _why(v: Verdict) -> str:
    return _text(v.reason or "")


def _compared(compared: Comparison | None) -> list[str]:
    if compared is None:
        return []
    word = in_a_sentence(compared, " from the baseline")
    return [f"**{word}.**", _fenced(_within("\n".join(comparison_lines(compared)), MOST_COMPARED))]


def _by_ablation(verdicts: Sequence[Verdict]) -> list[str]:
    rows = []
    for ablation in dict.fromkeys(v.ablation for v in verdicts):
        of = [v for v in verdicts if v.ablation == ablation]
        real = [v for v in of if not v.vacuous]
        holds = sum(v.verdict == "HOLDS" for v in real)
        median = statistics.median(v.seconds for v in of)
        rows.append(f"| {ablation} | {holds:,} | {len(real):,} | {len(of) - len(real):,} | {median:.2f} |")
    return (
        ["\n".join(["| ablation | exact | of | vacuous | median seconds |", "|---|---|---|---|---|", *rows])]
        if rows
        else []
    )


def _foot(run: Mapping[str, Any]) -> list[str]:
    commit = (run["commit"] or "unknown")[:12]
    return [
        f"<sub>{_text(in_words(run['machine']))}; commit {_text(commit)}; begun {_text(run['started'])}</sub>"
    ]


def _comment(top: Sequence[str], head: Sequence[str], wrong: Sequence[Wrong], foot: Sequence[str]) -> str:
    """As much of what is wrong as there is room for; how much more there is, is always said."""
    room = LIMIT - sum(_size(part) for part in (*top, *foot)) - 400
    rows = [f"| {' | '.join(w.cells)} |" for w in wrong]
    kept = _fitting(rows[:MOST_ROWS], room // 2)
    parts = list(top)
    if kept:
        parts.append("\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *kept]))
        room -= _size(parts[-1])
    if len(wrong) > len(kept):
        parts.append(f"and {len(wrong) - len(kept):,} more.")
    blocks = [
        f"<details><summary>{_text(w.title)}</summary>\n\n{_fenced(_within(w.block, MOST_BLOCK))}\n\n</details>"
        for w in wrong[:MOST_BLOCKS]
    ]
    return "\n\n".join([*parts, *_fitting(blocks, room), *foot]) + "\n"


def _fitting(parts: Sequence[str], room: int) -> list[str]:
    kept: list[str] = []
    for part in parts:
        room -= _size(part)
        if room < 0:
            break
        kept.append(part)
    return kept


def _size(text: str) -> int:
    """With the blank line after it."""
    return len(text.encode(errors="replace")) + 2


def _within(text: str, most: int) -> str:
    data = text.encode(errors="replace")
    return text if len(data) <= most else data[:most].decode(errors="ignore") + " …"


# Text that becomes no markup ------------------------------------------------------------------------------


def _text(value: str) -> str:
    """One line; whatever Markdown or HTML would read is written as a number."""
    value = _within(" ".join(shown(value).split()), MOST_LINE)
    return re.sub(r"[^\w .,:;%/+=()-]|_", lambda match: f"&#{ord(match[0])};", value)


def _code(value: str) -> str:
    """In a code element nobody is mentioned and nothing is linked."""
    return f"<code>{_text(value)}</code>"


def _fenced(text: str) -> str:
    text = shown(text)
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"
