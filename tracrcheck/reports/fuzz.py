"""What a fuzzing campaign prints."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from tracrcheck.reports.text import table

if TYPE_CHECKING:
    from tracrcheck.runs.fuzz import FuzzResults
    from tracrcheck.runs.fuzz_program import Row
    from tracrcheck.runs.fuzz_score import Bar, Score, Share
    from tracrcheck.runs.regressions import Replayed


def parts(results: FuzzResults, score: Score, bar: Bar) -> list[str | Table]:
    """Failures, shares, composition, rejections, and whether the bar is reached."""
    rows, seed = results.rows, results.run["asked"]["seed"]
    failures = [failure(row, seed) for row in rows if row.counts and not row.holds]
    return [
        *(text for block in failures for text in (block, "")),
        shares(score),
        "",
        *composition(score, bar),
        rejections(results.drawn, results.rejected),
        slow(rows),
        *(f"below the bar: {what}" for what in score.short),
        "the bar is reached" if not score.short else "the bar is not reached",
    ]


def shares(score: Score) -> Table:
    made = table("settings", "exact", "counted", "share", "95 % interval", "vacuous", "permitted", "random",
                 numbers=("exact", "counted", "share", "95 % interval", "vacuous", "permitted", "random"))  # fmt: skip
    for name, share in {"overall": score.overall, **score.ablations}.items():
        made.add_row(
            name,
            str(share.exact),
            str(share.counted),
            f"{share.share:.2%}",
            f"{share.low:.2%} - {share.high:.2%}",
            str(score.vacuous[name]),
            *(_short(of[name]) for of in score.trivial.values()),
        )
    return made


def _short(share: Share) -> str:
    return f"{share.share:.1%}"


def failure(row: Row, seed: int) -> str:
    """Why one setting is not exact, and the command that replays it."""
    lines = [_headline(row)]
    if row.verdict.detail:
        lines.append(f"    detail  {row.verdict.detail}")
    lines += _of_circuit(row)
    return "\n".join([*lines, f"    replay  {replay_command(row, seed)}"])


def replay_command(row: Row, seed: int) -> str:
    """The command that judges this setting again."""
    words = ["tracrcheck", "fuzz", "--seed", str(seed), "--number", str(row.number)]
    return shlex.join([*words, "--ablation", row.ablation, "--method", row.verdict.method])


def one(row: Row, seed: int) -> str:
    """A setting asked for by its draw."""
    return f"{_headline(row)}{' (vacuous)' if not row.counts else ''}" if row.holds else failure(row, seed)


def _headline(row: Row) -> str:
    v = row.verdict
    why = f": {v.reason}" if v.reason else ""
    return f"{v.verdict} {v.program}, {v.ablation}, {v.method}, seed {v.seed}{why}"


def _of_circuit(row: Row) -> list[str]:
    v = row.verdict
    found = (("missing", v.missing), ("extra", v.extra))
    lines = [f"    {name:<7} {len(edges)}: {', '.join(edges)}" for name, edges in found if edges]
    if (w := v.witness) is not None:
        after = "" if w.corruption is None else f", corrupted by {list(w.corruption)}"
        shown = f"input {list(w.input)}{after}, position {w.position}: want {w.want!r}, got {w.got!r}"
        lines.append(f"    witness {shown}")
    return lines


def composition(score: Score, bar: Bar) -> list[str]:
    c, q = score.composition, bar.quotas
    return [
        f"{c.programs} programs",
        f"  layers                        {_histogram(c.layers)}",
        f"  operations                    {_histogram(c.operations)}",
        f"  causal                        {c.causal:.1%}",
        f"  2 or more layers              {c.two_layers:.1%} (at least {q.two_layers:.0%})",
        f"  attention depends on tokens   {c.attends_by_tokens:.1%} (at least {q.attends_by_tokens:.0%})",
        f"  numerical output              {c.numerical:.1%} (at least {q.numerical:.0%})",
        f"  median required under zero    {c.median_required_zero:g} (at least {q.median_required_zero:g})",
    ]


def _histogram(counts: dict[int, int]) -> str:
    return ", ".join(f"{name}: {n}" for name, n in counts.items())


def rejections(drawn: int, rejected: Mapping[str, int]) -> str:
    reasons = ", ".join(f"{reason}: {n}" for reason, n in sorted(rejected.items(), key=lambda of: -of[1]))
    return f"{drawn} drawn, {sum(rejected.values())} rejected{f' ({reasons})' if reasons else ''}"


def slow(rows: Sequence[Row]) -> str:
    """The longest certification."""
    longest = max(rows, key=lambda row: row.certify_seconds, default=None)
    if longest is None:
        return "nothing certified"
    where = f"{longest.verdict.program}, {longest.ablation}"
    return f"longest certification {longest.certify_seconds:.1f} s ({where})"


def replayed(name: str, found: Replayed) -> str:
    """One file replayed, or one draw."""
    if found.passes:
        return f"passes  {name}"
    lines = [f"fails   {name}: {found.why}"]
    if found.row is not None:
        lines += _of_circuit(found.row)
    return "\n".join(lines)
