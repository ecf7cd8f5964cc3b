"""The fork server of a method, made from the command before it knows a truth."""

from __future__ import annotations

from tracrcheck.commands.arguments import MethodOptions, ProcessOptions, RunOptions
from tracrcheck.commands.loading import loading
from tracrcheck.processes.process import serve_from_here


def serve_early(method: MethodOptions, process: ProcessOptions, run: RunOptions) -> None:
    """Where this process will ask the method, or look whether it is there."""
    if process.in_process or (":" not in method.method and (run.jobs > 1 or run.cluster is not None)):
        return
    with loading():
        serve_from_here()
