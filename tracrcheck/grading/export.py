"""A program's model and its circuits in forms that other tools read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeprune_core.circuit import Circuit
from edgeprune_core.weights import Model
from tracrcheck.compiler.compile import Compiled
from tracrcheck.error_codes import unknown_name, user_error
from tracrcheck.grading.grade_imported import read_circuit
from tracrcheck.importers import EXPORTERS, mib
from tracrcheck.importers.hooked import EAP_IG_HOOKED
from tracrcheck.peers.peer import lens_file
from tracrcheck.truth.cache import certificate_of
from tracrcheck.truth.setting import Setting
from tracrcheck.truth.task import task_of

if TYPE_CHECKING:
    from tracrcheck.peers.hooked_model import LensFile

MODELS = ("safetensors", "transformer_lens", "hf")


def check(to: str, circuit: Path | None) -> None:
    """Errors: TC138."""
    if to not in (*MODELS, *EXPORTERS, mib.NAME):
        raise unknown_name("TC138.format", to, (*MODELS, *EXPORTERS, mib.NAME), where="--to")
    if to in MODELS and circuit is not None:
        raise user_error("TC138.circuit", where="--circuit", got=circuit, format=to)


def circuit_of(compiled: Compiled, path: Path | None, *, format: str, ablation: str) -> Circuit:
    """The circuit in a file, or the required one. Errors: those of `read_circuit`."""
    if path is None:
        setting = Setting(ablation=ablation)
        return certificate_of(compiled, setting).required
    found = read_circuit(path, compiled, format=format, threshold=None)
    return found.granularity.expand(compiled.graph, found.kept)


def document_of(compiled: Compiled, circuit: Circuit, to: str) -> Any:
    """The circuit in the format `to`. Width of the stream: of the model that `hooked` makes."""
    spec = compiled.model.spec
    return EXPORTERS[to].write(circuit, d_model=spec.d_model + spec.n_ctx)


def mib_files(compiled: Compiled, circuit: Circuit) -> dict[str, bytes]:
    """The files of a circuit folder of MIB. A model with norms is one that EAP-IG reads itself, without the layer in front."""
    if compiled.model.spec.norm == "none":
        return mib.contents_of(document_of(compiled, circuit, EAP_IG_HOOKED.name))
    return mib.contents_of(mib.plain_document(circuit, d_model=compiled.model.spec.d_model))


def model_of(compiled: Compiled, to: str) -> Model | LensFile:
    """Ours, or as `hooked` makes it. Errors: TC190."""
    return compiled.model if to == "safetensors" else lens_file(task_of(compiled, Setting()))
