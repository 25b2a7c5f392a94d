"""`orilla info`: what is in a bundle or a model file, and whether it still gives the answers it was proved with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orilla.cli.console import percent, print_json, print_table, say, size
from orilla.cli.raw_display import worst_output

if TYPE_CHECKING:
    from orilla_runtime.bundle.golden import GoldenCheck
    from orilla_runtime.bundle.manifest import Manifest
    from orilla_runtime.bundle.raw_manifest import AnyArtifact, AnyManifest, RawManifest
    from orilla_runtime.bundle.reader import Bundle
    from orilla_runtime.preprocess import Preprocess


@click.command()
@click.argument("model", type=click.Path())
@click.option("--verify", is_flag=True, help="Hash every entry and run the golden inputs on this machine's engines.")
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
def command(model: str, verify: bool, as_json: bool) -> int:
    """Show what MODEL holds: a bundle, a .tflite or an .onnx, ours or someone else's."""
    from orilla_runtime.bundle.reader import is_bundle, open_bundle

    if is_bundle(model):
        with open_bundle(model) as bundle:
            return _bundle(bundle, verify, as_json)
    if verify:
        raise click.UsageError("--verify needs a bundle: a bare model holds nothing to check it against.")
    from orilla.cli.info_file import show_file

    show_file(Path(model), as_json)
    return 0


def _bundle(bundle: Bundle, verify: bool, as_json: bool) -> int:
    checks, skipped = _verify(bundle) if verify else ((), ())
    failed = [check for check in checks if not check.passed]
    if as_json:
        print_json(_bundle_as_json(bundle, checks, skipped, verify))
    else:
        _print_bundle(bundle)
        for check in checks:
            verdict = click.style("ok", fg="green") if check.passed else click.style("FAILED", fg="red")
            click.echo(f"{verdict:>6}  {check.subject}  {check.detail}")
    for name, reason in skipped:
        say(f"not run {name}: {reason}")
    if failed:
        say(f"{len(failed)} of {len(checks)} checks failed: do not use this bundle on this machine.")
    return 1 if failed else 0


def _verify(bundle: Bundle) -> tuple[tuple[GoldenCheck, ...], tuple[tuple[str, str], ...]]:
    """Read (and so hash) every entry, then run the golden inputs on every engine that is here."""
    from orilla.runnable import runnable
    from orilla_runtime.bundle.golden import self_test
    from orilla_runtime.engines.base import EngineOptions, Session
    from orilla_runtime.engines.selection import engine_for

    bundle.verify()
    able, skipped = runnable(bundle.manifest.artifacts)

    def open_session(artifact: AnyArtifact, model: bytes) -> Session:
        return engine_for(artifact.format).load(model, EngineOptions())

    return self_test(bundle, open_session, only={artifact.path for artifact in able}), skipped


def _bundle_as_json(
    bundle: Bundle, checks: tuple[GoldenCheck, ...], skipped: tuple[tuple[str, str], ...], verified: bool
) -> dict[str, Any]:
    from orilla_runtime.bundle.codec import manifest_as_json

    manifest = manifest_as_json(bundle.manifest)
    document: dict[str, Any] = {"id": bundle.id, **manifest, "labels": manifest["task"].get("labels", [])}
    if verified:
        document["verify"] = {
            "passed": all(check.passed for check in checks),
            "checks": [
                {
                    "subject": check.subject,
                    "passed": check.passed,
                    "error": check.error,
                    "tolerance": check.tolerance,
                }
                for check in checks
            ],
            "not_run": [{"artifact": name, "reason": reason} for name, reason in skipped],
        }
    return document


def _print_bundle(bundle: Bundle) -> None:
    from orilla_runtime.bundle.raw_manifest import RawManifest

    manifest = bundle.manifest
    click.echo(f"{bundle.path.name}: {manifest.task.name}, made by {manifest.created_by}")
    click.echo(f"id          {bundle.id}")
    if isinstance(manifest, RawManifest):
        _print_raw(manifest)
    else:
        _print_classifier(manifest)


def _print_raw(manifest: RawManifest) -> None:
    first = manifest.artifacts[0]
    for spec in first.inputs:
        picture = manifest.preprocess.get(spec.name)
        click.echo(f"input       {spec}{'' if picture is None else f', a picture: {_picture(picture)}'}")
    for spec in first.outputs:
        click.echo(f"output      {spec}")
    click.echo(f"self-test   {manifest.golden.kind if manifest.golden else 'none'}")
    click.echo()
    sizes = {entry.path: entry.bytes for entry in manifest.files}
    columns = ("artifact", "bytes", "worst output", "SQNR dB", "cosine", "default for")
    rows = [
        (artifact.path, size(sizes[artifact.path]), *worst_output(artifact.metrics), _targets(manifest, artifact.path))
        for artifact in manifest.artifacts
    ]
    print_table(columns, rows, numeric=("bytes", "SQNR dB", "cosine"))


def _picture(preprocess: Preprocess) -> str:
    height, width = preprocess.size
    return f"{width}x{height} {preprocess.channels}, {preprocess.fit}, {preprocess.interpolation}"


def _targets(manifest: AnyManifest, path: str) -> str:
    return ", ".join(target for target, chosen in manifest.defaults.items() if chosen == path)


def _print_classifier(manifest: Manifest) -> None:
    labels = manifest.task.labels
    shown = ", ".join(labels[:8]) + (f", … ({len(labels)} in all)" if len(labels) > 8 else "")
    click.echo(f"labels      {shown}")
    click.echo(f"input       {_picture(manifest.preprocess)}")
    click.echo(f"self-test   {manifest.golden.kind if manifest.golden else 'none'}")
    click.echo()
    sizes = {entry.path: entry.bytes for entry in manifest.files}
    columns = ("artifact", "bytes", "top-1", "agreement", "default for")
    rows = [
        (
            artifact.path,
            size(sizes[artifact.path]),
            percent(artifact.metrics.accuracy.top1) if artifact.metrics and artifact.metrics.accuracy else "–",
            percent(artifact.metrics.agreement) if artifact.metrics else "–",
            _targets(manifest, artifact.path),
        )
        for artifact in manifest.artifacts
    ]
    print_table(columns, rows, numeric=("bytes", "top-1", "agreement"))
