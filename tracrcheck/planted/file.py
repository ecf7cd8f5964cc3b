"""The file that `tracrcheck plant` writes: an ordinary program file that rebuilds its model from the seed."""

from __future__ import annotations

import keyword
import os
from collections.abc import Collection
from pathlib import Path

from tracrcheck.error_codes import user_error
from tracrcheck.planted.planting import Planted
from tracrcheck.rasp.library import shipped_folder

TEXT = '''"""`{original}`, planted in a transformer of {layers} layers with {heads} heads each.

Written by `tracrcheck plant`. The program's heads and MLPs stand in the slots below; every other one is a
distractor, which reads anything and writes only what no part of the program reads.
"""

from dataclasses import replace
{imports}
original = load_file({source}).program


def by_hand():
    from tracrcheck.compiler.compile import compile_program
    from tracrcheck.planted.planting import plant

    planted = plant(
        compile_program(original),
        layers={layers},
        heads={heads},
        d_model={d_model},
        d_head={d_head},
        d_mlp={d_mlp},
        seed={seed},
        slots={{
{slots}
        }},
    )
    return planted.by_hand()


program = replace(original, name="{name}", by_hand=by_hand)
'''


def check_new_file(path: Path, taken: Collection[str] = ()) -> None:
    """Errors: TC116 (the file exists, or its name is invalid or `taken`)."""
    if path.suffix != ".py" or not path.stem.isidentifier() or keyword.iskeyword(path.stem):
        raise user_error("TC116.file_name", got=path.name, name=path.name)
    _check_new(path)
    if path.stem in taken:
        raise user_error("TC116.taken", got=path.stem, name=path.stem)


def check_new_weights(path: Path, out: Path | None) -> None:
    """Errors: TC116 (the file exists, or is the program's own)."""
    _check_new(path)
    if out is not None and path.resolve() == out.resolve():
        raise user_error("TC116.same", where="--weights", got=f"--weights {path} --out {out}")


def _check_new(path: Path) -> None:
    if path.exists():
        raise user_error("TC116.there", got=path, name=path)


def file_text(planted: Planted, source: Path, path: Path) -> str:
    """The text of the file `path`; `source` is the file of the original program."""
    spec = planted.model.spec
    if source.resolve().parent == shipped_folder().resolve():
        imports, place = "", f'shipped_folder() / "{source.name}"'
        imports = "\nfrom tracrcheck.rasp.library import load_file, shipped_folder\n"
    else:
        from_here = os.path.relpath(source.resolve(), path.resolve().parent)
        place = f"Path(__file__).parent / {from_here!r}"
        imports = "from pathlib import Path\n\nfrom tracrcheck.rasp.library import load_file\n"
    return TEXT.format(
        original=planted.original.program.name,
        name=path.stem,
        imports=imports,
        source=place,
        layers=spec.n_layers,
        heads=spec.n_heads,
        d_model=spec.d_model,
        d_head=spec.d_head,
        d_mlp=spec.d_mlp,
        seed=planted.seed,
        slots="\n".join(f'            "{name}": "{slot}",' for name, slot in planted.slots.items()),
    )
