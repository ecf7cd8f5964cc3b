"""JSON read as the types it was written from: what fits is built, and each thing that does not is named with what was wanted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypedDict

import pytest

from tracrcheck.records.reading import LATER, read


@dataclass(frozen=True)
class Point:
    x: int
    y: float = 0.0


class Box(TypedDict):
    corners: list[Point]
    names: dict[str, Point]


@dataclass(frozen=True)
class Shape:
    kind: Literal["round", "square"]
    point: Point = field(metadata={"flat": True})
    tags: tuple[str, ...]
    box: Box | None
    closed: bool
    extra: Any
    owner: str


GIVEN = {"owner": "us"}
RECORD = {
    "kind": "round", "x": 1, "y": 2, "tags": ["a"], "closed": True, "extra": {"any": [1]},
    "box": {"corners": [{"x": 3, "y": 4.5}], "names": {"top": {"x": 5, "y": 6}}},
}  # fmt: skip


def test_a_record_that_fits_is_built_with_its_nested_and_flat_parts():
    problems: list[str] = []
    found = read(Shape, RECORD, "shape", problems, GIVEN)
    assert problems == []
    assert found == Shape(
        kind="round", point=Point(1, 2), tags=("a",), closed=True, extra={"any": [1]}, owner="us",
        box={"corners": [Point(3, 4.5)], "names": {"top": Point(5, 6)}},
    )  # fmt: skip
    assert isinstance(found.tags, tuple)
    assert read(Shape, RECORD | {"box": None}, "shape", [], GIVEN).box is None


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"kind": "flat"}, "shape.kind: 'flat', wanted 'round' or 'square'"),
        ({"x": 1.5}, "shape.x: 1.5, wanted a whole number"),
        ({"x": True}, "shape.x: True, wanted a whole number"),
        ({"y": "2"}, "shape.y: '2', wanted a number"),
        ({"y": False}, "shape.y: False, wanted a number"),
        ({"tags": "a"}, "shape.tags: 'a', wanted a list"),
        ({"tags": ["a", None]}, "shape.tags[1]: None, wanted text"),
        ({"closed": 1}, "shape.closed: 1, wanted true or false"),
        ({"box": []}, "shape.box: [], wanted an object or null"),
        ({"box": {"corners": [{}], "names": {}}}, "shape.box.corners[0].x: not there"),
        ({"box": {"corners": []}}, "shape.box.names: not there"),
        ({"box": {"corners": [], "names": {"a": 1}}}, "shape.box.names.a: 1, wanted an object"),
        ({"more": 1}, "shape.more: no such field"),
        ({"owner": "them"}, "shape.owner: no such field"),
        ({"point": {"x": 1}}, "shape.point: no such field"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place_and_what_was_wanted(change, problem):
    problems: list[str] = []
    read(Shape, RECORD | change, "shape", problems, GIVEN)
    assert problem in problems


def test_a_field_that_is_absent_is_a_problem_though_it_has_a_default():
    problems: list[str] = []
    assert read(Shape, {k: v for k, v in RECORD.items() if k != "y"}, "shape", problems, GIVEN) is None
    assert problems == ["shape.y: not there"]


def test_every_problem_is_listed_at_once_and_a_long_value_is_cut():
    problems: list[str] = []
    read(Shape, RECORD | {"x": "1", "closed": None, "tags": "a" * 100}, "", problems, GIVEN)
    assert sorted(problems) == [
        "closed: None, wanted true or false", f"tags: '{'a' * 59}..., wanted a list", "x: '1', wanted a whole number",
    ]  # fmt: skip
    problems.clear()
    read(Shape, 3, "", problems, GIVEN)
    assert problems == ["file: 3, wanted an object"]


@dataclass(frozen=True)
class Later:
    x: int
    z: int = field(default=7, metadata=LATER)


@dataclass(frozen=True)
class Holder:
    name: str
    point: Later = field(metadata={"flat": True})


@pytest.mark.parametrize("record", [{"name": "a", "x": 1}, {"name": "a", "x": 1, "z": 7}])
def test_older_files_lack_the_later_fields_of_a_flat_part_too(record):
    problems: list[str] = []
    assert read(Holder, record, "file", problems) == Holder("a", Later(1))
    assert problems == []
    assert read(Holder, {"name": "a"}, "file", problems) is None
    assert problems == ["file.x: not there"]
