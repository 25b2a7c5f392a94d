"""A command with many options, shown in groups by `--help`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def grouped(group: str, *options: Callable[[F], F]) -> Callable[[F], F]:
    """Adds options to a `GroupedCommand`, under the heading `group` and in this order."""

    def added(function: F) -> F:
        for option in reversed(options):
            function = option(function)
            parameter = function.__click_params__[-1]  # type: ignore[attr-defined]
            parameter.group = group
        return function

    return added


class GroupedCommand(click.Command):
    """Shows options that `grouped` added under their headings, and the others last."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                groups.setdefault(getattr(parameter, "group", ""), []).append(record)
        for heading, records in _others_last(groups).items():
            with formatter.section(heading or "Options"):
                formatter.write_dl(records)


def _others_last(groups: Mapping[str, list[tuple[str, str]]]) -> dict[str, list[tuple[str, str]]]:
    return {name: groups[name] for name in sorted(groups, key=lambda name: not name)}
