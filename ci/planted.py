"""Causal programs in GPT-2s, at their own size and at that of GPT-2 small: the certificates in `ci/results/planted-own.json` and `planted-large.json`.

    python -m ci.planted [--programs N] [--most-inputs N] [--large NAMES] [--minutes M] [--folders DIR] --json FILE --resume

`--folders` also writes each as `tracrcheck plant` would, for `tracrcheck gate DIR/*`. The run is resumed by the same call;
`--minutes` ends it in time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ci.peers import Minutes, MostInputs, share, with_few_inputs
from tracrcheck.commands.arguments import RunOptions, seed_option
from tracrcheck.commands.base import command, command_line
from tracrcheck.commands.resumable import run_or_read
from tracrcheck.rasp.library import Library
from tracrcheck.reports import plants as report
from tracrcheck.runs.base import until
from tracrcheck.runs.plants import PLANTS, Plan, Plants

# At 12 x 12 x 768, as GPT-2 small.
LARGE = "slow_motion,frac_prevs,running_parity,last_a,induction"


@command
def run(
    options: RunOptions,
    programs: Annotated[
        int | None,
        typer.Option(
            min=0, help="How many causal programs at their own size, drawn at random; by default all."
        ),
    ] = None,
    most_inputs: MostInputs = None,
    large: Annotated[str, typer.Option(help="Programs at 12 x 12 x 768, comma-separated.")] = LARGE,
    seed: Annotated[int, seed_option("Of the slots, the distractors and the rotation.")] = 0,
    folders: Annotated[Path | None, typer.Option(help="Write the checkpoints in this folder too.")] = None,
    minutes: Minutes = None,
) -> None:
    """Plant programs in GPT-2s and certify each."""
    causal = [entry for entry in Library.here().all() if entry.program.causal]
    plan = Plan(
        own=share(with_few_inputs(causal, most_inputs), programs), n_causal=len(causal), most_inputs=most_inputs, large=[name for name in large.split(",") if name], size="12x12",
        seed=seed,
    )  # fmt: skip
    header = plan.header(command_line().replace("tracrcheck", "python -m ci.planted", 1))
    over = until(minutes)
    run_or_read(
        PLANTS, header, lambda ledger: Plants(plan, header, ledger, folder=folders, time_is_up=over), options,
        document=report.document, line=report.line,
    ).end()  # fmt: skip


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
app.command()(run)

if __name__ == "__main__":
    app()
