"""Runs units of work on a Dask cluster: sends them out, repeats those whose worker dies, yields results as they finish.

joblib has a Dask backend too. It runs work in the workers' own threads, where no time limit can be enforced and where a
method that dies takes the worker with it; and the death of a worker ends the run. Here every thread of a worker has a process
(`worker.py`) for that. A unit that loses its Dask worker runs elsewhere, and a unit that kills its process every time is
given up, as in `pool.py`.
"""

from __future__ import annotations

import importlib
import os
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

from edgeprune_core.errors import CheckError
from tracrcheck.error_codes import user_error
from tracrcheck.executors.dask_worker import Done, Terms
from tracrcheck.executors.fingerprint import fingerprint
from tracrcheck.executors.worker import packed, unpacked

U = TypeVar("U")
R = TypeVar("R")

# Seconds: to reach the scheduler, and that a cluster may be without workers at the start and later.
CONNECT, EMPTY, DESERTED = 5.0, 5.0, 60.0
# Seconds between two looks at the workers while no result arrives.
LOOK = 1.0
# Units sent out per thread of the workers.
AHEAD = 2
# Processes that may die one after another before they begin any work.
EARLY = 10


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A Dask cluster, and what its workers must have in common with this process.

    address: of the scheduler. files: of the programs. methods: by name.
    """

    address: str
    files: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()


def check(address: str | None, *, jobs: int) -> str | None:
    """The address, once a scheduler with workers has answered there.

    Errors: TC117 (`--jobs` is given too), TC173 (no `distributed`), TC174 (no scheduler), TC175 (no workers).
    """
    if address is None:
        return None
    if jobs != 1:
        raise user_error(
            "TC117.jobs", where="--jobs, --cluster", got=f"--jobs {jobs} and --cluster {address}"
        )
    with _connected(address):
        return address


def hand_out(
    work: Callable[[U], R],
    units: Sequence[U],
    cluster: Cluster,
    *,
    lost: Callable[[U], R],
    tries: int,
    threads: int,
) -> Iterator[tuple[int, R]]:
    """(index of the unit, its result), in order of completion. Errors: those of `check`, TC176 (a worker differs)."""
    if not units:
        return
    terms = Terms(
        sweep=uuid.uuid4().hex,
        fingerprint=fingerprint(cluster.files, cluster.methods),
        folder=os.getcwd(),
        threads=threads,
    )
    with _connected(cluster.address) as client:
        try:
            _check_workers(client, terms)
            yield from _Round(client, terms, work, units, lost, tries).results()
        finally:
            with suppress(Exception):
                client.run(_soon("dismiss"), terms.sweep, wait=False, on_error="ignore")


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """A client of a scheduler with workers."""
    try:
        from distributed import Client, Security
        from distributed.comm import get_address_host_port
    except ImportError as error:
        raise user_error("TC173", where=f"--cluster {address}", got=error) from None
    try:
        if address.startswith("tls:") and not Security().get_connection_args("client").get("ssl_context"):
            raise ValueError("no certificate of a client in Dask's configuration (docs/sweeps.md)")
        get_address_host_port(
            address
        )  # a client with a wrong address prints a traceback when it is collected
        client = Client(address, timeout=CONNECT, set_as_default=False, name="tracrcheck")
    except Exception as error:  # what answers there may not be a scheduler at all
        raise user_error(
            "TC174",
            where=f"--cluster {address}",
            got=f"{type(error).__name__}: {error}",
            seconds=f"{CONNECT:g}",
        ) from None
    with client:
        with suppress(TimeoutError):
            client.wait_for_workers(1, timeout=EMPTY)
        if not client.nthreads():
            raise _deserted(address, EMPTY)
        yield client


def _deserted(address: str, seconds: float) -> CheckError:
    return user_error("TC175", where=f"--cluster {address}", got=f"none for {seconds:g} s")


def _gone(address: str, got: Any) -> CheckError:
    return user_error("TC177", where=f"--cluster {address}", got=got)


# Dask sends inner functions as code, and these look up ours by name in the worker. So the scheduler, which unpickles what
# it is sent, need not have tracrcheck installed, and a worker without it can say so.


def _now(name: str) -> Callable[..., Any]:
    def call(*words: Any) -> Any:
        try:
            module = importlib.import_module("tracrcheck.executors.dask_worker")
        except ImportError as error:
            from distributed import get_worker

            raise ImportError(str(error), path=get_worker().address) from None
        return getattr(module, name)(*words)

    return call


def _soon(name: str) -> Callable[..., Any]:
    async def call(*words: Any) -> Any:
        return await getattr(importlib.import_module("tracrcheck.executors.dask_worker"), name)(*words)

    return call


def _check_workers(client: Any, terms: Terms) -> None:
    """Every worker starts a process, which compares fingerprints. A worker that dies meanwhile does not stop the run."""
    for worker, answer in client.run(_soon("greet"), asdict(terms), on_error="return").items():
        if isinstance(answer, OSError):
            continue
        if isinstance(answer, Exception):
            raise _unlike(worker, [f"{type(answer).__name__}: {answer}"])
        if answer:
            raise _unlike(worker, answer)


def _unlike(worker: str, differences: Sequence[str]) -> CheckError:
    return user_error("TC176", where=f"{worker}:", got="; ".join(differences))


class _Round(Generic[U, R]):
    """The units of one run.

    waiting:  to be sent out.
    suspects: units whose Dask worker died repeatedly; each runs when nothing else does.
    deaths:   how often a unit killed its process. shunned: the worker where it last did, to be avoided.
    early:    processes in a row that died before they began any work.
    """

    def __init__(
        self,
        client: Any,
        terms: Terms,
        work: Callable[[U], R],
        units: Sequence[U],
        lost: Callable[[U], R],
        tries: int,
    ) -> None:
        self.client, self.terms, self.work, self.units = client, asdict(terms), work, units
        self.lost, self.tries = lost, tries
        self.waiting, self.suspects = deque(range(len(units))), deque[int]()
        self.running: dict[Any, int] = {}
        self.deaths: Counter[int] = Counter()
        self.shunned: dict[int, str] = {}
        self.alone = False
        self.early = 0
        self.threads: Mapping[str, int] = {}
        self.seen = time.monotonic()

    def results(self) -> Iterator[tuple[int, R]]:
        while self.waiting or self.suspects or self.running:
            with self._scheduler_there():
                self._look()
                self._send()
                finished = self._finished()
            for future in finished:
                yield from self._what_became_of(self.running.pop(future), future)

    @contextmanager
    def _scheduler_there(self) -> Iterator[None]:
        try:
            yield
        except (OSError, CancelledError) as error:
            raise _gone(self.client.scheduler.address, error) from None

    def _look(self) -> None:
        """Notes which workers are there. Errors: TC175."""
        self.threads = self.client.nthreads()
        if self.threads:
            self.seen = time.monotonic()
        elif time.monotonic() - self.seen > DESERTED:
            raise _deserted(self.client.scheduler.address, DESERTED)

    def _send(self) -> None:
        """Sends out as many units as there is room for; a suspect only when nothing else is running."""
        if not self.alone:
            room = AHEAD * sum(self.threads.values()) - len(self.running)
            for _ in range(min(room, len(self.waiting))):
                self._submit(self.waiting.popleft())
        if not self.running:
            self.alone = bool(self.suspects)
            if self.alone:
                self._submit(self.suspects.popleft())

    def _submit(self, number: int) -> None:
        others = [worker for worker in self.threads if worker != self.shunned.get(number)]
        elsewhere = (
            {"workers": others, "allow_other_workers": True} if number in self.shunned and others else {}
        )
        future = self.client.submit(
            _now("do"), self.terms, packed((self.work, (self.units[number],))),
            key=f"tracrcheck-{number}-{uuid.uuid4().hex}", pure=False, **elsewhere,
        )  # fmt: skip
        self.running[future] = number

    def _finished(self) -> list[Any]:
        from distributed import wait

        if self.running:
            with suppress(TimeoutError), self.client.as_current():
                wait(list(self.running), timeout=LOOK, return_when="FIRST_COMPLETED")
        return [future for future in self.running if future.done()]

    def _done(self, future: Any) -> Done | None:
        """None if Dask workers died at it as often as the scheduler allows."""
        from distributed import KilledWorker

        with self._scheduler_there():
            try:
                return future.result()
            except KilledWorker:
                return None
            except ImportError as error:  # from a worker that joined later
                raise _unlike(str(error.path), [f"ImportError: {error}"]) from None

    def _what_became_of(self, number: int, future: Any) -> Iterator[tuple[int, R]]:
        done = self._done(future)
        if done is None:
            if self.alone:
                yield from self._died(number, self.suspects)
            else:
                self.suspects.append(number)
            return
        self.early = self.early + 1 if done.ending == "early" else 0
        match done.ending:
            case "result":
                yield number, unpacked(done.said)
            case "raised":
                raise unpacked(done.said)
            case "unlike":
                raise _unlike(done.worker, done.said)
            case "died":
                self.shunned[number] = done.worker
                yield from self._died(number, self.waiting)
            case _:
                self.waiting.appendleft(number)
        if self.early > EARLY:
            raise _unlike(
                done.worker, [f"{self.early} processes died before they began anything: {done.said}"]
            )

    def _died(self, number: int, again: deque[int]) -> Iterator[tuple[int, R]]:
        """The unit killed its process, or alone on the cluster its worker: it runs again, or is given up."""
        self.deaths[number] += 1
        if self.deaths[number] < self.tries:
            again.append(number)
        else:
            yield number, self.lost(self.units[number])
