"""Certificates: what is required, what was proved of it, and the circuits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from tracrcheck.grading.edge_effects import Evidence
from tracrcheck.grading.robustness import Robustness
from tracrcheck.grading.verdict import Witness
from tracrcheck.rasp.domain import in_all
from tracrcheck.reports import document as doc
from tracrcheck.reports.context import Context, drawings
from tracrcheck.reports.document import choice, number
from tracrcheck.reports.picture import Layer, node_of, truth_layer
from tracrcheck.reports.saved import CertificatesFile, sample_words, setting_words, usable, word_of
from tracrcheck.reports.text import computes, separated
from tracrcheck.truth.certificate import PROPERTIES, Certificate

if TYPE_CHECKING:
    from tracrcheck.compiler.compile import Compiled
    from tracrcheck.truth.setting import Setting

ONLY = "faithful only if everything else is cut"
MOST_LOOSE = 2000  # merely permitted edges drawn, over all drawings of a page
One = Mapping[str, Any]  # as docs/json.md says


def document(saved: CertificatesFile, context: Context) -> doc.Document:
    every = saved.certificates
    findings = [found for c in every if (found := _finding(c)) is not None]
    n, bad = len(every), len(findings)
    whole, samples = ([c for c in every if word_of(c) == word] for word in ("proved", "sampled"))
    refused = bool(samples) and saved.require_whole
    names = list(dict.fromkeys(c["program"] for c in every))
    return doc.Document(
        command="certify",
        title=f"Certificates: {', '.join(names) if len(names) <= 3 else f'{len(names):,} programs'}",
        word="not proved" if bad else "sampled" if samples else "proved",
        good=not bad and not refused,
        outcome=(
            f"{bad:,} of {n:,} truths are not proved" if bad else f"{len(whole):,} of {n:,} truths are proved"
        )
        + (f", {len(samples):,} on a sample only" if samples else "")
        + ("; --require-whole wants the whole list" if refused else ""),
        scope="A circuit is right with respect to a setting: ablation, criterion, inputs, positions.",
        tiles=(
            doc.Tile("settings", n),
            doc.Tile("sufficient and minimal", len(whole), "unsure" if bad else "good"),
            doc.Tile("smallest too", sum("smallest" in c["proved"] for c in whole)),
            doc.Tile("unique too", sum("unique" in c["proved"] for c in whole)),
            *([doc.Tile("sampled", len(samples), "unsure")] if samples else []),
            doc.Tile("vacuous", sum(not c["required"] for c in every)),
        ),
        sections=(
            doc.Section(
                "Not proved",
                [doc.Findings(("program", "setting", "not proved"), findings)],
                on=doc.EVERYWHERE,
            ),
            doc.Section("Sampled, not proved", [_samples(samples)], on=doc.EVERYWHERE),
            doc.Section("Not robust", [_fragile(every)], on=doc.EVERYWHERE),
            doc.Section("Certificates", [_table(every)], on=doc.EVERYWHERE),
            doc.Section("Not decided", [_undecided(every)]),
            doc.Section("Circuits", [*context.not_drawn, *_drawings(context.evidence)], on=("html",)),
        ),
        run=saved.run,
        suites=doc.suites_of(
            every,
            lambda c: c["program"],
            lambda c: doc.Case(
                setting_words(c), 0.0, _finding(c) or _refused(c, refused), note=sample_words(c)
            ),
        ),
    )


def _finding(c: One) -> doc.Finding | None:
    if usable(c):
        return None
    return doc.Finding(
        word="UNKNOWN",
        title=f"{c['program']}, {setting_words(c)}",
        outcome="error",
        rows=tuple(c["unknown"].items()),
        cells=(doc.Code(c["program"]), setting_words(c), ", ".join(c["unknown"])),
    )


def _refused(c: One, whole: bool) -> doc.Finding | None:
    """A truth that was sampled, where `--require-whole` allows none."""
    if not whole or word_of(c) != "sampled":
        return None
    title = f"{c['program']}, {setting_words(c)}"
    return doc.Finding(word="SAMPLED", title=title, rows=(("sufficient", sample_words(c)),))


def _table(certificates: Sequence[One]) -> doc.Table:
    return doc.Table.of(
        certificates,
        doc.Column("program", lambda c: doc.Code(c["program"])),
        choice("setting", setting_words),
        number("required", lambda c: len(c["required"])),
        number("permitted", lambda c: len(c["permitted"])),
        *(choice(name, partial(_says, name)) for name in PROPERTIES),
        *([choice("robust", _robust)] if any("robustness" in c for c in certificates) else []),
        number("inputs", lambda c: f"{c.get('n_inputs', 0):,}"),
        number("items", lambda c: f"{_items(c):,}"),
        number(
            "gap",
            lambda c: " to ".join(_short(c.get(side)) for side in ("gap_below", "gap_above")),
            wide=True,
        ),
        caption="Certificates by program and setting",
        note="Gap: what faithful circuits deviate at most, to what others deviate at least, in units of the output's range.",
    )


def _short(deviation: float | None) -> str:
    return "none" if deviation is None else f"{deviation:.2g}"


def _items(c: One) -> int:
    return c.get("n_pairs") or c.get("n_inputs", 0)


def _says(name: str, c: One) -> doc.Inline:
    """A word to filter by; the reasons are listed below."""
    if name in c["proved"]:
        return (sample_words(c) if name == "sufficient" else "") or doc.Badge("proved")
    return "no" if name == "unique" and c.get("other") else doc.Badge("UNKNOWN")


def _robust(c: One) -> doc.Inline:
    word = separated(c["robustness"]["word"]) if "robustness" in c else ""
    return doc.Badge(word) if word == "proved" else word


def _fragile(certificates: Sequence[One]) -> doc.Table:
    """Circuits that are not robust."""
    return doc.Table.of(
        [c for c in certificates if c.get("robustness", {}).get("kept") is not None],
        doc.Column("program", lambda c: doc.Code(c["program"])),
        doc.Column("setting", setting_words),
        doc.Column("fails with these kept too", lambda c: doc.Edges(tuple(c["robustness"]["kept"]))),
        doc.Column("witness", lambda c: Witness.from_json(c["robustness"]["witness"])),
        number("required", lambda c: len(c["required"])),
        number("robust", lambda c: len(c["robustness"]["required"])),
        caption=f"Circuits that are {ONLY}, and how many edges the smallest robust one has",
    )


def _samples(certificates: Sequence[One]) -> doc.Table:
    return doc.Table.of(
        certificates,
        doc.Column("program", lambda c: doc.Code(c["program"])),
        doc.Column("setting", setting_words),
        doc.Column("inputs or pairs", sample_words),
        caption="Sufficient on a sample of the list; the whole list was not run",
    )


def _undecided(certificates: Sequence[One]) -> doc.Table:
    return doc.Table.of(
        ((c, name, why) for c in certificates for name, why in c["unknown"].items()),
        doc.Column("setting", lambda of: f"{of[0]['program']}, {setting_words(of[0])}"),
        doc.Column("why", lambda of: f"{of[1]}: {of[2]}"),
        caption="What was not decided, and why",
    )


def _drawings(evidence: Sequence[Evidence]) -> list[doc.Block]:
    def layer(one: Evidence) -> Layer:
        return truth_layer(one, name=setting_words(one.certificate.to_json()), permitted=True)

    def word(of: Sequence[Evidence]) -> str:
        words = {one.certificate.word for one in of}
        return "not proved" if "UNKNOWN" in words else "sampled" if "sampled" in words else "proved"

    n = len({one.key[0] for one in evidence})
    return drawings(evidence, layer, word, most=max(20, MOST_LOOSE // max(n, 1)))


# On the terminal -------------------------------------------------------------------------------------------


def certificate_block(compiled: Compiled, c: Certificate) -> list[str | doc.Table]:
    """What is required, what was proved, and which RASP expressions each edge joins."""
    s = c.setting
    lengths = f", lengths {s.lengths[0]}-{s.lengths[1]}" if s.lengths else ""
    bos = ", position 0 scored" if s.score_bos else ""
    pairs = f"pairs of {c.n_inputs:,} inputs" if s.paired else "inputs"
    edges = doc.Table.of(
        c.required,
        doc.Column("  edge", lambda e: f"  {e}"),
        doc.Column("writer computes", lambda e: computes(compiled, str(e.writer))),
        doc.Column("reader computes", lambda e: computes(compiled, node_of(e.reader))),
    )
    return [
        f"{c.program}: {s.ablation} ablation, criterion {s.criterion}{lengths}{bos}",
        f"  required  {len(c.required)} of {len(c.permitted)} permitted edges{vacuous_words(c)}",
        *(
            [f"  sampled   sufficient on {c.n_items:,} {pairs}, of {in_all(c.sampled)}"]
            if c.word == "sampled"
            else []
        ),
        f"  proved    {proved_words(c)} (on {c.n_items:,} {pairs})",
        *(f"  UNKNOWN   {name}: {why}" for name, why in c.unknown.items()),
        *([f"  another   {', '.join(c.other.texts)}"] if c.other is not None else []),
        f"  gap       {gap_words(c.gap_below, c.gap_above)}",
        *([edges] if edges else []),
    ]


def robustness_lines(found: Robustness) -> list[str]:
    """Whether the circuit is robust; if not, where it fails, and the smallest circuit that is."""
    if found.kept is None:
        return [f"  robust    {separated(found.word)}"]
    r, required = found.robust, found.faithful.required
    more, less = (r.required - required).texts, (required - r.required).texts
    edges = ", ".join([*(f"+ {edge}" for edge in more), *(f"- {edge}" for edge in less)])
    smallest = f"{len(r.required)} edges ({proved_words(r)}): {edges}" if r.usable else r.says("minimal")
    return [
        f"  robust    no: {ONLY}",
        f"    wrong     if these are kept too: {', '.join(found.kept.texts)}",
        *([f"    witness   {doc.plain(found.witness)}"] if found.witness else []),
        f"    smallest  robust circuit: {smallest}",
    ]


def vacuous_words(c: Certificate) -> str:
    if not c.vacuous:
        return ""
    cannot = "the output cannot change" if c.word == "proved" else "the output does not change on the sample"
    return f"; vacuous: {cannot}"


def proved_words(c: Certificate) -> str:
    """What was proved; whether `sufficient` is sampled is said apart from it."""
    words = [name for name in c.proved if c.says(name) == "proved"]
    if c.other is not None:
        words.append(f"unique: {c.says('unique')}")
    return ", ".join(words) or "nothing"


def sampled_words(c: Certificate) -> str:
    """Such as `sampled 48 of 1,053; proved: `, or an empty text where the whole list was run."""
    return f"{separated(c.says('sufficient'))}; proved: " if c.word == "sampled" else ""


def sample_line(compiled: Compiled, settings: Sequence[Setting]) -> str | None:
    """What is said before the work where it is done on a sample of the inputs; None where it is done on all of them.

    settings: all with the same lengths.
    """
    lengths = settings[0].lengths if settings else None
    domain = compiled.domain if lengths is None else compiled.domain.of_lengths(*lengths)
    if domain.sampled is None:
        return None
    n, total = len(domain.inputs), in_all(domain.sampled)
    return f"{compiled.program.name}: {n:,} inputs, a sample of {total}: nothing is proved of the others (--inputs N|all)"


def gap_words(gap_below: float | None, gap_above: float | None) -> str:
    below = "nothing below" if gap_below is None else f"at most {gap_below:.2g} where faithful"
    above = "nothing above" if gap_above is None else f"at least {gap_above:.2g} where not"
    return f"{below}, {above} (in units of the output's range)"
