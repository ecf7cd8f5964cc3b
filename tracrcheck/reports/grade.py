"""Why a verdict does not hold, with the RASP expression that each missing or extra edge carries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracrcheck.grading.verdict import Verdict
from tracrcheck.importers import IMPORTERS, Imported
from tracrcheck.reports.document import MOST_EDGES
from tracrcheck.reports.findings import block, finding_of
from tracrcheck.reports.text import computes

if TYPE_CHECKING:
    from tracrcheck.compiler.compile import Compiled


def failure_block(v: Verdict, compiled: Compiled, *, replay: str) -> str:
    """What failed, the edges and what they carry, the smallest witness, and the command that replays it."""
    carried = {edge: carries(edge, compiled) for edge in (*v.missing[:MOST_EDGES], *v.extra[:MOST_EDGES])}
    return block(finding_of(v, replay=replay, carried=carried))


def carries(edge: str, compiled: Compiled) -> str:
    """`carries tokens, into reverse = aggregate(...)`. The edge may be a coarse one, `tok+pos -> a0.h0`."""
    writer, _, reader = edge.partition(" -> ")
    graph = compiled.graph
    writers = writer.split("+")
    into = reader.rsplit(".", 1)[0] if reader.endswith((".q", ".k", ".v")) else reader
    if not {*writers, into} <= {*map(str, graph.writers), "out"}:
        return "is no edge of this graph"
    what = "; ".join(computes(compiled, name) for name in writers)
    return f"carries {what}, into {computes(compiled, into)}"


def mapping_lines(imported: Imported) -> list[str]:
    """How an imported circuit was read, and where its format is coarser than ours."""
    notes = (*imported.granularity.says(), *imported.notes)
    first = f"read as {imported.format}: {IMPORTERS[imported.format].mapping}"
    return [first, *(f"    note    {note}" for note in notes)]
