"""The commands: a file for one, or for a few that belong together. They parse, call, and print; they decide nothing.

No command: `arguments` (groups of options), `base`, `computing`, `loading`, `resumable`, `serving`, which commands share.
"""

from __future__ import annotations

from collections.abc import Callable

from edgeprune_core.lazy import Lazy, Table

# In the order of `tracrcheck --help`.
COMMANDS: Table[Callable[..., None]] = Table({
    "gate": Lazy("tracrcheck.commands.gate:gate"),
    "report": Lazy("tracrcheck.commands.results:report"),
    "recheck": Lazy("tracrcheck.commands.results:recheck"),
    "certify": Lazy("tracrcheck.commands.certify:certify"),
    "programs": Lazy("tracrcheck.commands.certify:programs"),
    "new": Lazy("tracrcheck.commands.program:new"),
    "check": Lazy("tracrcheck.commands.program:check"),
    "show": Lazy("tracrcheck.commands.program:show"),
    "explain": Lazy("tracrcheck.commands.program:explain"),
    "plant": Lazy("tracrcheck.commands.plant:plant"),
    "fuzz": Lazy("tracrcheck.commands.fuzz:fuzz"),
    "grade": Lazy("tracrcheck.commands.grade:grade"),
    "export": Lazy("tracrcheck.commands.export:export"),
    "discover": Lazy("tracrcheck.commands.discover:discover"),
    "compare": Lazy("tracrcheck.commands.compare:compare"),
    "faithfulness": Lazy("tracrcheck.commands.discover:faithfulness"),
    "overlap": Lazy("tracrcheck.commands.overlap:overlap"),
    "tasks": Lazy("tracrcheck.commands.tasks:tasks"),
    "plan": Lazy("tracrcheck.commands.plan:plan"),
    "invariants": Lazy("tracrcheck.commands.invariants:invariants"),
    "mutants": Lazy("tracrcheck.commands.mutants:mutants"),
    "models": Lazy("tracrcheck.commands.models:models"),
    "doctor": Lazy("tracrcheck.commands.doctor:doctor"),
})  # fmt: skip
