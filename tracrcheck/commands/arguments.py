"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Names = Annotated[
    list[str] | None, typer.Argument(metavar="[PROGRAM]...", help="Names, or paths of program files.")
]
Name = Annotated[str, typer.Argument(metavar="PROGRAM", help="A name, or the path of a program file.")]
Folders = Annotated[
    list[Path] | None,
    typer.Option("--programs-dir", metavar="DIR", help="A folder of your own programs. Repeatable."),
]
Ablations = Annotated[
    list[str] | None,
    typer.Option("--ablation", metavar="NAME", help="zero, mean, resample, mean_pooled or all. Repeatable."),
]
Criterion = Annotated[str, typer.Option(help="value: every scored coordinate; decoded: what it decodes to.")]
Lengths = Annotated[
    str | None, typer.Option(metavar="A-B", help="Inputs of these lengths only (BOS not counted).")
]
Memory = Annotated[
    int | None,
    typer.Option(min=1, metavar="MIB", help="Memory that the method's process may allocate."),
]
ScoreBos = Annotated[bool, typer.Option("--score-bos", help="Judge the output at position 0 too.")]
# What a generator can be seeded with, and room for as many seeds as anyone runs.
LARGEST_SEED = 2**62
MOST_SEEDS = 1_000_000  # they are listed one by one in the files
ClusterAddress = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        metavar="ADDRESS",
        help="Run on a Dask cluster: tcp://HOST:PORT (docs/sweeps.md).",
    ),
]
Json = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write the results to this file (docs/json.md).")
]
Html = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write a page for a browser to this file.")
]
Junit = Annotated[
    Path | None,
    typer.Option("--junit", metavar="FILE", help="Write JUnit XML to this file, for a CI system."),
]
Comment = Annotated[
    Path | None,
    typer.Option(
        "--md", metavar="FILE", help="Write short Markdown to this file, for a comment on a pull request."
    ),
]
