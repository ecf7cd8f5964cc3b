"""Arguments and options that several commands share. A dataclass is a group: a command takes all of its options at once."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tracrcheck.error_codes import user_error
from tracrcheck.rasp.domain import MOST_HELD, WHOLE
from tracrcheck.reports.outputs import Outputs

if TYPE_CHECKING:
    from edgeprune_core.trained_models import TrainedModel
    from tracrcheck.grading.judge import Judge
    from tracrcheck.rasp.library import Entry
    from tracrcheck.runs.base import Workers
    from tracrcheck.trained.leading import Leads
    from tracrcheck.truth.setting import Setting

# What a generator can be seeded with, and room for as many seeds as anyone runs.
LARGEST_SEED = 2**62
MOST_SEEDS = 1_000_000  # they are listed one by one in the files
LONGEST_TIMEOUT = 10_000_000  # about four months; an alarm cannot be set to infinity


def seed_option(of: str) -> Any:
    """An option for a seed that every generator takes."""
    return typer.Option(min=0, max=LARGEST_SEED, help=of)


Names = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[PROGRAM]...",
        help="Names, or paths of program files. By default all of your own, or all shipped ones.",
    ),
]
Name = Annotated[str, typer.Argument(metavar="PROGRAM", help="A name, or the path of a program file.")]
CircuitFile = Annotated[
    Path, typer.Argument(metavar="CIRCUIT.json", help="The circuit file. Formats: docs/importers.md.")
]
Folders = Annotated[
    list[Path] | None,
    typer.Option("--programs-dir", metavar="DIR", help="A folder of your own programs. Repeatable."),
]
Ablations = Annotated[
    list[str] | None,
    typer.Option("--ablation", metavar="NAME", help="zero, mean, resample, mean_pooled or all. Repeatable."),
]
PromptAblation = Annotated[str, typer.Option(help="What a cut edge carries: zero, mean or resample.")]
AllowUnknown = Annotated[bool, typer.Option("--allow-unknown", help="Do not fail on UNKNOWN.")]
Json = Annotated[
    Path | None, typer.Option("--json", metavar="FILE", help="Write the results to this file (docs/json.md).")
]
Html = Annotated[
    Path | None, typer.Option("--html", metavar="FILE", help="Write a page for a browser to this file.")
]
Junit = Annotated[
    Path | None,
    typer.Option("--junit", metavar="FILE", help="Write JUnit XML to this file, for a CI system."),
]
Comment = Annotated[
    Path | None,
    typer.Option(
        "--md", metavar="FILE", help="Write short Markdown to this file, for a comment on a pull request."
    ),
]
Task = Annotated[
    str,
    typer.Option(
        "--task",
        metavar="NAME",
        help="ioi, greater_than, induction, capital, ... (`tracrcheck tasks` lists them), or a file of pairs.",
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="DIR",
        help="A folder, a name on the hub (gpt2), or a shipped model (english). By default a shipped one.",
        show_default=False,
    ),
]


OnlyRight = Annotated[
    bool,
    typer.Option("--only-right", help="Keep the prompts on which the model itself leads with an answer."),
]


@dataclass(frozen=True, kw_only=True)
class SettingOptions:
    """What a cut edge carries, which inputs count, and how outputs are compared. Errors: TC117 (lengths, inputs)."""

    ablation: Ablations = None
    criterion: Annotated[
        str | None,
        typer.Option(
            help="value (the default): every scored coordinate; decoded: what it decodes to.",
            show_default=False,
        ),
    ] = None
    lengths: Annotated[
        str | None, typer.Option(metavar="A-B", help="Inputs of these lengths only (BOS not counted).")
    ] = None
    score_bos: Annotated[bool, typer.Option("--score-bos", help="Judge the output at position 0 too.")] = (
        False
    )

    inputs: Annotated[
        str | None,
        typer.Option(
            metavar="N|all",
            help="Judge on a sample if there are more than N inputs, or pairs of them. By default 20,000.",
            show_default=False,
        ),
    ] = None

    def __post_init__(self) -> None:
        _parse_lengths(self.lengths)
        _parse_inputs(self.inputs)

    def settings(
        self, ablations: Sequence[str], criteria: Sequence[str] = ("value",), *, entries: Sequence[Entry] = ()
    ) -> tuple[Setting, ...]:
        """Every ablation with every criterion; the arguments are used where the options were not given. Errors: TC111.

        entries: the programs. Where the truth of any is known under some ablations only, those are the default.
        """
        for entry in entries:
            ablations = entry.program.ablations or ablations
        return settings_of(
            self.ablation or ablations,
            (self.criterion,) if self.criterion else criteria,
            lengths=_parse_lengths(self.lengths),
            score_bos=self.score_bos,
            inputs=_parse_inputs(self.inputs),
        )

    @property
    def replay_words(self) -> list[str]:
        """What the command that repeats a verdict needs besides ablation and criterion."""
        words = ["--lengths", self.lengths] if self.lengths else []
        words += ["--score-bos"] if self.score_bos else []
        return words + (["--inputs", self.inputs] if self.inputs else [])


def settings_of(
    ablations: Sequence[str], criteria: Sequence[str] = ("value",), **rest: Any
) -> tuple[Setting, ...]:
    """Every ablation with every criterion. `all` stands for all ablations. Errors: TC111."""
    from edgeprune_core.ablations import ABLATIONS
    from tracrcheck.truth.setting import Setting

    names = [name.strip() for text in ablations for name in text.split(",")]
    chosen = dict.fromkeys(a for name in names for a in (ABLATIONS if name == "all" else (name,)))
    return tuple(Setting(ablation=a, criterion=c, **rest) for a in chosen for c in criteria)  # type: ignore[arg-type]


def _parse_lengths(text: str | None) -> tuple[int, int] | None:
    """`2-3` or `4`."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+)(?:-(\d+))?", text.strip())
    if match:
        low, high = int(match[1]), int(match[2] or match[1])
        if 1 <= low <= high:
            return low, high
    raise user_error("TC117.lengths", where="--lengths", got=repr(text))


def _parse_inputs(text: str | None) -> int | None:
    """A number of inputs above which the list is sampled; `all`, which is None, for never."""
    if text is None:
        return WHOLE
    if text.strip() == "all":
        return None
    if re.fullmatch(r"[1-9]\d{0,6}", text.strip()) and int(text) <= MOST_HELD:
        return int(text)
    wanted = f"a number from 1 to {MOST_HELD:,}, or all"
    raise user_error("TC117.inputs", where="--inputs", got=repr(text), wanted=wanted)


def folder_words(folders: Sequence[Path] | None) -> list[str]:
    """`--programs-dir` as it was given."""
    return [word for folder in folders or () for word in ("--programs-dir", str(folder))]


@dataclass(frozen=True, kw_only=True)
class MethodOptions:
    """A method, and the time that it has. Errors: TC117."""

    method: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="edge_pruning_score_function, acdc, random, ... or module:callable."
        ),
    ] = "edge_pruning_score_function"
    timeout: Annotated[float, typer.Option(help="Seconds that one run of the method may take.")] = 1800.0

    def __post_init__(self) -> None:
        check_timeout(self.timeout)

    def check(self) -> None:
        """Errors: TC113 (no such name), before torch is loaded."""
        from tracrcheck.grading.by_name import check_method

        check_method(self.method)


@dataclass(frozen=True, kw_only=True)
class ProcessOptions:
    """Where the method runs."""

    memory: Annotated[
        int | None, typer.Option(min=1, metavar="MIB", help="Memory that the method's process may allocate.")
    ] = None
    in_process: Annotated[
        bool,
        typer.Option(
            "--in-process", help="For debugging: run the method in this process, where it can cheat."
        ),
    ] = False

    @property
    def replay_words(self) -> list[str]:
        """What of it the command that repeats a verdict needs."""
        words = [] if self.memory is None else ["--memory", str(self.memory)]
        return words + (["--in-process"] if self.in_process else [])


def check_memory(mib: int | None) -> int | None:
    """Errors: TC117, where that is no limit on memory."""
    if mib is not None and mib < 1:
        raise user_error("TC117.memory", where="--memory", got=mib)
    return mib


@dataclass(frozen=True, kw_only=True)
class JudgeOptions:
    """What is judged of an answer."""

    judge: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="circuit; ranking: whether some threshold on the scores gives the circuit; auto: the ranking of a method "
            "that returns scores alone, else the circuit.",
        ),
    ] = "auto"
    select: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Make a circuit of the scores: top_n:N, greedy:N or fewest_within_tolerance.",
            show_default=False,
        ),
    ] = None

    def read(self) -> Judge:
        """Errors: TC111, EP191."""
        from tracrcheck.grading.judge import Judge

        return Judge.of(self.judge, self.select)

    @property
    def replay_words(self) -> list[str]:
        words = ["--judge", self.judge] if self.judge != "auto" else []
        return words + (["--select", self.select] if self.select is not None else [])


def check_timeout(seconds: float) -> float:
    """Errors: TC117, where an alarm cannot be set to so many seconds."""
    if not 0 < seconds <= LONGEST_TIMEOUT:
        raise user_error("TC117.timeout", where="--timeout", got=seconds, longest=f"{LONGEST_TIMEOUT:,}")
    return seconds


@dataclass(frozen=True, kw_only=True)
class ReportOptions(Outputs):
    """The files to write. Errors: TC115, TC117: they are checked before any work."""

    json: Json = None
    html: Html = None
    junit: Junit = None
    md: Comment = None

    def __post_init__(self) -> None:
        self.check()


@dataclass(frozen=True, kw_only=True)
class RunOptions(ReportOptions):
    """How a run of many units is made, and where its results go."""

    jobs: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 1
    cluster: Annotated[
        str | None,
        typer.Option(
            "--cluster", metavar="ADDRESS", help="Run on a Dask cluster: tcp://HOST:PORT (docs/sweeps.md)."
        ),
    ] = None
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue a run that was stopped (with --json).")
    ] = False

    def workers(self) -> Workers:
        """Errors: those of `dask_cluster.check`."""
        from tracrcheck.executors import dask_cluster
        from tracrcheck.runs.base import Workers

        return Workers(jobs=self.jobs, cluster=dask_cluster.check(self.cluster, jobs=self.jobs))

    @property
    def given(self) -> list[str]:
        """The options that were given, except `--jobs`."""
        names = ("json", "html", "junit", "md", "resume", "cluster")
        return [f"--{name}" for name in names if getattr(self, name)]


@dataclass(frozen=True, kw_only=True)
class BaselineOptions:
    """Results to compare with. Errors: TC117 (no factor)."""

    baseline: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Results of another version, to compare with.")
    ] = None
    slower: Annotated[
        float, typer.Option(help="With --baseline: how many times slower counts as a regression.")
    ] = 2.0

    def __post_init__(self) -> None:
        if not 1 <= self.slower < math.inf:
            raise user_error("TC117.slower", where="--slower", got=self.slower)


@dataclass(frozen=True, kw_only=True)
class PromptOptions:
    """A trained model, and the prompts that circuits are evaluated on. prompts: None: as many as suit the command."""

    model: ModelOption = None
    prompts: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="How many prompts to discover on, and as many others to evaluate on. By default 200; 24 when "
            "`discover` ranks the edges of a large graph.",
            show_default=False,
        ),
    ] = None
    draws: Annotated[int, typer.Option(min=2, help="Random circuits to compare with.")] = 20
    seed: Annotated[int, seed_option("Seed of the prompts, the method and the random circuits.")] = 0
    only_right: OnlyRight = False

    def recorded(self, prompts: int) -> Mapping[str, int]:
        """For `asked` of the results file. prompts: how many of them were wanted."""
        asked = {"prompts": prompts, "draws": self.draws, "seed": self.seed}
        return asked | ({"only_right": True} if self.only_right else {})

    def leads(self, subject: TrainedModel) -> Leads | None:
        """What tells which prompts to keep; None: all of them."""
        from tracrcheck.trained.leading import leads_of

        return leads_of(subject) if self.only_right else None

    def load(self, task: str) -> TrainedModel:
        """The model; by default the one that was trained on the task."""
        from edgeprune_core import trained_models
        from tracrcheck.trained import fetched

        return fetched.load_model(self.model or trained_models.trained_on(task))


def refuse_beside(option: str, given: Sequence[str], *, code: str) -> None:
    """Errors: TC117, where options were given that have no meaning beside `option`."""
    if given:
        raise user_error(code, where=", ".join(given), got=option, options=" and ".join(given))
