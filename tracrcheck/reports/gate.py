"""A run of the gate: what does not hold and why, verdicts by setting, and the circuits."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence

from tracrcheck.grading.edge_effects import Evidence
from tracrcheck.grading.verdict import Verdict
from tracrcheck.reports import document as doc
from tracrcheck.reports.context import Context, drawings
from tracrcheck.reports.document import choice, grouped, number
from tracrcheck.reports.findings import finding_of, title_of
from tracrcheck.reports.picture import MOST, Layer, judged_layer
from tracrcheck.reports.render.templates import lines
from tracrcheck.reports.text import IN_PROCESS, count, share, summary_line, truth_words, what_judged
from tracrcheck.runs.baseline import FLOOR, Comparison
from tracrcheck.runs.gate import Results

# Edges drawn that no layer requires, over all drawings of a page: keeps it under two megabytes.
MOST_LOOSE = 1000
MOST_MISSING = 20  # missing verdicts that are listed
Group = tuple[str, str, str]


def document(results: Results, context: Context, *, allow_unknown: bool = False) -> doc.Document:
    verdicts, s, asked = results.verdicts, results.summary, results.run["asked"]
    groups = grouped(verdicts, _setting)
    drawn = {one.key[0] for one in context.evidence}
    bad, n = sum(v.verdict != "HOLDS" for v in verdicts), len(verdicts)
    within = ", in process" if asked.get("in_process") else ""
    robust = ", robust" if asked.get("robust") else ""
    programs = count(len({v.program for v in verdicts}), "program")

    def case(v: Verdict) -> doc.Case:
        finding = None if v.verdict == "HOLDS" else finding_of(v, replay=context.replay(v))
        note = "" if v.sampled is None else f"against a truth that is {truth_words(v)}"
        return doc.Case(
            f"{v.ablation}, {v.criterion}{robust}, seed {v.seed}{within}", v.seconds, finding, note
        )

    wrong = doc.Findings(
        ("program", "ablation", "seed", "why", "missing", "extra"), _wrong(verdicts, drawn, context)
    )
    every = [_every(verdicts)] if len(groups) < n else []
    return doc.Document(
        command="gate",
        title=f"Gate: {asked['method']}{within}",
        word=worst(verdicts),
        good=not bad,
        outcome=(f"{bad:,} of {n:,} verdicts do not hold" if bad else f"{n:,} of {n:,} verdicts hold")
        + (f", {s['sampled']:,} of them against a sampled truth" if s.get("sampled") else ""),
        scope=f"{asked['method']} on {programs} under {', '.join(asked['ablations'])} ablation, criterion "
        f"{', '.join(asked['criteria'])}{robust}, {count(len(asked['seeds']), 'seed')}{within}.",
        summary=(*([IN_PROCESS] if within else []), summary_line(s, allow_unknown=allow_unknown)),
        tiles=(
            doc.Tile("hold", s["holds"], "good" if s["holds"] else "plain"),
            doc.Tile("fail", s["fails"], "bad" if s["fails"] else "plain"),
            doc.Tile("unknown", s["unknown"], "unsure" if s["unknown"] else "plain"),
            doc.Tile("vacuous", s["vacuous"]),
            *([doc.Tile("sampled", s["sampled"], "unsure")] if s.get("sampled") else []),
            doc.Tile("seconds", f"{s['seconds']:,.1f}"),
        ),
        sections=(
            *_compared(context.compared),
            doc.Section(f"{bad:,} not right", [wrong], on=doc.EVERYWHERE),
            doc.Section("Verdicts", [verdict_table(verdicts, drawn, robust)]),
            doc.Section("By ablation", [_by_ablation(verdicts)], on=("markdown", "comment")),
            doc.Section("Circuits", _drawings(groups, context), on=("html",)),
            doc.Section("Every verdict", every, folded=True, on=("html",)),
        ),
        run=results.run,
        suites=doc.suites_of(verdicts, lambda v: v.program, case),
    )


def _setting(v: Verdict) -> Group:
    return v.program, v.ablation, v.criterion


def worst(verdicts: Sequence[Verdict]) -> str:
    words = {v.verdict for v in verdicts}
    return next((word for word in ("FAILS", "UNKNOWN") if word in words), "HOLDS")


def _wrong(verdicts: Sequence[Verdict], drawn: set[str], context: Context) -> list[doc.Finding]:
    """One for all seeds that went wrong in the same way; FAILS first."""
    wrong = sorted((v for v in verdicts if v.verdict != "HOLDS"), key=lambda v: v.verdict != "FAILS")
    alike = grouped(
        wrong, lambda v: (_setting(v), v.verdict, v.reason, v.found_sha, v.detail, v.missing, v.extra)
    )
    findings = []
    for rows in alike.values():
        v, seeds = rows[0], [row.seed for row in rows]
        listed = ", ".join(map(str, seeds))
        cells = (doc.Code(v.program), v.ablation, listed, v.reason, len(v.missing), len(v.extra))
        link = doc.anchor("drawing", v.program) if v.program in drawn else ""
        title = title_of(v, seeds)
        findings.append(finding_of(v, replay=context.replay(v), title=title, link=link, cells=cells))
    return findings


# Tables ------------------------------------------------------------------------------------------------


def verdict_table(verdicts: Sequence[Verdict], drawn: Collection[str] = (), robust: str = "") -> doc.Table:
    """A row for each program and setting, over all seeds. drawn: programs that the page has a drawing of. robust: such as `, robust`."""
    groups = grouped(verdicts, _setting)
    criteria = len({v.criterion for v in verdicts}) > 1
    ranked = any(v.ranking for v in verdicts)
    many = len(groups) < len(verdicts)
    sampled = any(v.sampled is not None for v in verdicts)
    halved = any(v.halves is not None for v in verdicts)
    judged = any(v.judged != "circuit" or v.selector for v in verdicts)
    columns = [
        doc.Column("program", lambda of: _linked(of[0].program, drawn)),
        choice("ablation", lambda of: of[0].ablation),
        *([choice("criterion", lambda of: of[0].criterion)] if criteria else []),
        *([choice("judged", lambda of: what_judged(of[0]))] if judged else []),
        choice("verdict", lambda of: doc.Badge(worst(of))),
        *([choice("truth", lambda of: truth_words(of[0]))] if sampled else []),
        number("required", lambda of: of[0].n_required),
        number("found", _sizes),
        number("holds", _holding),
        choice("vacuous", lambda of: "vacuous" if of[0].vacuous else ""),
        *([number("lowest AUROC" if many else "AUROC", _lowest_auroc)] if ranked else []),
        *([number("halves in common", _common), number("halves right", _right)] if halved else []),
        number("seconds", lambda of: f"{sum(v.seconds for v in of):.1f}"),
        *([number("median seconds", _median_seconds, wide=True)] if many else []),
    ]
    vacuous = "Vacuous: nothing is required, since the output changes on none of the inputs."
    note = vacuous if any(v.vacuous for v in verdicts) else ""
    above = "" if criteria or not verdicts else f"criterion {verdicts[0].criterion}{robust}"
    caption = "Verdicts by program and setting" + (above and f", {above}")
    return doc.Table.of(groups.values(), *columns, caption=caption, note=note, above=above)


def _linked(program: str, drawn: Collection[str]) -> doc.Inline:
    return doc.Link(program, doc.anchor("drawing", program)) if program in drawn else program


def _sizes(of: Sequence[Verdict]) -> doc.Inline:
    least, most = min(v.n_found for v in of), max(v.n_found for v in of)
    return doc.Sorted(f"{least}" if least == most else f"{least}-{most}", by=most)


def _holding(of: Sequence[Verdict]) -> doc.Inline:
    holds = sum(v.verdict == "HOLDS" for v in of)
    return doc.Sorted(f"{holds} of {len(of)}", by=holds)


def _common(of: Sequence[Verdict]) -> str:
    """The mean over the seeds."""
    known = [v.halves.common for v in of if v.halves and v.halves.common is not None]
    return share(statistics.mean(known) if known else None)


def _right(of: Sequence[Verdict]) -> str:
    right = [one for v in of if v.halves for one in v.halves.right]
    return f"{sum(right)} of {len(right)}"


def _lowest_auroc(of: Sequence[Verdict]) -> str:
    known = [v.ranking.auroc for v in of if v.ranking and v.ranking.auroc is not None]
    return share(min(known, default=None))


def _median_seconds(of: Sequence[Verdict]) -> str:
    return f"{statistics.median(v.seconds for v in of):.2f}"


def _by_ablation(verdicts: Sequence[Verdict]) -> doc.Table:
    return doc.Table.of(
        grouped(verdicts, lambda v: v.ablation).values(),
        doc.Column("ablation", lambda of: of[0].ablation),
        number("exact", lambda of: f"{sum(v.verdict == 'HOLDS' and not v.vacuous for v in of):,}"),
        number("of", lambda of: f"{sum(not v.vacuous for v in of):,}"),
        number("vacuous", lambda of: f"{sum(v.vacuous for v in of):,}"),
        number("median seconds", _median_seconds),
        number("most", lambda of: f"{max(v.seconds for v in of):.2f}"),
        caption="Verdicts by ablation; vacuous ones are not counted",
    )


def _every(verdicts: Sequence[Verdict]) -> doc.Table:
    return doc.Table.of(
        verdicts,
        doc.Column("program"),
        choice("ablation"),
        choice("seed", number=True),
        choice("verdict", lambda v: doc.Badge(v.verdict)),
        *([choice("truth", truth_words)] if any(v.sampled is not None for v in verdicts) else []),
        choice("why", lambda v: "UNKNOWN" if v.verdict == "UNKNOWN" else v.reason),
        number("missing", lambda v: len(v.missing)),
        number("extra", lambda v: len(v.extra)),
        number("seconds", lambda v: f"{v.seconds:.2f}"),
        caption="Every verdict, seed by seed",
    )


# Drawings ----------------------------------------------------------------------------------------------


def _drawings(groups: Mapping[Group, Sequence[Verdict]], context: Context) -> list[doc.Block]:
    judged = [one for one in context.evidence if one.key in groups]
    criteria = {
        p: len({one.setting.criterion for one in of})
        for p, of in grouped(judged, lambda one: one.key[0]).items()
    }

    def layer(one: Evidence) -> Layer:
        setting = one.setting
        name = f"{setting.ablation}, {setting.criterion}" if criteria[one.key[0]] > 1 else setting.ablation
        return judged_layer(one, groups[one.key], name=name)

    most = min(MOST, max(12, MOST_LOOSE // max(len(criteria), 1)))
    drawn = drawings(judged, layer, lambda of: worst([v for one in of for v in groups[one.key]]), most=most)
    if not drawn and not context.absent:
        return []
    changed = "The sources have changed since: the circuits drawn are those of the programs as they are now. "
    stale = [changed + "; ".join(context.stale)] if context.stale else []
    return [doc.Lines(stale, "warning"), *context.not_drawn, *drawn]


# A comparison with a baseline ------------------------------------------------------------------------------


def _compared(compared: Comparison | None) -> list[doc.Section]:
    if compared is None:
        return []
    n = len(compared.new_wrong)
    word = f"{'Regressed' if compared.regressed else 'Not regressed'} from the baseline"
    if n and not compared.regressed:
        word += f", but {n} wrong where the baseline has no verdict"
    said = doc.Lines(comparison_lines(compared), "verbatim")
    return [doc.Section(word, [said], on=("markdown", "comment", "html"))]


def comparison_lines(found: Comparison) -> list[str]:
    return lines("compared.txt", found=found, most=MOST_MISSING, floor=FLOOR)
