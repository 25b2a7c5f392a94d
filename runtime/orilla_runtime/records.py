"""Frozen data classes that cost next to nothing to define: they are most of what a program's start imports.

The standard `@dataclass(frozen=True, slots=True)` compiles six functions for each class, half a millisecond and more,
also for the many classes of which a start makes no object. Here those functions are shared, and `__init__` is compiled
when the first object is made. To its users, type checkers included, such a class is a data class: `fields`, `replace`,
`asdict`, `match` and pickle work. docs/decisions/0404-cold-start.md has what it saves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace

__all__ = ["dataclass", "field", "is_record", "names_of", "replace"]

_set: Callable[[object, str, object], None] = object.__setattr__


class _Factory(NamedTuple):
    """The default of a field that is made anew for each object."""

    make: Callable[[], object]


def is_record(kind: object) -> bool:
    """Whether a class was made here."""
    return isinstance(kind, type) and "__record_defaults__" in kind.__dict__


def names_of(kind: type) -> tuple[str, ...]:
    """The names of a record's fields, in their order."""
    names: tuple[str, ...] = kind.__match_args__  # type: ignore[attr-defined]
    return names


def _record(kind: type) -> type:
    """The class again, with its annotations as slots: a class cannot get slots once it is there."""
    own = {**_SHARED, **kind.__dict__}
    names = tuple(own.get("__annotations__", {}))
    defaults = {name: own.pop(name) for name in names if name in own}
    own.pop("__dict__", None)
    own.pop("__weakref__", None)
    own.update(__slots__=names, __match_args__=names, __record_defaults__=defaults)
    own.update(__dataclass_fields__=_Fields(), __qualname__=kind.__qualname__)
    return type(kind)(kind.__name__, kind.__bases__, own)


def _first_init(self: Any, *values: Any, **named: Any) -> None:
    """Stands in for `__init__` until the first object is made."""
    kind = type(self)
    kind.__init__ = _compiled(kind)
    kind.__init__(self, *values, **named)


def _compiled(kind: Any) -> Callable[..., None]:
    defaults = kind.__record_defaults__
    known: dict[str, Any] = {"_set": _set}
    heads, lines = ["self"], []
    for name in names_of(kind):
        value = name
        if name in defaults:
            known[f"_{name}"] = defaults[name]
            if isinstance(defaults[name], _Factory):
                value = f"_{name}.make() if {name} is _{name} else {name}"
        heads.append(f"{name}=_{name}" if name in defaults else name)
        lines.append(f" _set(self, {name!r}, {value})")
    if hasattr(kind, "__post_init__"):
        lines.append(" self.__post_init__()")
    # The names are those of attributes in our own source; the standard data classes are made in the same way.
    exec("\n".join([f"def __init__({', '.join(heads)}):", *(lines or [" pass"])]), known)
    made: Callable[..., None] = known["__init__"]
    return made


def _values(self: Any) -> tuple[Any, ...]:
    return tuple([getattr(self, name) for name in self.__match_args__])


def _refuse_set(self: object, name: str, value: object) -> NoReturn:  # noqa: ARG001 - Python's signature
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_delete(self: object, name: str) -> NoReturn:  # noqa: ARG001 - Python's signature
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _repr(self: Any) -> str:
    shown = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__match_args__)
    return f"{type(self).__qualname__}({shown})"


def _eq(self: object, other: object) -> Any:
    return _values(self) == _values(other) if type(other) is type(self) else NotImplemented


def _hash(self: object) -> int:
    return hash(_values(self))


def _reduce(self: object) -> tuple[type, tuple[Any, ...]]:
    return type(self), _values(self)


_SHARED: dict[str, Any] = {
    "__init__": _first_init,
    "__repr__": _repr,
    "__eq__": _eq,
    "__hash__": _hash,
    "__setattr__": _refuse_set,
    "__delattr__": _refuse_delete,
    "__reduce__": _reduce,
}


class _Fields:
    """What the functions of `dataclasses` look for in a class; made when one of them does."""

    def __get__(self, one: object, kind: Any) -> Any:
        from dataclasses import field as standard_field
        from dataclasses import make_dataclass

        fields: list[tuple[str, Any, Any]] = []
        for name, hint in kind.__annotations__.items():
            default = kind.__record_defaults__.get(name, _NONE)
            if default is _NONE:
                made = standard_field()
            elif isinstance(default, _Factory):
                made = standard_field(default_factory=default.make)
            else:
                made = standard_field(default=default)
            fields.append((name, hint, made))
        found = make_dataclass(kind.__name__, fields).__dataclass_fields__  # type: ignore[attr-defined]
        kind.__dataclass_fields__ = found
        return found


_NONE = object()


def _replace(record: Any, /, **changes: Any) -> Any:
    """A copy with other values."""
    names = names_of(type(record))
    return type(record)(**{name: getattr(record, name) for name in names} | changes)


def _field(*, default_factory: Callable[[], Any]) -> Any:
    """A default that is made anew for each object."""
    return _Factory(default_factory)


def _dataclass(*, frozen: bool, slots: bool) -> Callable[[type], type]:
    """As `dataclasses.dataclass`; there are only frozen records with slots."""
    assert frozen
    assert slots
    return _record


if not TYPE_CHECKING:
    # To a type checker they are the standard ones, whose rules it knows.
    dataclass, field, replace = _dataclass, _field, _replace
