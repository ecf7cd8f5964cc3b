"""Tables and blocks of text."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.table import Table

from tracrcheck.grading.score_metrics import Ranking
from tracrcheck.grading.verdict import Summary, Verdict, Witness

if TYPE_CHECKING:
    from tracrcheck.compiler.compile import Compiled
    from tracrcheck.grading.explain import Explanation
    from tracrcheck.runs.results import RunResults
    from tracrcheck.truth.certificate import Certificate
    from tracrcheck.truth.program_check import Checkup


def table(*columns: str, numbers: Iterable[str] = ()) -> Table:
    """Rows fold where a terminal is narrow, so that nothing is cut off."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        made.add_column(name, justify="right" if name in set(numbers) else "left", overflow="fold")
    return made


def programs_table(programs: Sequence[Compiled]) -> Table:
    made = table("program", "vocabulary", "length", "layers x heads", "edges", numbers=("length", "edges"))
    for compiled in programs:
        program, spec = compiled.program, compiled.model.spec
        vocabulary = " ".join(sorted(map(str, program.vocab)))
        made.add_row(
            program.name,
            vocabulary,
            str(program.max_seq_len),
            f"{spec.n_layers} x {spec.n_heads}",
            f"{compiled.graph.n_edges:,}",
        )
    return made


# Verdicts ----------------------------------------------------------------------------------------------


def verdict_table(verdicts: Sequence[Verdict]) -> Table:
    """One row for each program and setting, over all seeds. AUROC: the lowest, where the method gives scores."""
    ranked = ["AUROC"] if any(v.ranking for v in verdicts) else []
    made = table("program", "ablation", "required", "found", "holds", "verdict", "vacuous", *ranked, "seconds",
                 numbers=("required", "found", "holds", "AUROC", "seconds"))  # fmt: skip
    groups: dict[tuple[str, str], list[Verdict]] = {}
    for v in verdicts:
        groups.setdefault((v.program, v.ablation), []).append(v)
    for (program, ablation), rows in groups.items():
        sizes = sorted({v.n_found for v in rows})
        holds = sum(v.verdict == "HOLDS" for v in rows)
        words = [word for word in ("FAILS", "UNKNOWN", "HOLDS") if any(v.verdict == word for v in rows)]
        made.add_row(
            program,
            ablation,
            str(rows[0].n_required),
            f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]}-{sizes[-1]}",
            f"{holds} of {len(rows)}",
            words[0],
            "vacuous" if rows[0].vacuous else "",
            *([_lowest_auroc(rows)] if ranked else []),
            f"{sum(v.seconds for v in rows):.1f}",
        )
    return made


def _lowest_auroc(rows: Sequence[Verdict]) -> str:
    known = [v.ranking.auroc for v in rows if v.ranking and v.ranking.auroc is not None]
    return share(min(known, default=None))


def verdict_block(v: Verdict, asked: str, options: Sequence[str] = ()) -> str:
    """Why a verdict does not hold, and the command that replays it."""
    return verdict_story(v, replay(v, asked, options))


def verdict_story(v: Verdict, replay: str) -> str:
    """The same, where the command is at hand."""
    lines = [f"{v.verdict} {v.program}, {v.ablation}, {v.criterion}, {v.method}, seed {v.seed}: {v.reason}"]
    if v.detail:
        lines.append(f"    detail  {v.detail}")
    lines += _edges("missing", v.missing) + _edges("extra", v.extra)
    if v.witness:
        lines.append(f"    witness {witness_text(v.witness)}")
    elif v.reason == "not_smallest":
        lines.append(
            "    witness none: the circuit is faithful on the whole list; the extra edges are not needed"
        )
    if v.ranking:
        lines.append(f"    scores  {ranking_text(v.ranking)}")
    lines.append(f"    replay  {replay}")
    return "\n".join(lines)


def ranking_text(r: Ranking) -> str:
    some = "a" if r.exact_threshold else "no"
    return (
        f"precision {share(r.precision)}, recall {share(r.recall)}, F1 {share(r.f1)}; AUROC {share(r.auroc)}, "
        f"average precision {share(r.average_precision)}; {some} threshold on the scores is exact"
    )


def share(x: float | None) -> str:
    """Rounded down, so that 1.000 means all."""
    return "-" if x is None else f"{math.floor(1000 * x) / 1000:.3f}"


def witness_text(w: Witness) -> str:
    after = "" if w.corruption is None else f", corrupted by {list(w.corruption)}"
    return f"input {list(w.input)}{after}, position {w.position}: want {w.want!r}, got {w.got!r}"


def replay(v: Verdict, asked: str, options: Sequence[str] = ()) -> str:
    """The command that gives this verdict again; `asked` is the program's name or path."""
    words = ["tracrcheck", "gate", asked, "--ablation", v.ablation, "--criterion", v.criterion]
    return shlex.join([*words, "--method", v.method, "--seed", str(v.seed), *options])


def _edges(label: str, edges: Sequence[str], most: int = 12) -> list[str]:
    if not edges:
        return []
    rest = f", and {len(edges) - most} more" if len(edges) > most else ""
    return [f"    {label:<7} {len(edges)}: {', '.join(edges[:most])}{rest}"]


def summary_line(summary: Summary, *, allow_unknown: bool = False) -> str:
    text = f"{summary.holds} hold, {summary.fails} fail, {summary.unknown} unknown, {summary.vacuous} vacuous"
    lifted = " (unknown verdicts allowed)" if allow_unknown and summary.unknown else ""
    return f"{text}{lifted}; {summary.seconds:.1f} s"


# Results files -----------------------------------------------------------------------------------------


def stale_lines(results: RunResults, differs: Sequence[str]) -> list[str]:
    return [
        f"STALE {results.path}: made from other sources (commit {results.run['commit'] or 'unknown'}); nothing of it was run again",
        *(f"    {line}" for line in differs),
    ]


def sample_line(results: RunResults, n: int, seed: int) -> str:
    return f"{results.path}: {n} of {len(results.units)} {results.units_are} run again, sample of seed {seed}"


# Certificates ------------------------------------------------------------------------------------------


def certificate_block(compiled: Compiled, c: Certificate) -> list[str | Table]:
    """What is required, what was proved, and which RASP expressions each edge joins."""
    s = c.setting
    lengths = f", lengths {s.lengths[0]}-{s.lengths[1]}" if s.lengths else ""
    bos = ", position 0 scored" if s.score_bos else ""
    head = f"{c.program}: {s.ablation} ablation, criterion {s.criterion}{lengths}{bos}"
    parts: list[str | Table] = [
        head,
        f"  required  {len(c.required)} of {len(c.permitted)} permitted edges{_vacuous(c)}",
    ]
    parts.append(f"  proved    {_proved(c)} ({_on(c)})")
    parts += [f"  UNKNOWN   {name}: {why}" for name, why in c.unknown.items()]
    if c.other is not None:
        parts.append(f"  another   {', '.join(c.other.texts)}")
    parts.append(f"  gap       {gap_words(c)}")
    if len(c.required):
        made = table("  edge", "writer computes", "reader computes")
        for edge in c.required:
            made.add_row(
                f"  {edge}", computes(compiled, str(edge.writer)), reader_computes(compiled, edge.reader)
            )
        parts.append(made)
    return parts


def _vacuous(c: Certificate) -> str:
    return "; vacuous: the output cannot change" if c.vacuous else ""


def _proved(c: Certificate) -> str:
    words = [f"{name}: {c.says(name)}" if c.says(name) != "proved" else name for name in c.proved]
    if c.other is not None:
        words.append(f"unique: {c.says('unique')}")
    return ", ".join(words) or "nothing"


def _on(c: Certificate) -> str:
    if c.setting.paired:
        return f"on {c.n_items:,} pairs of {c.n_inputs:,} inputs"
    return f"on {c.n_items:,} inputs"


def gap_words(c: Certificate) -> str:
    below = "nothing below" if c.gap_below is None else f"at most {c.gap_below:.2g} where faithful"
    above = "nothing above" if c.gap_above is None else f"at least {c.gap_above:.2g} where not"
    return f"{below}, {above} (in units of the output's range)"


def computes(compiled: Compiled, writer: str) -> str:
    return "; ".join(compiled.provenance.get(writer, ("(nothing: an unused component)",)))


def reader_computes(compiled: Compiled, reader) -> str:
    match reader.kind:
        case "head":
            return computes(compiled, f"a{reader.layer}.h{reader.head}")
        case "mlp":
            return computes(compiled, f"m{reader.layer}")
    return "the output"


# One program -------------------------------------------------------------------------------------------


def checkup_parts(found: Checkup) -> list[str | Table]:
    """What `tracrcheck check` prints beside the problems."""
    compiled = found.compiled
    if compiled is None:
        return []
    spec, n = compiled.model.spec, len(found.problems)
    parts: list[str | Table] = [
        f"{compiled.program.name}: {spec.n_layers} layers x {spec.n_heads} heads, {compiled.graph.n_edges:,} edges"
    ]
    if (f := found.faithfulness) is not None:
        sample = f", a sample of {f.sampled:,}" if f.sampled is not None else ""
        parts.append(
            f"  compared  {f.n_inputs:,} inputs{sample}; {f.n_positions:,} positions, {f.n_without_value:,} without a value"
        )
    agree = "agree" if not n else f"{n} problem{'s' if n > 1 else ''}"
    reference = "reference, " if compiled.program.reference is not None else "(no reference), "
    if compiled.program.by_hand is None:
        parts.append(f"  interpreter, {reference}torch, JAX: {agree}")
    else:
        parts.append(
            f"  interpreter, {reference}torch: {agree}; made by hand, so there is no JAX model to compare"
        )
    if found.certificates:
        made = table("  ablation", "required", "permitted", "proved", numbers=("required", "permitted"))
        for c in found.certificates:
            proved = _proved(c) + (f"; {c.says('sufficient')}" if not c.usable else "") + _vacuous(c)
            made.add_row(f"  {c.setting.ablation}", str(len(c.required)), str(len(c.permitted)), proved)
        parts.append(made)
    return [*parts, f"  {found.seconds:.1f} s"]


def explanation_block(compiled: Compiled, ablation: str, found: Explanation) -> str:
    edge = found.edge
    lines = [f"{edge}, {ablation} ablation: {found.kind}", f"    why     {found.why}"]
    if found.witness:
        lines.append(f"    witness {witness_text(found.witness)}")
    lines.append(f"    writer  {edge.writer} computes {computes(compiled, str(edge.writer))}")
    lines.append(f"    reader  {edge.reader} belongs to {reader_computes(compiled, edge.reader)}")
    return "\n".join(lines)
