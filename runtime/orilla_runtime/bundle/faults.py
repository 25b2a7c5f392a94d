"""How a bundle is refused: one line with the file and the fault, and the stable name of the fault."""

from __future__ import annotations

from orilla_runtime.errors import BundleError

REMEDY = "Copy the file again from where it was made, or make it anew with `orilla convert`."


_LONGEST = 300


def refusal(where: str, fault: str, what: str, remedy: str = REMEDY) -> BundleError:
    """The error for the file `where`; `what` is a clause without a full stop.

    `what` may quote the file: it is cut to a line's length, and what is not printable is escaped, so that a hostile
    file cannot write to the terminal.
    """
    if len(what) > _LONGEST:
        what = f"{what[:_LONGEST]}…"
    if not what.isprintable():
        what = what.encode("unicode_escape").decode("ascii")
    return BundleError(f"{where}: {what}.", remedy, fault=fault)
