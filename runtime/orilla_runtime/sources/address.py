"""Addresses of streams, and how they are shown without what is secret in them."""

from __future__ import annotations

import re

# Greedy up to the last @, because passwords hold any sign, @ and / among them.
_CREDENTIALS = re.compile(r"(?<=://)\S*@")
_QUERY = re.compile(r"(://[^\s?#]*)[?#]\S*")
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")


def is_address(text: str) -> bool:
    """`rtsp://…`, `http://…` and the like; a scheme has two letters or more, a Windows drive one."""
    return _ADDRESS.match(text) is not None


def masked(text: str) -> str:
    """The same text with user names, passwords and queries of addresses replaced by `***`."""
    if "://" not in text:
        return text
    return _QUERY.sub(r"\1?***", _CREDENTIALS.sub("***@", text))
