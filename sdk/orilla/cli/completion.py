"""`orilla completion`: the line that a shell needs to complete our commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script for a shell.

    bash: echo 'eval "$(orilla completion bash)"' >> ~/.bashrc
    """
    from orilla.cli import cli

    completion = get_completion_class(shell)
    if completion is None:  # pragma: no cover - click knows all three
        raise click.UsageError(f"No completion for {shell}.")
    click.echo(completion(cli, {}, "orilla", "_ORILLA_COMPLETE").source())
