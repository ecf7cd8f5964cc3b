"""Methods that cheat, or harm the process they run in, named as `tests.tracrcheck.grading.hostile:name`."""

from __future__ import annotations

import contextlib
import ctypes
import inspect
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import torch

from edgeprune_core.criterion import Outcome
from tests.tracrcheck.pruners import everything, knows_the_answer, some_edges


def makes_every_circuit_right(task):
    """From now on, in this process, no output deviates."""
    Outcome.deviation = lambda self, got, want, scored: torch.zeros(got.shape[:-2], dtype=got.dtype)
    return []


def asks_for_the_certificate(task):
    from tracrcheck.truth.cache import certificate_for
    from tracrcheck.truth.setting import Setting

    return certificate_for(task, Setting(ablation=task.ablation.name)).required


def reads_the_frames_above(task):
    """The first certificate that any caller holds, by whatever name."""
    for frame in inspect.stack():
        for value in frame.frame.f_locals.values():
            if type(value).__name__ == "Certificate":
                return value.required
    return everything(task)


def reads_the_memory(task):
    import gc

    found = [thing for thing in gc.get_objects() if type(thing).__name__ == "Certificate"]
    return found[0].required if found else everything(task)


def looks_for_our_settings(task):
    ours = {name: value for name, value in os.environ.items() if name.startswith("TRACRCHECK_")}
    raise ValueError(f"settings {ours}")


def changes_folder(task):
    os.chdir("/")
    return knows_the_answer(task)


def prints(task):
    sys.stdout.write("in Python")
    sys.stdout.flush()
    os.write(1, b", and below it\n")
    sys.stderr.write("an error\n")
    return knows_the_answer(task)


def closes_standard_output(task):
    found = knows_the_answer(task)
    sys.stdout.close()
    os.close(1)
    return found


def hangs_in_c(task):
    """A call that holds the interpreter lock, so that no Python signal handler runs."""
    ctypes.PyDLL(None).sleep(60)


def swallows_everything(task):
    while True:
        with contextlib.suppress(BaseException):
            time.sleep(60)


def leaves_a_thread_at_work(task):
    threading.Thread(target=time.sleep, args=(60,)).start()
    return knows_the_answer(task)


def hoards_memory(task):
    bytearray(2**31)


def dies_of_a_signal(task):
    os.kill(os.getpid(), signal.SIGSEGV)


def spoils_what_is_global(task):
    torch.set_default_dtype(torch.float16)
    torch.set_grad_enabled(False)
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(1)
    return knows_the_answer(task)


def tells_and_spoils_its_state(task):
    """Reports the state that it finds, and then changes it."""
    made = torch.ones(1) + torch.rand(1)
    found = [os.getcwd(), made.dtype, made.device, torch.is_grad_enabled(), made.item()]
    found += [random.random(), np.random.rand(), task.seed, sys.stdout is not None]
    os.chdir("/")
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    torch.set_grad_enabled(False)
    sys.stdout = None
    raise ValueError(str(found))


def draws(task):
    """Reports what the generators of Python, NumPy and torch give."""
    raise ValueError(f"{random.random():.6f} {np.random.rand():.6f} {torch.rand(()).item():.6f}")


def knows_its_process(task):
    raise ValueError(str(os.getpid()))


def sends_nonsense(task):
    """Writes it into every open pipe, so that it arrives as the answer."""
    for fd in range(3, 64):
        with contextlib.suppress(OSError):
            os.write(fd, b"\x08" + bytes(7) + b"nonsense")
    return some_edges(task)


def leaves_a_process_in_a_session_of_its_own(task):
    """Writes down which process that is. With seed 1 it ends its own process."""
    started = subprocess.Popen(["sleep", "600"], start_new_session=True)
    Path("left").write_text(str(started.pid))
    if task.seed == 1:
        os._exit(0)
    return knows_the_answer(task)


def prints_without_end(task):
    while True:
        sys.stdout.write("x" * 1000 + "\n")


def kills_the_fork_server(task):
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)


def raises_what_has_no_text(task):
    class Silent(Exception):
        def __str__(self):
            raise RuntimeError

    raise Silent
