"""Saved results that can be shown but not rechecked: a circuit of a trained model, and certificates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgeprune_core.circuit import Circuit
from edgeprune_core.errors import CheckError
from tracrcheck.records.validate import NUMBER, TEXT_OR_NONE, fields
from tracrcheck.runs import results
from tracrcheck.runs.results import AnyResults, wrong_file

DISCOVERY = "tracrcheck.discovery/1"
_OBJECT, _NUMBER = (dict, type(None)), (int, float, type(None))
_DISCOVERY = {
    "schema": str, "asked": dict, "fault": TEXT_OR_NONE, "seconds": NUMBER, "n_edges": (int, type(None)),
    "n_graph_edges": int, "n_dangling": int, "kl_mean": _NUMBER, "kl_worst": _NUMBER, "circuit": _OBJECT,
    "scores": _OBJECT, "faithfulness": _OBJECT,
}  # fmt: skip
_SETTING = {
    "program": str,
    "ablation": str,
    "criterion": str,
    "lengths": (list, type(None)),
    "score_bos": bool,
    "required": list,
    "permitted": list,
    "proved": list,
    "unknown": dict,
}


@dataclass(frozen=True, kw_only=True)
class DiscoveryFile:
    """What `tracrcheck discover --json` writes. run: the command and the machine, if known."""

    document: Mapping[str, Any]
    run: Mapping[str, Any] | None = None
    path: Path = Path()


@dataclass(frozen=True, kw_only=True)
class CertificatesFile:
    """What `tracrcheck certify --json` writes. run: as above. Drawings take the circuits from the cache, or prove them again."""

    certificates: tuple[Mapping[str, Any], ...]
    run: Mapping[str, Any] | None = None
    path: Path = Path()


def usable(certificate: Mapping[str, Any]) -> bool:
    """Whether a verdict can rest on it, as `Certificate.usable`."""
    return {"sufficient", "minimal"} <= set(certificate["proved"])


def setting_words(certificate: Mapping[str, Any]) -> str:
    """Such as `zero, value, lengths 1-3`."""
    words = [certificate["ablation"], certificate["criterion"]]
    if certificate["lengths"]:
        words.append("lengths {}-{}".format(*certificate["lengths"]))
    if certificate["score_bos"]:
        words.append("position 0 scored")
    return ", ".join(words)


Shown = AnyResults | DiscoveryFile | CertificatesFile


def read(path: Path) -> Shown:
    """Results of any kind, recognised by their schema. Errors: TC143, with every problem."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return results.read_any(path)  # which tells what is wrong
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema == DISCOVERY:
        document.setdefault("scores", None)  # files of before there were any
        if found := _of_discovery(document):
            raise wrong_file(path, found, kind="a trained model", schema=DISCOVERY, command="discover")
        return DiscoveryFile(document=document, path=path)
    if schema is None and isinstance(document, dict) and list(document) == ["certificates"]:
        if found := _of_certificates(document["certificates"]):
            raise wrong_file(path, found, kind="certify", schema="`certificates`", command="certify")
        return CertificatesFile(certificates=tuple(document["certificates"]), path=path)
    return results.read_any(path)


def _of_discovery(document: Mapping[str, Any]) -> list[str]:
    found = fields("file", document, _DISCOVERY)
    if found:
        return found
    asked = dict.fromkeys(("task", "model", "method", "ablation"), str)
    found = [f"asked.{name}: not there" for name in asked if not isinstance(document["asked"].get(name), str)]
    if document["circuit"] is not None:
        try:
            Circuit.from_json(document["circuit"])
        except CheckError as error:
            found.append(f"circuit: {error.what}")
    if (matrix := document["faithfulness"]) is not None:
        wanted = {
            "n_edges": int,
            "n_prompts": int,
            "draws": int,
            "confidence": NUMBER,
            "sentence": str,
            "cells": list,
        }
        found += fields("faithfulness", matrix, wanted)
    return found


def _of_certificates(certificates: Any) -> list[str]:
    if not isinstance(certificates, list):
        return ["certificates: no list"]
    found = []
    for number, one in enumerate(certificates):
        known = {name: one[name] for name in _SETTING if name in one} if isinstance(one, dict) else one
        found += fields(f"certificates[{number}]", known, _SETTING)
    return found
