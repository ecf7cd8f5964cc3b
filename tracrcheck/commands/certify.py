"""`tracrcheck programs` and `tracrcheck certify`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from edgeprune_core.errors import CheckError
from tracrcheck.commands.arguments import Folders, Names, ReportOptions, SettingOptions
from tracrcheck.commands.base import command, command_line, prepared, stop_at
from tracrcheck.commands.loading import loading
from tracrcheck.error_codes import user_error
from tracrcheck.rasp.library import Library, load_file
from tracrcheck.reports import files
from tracrcheck.reports.render import terminal

if TYPE_CHECKING:
    from tracrcheck.compiler.compile import Compiled
    from tracrcheck.rasp.library import Entry
    from tracrcheck.reports.context import Context
    from tracrcheck.reports.saved import CertificatesFile
    from tracrcheck.truth.setting import Setting


@command
def programs(
    folder: Folders = None,
    pinned: Annotated[
        Path | None,
        typer.Option("--pins", metavar="FILE", help="Print Markdown, with the truths in this file of pins."),
    ] = None,
) -> None:
    """List the programs: vocabulary, longest input, layers x heads, edges."""
    from tracrcheck.truth import pins

    library = Library.here(folder or [])
    truths = None if pinned is None else pins.read(pinned)
    with loading():
        from tracrcheck.compiler.compile import compile_program
        from tracrcheck.reports import programs as report

    found, wrong = [], []
    for path in library.files():
        try:
            entry = load_file(path)
            found.append((compile_program(entry.program), entry))
        except CheckError as error:
            wrong.append(error.at(str(path)))
    found.sort(key=lambda row: row[0].program.name)
    if truths is None:
        terminal.show(report.programs_table([compiled for compiled, _ in found]))
    else:
        typer.echo(report.programs_page(found, truths), nl=False)
    stop_at(wrong)
    library.all()


@command
def certify(
    setting: SettingOptions,
    outputs: ReportOptions,
    program: Names = None,
    everything: Annotated[bool, typer.Option("--all", help="Every program.")] = False,
    folder: Folders = None,
    check: Annotated[Path | None, typer.Option(metavar="FILE", help="Compare with the pins in FILE.")] = None,
    write: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the pins to FILE.")] = None,
    robust: Annotated[
        bool,
        typer.Option(
            "--robust", help="Also find the smallest robust circuit: faithful whichever other edges are cut."
        ),
    ] = False,
    require_whole: Annotated[
        bool, typer.Option("--require-whole", help="Exit 1 where a list is a sample.")
    ] = False,
) -> None:
    """Prove which edges are required. Exit 1 if `sufficient` or `minimal` is not proved, or a pin differs."""
    from tracrcheck.truth import pins
    from tracrcheck.truth.setting import CRITERIA

    pinning = check is not None or write is not None
    if not program and not everything:
        raise user_error("TC117.no_program", where="certify", got="no name")
    if program and everything:
        raise user_error("TC117.names_and_all", where="certify", got=" ".join(program))
    if write is not None and not everything:
        raise user_error("TC117.write", where="--write", got="names")
    files.check_writable(write)
    pinned = pins.read(check) if check else None
    entries = Library.here(folder or []).chosen(program or [])
    settings = setting.settings(["all"], CRITERIA if pinning else ["value"], entries=entries)
    with loading():
        from tracrcheck.grading.robustness import robustness_of
        from tracrcheck.reports import certify as report
        from tracrcheck.reports.text import separated
        from tracrcheck.truth import cache

    ready = prepared(entries, settings)
    found, records = [], []
    for compiled, one in terminal.progress(
        [(c, s) for c in ready for s in settings], len(ready) * len(settings), "certify"
    ):
        found.append(cache.certificate_of(compiled, one))
        records.append(found[-1].to_json())
        if not pinning:
            terminal.show(*report.certificate_block(compiled, found[-1]))
        if robust:
            robustness = robustness_of(compiled, found[-1])
            records[-1]["robustness"] = robustness.to_json()
            if not pinning:
                terminal.show(*report.robustness_lines(robustness))
    files.write_json(outputs.json, {"certificates": records})
    if outputs.html or outputs.junit or outputs.md:
        shown, context = _shown(ready, settings, entries, records, drawn=outputs.html is not None)
        outputs.write(replace(shown, require_whole=require_whole), context)
    unproved = [c for c in found if not c.usable]
    for c in unproved:
        line = f"UNKNOWN {c.program}, {c.setting.ablation}, {c.setting.criterion}: {separated(c.says('sufficient'))}"
        typer.echo(line, err=True)
    samples = [c for c in found if c.word == "sampled"] if require_whole else []
    for c in samples:
        line = f"SAMPLED {c.program}, {c.setting.ablation}, {c.setting.criterion}: {separated(c.says('sufficient'))}"
        typer.echo(line, err=True)
    if write:
        files.write_text(write, pins.dumps(pins.of(found)))
    different = pins.differences(pinned, pins.of(found), whole=everything) if pinned is not None else []
    terminal.show(*different)
    if pinning:
        terminal.show(f"{len(found)} certificates, {len(different)} differences")
    raise typer.Exit(1 if unproved or samples or different else 0)


def _shown(
    ready: Sequence[Compiled],
    settings: Sequence[Setting],
    entries: Sequence[Entry],
    certificates: Sequence[Mapping[str, Any]],
    *,
    drawn: bool,
) -> tuple[CertificatesFile, Context]:
    """What the reports show. The certificates are in the cache now. drawn: with what a page draws."""
    from tracrcheck.grading.edge_effects import evidence_of
    from tracrcheck.reports.context import Context
    from tracrcheck.reports.saved import CertificatesFile
    from tracrcheck.runs.base import made_now

    meanings = {entry.program.name: entry.meaning for entry in entries}
    pairs = [(compiled, setting) for compiled in ready for setting in settings] if drawn else []
    evidence = [
        evidence_of(compiled, setting, meaning=meanings[compiled.program.name])
        for compiled, setting in terminal.progress(pairs, len(pairs), "drawing")
    ]
    run = made_now(command_line())
    return CertificatesFile(certificates=tuple(certificates), run=run), Context(evidence=evidence)
