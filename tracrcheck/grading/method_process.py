"""Where a method runs: in a process of its own, or in this one.

A method that runs in this process can read the truth from it, and change how it is judged. So every method runs in a process
that is started for it, and used for all its tasks; only `in_process`, which is for debugging, runs it here.
"""

from __future__ import annotations

import os
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import torch

from edgeprune_core.errors import CheckError
from edgeprune_core.methods import METHODS
from edgeprune_core.task import Task
from tracrcheck.error_codes import user_error
from tracrcheck.grading.by_name import check_method, find_method
from tracrcheck.grading.run_method import UNREADABLE, Answer, ask, ask_together, read_plain
from tracrcheck.processes.packing import packed
from tracrcheck.processes.process import Died, Process, TookTooLong

Method = Callable[[Task], Any]

# Ours are for the process that judges.
OURS = "TRACRCHECK_"
NOT_SENT = "TC124"
# Seconds that finding a method may take: importing its module, and making the object that is named.
FINDING = 600.0


class Examinee(ABC):
    """A method under test.

    in_process: whether it runs in this process, where it could see and change how it is judged.
    """

    in_process = False

    @property
    @abstractmethod
    def many(self) -> bool:
        """Whether it trains several seeds at once. Errors: TC113, if the method cannot be found."""

    @abstractmethod
    def ask(self, task: Task, *, seed: int, timeout: float | None) -> Answer:
        """Its answer on a task; a fault, whatever it does."""

    @abstractmethod
    def _ask_together(self, task: Task, seeds: Sequence[int], timeout: float | None) -> list[Answer]:
        """An answer per seed from `many`; fewer, or a fault among them, if any is bad."""

    def ask_all(self, task: Task, *, seeds: Sequence[int], timeout: float | None) -> list[Answer]:
        """An answer per seed, as from `ask`.

        A method may have `many(task, seeds)`, which trains all seeds together and returns a result per seed. Its time limit
        is that of all seeds together. If any result is bad, every seed is run on its own, so that each has its own reason.
        """
        if len(seeds) > 1 and self.many:
            limit = None if timeout is None else timeout * len(seeds)
            answers = self._ask_together(task, seeds, limit)
            if len(answers) == len(seeds) and not any(answer.fault for answer in answers):
                return answers
        return [self.ask(task, seed=seed, timeout=timeout) for seed in seeds]

    @abstractmethod
    def end(self) -> None:
        """Ends its process. It starts another when it is asked again."""


class InProcess(Examinee):
    """A method that runs here: for debugging."""

    in_process = True

    def __init__(self, method: Method) -> None:
        self.method = method

    @property
    def many(self) -> bool:
        return callable(getattr(self.method, "many", None))

    def ask(self, task: Task, *, seed: int, timeout: float | None) -> Answer:
        return ask(self.method, task, seed=seed, timeout=timeout)

    def _ask_together(self, task: Task, seeds: Sequence[int], timeout: float | None) -> list[Answer]:
        return ask_together(self.method.many, task, seeds, timeout)  # type: ignore[attr-defined]

    def end(self) -> None:
        pass


class MethodProcess(Examinee):
    """A method in a process of its own.

    It gets a task and nothing else: no folder of certificates, and none of our settings. It is started at the first call,
    or by `begin`, and again after it died or took too long. memory_mib: limit on what it may allocate.
    """

    def __init__(
        self, method: str | Method, *, name: str = "", where: str = "--method", memory_mib: int | None = None
    ) -> None:
        hidden: Mapping[str, str | None] = {key: None for key in os.environ if key.startswith(OURS)}
        self._method, self._where = method, where
        self._found_at = 0  # in which of its processes the method has been found
        self._sent_with: dict[
            type, tuple[str, ...]
        ] = {}  # types of ablations -> modules that are sent with them
        self._process = Process(
            "tracrcheck.grading.method_child",
            name=name or (method if isinstance(method, str) else getattr(method, "__name__", "method")),
            environment={**hidden, "TRACRCHECK_CACHE": os.devnull},
            memory_mib=memory_mib,
        )

    def begin(self) -> None:
        """Starts its process, which then imports what it needs."""
        self._process.begin()

    @cached_property
    def many(self) -> bool:
        ours = METHODS.get(self._method) if isinstance(self._method, str) else None
        return hasattr(ours, "many") if ours is not None else self._find()

    def _find(self) -> bool:
        """Makes the process find its method. Returns whether it has `many`. Errors: TC113."""
        try:
            if isinstance(self._method, str):
                method: str | bytes = self._method
            else:
                method = packed(self._method)
            request = packed(("find", method, self._where, torch.get_num_threads()))
            said = self._process.call(request, seconds=FINDING)
        except TookTooLong:
            raise self._not_found(f"its module is not imported within {FINDING:g} s") from None
        except Died as death:
            raise self._not_found(str(death)) from None
        except Exception as error:  # an object that cannot be sent
            raise self._not_found(f"{type(error).__name__}: {error}") from None
        match said:
            case {"found": True, "many": bool(many)}:
                self._found_at = self._process.starts
                return many
            case {"error": {"code": str(code), "what": str(what), **parts}}:
                raise CheckError(code, what, **{str(name): str(part) for name, part in parts.items()})
            case {"raised": str(why)}:
                raise self._not_found(why)
        raise self._not_found("its process sent something that is no answer")

    def _not_found(self, got: str) -> CheckError:
        name = self._process.name
        return user_error(
            "TC113.import", where=self._where, got=got, name=name, kind="method", takes="a Task"
        )

    def ask(self, task: Task, *, seed: int, timeout: float | None) -> Answer:
        return self._answers(task, (seed,), timeout, together=False)[0]

    def _ask_together(self, task: Task, seeds: Sequence[int], timeout: float | None) -> list[Answer]:
        answers = self._answers(task, tuple(seeds), timeout, together=True)
        return [replace(answer, seconds=answer.seconds / len(seeds)) for answer in answers]

    def _answers(
        self, task: Task, seeds: tuple[int, ...], timeout: float | None, *, together: bool
    ) -> list[Answer]:
        """What came of a request, each with the seconds that all took together."""
        started = time.monotonic()
        try:
            if self._found_at != self._process.starts or not self._process.alive:
                self._find()
            whole = self._modules_with(task, timeout)
            request = packed(
                ("run", replace(task), seeds, together), whole=whole
            )  # without what a task has computed
            started = time.monotonic()
            answers = _read(self._process.call(request, seconds=timeout), task)
        except TookTooLong:
            answers = [Answer(fault="timeout", detail=f"no answer within {timeout:g} s")]
        except (Died, CheckError) as error:
            if isinstance(error, CheckError) and error.code == NOT_SENT:
                raise
            answers = [Answer(fault="raised", detail=str(error))]
        seconds = time.monotonic() - started
        return [replace(answer, seconds=seconds) for answer in answers]

    def _modules_with(self, task: Task, timeout: float | None) -> tuple[str, ...]:
        """The modules of an ablation of somebody's own that are sent with it, where the process cannot import them.

        Errors: TC124.
        """
        ablation, kind, why = task.ablation, type(task.ablation), ""
        modules = _modules_of_others(kind)
        if not modules or kind in self._sent_with:
            return self._sent_with.get(kind, ())
        for whole in ((), modules):
            try:
                sent = packed(ablation, whole=whole)
            except Exception as error:
                why = why or f"{type(error).__name__}: {error}"
                continue
            match self._process.call(packed(("take", sent)), seconds=timeout):
                case {"taken": True}:
                    self._sent_with[kind] = whole
                    return whole
                case {"raised": str(reason)}:
                    why = why or reason
        raise user_error("TC124", where=f"{kind.__module__}.{kind.__qualname__}", name=ablation.name, got=why)

    def end(self) -> None:
        self._process.end()


def _modules_of_others(kind: type) -> tuple[str, ...]:
    """The modules that a class and its bases are defined in, without ours, torch's and Python's."""
    names = dict.fromkeys(base.__module__ for base in kind.__mro__)
    known = {"edgeprune_core", "tracrcheck", "torch", "typing_extensions", *sys.stdlib_module_names}
    return tuple(name for name in names if name.partition(".")[0] not in known)


def _read(said: Any, task: Task) -> list[Answer]:
    """Nothing is taken on trust: the process may have sent anything."""
    match said:
        case {"raised": str(why)}:
            return [Answer(fault="raised", detail=why)]
        case {"refused": _}:
            return [read_plain(said, task.graph)]
        case {"results": [*results]} if results:
            return [read_plain(result, task.graph) for result in results]
    return [UNREADABLE]


def examinee_of(
    method: str | Method | Examinee,
    *,
    name: str = "",
    in_process: bool = False,
    memory_mib: int | None = None,
    where: str = "--method",
) -> Examinee:
    """The method of a name, or the object. name: as it is called in what is printed. Errors: TC113."""
    if isinstance(method, Examinee):
        return method
    if isinstance(method, str):
        check_method(method, where=where)
    if in_process:
        return InProcess(find_method(method, where=where) if isinstance(method, str) else method)
    return MethodProcess(method, name=name, memory_mib=memory_mib, where=where)
