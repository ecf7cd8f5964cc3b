"""Runs each copy's checks in a fork of a process that has imported what is not ours: importing that takes most of their time."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache

# Reads requests line by line, and answers each with the exit code of its fork. A fork goes on below the loop, as a script of
# its own would. Its standard input is ours: it ends where the process that asks ends, and brings no request meanwhile.
SERVER = """
import importlib, json, os, resource, runpy, sys
for name in json.loads(sys.argv[1]):
    try:
        importlib.import_module(name)
    except ImportError:
        pass
answers = os.fdopen(os.dup(1), "w")
while True:
    line = sys.stdin.readline()
    if not line:
        os._exit(0)
    child = os.fork()
    if not child:
        break
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(status, file=answers, flush=True)
answers.close()
asked = json.loads(line)
for number, path in ((1, os.devnull), (2, asked["err"])):
    os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
os.chdir(asked["folder"])
os.environ.update(asked["environment"])
sys.path[:] = [asked["folder"], *(path for path in sys.path if path)]
sys.argv[1:] = asked["arguments"]
resource.setrlimit(resource.RLIMIT_CPU, (asked["seconds"], asked["seconds"] + 5))
runpy.run_module(asked["module"], run_name="__main__", alter_sys=True)
"""


class Server:
    """modules: what it imports beforehand; those that are not installed are left out. environment: its own."""

    def __init__(self, modules: tuple[str, ...], environment: Mapping[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, json.dumps(modules)], env=dict(environment),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip

    def run(
        self,
        module: str,
        *arguments: str,
        folder: str,
        environment: Mapping[str, str],
        seconds: int,
        err: str,
    ) -> int:
        """The exit code of a fork that runs a module in a folder. seconds: of CPU time. err: file for its standard error."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        asked = {"module": module, "arguments": arguments, "folder": folder, "seconds": seconds, "err": err}
        self.process.stdin.write(json.dumps({**asked, "environment": dict(environment)}) + "\n")
        self.process.stdin.flush()
        code = self.process.stdout.readline()
        if not code:  # the server itself was killed: that is no kill of the fault
            server.cache_clear()
            return 1
        return int(code)

    def end(self) -> None:
        """Ends the process, with the fork that is at work."""
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()
        self.process.wait()


@cache
def server(modules: tuple[str, ...]) -> Server:
    """One for each process that asks."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    found = Server(modules, environment | {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"})
    atexit.register(found.end)
    return found
