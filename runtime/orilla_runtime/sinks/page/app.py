"""What the page asks for: itself, the figures, pictures; and what a supervisor asks for."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import time
from importlib.resources import files

import cv2
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from orilla_runtime.service.access import Access
from orilla_runtime.service.answers import answer, problem
from orilla_runtime.service.app import refused
from orilla_runtime.sinks.page.board import Board
from orilla_runtime.sources.base import Image

_MOST_A_SECOND = 15
_LONGEST_SIDE = 960
_QUALITY = 80
_FREE = frozenset({"/", "/healthz"})
"""The page itself holds nothing of the run; it asks its reader for the token."""


def page_app(board: Board, token: str | None) -> ASGIApp:
    """The ASGI app: GET / (the page), /state.json, /frame/N.jpg, /healthz."""
    page = _Page(board)
    routes = [
        Route("/", page.show),
        Route("/state.json", page.state),
        Route("/frame/{lane:int}.jpg", page.frame),
        Route("/healthz", page.health),
    ]
    return Access(Starlette(routes=routes, exception_handlers={HTTPException: refused}), token, _FREE)


class _Page:
    def __init__(self, board: Board) -> None:
        self._board = board
        self._text = files(__package__).joinpath("page.html").read_text(encoding="utf-8")
        self._policy = {"Content-Security-Policy": policy(self._text)}
        self._pictures = Pictures(board)

    async def show(self, request: Request) -> Response:  # noqa: ARG002 - starlette's signature
        return Response(self._text, 200, self._policy, "text/html; charset=utf-8")

    async def state(self, request: Request) -> Response:  # noqa: ARG002 - starlette's signature
        return answer(self._board.as_object())

    async def frame(self, request: Request) -> Response:
        jpeg = await self._pictures.jpeg(request.path_params["lane"])
        return problem(404, "There is no picture.") if jpeg is None else Response(jpeg, 200, None, "image/jpeg")

    async def health(self, request: Request) -> Response:  # noqa: ARG002 - starlette's signature
        health = self._board.health()
        return answer(health, 200 if health["status"] == "ok" else 503)


class Pictures:
    """The newest picture of each lane as JPEG, made when somebody asks, once for all who do."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._made: dict[int, tuple[int, float, bytes]] = {}
        self._one_at_a_time = asyncio.Lock()

    async def jpeg(self, lane: int) -> bytes | None:
        """The bytes of a file, at most 960 pixels wide or high; None where there is no picture."""
        async with self._one_at_a_time:
            version, moment, data = self._made.get(lane, (0, 0.0, b""))
            if data and time.monotonic() - moment < 1 / _MOST_A_SECOND:
                return data
            found = self._board.picture(lane)
            if found is None:
                return None
            if found[0] != version:
                data = await asyncio.to_thread(_encoded, found[1])
                self._made[lane] = (found[0], time.monotonic(), data)
            return data or None


def policy(page: str) -> str:
    """A Content-Security-Policy under which the page's own script and style run, and nothing else.

    They are named by their hashes (https://www.w3.org/TR/CSP3/), so what a label might smuggle in is not run.
    """
    scripts, styles = (re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL) for tag in ("script", "style"))
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(map(_hash, scripts))}",
            f"style-src {' '.join(map(_hash, styles))}",
            "img-src blob: data:",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _encoded(image: Image) -> bytes:
    """A JPEG; empty where OpenCV cannot make one (a picture of 70,000 pixels by 1)."""
    if max(image.shape[:2]) > _LONGEST_SIDE:
        image = _shrunk(image)
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return data.tobytes() if done else b""


def _shrunk(image: Image) -> Image:
    """At most 960 pixels wide or high, without aliasing.

    Means of whole pixels first, where several go into one, then what is left bilinearly: 1.1 ms of a 720p frame in
    place of INTER_AREA's 5, which was most of what a reader of the page cost the run.
    """
    rows, columns = image.shape[:2]
    scale = _LONGEST_SIDE / max(rows, columns)
    size = max(1, round(columns * scale)), max(1, round(rows * scale))
    factor = int(1 / scale)
    if 1 < factor <= min(rows, columns):
        whole = image[: rows // factor * factor, : columns // factor * factor]
        image = cv2.resize(whole, (columns // factor, rows // factor), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]
