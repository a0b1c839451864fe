"""The response to a plain request, and to a request for a WebSocket that is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import Final

import attrs

_FIELD_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
"""RFC 9110, section 5.5; a line end within a value would begin another field."""


def _check_headers(_: object, __: object, headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not _FIELD_VALUE.fullmatch(value):
            raise ValueError(f"the header {name} cannot hold {value!r}")


@attrs.frozen
class Response:
    """A response, with which its connection ends.

    Raises:
        ValueError: a header has a character that no header may have.
    """

    status: int
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = attrs.field(
        factory=dict[str, str], kw_only=True, validator=_check_headers
    )
    """Added to those that every response has, or in their place."""

    def render(self, method: str = "GET") -> bytes:
        """Return it as HTTP/1.1; for HEAD without its body (RFC 9110, section 9.3.2)."""
        fields = {
            "Date": formatdate(usegmt=True),
            "Content-Type": self.content_type,
            "Content-Length": str(len(self.body)),
            "Connection": "close",
            **self.headers,
        }
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in fields.items()]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        return head if method == "HEAD" else head + self.body


class Rejection(Exception):
    """Refuse a request: many places raise it, and one sends the response.

    Args:
        status: An HTTP status, such as 401.
        reason: One line for a person; the body of the response.
        headers: Sent with it.
    """

    def __init__(self, status: int, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason
        self.response = Response(status, f"{reason}\n".encode(), headers=headers or {})

    def __str__(self) -> str:
        return f"{self.status}, {self.reason}"
