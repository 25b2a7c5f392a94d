"""What a training is made of, and whether a checkpoint is of the same one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from orilla.training.plan import Plan
from orilla.training.result import Origin
from orilla_runtime.errors import UsageError

_PICTURES = {"data_digest": "other pictures or labels", "split_digest": "another split"}


def identity(
    plan: Plan, origin: Origin, *, data_digest: str, split_digest: str, versions: Mapping[str, str], devices: int
) -> dict[str, Any]:
    """Everything that decides the weights, as plain JSON. Files count by what is in them: they may be moved."""
    options = {**asdict(plan), "weights": _content(origin.weights), "start": _content(origin.start)}
    recipe, preprocess = options.pop("recipe"), options.pop("preprocess")
    del options["split"]  # its digest says more
    made: dict[str, Any] = json.loads(
        json.dumps(
            {
                "data_digest": data_digest,
                "split_digest": split_digest,
                "options": {**options, **preprocess, **recipe},
                "made_with": {**versions, "devices": str(devices)},
            }
        )
    )
    return made


def _content(origin: str | Mapping[str, str] | None) -> str:
    return f"sha256 {origin['sha256']}" if isinstance(origin, Mapping) else origin or ""


def check_same(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Notes on what may change the last bits of a resumed training.

    Raises:
        UsageError: another training; its first differences are named.
    """
    try:
        differ = [text for key, text in _PICTURES.items() if old[key] != new[key]]
        before, after = old["options"], new["options"]
        differ += [
            f"{name}={before.get(name)!r} where it is {after.get(name)!r} now"
            for name in sorted({*before, *after})
            if before.get(name) != after.get(name)
        ]
        made = {name: (old["made_with"].get(name), value) for name, value in new["made_with"].items()}
    except (KeyError, AttributeError, TypeError) as error:
        raise UsageError("The checkpoint is not one of a training.", "Leave out --resume.") from error
    if differ:
        raise UsageError(
            f"The checkpoint was made with {'; '.join(differ[:3])}.",
            "Give the same data and options to go on with it, or leave out --resume to begin anew.",
        )
    return [
        f"The checkpoint was made with {name} {was}, and this is {now}: the last bits of the weights may differ."
        for name, (was, now) in made.items()
        if was != now
    ]
