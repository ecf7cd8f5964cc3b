"""The command line. Thin: every command calls one function and renders what comes back.

Exit codes: 0 right; 1 a verdict fails, or a truth is not proved; 2 the call is wrong; 130 interrupted. Commands
import what they need when they run: `tracrcheck --help` loads neither torch nor jax.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from edgeprune_core.errors import CheckError
from tracrcheck._version import __version__

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Proves what a circuit-discovery method must find, and fails the build when it does not.",
)

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
ScoreBos = Annotated[bool, typer.Option("--score-bos", help="Judge the output at position 0 too.")]
Json = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write the results there (docs/json.md).")
]


def told(command: Callable[..., Any]) -> Callable[..., Any]:
    """A mistake of the user's is told as its block, with exit code 2; never as a traceback."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        from tracrcheck.reports.console import tell

        try:
            return command(*args, **kwargs)
        except CheckError as error:
            tell(error)
            raise typer.Exit(2) from None
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)
            raise typer.Exit(130) from None
        except (typer.Exit, typer.Abort, BrokenPipeError):
            raise
        except Exception as error:
            if os.environ.get("TRACRCHECK_DEBUG"):
                raise
            tell(_our_fault(error))
            raise typer.Exit(2) from None

    return wrapped


def _our_fault(error: Exception) -> CheckError:
    return CheckError(
        "TC199",
        "a fault of tracrcheck itself",
        got=f"{type(error).__name__}: {error}",
        wanted="no such thing",
        do="report it, with the traceback that TRACRCHECK_DEBUG=1 shows",
    )


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tracrcheck {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="The version, and nothing else."),
    ] = False,
) -> None: ...


@app.command()
@told
def programs(folder: Folders = None) -> None:
    """List the programs: vocabulary, longest input, layers x heads, edges."""
    from tracrcheck.compile import compile_program
    from tracrcheck.library import Library, load_file
    from tracrcheck.reports import console, text

    found, wrong = [], []
    library = Library.here(folder or [])
    for path in library.files():
        try:
            found.append(compile_program(load_file(path).program))
        except CheckError as error:
            wrong.append(error.at(str(path)))
    console.out().print(text.programs_table(sorted(found, key=lambda c: c.program.name)))
    _stop_at(wrong)
    library.all()


@app.command()
@told
def certify(
    program: Names = None,
    everything: Annotated[bool, typer.Option("--all", help="Every program.")] = False,
    ablation: Ablations = None,
    criterion: Annotated[str | None, typer.Option(help="value (the default) or decoded.")] = None,
    lengths: Lengths = None,
    score_bos: ScoreBos = False,
    folder: Folders = None,
    json: Json = None,
    check: Annotated[Path | None, typer.Option(metavar="FILE", help="Compare with the pins in FILE.")] = None,
    write: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the pins to FILE.")] = None,
) -> None:
    """Prove what must be found. Exit 1 where `sufficient` or `minimal` is not proved, or a pin differs."""
    from tracrcheck import gate, options, pins, store
    from tracrcheck.library import Library
    from tracrcheck.reports import console, files, text

    pinning = check is not None or write is not None
    if not program and not everything:
        raise CheckError(
            "TC117", "no program to certify", where="certify", got="no name", wanted="names, or --all"
        )
    for path in (json, write):
        files.check_writable(path)
    criteria = [criterion] if criterion else options.all_criteria() if pinning else ["value"]
    settings = options.settings_of(ablation or ["all"], criteria, lengths, score_bos)
    pinned = pins.read(check) if check else None
    ready, wrong = gate.prepare(Library.here(folder or []).chosen(program or []), settings)
    _stop_at(wrong)
    found = []
    for compiled, setting in console.progress(
        [(c, s) for c in ready for s in settings], len(ready) * len(settings), "certify"
    ):
        found.append(store.certificate_of(compiled, setting))
        if not pinning:
            for part in text.certificate_block(compiled, found[-1]):
                console.out().print(part)
    files.write_json(json, files.certify_document(found))
    unproved = [c for c in found if not c.usable]
    for c in unproved:
        print(
            f"UNKNOWN {c.program}, {c.setting.ablation}, {c.setting.criterion}: {c.says('sufficient')}",
            file=sys.stderr,
        )
    if write:
        files.write_text(write, pins.dumps(pins.of(found)))
    different = pins.differences(pinned, pins.of(found), whole=everything) if pinned is not None else []
    for line in different:
        console.out().print(line)
    if pinning:
        console.out().print(f"{len(found)} certificates, {len(different)} differences")
    raise typer.Exit(1 if unproved or different else 0)


@app.command("gate")
@told
def gate_(
    program: Names = None,
    folder: Folders = None,
    method: Annotated[
        str, typer.Option(metavar="NAME", help="edge_pruning, random, ... or module:callable.")
    ] = "edge_pruning",
    ablation: Ablations = None,
    criterion: Criterion = "value",
    lengths: Lengths = None,
    score_bos: ScoreBos = False,
    seed: Annotated[int, typer.Option(help="The first seed.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds.")] = 1,
    timeout: Annotated[float, typer.Option(min=0.01, help="Seconds a run of the method may take.")] = 1800.0,
    allow_unknown: Annotated[
        bool, typer.Option("--allow-unknown", help="UNKNOWN does not fail the gate.")
    ] = False,
    json: Json = None,
) -> None:
    """Run a method on programs, and fail where it does not find what is proved."""
    from tracrcheck import gate, options
    from tracrcheck.examinee import find_method
    from tracrcheck.library import Library
    from tracrcheck.reports import console, files

    files.check_writable(json)
    settings = options.settings_of(ablation or ["all"], [criterion], lengths, score_bos)
    plan = gate.Plan(
        settings=settings,
        method=find_method(method),
        method_name=method,
        seeds=tuple(range(seed, seed + seeds)),
        timeout=timeout,
    )
    entries = Library.here(folder or []).chosen(program or [])
    ready, wrong = gate.prepare(entries, settings)
    _stop_at(wrong)
    run = gate.Run()
    try:
        for verdict in console.progress(gate.gate(ready, plan), len(ready) * plan.runs_per_program, "gate"):
            run.add(verdict)
    except KeyboardInterrupt:
        run.interrupted = True
    _report(run, allow_unknown, _replay_options(lengths, score_bos, folder))
    files.write_json(json, files.gate_document(run.verdicts, run.summary))
    raise typer.Exit(run.exit_code(allow_unknown=allow_unknown))


def _replay_options(lengths: str | None, score_bos: bool, folders: Sequence[Path] | None) -> list[str]:
    words = ["--lengths", lengths] if lengths else []
    words += ["--score-bos"] if score_bos else []
    return words + [word for f in folders or [] for word in ("--programs-dir", str(f))]


def _report(run, allow_unknown: bool, replay_options: Sequence[str]) -> None:
    from tracrcheck.reports import console, text

    for error in run.errors:
        console.tell(error)
    out = console.out()
    out.print(text.verdict_table(run.verdicts))
    for verdict in run.verdicts:
        if verdict.verdict != "HOLDS":
            out.print()
            out.print(text.verdict_block(verdict, replay_options), soft_wrap=True)
    out.print()
    out.print(text.summary_line(run.summary, allow_unknown=allow_unknown))
    if run.interrupted:
        typer.echo("interrupted: these are the verdicts that were finished", err=True)


def _stop_at(errors: Sequence[CheckError]) -> None:
    from tracrcheck.reports.console import tell

    for error in errors:
        tell(error)
    if errors:
        raise typer.Exit(2)


def main() -> None:
    """The entry point of `tracrcheck`."""
    app(prog_name="tracrcheck")


if __name__ == "__main__":
    main()
