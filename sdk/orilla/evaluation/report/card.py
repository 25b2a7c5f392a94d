"""The data and the model card of the page: what was judged, what the model was made from, what it is for."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from html import escape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from orilla.evaluation.evaluate import Evaluation
from orilla.evaluation.intervals import percent
from orilla.evaluation.judgement import Judgement
from orilla.evaluation.report.words import limits
from orilla_runtime.errors import DataError

MAX_BYTES = 64 * 1024
_PARTS = ("train", "validation", "test")
_NOT_STATED = "Not stated. A text file given with --card says it here."
_PACKAGES = ("orilla", "numpy", "tensorflow", "keras", "ai-edge-litert", "onnxruntime", "scikit-learn")


def read_intended_use(path: str | Path) -> str:
    """The text of a file.

    Raises:
        DataError: it cannot be read, is not UTF-8, or is longer than a card.
    """
    try:
        content = Path(path).read_bytes()
        if len(content) > MAX_BYTES:
            raise DataError(f"{path} has {len(content)} bytes: too long for a card.", "Say it in a page of text.")
        return content.decode("utf-8-sig").strip()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.", "Give a text file.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no text in UTF-8.", "Save it as UTF-8.") from error


def data_facts(evaluation: Evaluation, data: str) -> dict[str, str]:
    """What was judged."""
    images = evaluation.images
    assert images is not None
    found = {
        "data": data,
        "part": {"all": "all pictures"}.get(evaluation.part, f"the {evaluation.part} part"),
        "judged": f"{len(evaluation.paths)} pictures of {len(set(evaluation.truth))} classes",
        "pictures a class": _balance(evaluation),
        "sha256 of them": images.digest(),
    }
    if evaluation.failed:
        found["unreadable"] = str(len(evaluation.failed))
    if evaluation.note:
        found["note"] = evaluation.note
    return found


def _balance(evaluation: Evaluation) -> str:
    support = [one for one in evaluation.artifacts[0].judgement.classes if one.support]
    least, most = min(support, key=lambda one: one.support), max(support, key=lambda one: one.support)
    if least.support == most.support:
        return str(most.support)
    return f"{least.support} ({least.label}) to {most.support} ({most.label})"


def training_facts(training: Mapping[str, Any]) -> dict[str, str]:
    """What the model says of its training; empty where it says nothing."""
    found: dict[str, str] = {}
    split = training.get("split")
    if isinstance(split, Mapping):
        parts = [f"{len(split[name])} {name}" for name in _PARTS if isinstance(split.get(name), list)]
        found["pictures"] = ", ".join(parts)
    for name, key in (("sha256 of the data", "data_digest"), ("sha256 of the split", "split_digest"), ("seed", "seed")):
        if key in training:
            found[name] = str(training[key])
    for name, key in (
        ("grouped by", "group"),
        ("net", "model"),
        ("started from", "weights"),
        ("goes on from", "start"),
    ):
        if training.get(key):
            found[name] = _origin(training[key])
    recipe = training.get("recipe")
    if isinstance(recipe, Mapping):
        found["recipe"] = ", ".join(f"{name} {_short(value)}" for name, value in recipe.items())
    temperature = training.get("temperature")
    if isinstance(temperature, Mapping) and isinstance(temperature.get("value"), int | float):
        found["temperature"] = _temperature(temperature)
    versions = training.get("versions")
    if isinstance(versions, Mapping):
        found["made with"] = ", ".join(f"{name} {value}" for name, value in versions.items())
    return found


def card(evaluation: Evaluation, judgement: Judgement, model: str, intended_use: str) -> str:
    """The model card as HTML (after Mitchell et al. 2019)."""
    labels = evaluation.labels
    named = ", ".join(labels[:30]) + (f" and {len(labels) - 30} more" if len(labels) > 30 else "")
    accuracy = judgement.accuracy
    figures = (
        f"{percent(accuracy.top1)} right ({accuracy.low * 100:.1f} – {percent(accuracy.high)}), balanced accuracy "
        f"{percent(judgement.balanced_accuracy.value)}, macro-F1 {percent(judgement.macro_f1.value)}, on "
        f"{judgement.n} pictures"
    )
    use = "".join(f"<p>{escape(part)}</p>" for part in (intended_use or _NOT_STATED).split("\n\n"))
    facts = {"model": model, "task": f"one of {len(labels)} classes for each picture: {named}", "figures": figures}
    points = "".join(f"<li>{escape(text)}</li>" for text in limits(evaluation, judgement))
    return (
        f"{definitions(facts)}<h3>Intended use</h3>{use}<h3>Limits</h3><ul>{points}</ul>"
        f"<h3>Judged with</h3><p>{escape(_versions())}</p>"
    )


def definitions(facts: Mapping[str, str]) -> str:
    """Names and texts."""
    if not facts:
        return ""
    return "<dl>" + "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items()) + "</dl>"


def _origin(value: Any) -> str:
    """A text, or a file as a training writes it down."""
    if isinstance(value, Mapping):
        return f"{value.get('file')}, sha256 {value.get('sha256')}"
    return str(value)


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return "(" + ", ".join(f"{name} {each}" for name, each in value.items() if each) + ")"
    return str(value)


def _temperature(found: Mapping[str, Any]) -> str:
    if found["value"] == 1:
        return f"1: {found.get('n')} validation pictures do not tell another value from it"
    text = f"{found['value']:.3f}"
    if isinstance(found.get("ece_before"), int | float) and isinstance(found.get("ece_after"), int | float):
        before, after = percent(found["ece_before"]), percent(found["ece_after"])
        text += f", fitted on {found.get('n')} validation pictures: calibration error {before} before, {after} after"
    return text


def _versions() -> str:
    found = [f"python {platform.python_version()}"]
    for package in _PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)
