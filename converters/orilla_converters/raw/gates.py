"""What every output of a raw artifact must pass before it goes into a bundle.

Nobody knows what the outputs mean, so nothing stands beside these figures as accuracy does for a classifier: they are
stricter.
"""

from __future__ import annotations

from orilla_runtime.bundle.raw_manifest import OutputMetrics, RawGate

_GATES = {
    "float32": RawGate(60.0, 0.9999, 1e-3),
    "float16": RawGate(30.0, 0.999, None),
    "16x8": RawGate(18.0, 0.98, None),
    "dynamic": RawGate(15.0, 0.95, None),
    "mixed": RawGate(15.0, 0.95, None),
    "int8": RawGate(15.0, 0.95, None),
}


def raw_gate(precision: str) -> RawGate:
    """The gate of a precision."""
    return _GATES[precision]


def shortcomings(output: OutputMetrics, gate: RawGate) -> tuple[str, ...]:
    """Why an output fails, each with the number and the limit; empty where it passes."""
    found = []
    if output.sqnr_db is not None and output.sqnr_db < gate.min_sqnr_db:
        found.append(f"SQNR {output.sqnr_db:.1f} dB, at least {gate.min_sqnr_db:g} is wanted")
    if output.cosine < gate.min_cosine:
        found.append(f"cosine {output.cosine:.4f}, at least {gate.min_cosine:g} is wanted")
    share = output.max_abs_error / output.span if output.span else 0.0
    if gate.max_error is not None and share > gate.max_error:
        found.append(f"an error of {share:.1e} of its range, at most {gate.max_error:g} is allowed")
    return tuple(f"the output {output.name!r}: {one}" for one in found)
