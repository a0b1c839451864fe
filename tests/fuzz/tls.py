"""The rules for the bytes of a port with TLS, seen from outside."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.fuzz.broken import Broken

KINDS: Final = range(20, 24)
"""The kinds of records: change_cipher_spec to application_data (RFC 8446, section 5.1)."""
HANDSHAKE: Final = 22
MOST: Final = 2**14 + 256
"""The most bytes in an encrypted record (RFC 8446, section 5.2)."""


def has_answered_tls(said: bytes) -> bool:
    """Return whether a server has sent its part of the TLS handshake."""
    return said[:1] == bytes([HANDSHAKE])


def check_tls(said: bytes) -> None:
    """Check that a server sends TLS records, or tells a peer without TLS to use it.

    Raises:
        Broken: it sends something else.
    """
    if said.startswith(b"HTTP/1.1 400 "):
        if b"this port speaks TLS" not in said:
            raise Broken(f"an answer in clear: {said[:200]!r}")
        return
    for kind, version in _records(said):
        if kind not in KINDS or version[0] != 3:
            raise Broken(f"no TLS: {said[:40]!r}")


def _records(said: bytes) -> Iterator[tuple[int, bytes]]:
    while said:
        size = int.from_bytes(said[3:5], "big")
        if len(said) < 5 + size or size > MOST:
            raise Broken(f"a torn record: {said[:40]!r}")
        yield said[0], said[1:3]
        said = said[5 + size :]
