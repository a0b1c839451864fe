"""The private parts of farcall that tests outside of ``tests/unit`` use, all in one place."""

from farcall._calling import contracts
from farcall._client.connect import open_session
from farcall._client.options import ClientOptions
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
    "open_session",
    "scheduled_by",
]
