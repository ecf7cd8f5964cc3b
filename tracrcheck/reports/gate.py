"""A run of the gate: what does not hold and why, verdicts by setting, and the circuits."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence

from tracrcheck.grading.edge_effects import Evidence
from tracrcheck.grading.verdict import Verdict
from tracrcheck.reports.context import Beside
from tracrcheck.reports.document import (
    EVERYWHERE,
    TEXT,
    Badge,
    Block,
    Case,
    Code,
    Document,
    Drawing,
    Finding,
    Findings,
    Inline,
    Lines,
    Link,
    Section,
    Sorted,
    Table,
    Tile,
    anchor,
    columns,
)  # fmt: skip
from tracrcheck.reports.findings import case_of, finding_of, title_of
from tracrcheck.reports.picture import MOST, judged_layer, picture_of
from tracrcheck.reports.text import IN_PROCESS, share, summary_line
from tracrcheck.runs.baseline import FLOOR, Comparison
from tracrcheck.runs.gate import Results

# Edges drawn that no layer requires, over all drawings of a page: keeps it under two megabytes.
MOST_LOOSE = 1000
# Up to this many programs, every drawing is open at first.
OPEN = 3
MOST_MISSING = 20  # missing verdicts that are listed
Groups = Mapping[tuple[str, str, str], Sequence[Verdict]]


def document(results: Results, beside: Beside, *, allow_unknown: bool = False) -> Document:
    verdicts, s, asked = results.verdicts, results.summary, results.run["asked"]
    groups = _grouped(verdicts)
    drawn = {one.key[0] for one in beside.evidence}
    bad, n = sum(v.verdict != "HOLDS" for v in verdicts), len(verdicts)
    n_programs, n_seeds = len({v.program for v in verdicts}), len(asked["seeds"])
    programs = f"{n_programs:,} program{'s' if n_programs != 1 else ''}"
    seeds = f"{n_seeds} seed{'s' if n_seeds != 1 else ''}"
    within = ", in process" if asked.get("in_process") else ""
    suites: dict[str, list[Case]] = {}
    for v in verdicts:
        finding = None if v.verdict == "HOLDS" else finding_of(v, replay=beside.replay(v))
        name = f"{v.ablation}, {v.criterion}, seed {v.seed}{within}"
        suites.setdefault(v.program, []).append(case_of(v, name, finding))
    wrong = _wrong(verdicts, drawn, beside)
    sections = (
        *_compared(beside.compared),
        Section(
            title=f"{bad:,} not right",
            blocks=(Findings(head=("program", "ablation", "seed", "why", "missing", "extra"), of=wrong),)
            if wrong
            else (),
            on=EVERYWHERE,
        ),
        Section(title="Verdicts", blocks=(verdict_table(verdicts, drawn),), on=TEXT),
        Section(
            title="By ablation",
            blocks=(_by_ablation(verdicts),) if verdicts else (),
            on=("markdown", "comment"),
        ),
        Section(title="Circuits", blocks=_drawings(groups, beside), on=("html",)),
        Section(
            title="Every verdict",
            blocks=(_every(verdicts),) if len(groups) < n else (),
            folded=True,
            on=("html",),
        ),
    )
    return Document(
        command="gate",
        title=f"Gate: {asked['method']}{within}",
        word=worst(verdicts),
        good=not bad,
        outcome=f"{bad:,} of {n:,} verdicts do not hold" if bad else f"{n:,} of {n:,} verdicts hold",
        scope=f"{asked['method']} on {programs} under {', '.join(asked['ablations'])} ablation, criterion "
        f"{', '.join(asked['criteria'])}, {seeds}{within}.",
        summary=(*([IN_PROCESS] if within else []), summary_line(s, allow_unknown=allow_unknown)),
        tiles=(
            Tile(label="hold", value=f"{s['holds']:,}", kind="good" if s["holds"] else "plain"),
            Tile(label="fail", value=f"{s['fails']:,}", kind="bad" if s["fails"] else "plain"),
            Tile(label="unknown", value=f"{s['unknown']:,}", kind="unsure" if s["unknown"] else "plain"),
            Tile(label="vacuous", value=f"{s['vacuous']:,}"),
            Tile(label="seconds", value=f"{s['seconds']:,.1f}"),
        ),
        sections=sections,
        run=results.run,
        suites=suites,
    )


def _grouped(verdicts: Sequence[Verdict]) -> dict[tuple[str, str, str], list[Verdict]]:
    groups: dict[tuple[str, str, str], list[Verdict]] = {}
    for v in verdicts:
        groups.setdefault((v.program, v.ablation, v.criterion), []).append(v)
    return groups


def worst(verdicts: Sequence[Verdict]) -> str:
    words = {v.verdict for v in verdicts}
    return next((word for word in ("FAILS", "UNKNOWN") if word in words), "HOLDS")


def _wrong(verdicts: Sequence[Verdict], drawn: set[str], beside: Beside) -> list[Finding]:
    """One for all seeds that went wrong in the same way; FAILS first."""
    alike: dict[tuple[str, ...], list[Verdict]] = {}
    for v in sorted(verdicts, key=lambda v: v.verdict != "FAILS"):
        if v.verdict != "HOLDS":
            key = (v.program, v.ablation, v.criterion, v.verdict, v.reason or "", v.found_sha, v.detail)
            alike.setdefault((*key, *v.missing, "", *v.extra), []).append(v)
    findings = []
    for rows in alike.values():
        v, seeds = rows[0], [row.seed for row in rows]
        cells = (
            Code(v.program),
            v.ablation,
            ", ".join(map(str, seeds)),
            v.reason,
            len(v.missing),
            len(v.extra),
        )
        link = anchor("drawing", v.program) if v.program in drawn else ""
        title = title_of(v, seeds)
        findings.append(finding_of(v, replay=beside.replay(v), title=title, link=link, cells=cells))
    return findings


# Tables ------------------------------------------------------------------------------------------------


def verdict_table(verdicts: Sequence[Verdict], drawn: Collection[str] = ()) -> Table:
    """A row for each program and setting, over all seeds. drawn: programs that the page has a drawing of."""
    groups = _grouped(verdicts)
    criteria = len({v.criterion for v in verdicts}) > 1
    ranked = any(v.ranking for v in verdicts)
    many = len(groups) < len(verdicts)
    auroc = ["lowest AUROC" if many else "AUROC"] if ranked else []
    named = columns(
        "program", "ablation", *(["criterion"] if criteria else []), "required", "found", "holds", "verdict", "vacuous", *auroc,
        "seconds", *(["median seconds"] if many else []),
        numbers=("required", "found", "holds", *auroc, "seconds", "median seconds"),
        choices=("ablation", "criterion", "verdict", "vacuous"), wide=("median seconds",),
    )  # fmt: skip
    rows = []
    for (program, ablation, criterion), of in groups.items():
        sizes = sorted({v.n_found for v in of})
        holds = sum(v.verdict == "HOLDS" for v in of)
        known = [v.ranking.auroc for v in of if v.ranking and v.ranking.auroc is not None]
        seconds = [v.seconds for v in of]
        row: list[Inline] = [
            Link(program, anchor("drawing", program)) if program in drawn else program,
            ablation,
            *([criterion] if criteria else []),
            of[0].n_required,
            Sorted(f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]}-{sizes[-1]}", by=sizes[-1]),
            Sorted(f"{holds} of {len(of)}", by=holds),
            Badge(worst(of)),
            "vacuous" if of[0].vacuous else "",
            *([share(min(known, default=None))] if ranked else []),
            f"{sum(seconds):.1f}",
            *([f"{statistics.median(seconds):.2f}"] if many else []),
        ]
        rows.append(row)
    vacuous = any(v.vacuous for v in verdicts)
    return Table(
        caption="Verdicts by program and setting",
        columns=named,
        rows=rows,
        note="Vacuous: nothing is required, since the output cannot change." if vacuous else "",
    )


def _by_ablation(verdicts: Sequence[Verdict]) -> Table:
    rows = []
    for ablation in dict.fromkeys(v.ablation for v in verdicts):
        of = [v for v in verdicts if v.ablation == ablation]
        real = [v for v in of if not v.vacuous]
        seconds = [v.seconds for v in of]
        rows.append((
            ablation, f"{sum(v.verdict == 'HOLDS' for v in real):,}", f"{len(real):,}", f"{len(of) - len(real):,}",
            f"{statistics.median(seconds):.2f}", f"{max(seconds):.2f}",
        ))  # fmt: skip
    numbers = ("exact", "of", "vacuous", "median seconds", "most")
    return Table(
        caption="Verdicts by ablation; vacuous ones are not counted",
        columns=columns("ablation", *numbers, numbers=numbers),
        rows=rows,
    )


def _every(verdicts: Sequence[Verdict]) -> Table:
    numbers = ("missing", "extra", "seconds")
    return Table(
        caption="Every verdict, seed by seed",
        columns=columns(
            "program", "ablation", "seed", "verdict", "why", *numbers,
            numbers=("seed", *numbers), choices=("ablation", "seed", "verdict", "why"),
        ),
        rows=[
            (
                v.program, v.ablation, v.seed, Badge(v.verdict), "UNKNOWN" if v.verdict == "UNKNOWN" else v.reason,
                len(v.missing), len(v.extra), f"{v.seconds:.2f}",
            )
            for v in verdicts
        ],
    )  # fmt: skip


# Drawings ----------------------------------------------------------------------------------------------


def _drawings(groups: Groups, beside: Beside) -> tuple[Block, ...]:
    by_program: dict[str, list[Evidence]] = {}
    for one in beside.evidence:
        if one.key in groups:
            by_program.setdefault(one.key[0], []).append(one)
    most = min(MOST, max(12, MOST_LOOSE // max(len(by_program), 1)))
    blocks: list[Block] = []
    if beside.stale:
        changed = (
            "The sources have changed since: the circuits drawn are those of the programs as they are now. "
        )
        blocks.append(Lines(lines=(changed + "; ".join(beside.stale),), kind="warning"))
    blocks += beside.not_drawn
    if not by_program and not beside.absent:
        return ()
    for evidence in by_program.values():
        many = len({one.setting.criterion for one in evidence}) > 1
        layers = [
            judged_layer(one, groups[one.key], name=", ".join([one.setting.ablation, *([one.setting.criterion] * many)]))
            for one in evidence
        ]  # fmt: skip
        blocks.append(
            Drawing(
                picture=picture_of(evidence, layers),
                word=worst([v for one in evidence for v in groups[one.key]]),
                meaning=evidence[0].meaning,
                folds=True,
                opened=len(by_program) <= OPEN or any(layer.wrong for layer in layers),
                most=most,
            )
        )
    return tuple(blocks)


# A comparison with a baseline ------------------------------------------------------------------------------


def _compared(compared: Comparison | None) -> tuple[Section, ...]:
    if compared is None:
        return ()
    n = len(compared.new_wrong)
    word = f"{'Regressed' if compared.regressed else 'Not regressed'} from the baseline"
    if n and not compared.regressed:
        word += f", but {n} wrong where the baseline has no verdict"
    lines = Lines(lines=tuple(comparison_lines(compared)), kind="verbatim")
    return (Section(title=word, blocks=(lines,), on=("markdown", "comment", "html")),)


def comparison_lines(found: Comparison) -> list[str]:
    lines = [f"compared with the baseline: {found.compared} verdicts are in both"]
    lines += [f"  WRONG NOW   {_which(v)}: {v.verdict}, {v.reason}" for v in found.now_wrong]
    lines += [f"  WRONG, NEW  {_which(v)}: {v.verdict}, {v.reason}" for v in found.new_wrong]
    lines += [
        f"  SLOWER      {s.program}, {s.ablation}: {s.before:.2f} s then, {s.now:.2f} s now (medians over seeds)"
        for s in found.slower
    ]
    lines += [f"  right now   {_which(v)}" for v in found.now_right]
    missing, more = found.missing[:MOST_MISSING], len(found.missing) - MOST_MISSING
    lines += [f"  missing     {_which(v)}: in the baseline, not in this run" for v in missing]
    if more > 0:
        lines.append(f"  missing     and {more} more")
    if len(found.machines) > 1:
        lines.append("  the machines differ, so times say little: " + " | ".join(found.machines))
    new = f"{len(found.new_wrong)} wrong and new, " if found.new_wrong else ""
    lines.append(
        f"  {len(found.now_wrong)} wrong now, {new}{len(found.now_right)} right now, {len(found.slower)} slower by more than "
        f"{found.factor:g} times (medians under {FLOOR:g} s are not compared), {len(found.missing)} missing"
    )
    return lines


def _which(v: Verdict) -> str:
    return f"{v.program}, {v.ablation}, {v.criterion}, seed {v.seed}"
