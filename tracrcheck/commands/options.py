"""What was typed on the command line -> settings, seeds, lengths. Errors: TC111, TC117."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from tracrcheck.commands.loading import loading
from tracrcheck.error_codes import user_error

if TYPE_CHECKING:
    from edgeprune_core.criterion import Criterion
    from tracrcheck.truth.setting import Setting

LONGEST_TIMEOUT = 10_000_000  # about four months; an alarm cannot be set to infinity


def settings_of(
    ablations: Sequence[str], criteria: Sequence[str], lengths: str | None, score_bos: bool
) -> tuple[Setting, ...]:
    """Every ablation with every criterion. `all` stands for zero, mean and resample."""
    limits = parse_lengths(lengths)
    with loading():
        from edgeprune_core.ablations import ABLATIONS
        from tracrcheck.truth.setting import Setting

    names = [name.strip() for text in ablations for name in text.split(",")]
    chosen = list(dict.fromkeys(a for name in names for a in (ABLATIONS if name == "all" else (name,))))
    return tuple(
        Setting(ablation=a, criterion=cast("Criterion", c), lengths=limits, score_bos=score_bos)
        for a in chosen
        for c in criteria
    )


def all_criteria() -> tuple[str, ...]:
    from tracrcheck.truth.setting import CRITERIA

    return CRITERIA


def replay_words(
    *,
    lengths: str | None = None,
    score_bos: bool = False,
    folders: Sequence[Path] | None = None,
    threshold: float | None = None,
    timeout: float | None = None,
    memory: int | None = None,
    in_process: bool = False,
) -> list[str]:
    """The options of a call that its replay needs, beside names, ablation and criterion."""
    words = ["--lengths", lengths] if lengths else []
    words += ["--score-bos"] if score_bos else []
    words += ["--threshold", repr(threshold)] if threshold is not None else []
    words += ["--timeout", f"{timeout:g}"] if timeout is not None else []
    words += ["--memory", str(memory)] if memory is not None else []
    words += ["--in-process"] if in_process else []
    return words + [word for f in folders or [] for word in ("--programs-dir", str(f))]


def check_timeout(seconds: float) -> float:
    """Seconds that an alarm can be set to."""
    if not 0 < seconds <= LONGEST_TIMEOUT:
        raise user_error("TC117.timeout", where="--timeout", got=seconds, longest=f"{LONGEST_TIMEOUT:,}")
    return seconds


def check_memory(mib: int | None) -> int | None:
    """A limit on memory, or None."""
    if mib is not None and mib < 1:
        raise user_error("TC117.memory", where="--memory", got=mib)
    return mib


def check_threshold(score: float | None) -> float | None:
    """A score that others can be compared with, or None."""
    if score is not None and math.isnan(score):
        raise user_error("TC117.threshold", where="--threshold", got=score)
    return score


def check_factor(factor: float) -> float:
    """How many times slower counts as a regression."""
    if not 1 <= factor < math.inf:
        raise user_error("TC117.slower", where="--slower", got=factor)
    return factor


def check_alone(
    *,
    number: int | None,
    replay: Sequence[Path] | None,
    json: Path | None,
    resume: bool,
    reports: Mapping[str, Path | None] | None = None,
    cluster: str | None = None,
) -> None:
    """A single program is judged and printed: there is no campaign to be written or resumed.

    reports: option -> the file it was given.
    """
    if number is None and not replay:
        return
    files = {"--json": json, **(reports or {})}
    given = [name for name, path in files.items() if path is not None]
    given += [name for name, on in (("--resume", resume), ("--cluster", cluster is not None)) if on]
    if given:
        raise user_error(
            "TC117.campaign",
            where=", ".join(given),
            got="--number" if number is not None else "--replay",
            options=" and ".join(given),
        )


def check_without_faults(runs: int | None, others: Mapping[str, bool]) -> None:
    """Where no fault is seeded, there is none to choose, and one way to check. others: option -> whether it was given."""
    given = [f"--{name}" for name, on in others.items() if on]
    if runs is not None and given:
        raise user_error(
            "TC117.seeded", where=", ".join(given), got="--false-alarms", options=" and ".join(given)
        )


def check_known(allow_known: bool, baseline: Path | None) -> None:
    """What is known to be wrong is what is wrong in a baseline."""
    if allow_known and baseline is None:
        raise user_error("TC117.allow_known", where="--allow-known", got="no --baseline")


def parse_lengths(text: str | None) -> tuple[int, int] | None:
    """`2-3` or `4`."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+)(?:-(\d+))?", text.strip())
    if match:
        low, high = int(match[1]), int(match[2] or match[1])
        if 1 <= low <= high:
            return low, high
    raise user_error("TC117.lengths", where="--lengths", got=repr(text))
