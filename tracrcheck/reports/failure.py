"""Why a verdict does not hold, with the RASP expression that each missing or extra edge carries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tracrcheck.grading.verdict import Verdict
from tracrcheck.importers import IMPORTERS, Imported
from tracrcheck.reports.text import computes, ranking_text, witness_text

if TYPE_CHECKING:
    from tracrcheck.compiler.compile import Compiled

MOST = 12  # edges of a kind that are listed; the JSON has all


def failure_block(v: Verdict, compiled: Compiled, *, replay: str) -> str:
    """What failed, the edges and what they carry, the smallest witness, and the command that shows it again."""
    method = f", {v.method}, seed {v.seed}" if v.method else ""
    lines = [f"{v.verdict} {v.program}, {v.ablation}, {v.criterion}{method}: {v.reason}"]
    if v.detail:
        lines.append(f"    detail  {v.detail}")
    lines += _edges("missing", v.missing, compiled)
    lines += _edges("extra", v.extra, compiled)
    if v.witness:
        lines.append(f"    witness {witness_text(v.witness)}")
    elif v.reason == "not_smallest":
        lines.append("    witness none: faithful on the whole list; the extra edges are not needed")
    if v.ranking:
        lines.append(f"    scores  {ranking_text(v.ranking)}")
    return "\n".join([*lines, f"    replay  {replay}"])


def _edges(label: str, edges: Sequence[str], compiled: Compiled) -> Iterator[str]:
    if not edges:
        return
    yield f"    {label:<7} {len(edges)}:"
    width = max(map(len, edges[:MOST]))
    for edge in edges[:MOST]:
        yield f"        {edge:<{width}}  {carries(edge, compiled)}"
    if len(edges) > MOST:
        yield f"        and {len(edges) - MOST} more"


def carries(edge: str, compiled: Compiled) -> str:
    """`carries tokens, into reverse = aggregate(...)`. The edge may be a coarse one, `tok+pos -> a0.h0`."""
    writer, _, reader = edge.partition(" -> ")
    graph = compiled.graph
    writers = writer.split("+")
    into = reader.rsplit(".", 1)[0] if reader.endswith((".q", ".k", ".v")) else reader
    if not {*writers, into} <= {*map(str, graph.writers), "out"}:
        return "is no edge of this graph"
    what = "; ".join(computes(compiled, name) for name in writers)
    return f"carries {what}, into {'the output' if into == 'out' else computes(compiled, into)}"


def mapping_lines(imported: Imported) -> list[str]:
    """How a circuit made elsewhere was read, and where it tells less than we do."""
    notes = (*imported.granularity.says(), *imported.notes)
    first = f"read as {imported.format}: {IMPORTERS[imported.format].mapping}"
    return [first, *(f"    note    {note}" for note in notes)]
