"""`orilla export`: an artifact as plain files, for an app that knows nothing of Orilla."""

from __future__ import annotations

from pathlib import Path

import click

from orilla.cli.console import print_json, size


@click.command()
@click.argument("bundle", type=click.Path())
@click.option("--artifact", help="A path, a file name or format:precision; by default the bundle's default.")
@click.option("--to", "folder", required=True, type=click.Path(), help="The folder to make.")
@click.option("--json", "as_json", is_flag=True, help="What was written as JSON on standard output.")
def command(bundle: str, artifact: str | None, folder: str, as_json: bool) -> None:
    """Write one artifact of BUNDLE as plain files: model, labels, preprocessing and golden data.

    docs/mobile.md shows how an app loads them and checks itself. No TensorFlow is needed.
    """
    from orilla_runtime.bundle.export import export_artifact
    from orilla_runtime.bundle.reader import is_bundle, open_bundle
    from orilla_runtime.errors import UsageError

    # What is not there, the bundle's reader names better.
    if not is_bundle(bundle) and Path(bundle).is_file():
        raise UsageError(f"{bundle} is no bundle.", "Give a .orilla file; a bare model stands alone already.")
    with open_bundle(bundle) as opened:
        done = export_artifact(opened, folder, artifact)
    if as_json:
        print_json({"folder": str(done.folder), "artifact": done.artifact, "files": done.files, "golden": done.golden})
        return
    click.echo(f"{done.folder}: {done.artifact}")
    for name, count in done.files.items():
        click.echo(f"{size(count):>12}  {name}")
    if not done.golden:
        click.echo("The bundle holds no golden data, so an app cannot check itself with this folder.")
