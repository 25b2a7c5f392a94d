"""`orilla doctor`: what works on this machine, and what to install for what does not."""

from __future__ import annotations

import platform
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orilla.cli.console import print_json
from orilla_runtime.text import printable

if TYPE_CHECKING:
    from orilla_runtime.engines.base import Availability

DESK_PACKAGES = ("tensorflow", "keras", "tf2onnx", "onnx", "onnxruntime", "ai-edge-litert", "scikit-learn")
OPENCV_WHEELS = frozenset(
    {"opencv-python", "opencv-python-headless", "opencv-contrib-python", "opencv-contrib-python-headless"}
)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="The same as JSON; holds no folder of yours and no secret.")
def command(as_json: bool) -> int:
    """Check the engines (each really runs a model), OpenCV, cameras and the desk. Exit code 1 if nothing can run."""
    from orilla_runtime.engines.registry import engines
    from orilla_runtime.engines.selection import usable_cpus

    found = {name: engine.availability() for name, engine in engines().items()}
    opencv = _opencv()
    if as_json:
        print_json(_without_secrets(_as_json(found, opencv, usable_cpus())))
    else:
        _print(found, opencv, usable_cpus())
    works = opencv["version"] is not None and any(entry.devices for entry in found.values())
    return 0 if works and not opencv["clash"] else 1


def _opencv() -> dict[str, Any]:
    wheels = sorted({name.lower() for d in distributions() if (name := d.metadata["Name"])} & OPENCV_WHEELS)
    try:
        import cv2
    except ImportError as error:
        return {"version": None, "wheels": wheels, "clash": len(wheels) > 1, "error": str(error), "window": False}
    window = not any(line.strip() == "GUI:                           NONE" for line in _gui(cv2.getBuildInformation()))
    return {"version": cv2.__version__, "wheels": wheels, "clash": len(wheels) > 1, "error": "", "window": window}


def _gui(information: str) -> list[str]:
    return [line for line in information.splitlines() if "GUI:" in line]


def _packages() -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name in DESK_PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def _print_cameras() -> None:
    from orilla_runtime.sources.devices import list_cameras

    cameras = list_cameras()
    if not cameras and platform.system() != "Linux":
        click.echo("    cameras      not listed on this system: try 0, 1, …")
    elif not cameras:
        click.echo("    cameras      none")
    for camera in cameras:
        click.echo(f"    camera       {camera.stable or camera.path}  {printable(camera.name)}")


def _without_secrets(value: Any) -> Any:
    """The same, without the user's folder and without credentials of addresses: it is made to be sent to others."""
    from orilla_runtime.sources.address import masked

    if isinstance(value, dict):
        return {key: _without_secrets(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_without_secrets(entry) for entry in value]
    if not isinstance(value, str):
        return value
    text = masked(value)
    for folder in _homes():
        text = text.replace(folder, "~")
    return text


def _homes() -> list[str]:
    """The user's folder as it is called and as it is found behind links; the root folder is nobody's name."""
    try:
        home = Path.home()
        return sorted({str(home), str(home.resolve())} - {"/", "."}, key=len, reverse=True)
    except (OSError, RuntimeError):
        return []


def _as_json(engines: dict[str, Availability], opencv: dict[str, Any], cpus: int) -> dict[str, Any]:
    from orilla import __version__
    from orilla_runtime.engines.machine import features, processor
    from orilla_runtime.sources.devices import list_cameras

    return {
        "orilla": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "cpu_features": list(features()),
        "usable_cpus": cpus,
        "opencv": opencv,
        "engines": {
            name: {
                "version": entry.version,
                "devices": list(entry.devices),
                "reason": entry.reason,
                "remedy": entry.remedy,
                "notes": dict(entry.notes),
                "untested": list(entry.untested),
            }
            for name, entry in engines.items()
        },
        "providers": _providers(engines),
        "cameras": [asdict(camera) for camera in list_cameras()],
        "desk": _packages(),
    }


def _print(engines: dict[str, Availability], opencv: dict[str, Any], cpus: int) -> None:
    from orilla import __version__
    from orilla_runtime.engines.machine import features, processor

    click.echo(f"orilla {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}")
    click.echo(
        f"{printable(processor())}; CPUs that this process may use: {cpus}; {' '.join(features()) or 'no'} features"
    )
    for name, entry in engines.items():
        if entry.devices:
            devices = ", ".join(_marked(device, entry) for device in entry.devices)
            _line(True, name, printable(f"{entry.version}: ran a model on {devices}"))
        else:
            _line(False, name, printable(f"{entry.reason} {entry.remedy}".strip()))
        for device, note in entry.notes.items():
            if device in entry.untested:
                click.echo(f"    {device:<12} did not run a model: {printable(note)}")
    others = [f"{one['device']} ({one['package']})" for one in _providers(engines) if not one["carried"]]
    click.echo(f"    untested     with another onnxruntime: {', '.join(others)}")
    if opencv["clash"]:
        _line(False, "opencv", f"{' and '.join(opencv['wheels'])} overwrite each other: keep one of them.")
    elif opencv["version"] is None:
        _line(False, "opencv", f"{opencv['error']}. Install one: pip install opencv-python-headless")
    else:
        _line(
            True, "opencv", f"{opencv['version']}{'' if opencv['window'] else ', without windows (--show needs them)'}"
        )
    _print_cameras()
    missing = [name for name, found in _packages().items() if found is None]
    hint = f"missing {', '.join(missing)}. For training and conversion: pip install 'orilla[desk]'"
    _line(not missing, "desk", hint if missing else "complete: train, convert and verify work here")


def _marked(device: str, entry: Availability) -> str:
    return f"{device} (untested)" if device in entry.untested else device


def _providers(engines: dict[str, Availability]) -> list[dict[str, Any]]:
    """ONNX Runtime's other devices: the package that carries each, and whether it is there and ran a model."""
    from orilla_runtime.engines.providers import PROVIDERS

    entry = engines.get("onnxruntime")
    ran, seen = (entry.devices, {*entry.devices, *entry.untested}) if entry else ((), set())
    return [
        {
            "device": provider.device,
            "package": provider.package,
            "carried": provider.device in seen,
            "ran_a_model": provider.device in ran,
            "tested": provider.tested,
        }
        for provider in PROVIDERS
    ]


def _line(good: bool, name: str, text: str) -> None:
    mark = click.style("ok  ", fg="green") if good else click.style("no  ", fg="yellow")
    click.echo(f"{mark}{name:<12} {text}")
