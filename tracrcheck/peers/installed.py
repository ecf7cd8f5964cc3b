"""Whether the packages that a method needs are installed, and are the right ones. Errors: TC190."""

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

from packaging.version import Version

from tracrcheck.error_codes import user_error

# HookedTransformer was removed in 4.0. 3.9.0 and 2.18.0 were tried; 2.x needs an older numpy than ours.
TRANSFORMER_LENS = "transformer-lens>=3.9,<4"
REMOVED = Version("4")
EAP_IG = "git+https://github.com/hannamw/EAP-IG"
AUTO_CIRCUIT = "auto-circuit==1.0.1"


def require_transformer_lens() -> None:
    """Errors: TC190 if it is missing, or without HookedTransformer."""
    try:
        found = version("transformer-lens")
    except PackageNotFoundError:
        raise _missing("transformer-lens", "a model for other tools", TRANSFORMER_LENS) from None
    if Version(found) >= REMOVED:
        raise user_error(
            "TC190.removed", got=found, wanted=TRANSFORMER_LENS, install=_install(TRANSFORMER_LENS)
        )


def transformer_lens() -> ModuleType:
    """The package. Errors: TC190."""
    require_transformer_lens()
    return importlib.import_module("transformer_lens")


def eap_ig(module: str) -> ModuleType:
    """A module of EAP-IG. The `eap` of PyPI is another package. Errors: TC190."""
    require_transformer_lens()
    try:
        importlib.import_module("eap")
    except ImportError:
        raise _missing("eap", "EAP-IG", TRANSFORMER_LENS, EAP_IG) from None
    try:
        return importlib.import_module(f"eap.{module}")
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("eap"):
            raise _missing(error.name or "", "EAP-IG", error.name or "") from None
        found = version("eap") if _there("eap") else "an `eap` of another kind"
        raise user_error(
            "TC190.other", got=f"eap {found}", install=_install(TRANSFORMER_LENS, EAP_IG)
        ) from None


def auto_circuit(module: str) -> ModuleType:
    """A module of AutoCircuit. Errors: TC190."""
    require_transformer_lens()
    wanted = (TRANSFORMER_LENS, AUTO_CIRCUIT, "attrs")
    try:
        return importlib.import_module(f"auto_circuit.{module}")
    except ModuleNotFoundError as error:
        package = (error.name or "auto_circuit").split(".")[0]
        raise _missing(package, "AutoCircuit", *wanted) from None


def _there(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def _missing(package: str, use: str, *install: str) -> Exception:
    return user_error("TC190.missing", package=package, use=use, install=_install(*install))


def _install(*requirements: str) -> str:
    return "pip install " + " ".join(f"'{one}'" if set(one) & set("<>=") else one for one in requirements)
