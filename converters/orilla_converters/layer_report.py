"""Layer by layer, how far a converted file is from the float model: the numbers, the first bad layer, the table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from math import log10
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_DB = 200.0
UNEVEN = 30.0
"""A largest channel this many times the middle one takes a tensor's 8 bits away from the others."""


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One operator's output, float against converted.

    layer: the Keras layer. sqnr_db: of the whole tensor. channel_db: that a quarter of its channels do not reach; it
    shows what one large channel hides. scale: the quantized tensor's, None in float. spread: the largest channel over
    the middle one, in the float model. gain: what the output is to be divided by to come closest to float. reads: the
    layers before it.
    """

    layer: str
    operator: str
    sqnr_db: float
    channel_db: float
    scale: float | None
    spread: float
    gain: float
    reads: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LayerReport:
    """The rows in the order of the file, and `limit`: the SQNR that a layer must reach."""

    rows: tuple[LayerRow, ...]
    limit: float

    @property
    def first_bad(self) -> LayerRow | None:
        """The first layer below the limit, by its whole tensor or by a quarter of its channels."""
        return next((row for row in self.rows if min(row.sqnr_db, row.channel_db) < self.limit), None)

    def finding(self) -> str:
        """In a few words what the report says; empty where there are no rows."""
        if not self.rows:
            return ""
        bad = self.first_bad
        if bad is None:
            worst = min(self.rows, key=lambda row: row.sqnr_db)
            return f"no layer is below {self.limit:g} dB, the lowest is {worst.layer} with {worst.sqnr_db:.1f} dB"
        words = f"the first bad layer is {bad.layer} ({bad.operator}): {bad.sqnr_db:.1f} dB"
        if bad.channel_db < self.limit <= bad.sqnr_db:
            words += f", a quarter of its channels below {bad.channel_db:.1f} dB"
        if bad.spread >= UNEVEN:
            words += f", its largest channel is {bad.spread:.3g} times the middle one"
        elif abs(log10(max(bad.gain, 1e-9))) > 0.1 and bad.gain > 0 and _explained(bad):
            words += f", it gives {bad.gain:.3g} times what it should"
        return words

    def table(self) -> str:
        """All rows as plain text; `>` marks those below the limit."""
        width = max([5, *(len(row.layer) for row in self.rows)])
        lines = [f"  {'layer':<{width}}  {'operator':<18} {'SQNR dB':>8} {'channels':>8} {'scale':>10} {'spread':>8}"]
        for row in self.rows:
            mark = ">" if min(row.sqnr_db, row.channel_db) < self.limit else " "
            scale = "float" if row.scale is None else f"{row.scale:.4g}"
            lines.append(
                f"{mark} {row.layer:<{width}}  {row.operator:<18} {row.sqnr_db:>8.1f} {row.channel_db:>8.1f} "
                f"{scale:>10} {row.spread:>8.3g}"
            )
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """What `from_json` takes."""
        return {"limit": self.limit, "rows": [asdict(row) for row in self.rows]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> LayerReport:
        """The report that `to_json` described."""
        rows = (LayerRow(**row | {"reads": tuple(row["reads"])}) for row in data["rows"])
        return cls(tuple(rows), data["limit"])


def _explained(row: LayerRow) -> bool:
    """Whether a constant factor is most of the layer's error: what is left behind it is small."""
    left = 10 ** (-row.sqnr_db / 10) - (row.gain - 1) ** 2
    return left < 0.1 * max((row.gain - 1) ** 2, 1e-12)


class Measure:
    """Gathers one tensor's figures over many pictures. `axis`: that of its channels."""

    def __init__(self, layer: str, operator: str, scale: float | None, axis: int, reads: tuple[str, ...] = ()) -> None:
        self._names, self._scale, self._axis, self._reads = (layer, operator), scale, axis, reads
        self._signal = self._noise = self._most = self._cross = np.zeros(0)

    def add(self, expected: NDArray[Any], found: NDArray[Any]) -> None:
        """One picture's values; what is not finite counts as nothing."""
        ours, theirs = (self._channels(values) for values in (np.nan_to_num(found), expected))
        sums = {
            "_signal": (theirs**2).sum(axis=0),
            "_noise": ((ours - theirs) ** 2).sum(axis=0),
            "_cross": (ours * theirs).sum(axis=0),
        }
        for name, value in sums.items():
            before = getattr(self, name)
            setattr(self, name, value if not before.size else before + value)
        most = np.abs(theirs).max(axis=0)
        self._most = most if not self._most.size else np.maximum(self._most, most)

    def _channels(self, values: NDArray[Any]) -> NDArray[np.float64]:
        if values.ndim < 2:
            return values.astype(np.float64).reshape(1, -1)
        return np.moveaxis(values.astype(np.float64), self._axis, -1).reshape(-1, values.shape[self._axis])

    def row(self) -> LayerRow:
        """The figures."""
        signal = float(self._signal.sum())
        used = self._signal > 1e-12 * max(signal, 1e-30)
        single = [_db(*pair) for pair in zip(self._signal[used], self._noise[used], strict=True)]
        most = self._most[self._most > 0]
        return LayerRow(
            *self._names,
            sqnr_db=_db(signal, float(self._noise.sum())),
            channel_db=round(float(np.percentile(single, 25)), 2) if single else MOST_DB,
            scale=self._scale,
            spread=round(float(most.max() / np.median(most)), 3) if most.size else 1.0,
            gain=round(float(self._cross.sum()) / signal, 4) if signal > 0 else 1.0,
            reads=self._reads,
        )


def report(measures: Iterable[Measure], limit: float) -> LayerReport:
    """The report of finished measures, in their order."""
    return LayerReport(tuple(measure.row() for measure in measures), limit)


def layer_of(names: Sequence[str], layers: Sequence[str]) -> str:
    """The Keras layer that a node's name speaks of; `names` are the parts of that name.

    A fused operator names several: the one with a kernel says `convolution`, `depthwise` or `MatMul`. Keras is traced
    twice on the way to TFLite, and a scope may then end in `_1`.
    """
    known = set(layers)
    found: list[str] = []
    for name in names:
        parts = name.split("/")
        scopes = [own for part in parts for own in (part, part.removesuffix("_1")) if own in known]
        if scopes and any(word in name for word in ("convolution", "depthwise", "MatMul", "BiasAdd")):
            return scopes[-1]
        found += scopes[-1:]
    return found[0] if found else names[0].split("/")[-1]


def _db(signal: float, noise: float) -> float:
    if noise <= 0:
        return MOST_DB
    return round(float(np.clip(10 * log10(max(signal, 1e-30) / noise), -MOST_DB, MOST_DB)), 2)
