"""The private parts of farcall that tests outside of ``tests/unit`` use, all in one place."""

from __future__ import annotations

from collections.abc import Collection

import farcall
from farcall._calling import contracts
from farcall._client.connect import open_session
from farcall._client.options import ClientOptions
from farcall._connection.link import Link
from farcall._connection.send_queue import MESSAGE_COST
from farcall._connection.streams import ITEM_COST
from farcall._protocol.skipped import Skipped
from farcall._server.host import Host
from farcall._server.options import HostOptions
from farcall._signals.pool import VALUE_COST
from farcall._transport.transport import CloseReason, Transport
from farcall.testing._census import census
from farcall.testing._watch import scheduled_by

__all__ = [
    "ITEM_COST",
    "MESSAGE_COST",
    "VALUE_COST",
    "ClientOptions",
    "CloseReason",
    "Host",
    "HostOptions",
    "Skipped",
    "Transport",
    "census",
    "contracts",
    "links_of",
    "open_session",
    "scheduled_by",
]


def links_of(end: farcall.Server | farcall.Connection | farcall.Session) -> Collection[Link]:
    """Return the links of a server, or the one link of a connection or session."""
    return end._acceptor.host.links if isinstance(end, farcall.Server) else [end._link]
