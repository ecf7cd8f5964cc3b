"""The table of all programs with their truths, as a Markdown page: read from the pins, so it costs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgeprune_core.ablations import ABLATIONS
from tracrcheck.rasp.library import Entry
from tracrcheck.truth.pins import Pins

if TYPE_CHECKING:
    from tracrcheck.compiler.compile import Compiled

HEAD = """# The programs

Edges that are required under each ablation, by value, every input of every length, position 0 not judged; `*`
where several circuits of that size are right, `-` where nothing is required. Everything here is proved: sufficient,
minimal and smallest; a number in brackets is proved sufficient and minimal only. Written by `make pins` from
`ci/certificates.json`; a test fails where it is out of date.

| program | computes | layers x heads | edges | zero | mean | resample |
|---|---|---|---|---|---|---|
"""


def programs_page(programs: Sequence[tuple[Compiled, Entry]], pinned: Pins) -> str:
    rows = []
    for compiled, entry in programs:
        spec, name = compiled.model.spec, compiled.program.name
        truths = [_truth(pinned.get(name, {}).get(f"{ablation} value")) for ablation in ABLATIONS]
        meaning = entry.meaning.replace("|", "\\|")
        cells = [name, meaning, f"{spec.n_layers} x {spec.n_heads}", f"{compiled.graph.n_edges:,}", *truths]
        rows.append("| " + " | ".join(cells) + " |\n")
    return HEAD + "".join(rows)


def _truth(record: dict[str, list[str]] | None) -> str:
    if record is None:
        return "not pinned"
    required, proved = record["required"], record["proved"]
    if "smallest" not in proved:
        return f"({len(required)})"
    many = "" if "unique" in proved else "*"
    return f"{len(required)}{many}" if required else "-"
