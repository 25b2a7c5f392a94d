"""Records behave as the standard frozen data classes with slots do."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Mapping
from typing import Any

import pytest

from orilla_runtime.records import dataclass, field, is_record, names_of, replace


@dataclass(frozen=True, slots=True)
class Part:
    """A record of Orilla."""

    name: str
    size: float = 1.0
    notes: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError("size")


@dataclasses.dataclass(frozen=True, slots=True)
class Standard:
    """The same, as the standard library makes it."""

    name: str
    size: float = 1.0
    notes: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError("size")


@dataclass(frozen=True, slots=True)
class Pair:
    """One that can be hashed, with a text of its own."""

    left: int
    right: int

    def __repr__(self) -> str:
        return f"{self.left}:{self.right}"


@pytest.mark.parametrize("kind", [Part, Standard])
def test_made_by_place_by_name_and_by_default(kind: Any) -> None:
    one = kind("bolt", size=2.0)
    assert (one.name, one.size, one.notes) == ("bolt", 2.0, {})
    assert kind("bolt").notes is not kind("bolt").notes
    assert repr(one) == f"{kind.__name__}(name='bolt', size=2.0, notes={{}})"
    assert kind.__slots__ == kind.__match_args__ == ("name", "size", "notes")


@pytest.mark.parametrize("kind", [Part, Standard])
def test_wrong_ways_to_make_one(kind: Any) -> None:
    for values, named in (((), {}), (("bolt", 1.0, {}, 4), {}), (("bolt",), {"colour": 1}), (("bolt",), {"name": "x"})):
        with pytest.raises(TypeError):
            kind(*values, **named)
    with pytest.raises(ValueError, match="size"):
        kind("bolt", -1.0)


@pytest.mark.parametrize("kind", [Part, Standard])
def test_frozen(kind: Any) -> None:
    one = kind("bolt")
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.name = "nut"
    with pytest.raises(dataclasses.FrozenInstanceError):
        del one.name
    with pytest.raises((AttributeError, TypeError)):
        one.other = 1
    assert one.name == "bolt"


def test_equal_by_type_and_values() -> None:
    assert Part("bolt") == Part("bolt", 1.0)
    assert Part("bolt") != Part("nut")
    assert Part("bolt") != Standard("bolt")
    assert len({Pair(1, 2), Pair(1, 2), Pair(2, 1)}) == 2
    with pytest.raises(TypeError):
        hash(Part("bolt"))  # it holds a mapping


def test_what_a_class_says_itself_stays() -> None:
    assert repr(Pair(1, 2)) == "1:2"


def test_the_functions_of_dataclasses_know_it() -> None:
    one = Part("bolt", notes={"a": "b"})
    assert dataclasses.is_dataclass(one)
    assert [entry.name for entry in dataclasses.fields(one)] == ["name", "size", "notes"]
    assert dataclasses.asdict(one) == {"name": "bolt", "size": 1.0, "notes": {"a": "b"}}
    assert dataclasses.replace(one, size=3.0) == replace(one, size=3.0) == Part("bolt", 3.0, {"a": "b"})
    with pytest.raises(ValueError, match="size"):
        replace(one, size=-1.0)


def test_copies() -> None:
    one = Part("bolt", notes={"a": "b"})
    assert pickle.loads(pickle.dumps(one)) == copy.copy(one) == copy.deepcopy(one) == one
    assert copy.deepcopy(one).notes is not one.notes


def test_match_takes_it_apart() -> None:
    match Pair(1, 2):
        case Pair(left, 2):
            assert left == 1
        case _:
            pytest.fail("no match")


def test_is_record() -> None:
    assert is_record(Part)
    assert not is_record(Standard)
    assert not is_record(Part("bolt"))
    assert names_of(Part) == ("name", "size", "notes")
