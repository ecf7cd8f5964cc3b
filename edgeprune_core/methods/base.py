"""A discovery method: a frozen record of its settings that you call.

To add one, write a file here with such a record and add a row to the table in `__init__.py`. Methods from elsewhere are
named `package.module:name`: any callable that takes a `Task` and returns a `Discovery`, a `Circuit`, or edges.

A method that can give circuits of many sizes has a method `sweep`, and `tracrcheck compare` draws its curve from those. A
method without one is compared by its ranking of the edges, or by its single circuit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from edgeprune_core.circuit import Circuit
from edgeprune_core.discovery import Discovery
from edgeprune_core.task import Task

# What made a circuit, in words, and the circuit.
Candidate = tuple[str, Circuit]


class Method(Protocol):
    def __call__(self, task: Task) -> Discovery: ...


@runtime_checkable
class Swept(Protocol):
    """A method that gives circuits of many sizes, whether the task accepts them or not."""

    def sweep(self, task: Task) -> Iterator[Candidate]: ...
