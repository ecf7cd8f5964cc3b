"""A discovery method: a frozen record of its settings that you call.

To add one: a file here with such a record, and a row in the table of `__init__.py`. Methods of others are any
callable `package.module:name` that takes a `Task` and returns a `Discovery`, a `Circuit`, or edges.
"""

from __future__ import annotations

from typing import Protocol

from edgeprune_core.discovery import Discovery
from edgeprune_core.task import Task


class Method(Protocol):
    def __call__(self, task: Task) -> Discovery: ...
