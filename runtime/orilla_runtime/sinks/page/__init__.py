"""A run in a browser: one page without outside resources, and what it asks for.

```
 pipeline ─► sink.py ─► board.py (newest record of each lane) ◄─ app.py ◄─ page.html in a browser
```
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orilla_runtime.sinks.page.sink import PageSink


def page_opener(
    place: str, token_file: Path | None, environment: Mapping[str, str], *, stale_seconds: float = 15.0
) -> Callable[[], PageSink]:
    """What opens a page at `[HOST:]PORT`, with its token as `read_token` finds it; everything else is checked now.

    `stale_seconds`: age of the newest frame from which /healthz says 503. A call of what comes back raises ServiceError
    where the place cannot be used.

    Raises:
        ServiceError: starlette or uvicorn is missing.
        UsageError: no such place, or other machines can reach it and there is no token.
    """
    from orilla_runtime.service.stack import require_stack

    require_stack()
    from orilla_runtime.service.access import read_token
    from orilla_runtime.service.address import Address
    from orilla_runtime.sinks.page.sink import PageSink

    address = Address.parse(place)
    token = read_token(token_file, environment, address)
    return partial(PageSink, address, token=token, stale_seconds=stale_seconds)
