"""The truth of a planted program: certified on the host, and compared with the original's."""

from __future__ import annotations

from tracrcheck.error_codes import user_error
from tracrcheck.planted.planting import Planted
from tracrcheck.truth.cache import certificate_of
from tracrcheck.truth.certificate import Certificate
from tracrcheck.truth.setting import Setting


def truth_of(planted: Planted, setting: Setting) -> Certificate:
    """The host's own certificate. Errors: TC163 (it is not the original's, mapped to the slots).

    If there are several smallest circuits, `required` may be another of them: then only its size is compared.
    """
    host, mine = certificate_of(planted.compiled, setting), certificate_of(planted.original, setting)
    several = {"smallest", "unique"} - (set(host.proved) & set(mine.proved))
    want = planted.mapped(mine.required)
    if len(host.required) != len(want) or (not several and host.required != want):
        raise user_error(
            "TC163",
            got=", ".join(host.required.texts) or "no edges",
            wanted=", ".join(want.texts) or "no edges",
            program=planted.original.program.name,
            ablation=setting.ablation,
        )
    return host
