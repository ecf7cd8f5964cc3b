"""What does not hold, told in full: why, which edges, the smallest input that shows it, and the command that shows it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tracrcheck.grading.verdict import Verdict, Witness
from tracrcheck.reports.render.html.elements import Child, Html, badge, code, command, joined, tag
from tracrcheck.reports.render.html.tables import facts
from tracrcheck.reports.text import ranking_text

# Findings told in full on a page; the others stand in its table. Edges of a kind, and characters of an exception.
MOST, MOST_EDGES, MOST_DETAIL = 40, 12, 2000


@dataclass(frozen=True, kw_only=True)
class Finding:
    """word: of its badge. link: to the drawing, where there is one."""

    word: str
    title: str
    rows: tuple[tuple[str, Child], ...]
    replay: str | None = None
    link: str | None = None


def finding_list(findings: Sequence[Finding], *, most: int = MOST) -> Html:
    """The first open, the others folded; beyond `most` only counted."""
    shown = [_one(finding, opened=n < 3) for n, finding in enumerate(findings[:most])]
    more = len(findings) - most
    rest = (
        tag("p", f"and {more:,} more, which stand in the table below.", class_="note") if more > 0 else None
    )
    return joined((*shown, rest))


def _one(f: Finding, *, opened: bool) -> Html:
    link = tag("p", tag("a", "the drawing", href=f"#{f.link}")) if f.link else None
    replay = (tag("p", "Shown again by", class_="label"), command(f.replay)) if f.replay else ()
    summary = tag("summary", badge(f.word), " ", f.title)
    return tag("details", summary, facts(f.rows), *replay, link, open=opened, class_="finding")


def of_verdict(v: Verdict, *, replay: str, link: str | None = None, seeds: Sequence[int] = ()) -> Finding:
    """seeds: those that went wrong in the same way, where they are more than one."""
    which = f"seeds {', '.join(map(str, seeds))}" if len(seeds) > 1 else f"seed {v.seed}"
    rows: list[tuple[str, Child]] = [("why", REASONS.get(v.reason or "", v.reason))]
    if v.detail:
        rows.append(("detail", tag("pre", _cut(v.detail))))
    for name, edges in (("missing", v.missing), ("surplus", v.extra)):
        if edges:
            rows.append((f"{name}, {len(edges):,}", edge_list(edges)))
    if v.witness is not None:
        rows.append(("witness", witness(v.witness)))
    elif v.reason == "not_smallest":
        rows.append(("witness", "none: faithful on the whole list; the surplus edges are not needed"))
    if v.ranking is not None:
        rows.append(("scores", ranking_text(v.ranking)))
    return Finding(
        word=v.verdict,
        title=f"{v.program}, {v.ablation}, {v.criterion}, {v.method}, {which}",
        rows=tuple(rows),
        replay=replay,
        link=link,
    )


REASONS = {
    "unfaithful": "unfaithful: the circuit gives another output than the model",
    "not_smallest": "not_smallest: the circuit is faithful, with edges that are not needed",
    "raised": "raised: the method raised an exception",
    "timeout": "timeout: the method did not answer in time",
    "nan": "nan: scores that are not numbers",
    "foreign_edges": "foreign_edges: edges that the graph does not have",
    "no_result": "no_result: no circuit came back",
}


def edge_list(edges: Sequence[str], *, most: int = MOST_EDGES) -> Html:
    shown = joined((code(edge) for edge in edges[:most]), " ")
    return joined((shown, f" and {len(edges) - most:,} more" if len(edges) > most else None))


def witness(w: Witness) -> Html:
    """The input token by token; the outputs at the position where they differ most."""
    rows: list[tuple[str, Child]] = [("input", _tokens(w.input))]
    if w.corruption is not None:
        rows.append(("corrupted by", _tokens(w.corruption)))
    rows += [
        ("position", w.position),
        ("the model gives", code(repr(w.want))),
        ("the circuit gives", code(repr(w.got))),
    ]
    return facts(rows)


def _tokens(tokens: Sequence[object]) -> Html:
    return joined((tag("kbd", str(token)) for token in tokens), " ") if tokens else tag("i", "none")


def _cut(text: str) -> str:
    return text if len(text) <= MOST_DETAIL else text[:MOST_DETAIL] + " …"
