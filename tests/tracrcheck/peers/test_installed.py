"""Each thing that can be wrong with an installation has an error that says what to install."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError
from types import ModuleType

import pytest

from edgeprune_core.errors import CheckError
from tests.tracrcheck.peers.conftest import forget_eap, task
from tracrcheck.grading.by_name import find_method
from tracrcheck.peers import hooked, installed

EAP_IG = "pip install 'transformer-lens>=3.9,<4' git+https://github.com/hannamw/EAP-IG"


def error_of(call) -> CheckError:
    with pytest.raises(CheckError) as error:
        call()
    assert error.value.code == "TC190"
    return error.value


def versions(monkeypatch, **known):
    def version(name):
        if name not in known:
            raise PackageNotFoundError(name)
        return known[name]

    monkeypatch.setattr(installed, "version", version)


def without(monkeypatch, *packages):
    for package in packages:
        monkeypatch.setitem(sys.modules, package, None)


def test_no_transformer_lens(monkeypatch):
    versions(monkeypatch)
    error = error_of(lambda: hooked(task("hist")))
    assert error.what == "no package 'transformer-lens', which a model for other tools needs"
    assert error.do == "pip install 'transformer-lens>=3.9,<4'"


@pytest.mark.parametrize("version", ["4.0.0", "4.3.0", "5.1"])
def test_a_transformer_lens_without_hooked_transformer(monkeypatch, version):
    versions(monkeypatch, **{"transformer-lens": version})
    error = error_of(lambda: hooked(task("hist")))
    assert error.what == "this TransformerLens has no HookedTransformer: 4.0 removed it"
    assert (error.got, error.do) == (version, "pip install 'transformer-lens>=3.9,<4'")


def test_no_eap_ig_says_how_to_install_it_where_the_method_is_named(monkeypatch):
    forget_eap()
    without(monkeypatch, "eap")
    error = error_of(lambda: find_method("tracrcheck.peers.eap_ig:eap"))
    assert (error.where, error.do) == ("--method", EAP_IG)
    assert error.what == "no package 'eap', which EAP-IG needs"


def test_the_eap_of_pypi_is_another_package(monkeypatch):
    forget_eap()
    other = ModuleType("eap")
    other.__path__ = []
    monkeypatch.setitem(sys.modules, "eap", other)
    versions(monkeypatch, **{"transformer-lens": "3.9.0", "eap": "1.1.14.1"})
    error = error_of(lambda: find_method("tracrcheck.peers.eap_ig:eap"))
    assert error.what.startswith("the package `eap` that is installed is not EAP-IG")
    assert (error.got, error.do) == ("eap 1.1.14.1", f"pip uninstall eap, then {EAP_IG}")


def test_no_auto_circuit(monkeypatch):
    without(monkeypatch, "auto_circuit")
    monkeypatch.delitem(sys.modules, "tracrcheck.peers.autocircuit", raising=False)
    error = error_of(lambda: find_method("tracrcheck.peers.autocircuit:acdc"))
    assert error.what == "no package 'auto_circuit', which AutoCircuit needs"
    assert error.do == "pip install 'transformer-lens>=3.9,<4' 'auto-circuit==1.0.1' attrs"
