"""Verdicts that do not hold, as findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tracrcheck.grading.verdict import Verdict
from tracrcheck.reports.document import MOST_EDGES, Edges, Finding, Inline, Verbatim, plain
from tracrcheck.reports.text import ranking_text, truth_words, what_judged

REASONS = {
    "unfaithful": "unfaithful: the circuit gives another output than the model",
    "not_robust": "not_robust: the circuit is faithful only if everything else is cut",
    "not_smallest": "not_smallest: the circuit is faithful, with edges that are not needed",
    "raised": "raised: the method raised an exception",
    "timeout": "timeout: the method did not answer in time",
    "nan": "nan: scores that are not numbers",
    "foreign_edges": "foreign_edges: edges that the graph does not have",
    "no_result": "no_result: no circuit came back",
    "no_threshold": "no_threshold: no threshold on the scores keeps exactly the required edges",
    "refused": "refused: the answer can be read in several ways, or is one on another model",
}


def finding_of(
    v: Verdict,
    *,
    replay: str,
    title: str = "",
    link: str = "",
    cells: Sequence[Inline] = (),
    carried: Mapping[str, str] | None = None,
) -> Finding:
    """title: replaces program, setting, method and seed. carried: edge -> what it carries."""
    rows: list[tuple[str, Inline]] = []
    if v.judged != "circuit" or v.selector:
        rows.append(("judged", what_judged(v)))
    if v.sampled is not None:
        rows.append(("truth", f"{truth_words(v)}: not proved on the whole list"))
    rows += [("detail", Verbatim(v.detail))] if v.detail else []
    rows += edge_rows(v, carried or {})
    if v.ranking is not None:
        rows.append(("scores", ranking_text(v.ranking)))
    failed = v.verdict == "FAILS"
    return Finding(
        word=v.verdict,
        title=title or title_of(v),
        outcome="failure" if failed else "error",  # UNKNOWN: nothing could be judged
        kind=v.reason or "FAILS" if failed else "UNKNOWN",
        reason=v.reason or "",
        why=REASONS.get(v.reason or "", ""),
        rows=tuple(rows),
        replay=replay,
        link=link,
        cells=tuple(cells),
    )


def edge_rows(v: Verdict, carried: Mapping[str, str] = {}) -> tuple[tuple[str, Inline], ...]:
    """The wrong edges, and the smallest input that shows it."""
    rows: list[tuple[str, Inline]] = []
    for name, edges in (("missing", v.missing), ("extra", v.extra)):
        if edges:
            rows.append((name, Edges(edges, carried)))
    if v.witness is not None:
        rows.append(("witness", v.witness))
    elif v.reason == "not_smallest":
        there = "the whole list" if v.sampled is None else "the sample"
        rows.append(("witness", f"none: faithful on {there}; the extra edges are not needed"))
    return tuple(rows)


def title_of(v: Verdict, seeds: Sequence[int] = ()) -> str:
    """seeds: all seeds that failed alike."""
    method = f", {v.method}" if v.method else ""
    which = f", seeds {', '.join(map(str, seeds))}" if len(seeds) > 1 else f", seed {v.seed}"
    return f"{v.program}, {v.ablation}, {v.criterion}{method}{which if v.method else ''}"


def block(f: Finding) -> str:
    """A finding as text."""
    lines = [f"{f.word.upper()} {f.title}" + (f": {f.reason}" if f.reason else "")]
    for name, value in f.rows:
        if isinstance(value, Edges):
            lines += _edges(name, value)
        else:
            lines.append(f"    {name:<7} {plain(value)}")
    return "\n".join([*lines, *([f"    replay  {f.replay}"] if f.replay else [])])


def _edges(name: str, edges: Edges) -> list[str]:
    names = edges.names
    head = f"    {name:<7} {len(names)}:"
    if not edges.carried:
        return [f"{head} {plain(edges)}"]
    width = max(map(len, names[:MOST_EDGES]))
    rest = [f"        and {len(names) - MOST_EDGES} more"] if len(names) > MOST_EDGES else []
    return [head, *(f"        {e:<{width}}  {edges.carried.get(e, '')}" for e in names[:MOST_EDGES]), *rest]
