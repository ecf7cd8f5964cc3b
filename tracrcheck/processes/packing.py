"""How requests travel to a process of ours: pickled, functions and classes that are defined in no module included.

Only what this process sends is unpickled, and only there. What comes back is JSON (`process.py`), which executes nothing.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Any

import cloudpickle


def packed(thing: Any, *, whole: Iterable[str] = ()) -> bytes:
    """whole: modules whose functions and classes are sent themselves, so that nobody has to import the module.

    Errors: whatever pickling raises.
    """
    with ExitStack() as stack:
        for name in whole:
            cloudpickle.register_pickle_by_value(sys.modules[name])
            stack.callback(cloudpickle.unregister_pickle_by_value, sys.modules[name])
        return cloudpickle.dumps(thing)


def unpacked(data: bytes) -> Any:
    with warnings.catch_warnings():  # torch 2.4 and 2.5 warn of every pickled tensor
        warnings.filterwarnings("ignore", "You are using `torch.load`", FutureWarning)
        # Only ever bytes that the judging process sent: no file, and no answer.
        return cloudpickle.loads(data)
