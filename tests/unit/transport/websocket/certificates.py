"""Certificates for tests, of an authority that is trusted and of others."""

from __future__ import annotations

import datetime
import ssl
from functools import cache

import trustme


@cache
def authority() -> trustme.CA:
    """Give the authority that the clients of the tests trust."""
    return trustme.CA()


def server_context(
    name: str = "127.0.0.1", *, ca: trustme.CA | None = None, days: int = 1
) -> ssl.SSLContext:
    """Make the context of a server, with a certificate valid for so many days."""
    now = datetime.datetime.now(datetime.UTC)
    ends = now + datetime.timedelta(days=days)
    begins = min(now, ends) - datetime.timedelta(days=1)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    issued = (ca or authority()).issue_cert(name, not_before=begins, not_after=ends)
    issued.configure_cert(context)
    return context


def client_context() -> ssl.SSLContext:
    """Make the context of a client that trusts the authority."""
    context = ssl.create_default_context()
    authority().configure_trust(context)
    return context
