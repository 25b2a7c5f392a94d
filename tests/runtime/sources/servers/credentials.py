"""What the servers of the tests ask for: basic under /basic, digest (RFC 2617, without `qop`) under /digest."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence

USER, PASSWORD = "admin", "s3cret-hunter"
_NONCE = "0123456789abcdef"


def is_welcome(method: str, target: str, head: Sequence[str]) -> str | None:
    """None for who may come in, else the challenge to send."""
    given = next((line.partition(":")[2].strip() for line in head if line.lower().startswith("authorization")), "")
    if "/basic" in target:
        right = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        return None if given == right else 'Basic realm="camera"'
    if "/digest" in target:
        named = re.search(r'uri="([^"]*)"', given)
        right = _digest(method, named[1] if named else "")
        return None if f'response="{right}"' in given else f'Digest realm="camera", nonce="{_NONCE}", algorithm=MD5'
    return None


def _digest(method: str, uri: str) -> str:
    return _md5(f"{_md5(f'{USER}:camera:{PASSWORD}')}:{_NONCE}:{_md5(f'{method}:{uri}')}")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()
