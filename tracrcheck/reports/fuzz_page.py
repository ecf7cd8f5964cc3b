"""Results of fuzzing as a page of Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from tracrcheck.generator.features import Composition, Quotas
from tracrcheck.reports.fuzz import failure, rejections, slow
from tracrcheck.reports.render.markdown import provenance
from tracrcheck.runs.fuzz import FuzzResults
from tracrcheck.runs.fuzz_score import Bar, Score, Share


def fuzz_page(results: FuzzResults) -> str:
    """How it was made, the shares, what the programs are made of, what was rejected, and every failure."""
    bar = Bar()
    score = results.score(bar)
    lines = [*_head(results), *_shares(results, score), *_bar(score)]
    lines += _composition(score.composition, bar.quotas)
    lines += ["", rejections(results.drawn, results.rejected) + ".", ""]
    return "\n".join([*lines, *_failures(results)])


def _head(results: FuzzResults) -> list[str]:
    asked = results.run["asked"]
    programs = f"{asked['programs']:,} programs of the draws of seed {asked['seed']}"
    return [
        "# Results of fuzzing",
        "",
        *provenance(results.run, f"{programs}, {asked['timeout']:g} s for a run of the method"),
        "",
    ]


def _shares(results: FuzzResults, score: Score) -> list[str]:
    lines = [
        "Exact settings of those in which the output can change, with the 95 % Wilson interval; beside them two trivial",
        "methods on the same settings: all permitted edges, and random ones. Median seconds of the method.",
        "",
        "| settings | exact | of | share | 95 % interval | unknown | vacuous | seconds | permitted | random |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, share in {"overall": score.overall, **score.ablations}.items():
        rows = [row for row in results.rows if name in ("overall", row.ablation)]
        unknown = sum(row.counts and row.verdict.verdict == "UNKNOWN" for row in rows)
        seconds = statistics.median([row.verdict.seconds for row in rows] or [0.0])
        trivial = " | ".join(_percent(of[name]) for of in score.trivial.values())
        lines.append(
            f"| {name} | {share.exact:,} | {share.counted:,} | {share.share:.2%} | {share.low:.2%} - {share.high:.2%} "
            f"| {unknown} | {score.vacuous[name]:,} | {seconds:.2f} | {trivial} |"
        )
    return [*lines, "", f"{slow(results.rows).capitalize()}.", ""]


def _percent(share: Share) -> str:
    return f"{share.share:.1%}"


def _bar(score: Score) -> list[str]:
    if not score.short:
        return ["The bar is reached.", ""]
    return ["**The bar is not reached:**", "", *(f"* {what}" for what in score.short), ""]


def _composition(c: Composition, q: Quotas) -> list[str]:
    rows = [
        ("2 or more layers", f"{c.two_layers:.1%}", f"{q.two_layers:.0%}"),
        ("attention depends on tokens", f"{c.attends_by_tokens:.1%}", f"{q.attends_by_tokens:.0%}"),
        ("numerical output", f"{c.numerical:.1%}", f"{q.numerical:.0%}"),
        ("median required under zero", f"{c.median_required_zero:g}", f"{q.median_required_zero:g}"),
        ("causal", f"{c.causal:.1%}", ""),
    ]
    return [
        f"## What the {c.programs:,} programs are made of",
        "",
        "| programs | is | at least |",
        "|---|---|---|",
        *(f"| {name} | {got} | {least} |" for name, got, least in rows),
        "",
        *_histogram("layers", c.layers),
        "",
        *_histogram("operations", c.operations),
    ]


def _histogram(name: str, counts: dict[int, int]) -> list[str]:
    return [
        f"| {name} | {' | '.join(map(str, counts))} |",
        "|---" * (len(counts) + 1) + "|",
        f"| programs | {' | '.join(map(str, counts.values()))} |",
    ]


def _failures(results: FuzzResults) -> Sequence[str]:
    failing = [row for row in results.rows if row.counts and not row.holds]
    if not failing:
        return ["No setting that counts failed.", ""]
    lines = [f"## {len(failing):,} not exact", ""]
    for row in failing:
        text = failure(row, results.run["asked"]["seed"])
        lines += [*(f"    {line}" for line in text.splitlines()), ""]
    return lines
