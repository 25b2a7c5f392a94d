"""How a bundle is refused: one line with the file and the fault, and the stable name of the fault."""

from __future__ import annotations

from orilla_runtime.errors import BundleError

REMEDY = "Copy the file again from where it was made, or make it anew with `orilla convert`."


def refusal(where: str, fault: str, what: str, remedy: str = REMEDY) -> BundleError:
    """The error for the file `where`; `what` is a clause without a full stop. Text of the file goes in as its repr."""
    return BundleError(f"{where}: {what}.", remedy, fault=fault)
