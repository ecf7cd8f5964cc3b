"""What a result was made on, and by which command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tracrcheck.grading.edge_effects import Absent
from tracrcheck.records.machine import in_words
from tracrcheck.reports.render.html.elements import Child, Html, code, command, joined, tag
from tracrcheck.reports.render.html.page import Section
from tracrcheck.reports.render.html.tables import bullets, facts

# Items from which a list is folded.
_LONG = 8


def environment(run: Mapping[str, Any] | None) -> Section:
    """Of the `run` of a results file (docs/json.md), or of as much of it as is known."""
    if not run:
        return Section(title="Environment", content=tag("p", "The file does not say what it was made on."))
    asked = [(name, _asked(value)) for name, value in run.get("asked", {}).items()]
    sources = [(f"sources: {name}", code(sha)) for name, sha in run.get("sources", {}).items() if sha]
    rows: list[tuple[str, Child]] = [("machine", in_words(run["machine"]))]
    if (memory := run["machine"].get("memory_gib")) is not None:
        rows.append(("memory", f"{memory:g} GiB"))
    rows += [("commit", code(run.get("commit") or "unknown")), ("begun", run["started"])]
    if "seconds" in run:
        sittings = run["sittings"]
        rows.append(("took", f"{run['seconds']:,.0f} s in {sittings} sitting{'s' if sittings != 1 else ''}"))
        rows.append(("finished", "yes" if run["finished"] else "NO: these are the results so far"))
    return Section(
        title="Environment",
        content=joined((command(run["command"]), facts([*rows, *asked, *sources]))),
    )


def _asked(value: Any) -> Child:
    if isinstance(value, list):
        words = ", ".join(map(str, value))
        if len(value) > _LONG:
            return tag("details", tag("summary", f"{len(value):,}"), words)
        return words or "none"
    return "not restricted" if value is None else str(value)


def unfinished(run: Mapping[str, Any]) -> Html:
    """A warning above a page, where a run was interrupted."""
    if run["finished"]:
        return Html("")
    return tag(
        "p",
        tag("b", "Not finished. "),
        "The run was interrupted: these are the results so far.",
        class_="warning",
    )


def not_drawn(absent: Sequence[Absent]) -> Html:
    """Programs of which there is no drawing, and why."""
    if not absent:
        return Html("")
    return joined((tag("p", "Not drawn:"), bullets([f"{one.program}: {one.why}" for one in absent])))
