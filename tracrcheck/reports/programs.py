"""All programs: the list that a terminal shows, and the page with their truths."""

from __future__ import annotations

from collections.abc import Sequence

from edgeprune_core.ablations import ABLATIONS
from tracrcheck.compiler.compile import Compiled
from tracrcheck.rasp.library import Entry
from tracrcheck.reports.document import Column, Table, number
from tracrcheck.truth.pins import Pins

HEAD = """# The programs

Edges that are required under each ablation, by value, every input of every length, position 0 not judged; `*`
where several circuits of that size are right, `-` where nothing is required. Everything here is proved: sufficient,
minimal and smallest; a number in brackets is proved sufficient and minimal only. Written by `make pins` from
`ci/certificates.json`; a test fails where it is out of date.

"""


def programs_page(programs: Sequence[tuple[Compiled, Entry]], pinned: Pins) -> str:
    rows = []
    for compiled, entry in programs:
        name = compiled.program.name
        truths = [_truth(pinned.get(name, {}).get(f"{ablation} value")) for ablation in ABLATIONS]
        meaning = entry.meaning.replace("|", "\\|")
        cells = [name, meaning, _size(compiled), f"{compiled.graph.n_edges:,}", *truths]
        rows.append("| " + " | ".join(cells) + " |\n")
    columns = ["program", "computes", "layers x heads", "edges", *ABLATIONS]
    table = f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|\n"
    return HEAD + table + "".join(rows)


def _truth(record: dict[str, list[str]] | None) -> str:
    if record is None:
        return "not pinned"
    required, proved = record["required"], record["proved"]
    if "smallest" not in proved:
        return f"({len(required)})"
    many = "" if "unique" in proved else "*"
    return f"{len(required)}{many}" if required else "-"


def programs_table(programs: Sequence[Compiled]) -> Table:
    return Table.of(
        programs,
        Column("program", lambda c: c.program.name),
        Column("vocabulary", lambda c: " ".join(sorted(map(str, c.program.vocab)))),
        number("length", lambda c: c.program.max_seq_len),
        Column("layers x heads", _size),
        number("edges", lambda c: f"{c.graph.n_edges:,}"),
    )


def _size(compiled: Compiled) -> str:
    return f"{compiled.model.spec.n_layers} x {compiled.model.spec.n_heads}"
