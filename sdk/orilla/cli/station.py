"""`--config FILE`: the options of a command in a TOML file, for a station that always runs the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from orilla_runtime.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])


def config_option(function: F) -> F:
    """Add `--config`. The file's keys are the command's long options and arguments; the command line goes first."""
    return click.option(
        "--config",
        type=click.Path(dir_okay=False),
        is_eager=True,
        expose_value=False,
        callback=_take,
        help="Options from a TOML file: model = …, sources = […], threshold = 0.8, …",
    )(function)


def _take(context: click.Context, _parameter: click.Parameter, path: str | None) -> None:
    if path is None:
        return
    from difflib import get_close_matches

    values = _read(Path(path))
    known = {_spelling(one): one for one in context.command.params if one.name not in {"config", "help", None}}
    found: dict[str, Any] = {}
    for key, value in values.items():
        parameter = known.get(key.replace("_", "-"))
        if parameter is None or parameter.name is None:
            near = get_close_matches(key.replace("_", "-"), known, 1)
            remedy = f"Did you mean {near[0]}?" if near else f"`orilla {context.info_name} --help` lists the options."
            raise UsageError(f"{path}: there is no option {key!r}.", remedy)
        found[parameter.name] = _fitted(path, key, parameter, value)
    context.default_map = {**(context.default_map or {}), **found}


def _read(path: Path) -> Mapping[str, Any]:
    import tomllib

    try:
        # Some editors of Windows begin a file with a mark of its encoding.
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", "Give the name of a TOML file.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is no TOML file: {' '.join(str(error).split())}.") from error


def _spelling(parameter: click.Parameter) -> str:
    """How a parameter is written in the file: as its longest option, without dashes in front."""
    return max(parameter.opts, key=len).lstrip("-").replace("_", "-")


def _fitted(path: str, key: str, parameter: click.Parameter, value: Any) -> Any:
    """The value as the command line would give it. Tables stand for NAME=VALUE, where an option may be repeated."""
    several = getattr(parameter, "multiple", False) or parameter.nargs == -1
    if isinstance(value, dict) and several:
        value = [f"{name}={one}" for name, one in value.items()]
    if several and isinstance(value, str | int | float) and not isinstance(value, bool):
        value = [value]
    fits = isinstance(value, list) and all(map(_is_plain, value)) if several else _is_plain(value)
    is_flag = getattr(parameter, "is_flag", False)
    if not fits or is_flag != isinstance(value, bool):
        kind = "true or false" if is_flag else "a list" if several else "one value"
        raise UsageError(f"{path}: {key} takes {kind}.")
    if is_flag:
        return value
    return [str(one) for one in value] if several else str(value)


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float)
