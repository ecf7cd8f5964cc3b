"""Saved results that can be shown but not rechecked: a circuit of a trained model, and certificates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

from edgeprune_core.circuit import Circuit
from edgeprune_core.errors import CheckError
from tracrcheck.error_codes import user_error
from tracrcheck.records import reading
from tracrcheck.reports.files import write_json
from tracrcheck.reports.text import separated
from tracrcheck.runs.kinds import read_any
from tracrcheck.runs.results import RunResults, loaded, wrong_file

DISCOVERY = "tracrcheck.discovery/1"
OVERLAP = "tracrcheck.overlap/1"


class _Made(TypedDict, total=False):
    """Not in older files."""

    run: dict[str, Any]


class _Overlap(_Made):
    schema: str
    asked: dict[str, Any]
    n_graph_edges: int
    n_a: int
    n_b: int
    jaccard: float | None
    expected_shared: float
    shared: list[Any]
    only_a: list[Any]
    only_b: list[Any]
    layers: list[Any]
    judged: list[Any]


class _Asked(TypedDict):
    task: str
    model: str
    method: str
    ablation: str


class _HeldOut(TypedDict, total=False):
    """Not in older files."""

    kl_held_out: float | None
    n_held_out: int


class _Discovery(_HeldOut, _Made):
    schema: str
    asked: dict[str, Any]
    fault: str | None
    seconds: float
    n_edges: int | None
    n_graph_edges: int
    n_dangling: int
    kl_mean: float | None
    kl_worst: float | None
    circuit: dict[str, Any] | None
    scores: dict[str, Any] | None
    faithfulness: _Faithfulness | None


class _Faithfulness(TypedDict):
    n_edges: int
    n_prompts: int
    draws: int
    confidence: float
    sentence: str
    cells: list[Any]


class _Inputs(TypedDict, total=False):
    """Where `--inputs` was given."""

    inputs: int | None


class _Setting(_Inputs):
    program: str
    ablation: str
    criterion: str
    lengths: list[int] | None
    score_bos: bool
    required: list[Any]
    permitted: list[Any]
    proved: list[Any]
    unknown: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class DiscoveryFile:
    """What `tracrcheck discover --json` writes. run: the command and the machine, if known."""

    document: Mapping[str, Any]
    run: Mapping[str, Any] | None = None
    path: Path = Path()


@dataclass(frozen=True, kw_only=True)
class OverlapFile:
    """What `tracrcheck overlap --json` writes. run: as above."""

    document: Mapping[str, Any]
    run: Mapping[str, Any] | None = None
    path: Path = Path()


@dataclass(frozen=True, kw_only=True)
class CertificatesFile:
    """What `tracrcheck certify --json` writes. run: as above. Drawings take the circuits from the cache, or prove them again.

    require_whole: whether a truth that was sampled is a failure.
    """

    certificates: tuple[Mapping[str, Any], ...]
    run: Mapping[str, Any] | None = None
    path: Path = Path()
    require_whole: bool = False


def usable(certificate: Mapping[str, Any]) -> bool:
    """Whether a verdict can rest on it, as `Certificate.usable`."""
    return {"sufficient", "minimal"} <= set(certificate["proved"])


def word_of(certificate: Mapping[str, Any]) -> str:
    """As `Certificate.word`."""
    if not usable(certificate):
        return "UNKNOWN"
    return "proved" if certificate.get("sampled") is None else "sampled"


def sample_words(certificate: Mapping[str, Any]) -> str:
    """`sampled n of N`, or an empty text where the list is whole."""
    if certificate.get("sampled") is None:
        return ""
    return separated(
        f"sampled {certificate.get('n_pairs') or certificate.get('n_inputs', 0)} of {certificate['sampled']}"
    )


def setting_words(certificate: Mapping[str, Any]) -> str:
    """Such as `zero, value, lengths 1-3`."""
    words = [certificate["ablation"], certificate["criterion"]]
    if certificate["lengths"]:
        words.append("lengths {}-{}".format(*certificate["lengths"]))
    if certificate["score_bos"]:
        words.append("position 0 scored")
    return ", ".join(words)


Shown = RunResults | DiscoveryFile | OverlapFile | CertificatesFile


def read(path: Path) -> Shown:
    """Results of any kind, recognised by their schema. Errors: TC143, with every problem."""
    document = loaded(path)
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema == DISCOVERY:
        document.setdefault("scores", None)  # files of before there were any
        if found := _of_discovery(document):
            raise wrong_file(path, found, kind="a trained model", schema=DISCOVERY, command="discover")
        return DiscoveryFile(document=document, run=document.get("run"), path=path)
    if schema == OVERLAP:
        wrong: list[str] = []
        reading.read(_Overlap, document, "", wrong)
        if wrong:
            raise wrong_file(path, wrong, kind="two circuits", schema=OVERLAP, command="overlap")
        return OverlapFile(document=document, run=document.get("run"), path=path)
    if schema is None and isinstance(document, dict) and list(document) == ["certificates"]:
        if found := _of_certificates(document["certificates"]):
            raise wrong_file(path, found, kind="certify", schema="`certificates`", command="certify")
        return CertificatesFile(certificates=tuple(document["certificates"]), path=path)
    return read_any(path)


def _of_discovery(document: Mapping[str, Any]) -> list[str]:
    found: list[str] = []
    reading.read(_Discovery, document, "", found)
    if found:
        return found
    _read_known(_Asked, document["asked"], "asked", found)
    if document["circuit"] is not None:
        try:
            Circuit.from_json(document["circuit"])
        except CheckError as error:
            found.append(f"circuit: {error.what}")
    return found


def _of_certificates(certificates: Any) -> list[str]:
    found: list[str] = []
    for number, one in enumerate(reading.read(list[Any], certificates, "certificates", found) or ()):
        _read_known(_Setting, one, f"certificates[{number}]", found)
    return found


def _read_known(kind: Any, record: Any, where: str, problems: list[str]) -> None:
    """Checks these fields only: further ones are not shown."""
    known = (
        {name: record[name] for name in kind.__annotations__ if name in record}
        if isinstance(record, dict)
        else record
    )
    reading.read(kind, known, where, problems)


def write_compact(found: Any, path: Path) -> None:
    """Writes a results file again, with one row for those that differ in their seed. Errors: TC115, TC117."""
    if not isinstance(found, RunResults):
        raise user_error("TC117.compact", where="--compact", got=found.path)
    document = found.compact(loaded(found.path))
    write_json(path, document, a_line_each={*filter(None, (found.rows_name,)), *found.line_each})
