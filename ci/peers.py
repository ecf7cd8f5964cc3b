"""Published methods and our own on proved truths: the table `ci/results/peers.md`, from `ci/results/peers.json`.

    python -m ci.peers [--programs N] [--most-inputs N] [--minutes M] --json FILE --resume

Every method runs on the same programs: a share of the zoo, drawn at random with a fixed seed, such that a larger share contains a
smaller one. The run is resumed by the same call; `--minutes` ends it in time. A tool that is not installed is left out, and
the table says which were there. `tracrcheck report` shows the results, `tracrcheck recheck` runs a share of them again.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Annotated

import typer

from tracrcheck.commands.arguments import RunOptions
from tracrcheck.commands.base import command, command_line, prepared
from tracrcheck.commands.resumable import run_or_read
from tracrcheck.compiler.compile import compile_program
from tracrcheck.rasp.library import Entry, Library
from tracrcheck.reports import peers as report
from tracrcheck.runs.base import until
from tracrcheck.runs.peers import PEERS, Peers, Plan, tools

BOTH, RESAMPLE = ["resample", "zero"], ["resample"]
EAP_IG, AUTOCIRCUIT = "tracrcheck.peers.eap_ig:", "tracrcheck.peers.autocircuit:"
# By the package that each needs.
TRIED = {
    "": {
        "eap": BOTH,
        "eap_ig": BOTH,
        "eap_ig_activations": BOTH,
        "exact": BOTH,
        "acdc": BOTH,
        "edge_pruning_score_function": BOTH,
    },
    "eap": {
        f"{EAP_IG}eap": BOTH,
        f"{EAP_IG}eap_ig_inputs": RESAMPLE,
        f"{EAP_IG}eap_ig_activations": BOTH,
        f"{EAP_IG}clean_corrupted": RESAMPLE,
        f"{EAP_IG}information_flow_routes": BOTH,
        f"{EAP_IG}exact": BOTH,
    },
    "auto-circuit": {
        f"{AUTOCIRCUIT}edge_attribution": BOTH,
        f"{AUTOCIRCUIT}integrated_edge_gradients": BOTH,
        f"{AUTOCIRCUIT}acdc": RESAMPLE,
        f"{AUTOCIRCUIT}acdc_mse": RESAMPLE,
        f"{AUTOCIRCUIT}subnetwork_edge_probing": RESAMPLE,
        f"{AUTOCIRCUIT}subnetwork_tree_probing": RESAMPLE,  # 2,000 epochs: minutes a program
    },
}
OWN_CIRCUIT = ["acdc", "edge_pruning_score_function"]  # their scores do not rank edges for a selector
SELECT = "fewest_within_tolerance"
SEED = 17

Minutes = Annotated[
    float | None, typer.Option(help="Stop after so many minutes; the same call resumes.", show_default=False)
]
MostInputs = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Draw them from the programs with at most so many inputs; by default from all.",
        show_default=False,
    ),
]


def share(names: list[str], n: int | None) -> list[str]:
    """n of the programs, drawn with a fixed seed, in the order of their names."""
    order = random.Random(SEED).sample(sorted(names), len(names))
    return sorted(order[:n])


def with_few_inputs(entries: Iterable[Entry], most: int | None) -> list[str]:
    return [
        e.program.name
        for e in entries
        if most is None or len(compile_program(e.program).domain.inputs) <= most
    ]


@command
def run(
    options: RunOptions,
    programs: Annotated[
        int | None, typer.Option(min=1, help="How many programs, drawn at random; by default all.")
    ] = None,
    most_inputs: MostInputs = None,
    timeout: Annotated[float, typer.Option(help="Seconds that a method may take on a program.")] = 600.0,
    minutes: Minutes = None,
) -> None:
    """Run every method that is installed on the same programs."""
    library, installed = Library.here(), tools()
    chosen = {m: a for tool, of in TRIED.items() if not tool or tool in installed for m, a in of.items()}
    every = library.all()
    plan = Plan(
        methods=chosen, own_circuit=OWN_CIRCUIT, select=SELECT, programs=share(with_few_inputs(every, most_inputs), programs), n_programs=len(every), most_inputs=most_inputs,
        timeout=timeout, tools=installed,
    )  # fmt: skip
    header = plan.header(command_line().replace("tracrcheck", "python -m ci.peers", 1))
    compiled, over = prepared(library.chosen(plan.programs)), until(minutes)
    run_or_read(
        PEERS, header, lambda ledger: Peers(compiled, plan, header, ledger, options.workers(), time_is_up=over), options,
        document=report.document, line=report.line,
    ).end()  # fmt: skip


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
app.command()(run)

if __name__ == "__main__":
    app()
