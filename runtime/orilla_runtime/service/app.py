"""The service: a picture in, the object of `run --jsonl` out."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from orilla_runtime.errors import OrillaError
from orilla_runtime.service.access import Access
from orilla_runtime.service.answers import answer, problem
from orilla_runtime.service.body import BodyError, Memory, read_body
from orilla_runtime.service.description import description
from orilla_runtime.service.pool import Pool, PoolClosedError, PoolFullError
from orilla_runtime.sinks.base import Record
from orilla_runtime.sinks.jsonl import as_object
from orilla_runtime.text import printable

_log = logging.getLogger(__name__)

_LONGEST_NAME = 300
_RETRY = {"Retry-After": "1"}
_FREE = frozenset({"/healthz", "/openapi.json"})


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """max_bytes: of a body. body_seconds: for a body to arrive. answer_seconds: from then to the answer.
    memory: bytes of all bodies together.
    """

    max_bytes: int = 20 * 1024 * 1024
    body_seconds: float = 10.0
    answer_seconds: float = 30.0
    memory: int = 256 * 1024 * 1024


def service_app(pool: Pool, *, token: str | None = None, limits: RequestLimits | None = None) -> ASGIApp:
    """The ASGI app of `orilla serve`: POST /classify, GET /healthz, GET /openapi.json.

    The pool is the caller's to close. `token`: what POST /classify needs; see `Access`.
    """
    service = _Service(pool, limits or RequestLimits(), token is not None)
    routes = [
        Route("/classify", service.classify, methods=["POST"]),
        Route("/healthz", service.health),
        Route("/openapi.json", service.describe),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: refused})
    return Access(app, token, _FREE)


async def refused(request: Request, error: Exception) -> Response:  # noqa: ARG001 - starlette's signature
    """No such path, or not with this method."""
    assert isinstance(error, HTTPException)
    return problem(error.status_code, error.detail, error.headers)


class _Service:
    def __init__(self, pool: Pool, limits: RequestLimits, needs_token: bool) -> None:
        self._pool = pool
        self._limits = limits
        self._memory = Memory(max(limits.memory, limits.max_bytes))
        self._description = description(limits.max_bytes, needs_token)

    async def classify(self, request: Request) -> Response:
        name = request.query_params.get("source", "")[:_LONGEST_NAME] or "request"
        if self._pool.is_full:  # before a body is read that nobody will look at
            return _busy("The service ends." if not self._pool.is_alive else "Too many pictures wait.")
        try:
            with self._memory.share() as share:
                data = await read_body(request, share, self._limits.max_bytes, self._limits.body_seconds)
                return await self._verdict(data, name)
        except BodyError as error:
            return problem(error.status, error.reason, _RETRY if error.status == 503 else None)
        except ClientDisconnect:
            return Response(status_code=400)  # which nobody will read

    async def _verdict(self, data: bytes, name: str) -> Response:
        try:
            future = self._pool.submit(data, name)
            record = await asyncio.wait_for(asyncio.wrap_future(future), self._limits.answer_seconds)
            return _answered(record)
        except PoolFullError:
            return _busy("Too many pictures wait.")
        except PoolClosedError:
            return _busy("The service ends.")
        except TimeoutError:
            return problem(504, f"There is no result after {self._limits.answer_seconds:g} seconds.", _RETRY)
        except OrillaError as error:
            _log.warning("%s", printable(error.message))
            return problem(500, error.message)
        except Exception as error:  # The service goes on; its log says why this one did not.
            _log.warning("A picture could not be classified: %s: %s", type(error).__name__, printable(str(error)))
            return problem(500, f"unexpected {type(error).__name__}")

    async def health(self, request: Request) -> Response:  # noqa: ARG002 - starlette's signature
        if self._pool.is_alive:
            return answer({"status": "ok", "waiting": self._pool.waiting})
        return answer({"status": "ending", "waiting": 0}, 503)

    async def describe(self, request: Request) -> Response:  # noqa: ARG002 - starlette's signature
        return answer(self._description)


def _answered(record: Record) -> Response:
    return answer(as_object(record), 200 if record.failure is None else 422)


def _busy(reason: str) -> Response:
    return problem(503, reason, _RETRY)
