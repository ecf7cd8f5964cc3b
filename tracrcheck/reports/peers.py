"""Several methods on the same programs: a row for each, and what went wrong where a circuit is not exact."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence

from tracrcheck.grading.verdict import Verdict
from tracrcheck.reports import document as doc
from tracrcheck.reports.document import choice, grouped, number
from tracrcheck.reports.text import count, share
from tracrcheck.runs.peers import PeersResults

OURS = "tracrcheck.peers."


def line(made: Verdict) -> str:
    return f"{_short(made)}, {made.ablation}, {made.program}: {made.verdict} {made.reason or ''}, {made.seconds:.1f} s"


def document(results: PeersResults) -> doc.Document:
    asked, verdicts = results.run["asked"], results.verdicts
    programs, n = asked["programs"], asked["n_programs"]
    left = len(results.plan.units()) - len(verdicts)
    tools = ", ".join(f"{name} {found}" for name, found in asked["tools"].items()) or "no tool of others"
    part = (
        f"all {n:,} programs" if len(programs) == n else f"{len(programs)} of {n:,} programs, drawn at random"
    )
    if asked["most_inputs"] is not None:
        part += f" from those with at most {asked['most_inputs']:,} inputs"
    return doc.Document(
        command="peers",
        title="Published methods on proved truths",
        word="not finished" if left else "made",
        good=not left,
        outcome=f"{left:,} verdicts are missing" if left else f"{len(verdicts):,} verdicts were made",
        scope=f"{count(len(asked['methods']), 'method')} on {part}: {', '.join(programs)}. {tools}. One seed, one thread, at most "
        f"{asked['timeout']:g} seconds each.",
        summary=(
            f"The circuit of a method that scores edges is made by {asked['select']}. Those that begin with eap_ig: and autocircuit: are the tools "
            "themselves, unmodified, in their registered settings (docs/peers.md says what is done around them); the others "
            "are our own methods. Settings in which no edge is required are left out.",
        ),
        tiles=(
            doc.Tile("methods", len(asked["methods"])),
            doc.Tile("programs", len(programs)),
            doc.Tile("verdicts", len(verdicts)),
        ),
        sections=(
            doc.Section("Methods", [_table(verdicts)], on=doc.EVERYWHERE),
            doc.Section("Not run", [doc.Lines(_missing(results))], on=doc.EVERYWHERE),
            doc.Section("Programs", [_programs(verdicts)], on=("markdown", "html")),
            doc.Section("Not exact", [_wrong(verdicts)], on=("markdown", "html")),
        ),
        run=results.run,
        suites=doc.suites_of(
            verdicts, _short, lambda v: doc.Case(f"{v.program}, {v.ablation}", v.seconds, None)
        ),
    )


def _missing(results: PeersResults) -> list[str]:
    """What an unfinished run left out, by method and ablation."""
    made = {(v.method, v.ablation, v.program) for v in results.verdicts}
    left = Counter(unit[:2] for unit in results.plan.units() if unit not in made)
    programs = len(results.run["asked"]["programs"])
    return [
        f"{method.removeprefix(OURS)}, {ablation}: {n} of {count(programs, 'program')}"
        for (method, ablation), n in left.items()
    ]


def _short(v: Verdict) -> str:
    return v.method.removeprefix(OURS)


def _counted(verdicts: Sequence[Verdict]) -> list[Verdict]:
    return [v for v in verdicts if not v.vacuous]


def _table(verdicts: Sequence[Verdict]) -> doc.Table:
    return doc.Table.of(
        grouped(_counted(verdicts), lambda v: (_short(v), v.ablation)).values(),
        doc.Column("method", lambda of: doc.Code(_short(of[0]))),
        choice("ablation", lambda of: of[0].ablation),
        number("exact circuit", _exact),
        number("some threshold exact", _thresholds),
        number("mean AUROC", _auroc),
        doc.Column("not exact, because", _why),
        number("median seconds", lambda of: f"{statistics.median(v.seconds for v in of):.2f}"),
        caption="Exact recoveries by method and ablation",
        note="Some threshold exact: whether some threshold on the scores keeps exactly a smallest circuit.",
    )


def _exact(of: Sequence[Verdict]) -> doc.Inline:
    right = sum(v.verdict == "HOLDS" for v in of)
    return doc.Sorted(f"{right} of {len(of)}", by=right / len(of))


def _thresholds(of: Sequence[Verdict]) -> doc.Inline:
    ranked = [v.ranking.exact_threshold for v in of if v.ranking is not None]
    return doc.Sorted(f"{sum(ranked)} of {len(ranked)}", by=sum(ranked)) if ranked else "-"


def _auroc(of: Sequence[Verdict]) -> str:
    known = [v.ranking.auroc for v in of if v.ranking is not None and v.ranking.auroc is not None]
    return share(statistics.mean(known) if known else None)


def _why(of: Sequence[Verdict]) -> str:
    counted = Counter(_reason(v) for v in of if v.verdict != "HOLDS")
    return ", ".join(f"{n} {reason}" for reason, n in counted.most_common())


def _reason(v: Verdict) -> str | None:
    return "unknown" if v.verdict == "UNKNOWN" else v.reason


def _programs(verdicts: Sequence[Verdict]) -> doc.Table:
    """How many methods are exact on each: which programs are hard."""
    return doc.Table.of(
        grouped(_counted(verdicts), lambda v: (v.program, v.ablation)).values(),
        doc.Column("program", lambda of: of[0].program),
        choice("ablation", lambda of: of[0].ablation),
        number("required", lambda of: of[0].n_required),
        number("exact", _exact),
        doc.Column("not exact", lambda of: ", ".join(_short(v) for v in of if v.verdict != "HOLDS")),
        caption="By program: which methods are not exact",
    )


def _wrong(verdicts: Sequence[Verdict]) -> doc.Table:
    return doc.Table.of(
        [v for v in verdicts if v.verdict != "HOLDS"],
        doc.Column("method", lambda v: doc.Code(_short(v))),
        choice("ablation", lambda v: v.ablation),
        doc.Column("program", lambda v: v.program),
        choice("why", _reason),
        number("required", lambda v: v.n_required),
        number("found", lambda v: v.n_found),
        number("missing", lambda v: len(v.missing)),
        number("extra", lambda v: len(v.extra)),
        number("seconds", lambda v: f"{v.seconds:.1f}"),
        caption="Every verdict that does not hold",
    )
