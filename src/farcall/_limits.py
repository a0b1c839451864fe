"""What a peer may cost: every limit in one object, each with the reason for its default.

Nothing here enforces a limit. The part that does says "the limit NAME" in its error, where NAME is
the field of `Limits`.
"""

from __future__ import annotations

import sys
from typing import Any, Final

import attrs
from msgspec import Struct

from farcall._usage.options import (
    check_instance,
    check_int,
    check_number,
    check_seconds,
    check_share,
    optional,
    validator,
)

KIB: Final = 1024
MIB: Final = 1024 * KIB

MAX_MESSAGE_IN_SERVER: Final = MIB
"""In bytes; low, because a server takes connections from anybody. Also trio-websocket's default."""
MAX_MESSAGE_IN_CLIENT: Final = 16 * MIB
"""In bytes: a client has chosen its server, and results are larger than calls."""

COPIES: Final = 2
"""How often a message that waits is in memory: as it was made, and as it is sent."""
DECODED: Final = 32
"""Times its size that a text can take as Python objects."""
CALL: Final = 8 * KIB
"""Bytes of a call in flight, with its task."""
CONNECTION: Final = 64 * KIB
"""Bytes of an idle connection."""
LOGIN: Final = 16 * MIB
"""Bytes of a good password hash."""

MIN_MEMORY: Final = 64 * MIB
"""In bytes: Python and farcall alone take half of it."""

MAX_DEPTH: Final = 64
"""Levels of arrays and objects. Real data seldom passes 10; parsers of other peers give up between
100 and 1,000, and a recursive one must never reach the end of its stack."""

MIN_DEPTH: Final = 8
"""What the messages of the protocol themselves need, and a little data."""

MAX_PARTS: Final = 64 * KIB
"""Elements of an array at most before it is split and counted: 16 MiB of ``[0,0,...]`` would become
a gigabyte of small objects."""


def _count(default: int, *, most: int = sys.maxsize, least: int = 1) -> Any:
    # Any: as for `attrs.field`, whose type is that of the default.
    return attrs.field(default=default, validator=validator(check_int, least=least, most=most))


def _seconds(default: float) -> Any:
    return attrs.field(default=default, validator=validator(check_seconds))


@attrs.frozen(kw_only=True)
class Limits:
    """Limit what peers may cost: ``serve(..., limits=Limits(message=65_536))``.

    Every limit is on by default, and a peer over one loses its own connection at most. The limits
    on connections and handshakes concern a server alone, except for `handshake_seconds`.

    Raises:
        ValueError: a limit is zero or less, or nan, or a count is too large.
        TypeError: a count is not an int, or a time or a share is not a number.

    >>> Limits(message=65_536, calls=16).message
    65536
    """

    message: int | None = attrs.field(
        default=None, validator=validator(optional(check_int), least=1)
    )
    """Bytes of an incoming message on the wire. None means 1 MiB in a server, which takes
    connections from anybody, and 16 MiB in a client, which has chosen its server. The hello tells
    farcall peers. Over it the connection is closed with 1009; a call of a plain peer is refused
    with -32600."""

    message_out: int = _count(16 * MIB)
    """Bytes of a message to a peer that announces no limit, as plain peers do not; the default of
    farcall's own client. Over it a call raises `EncodeError`, and the caller of a result gets
    -32008."""

    depth: int = _count(MAX_DEPTH, least=MIN_DEPTH, most=MAX_DEPTH)
    """Levels of arrays and objects in a message, itself included, in both directions; from 8 to 64,
    which every peer can read. Over it an incoming message is answered with -32700; an outgoing one
    fails as with `message_out`."""

    request_id: int = _count(256)
    """Bytes of the id of a request or an upload, which is stored and echoed; a UUID has 36. Over it
    the call is refused, with -32600 or -32602."""

    batch: int = _count(1000, most=MAX_PARTS)
    """Messages in a JSON-RPC batch, at most 65,536: a thousand is more than any page needs, and
    takes a server less than a second. Over it the batch is refused with -32010."""

    bundle: int = _count(256, most=MAX_PARTS)
    """Messages in an array of a farcall peer, at most 65,536; the hello tells the peer. Over it the
    connection is closed with 1008."""

    fragments: int = _count(1024)
    """Frames in one message; each costs time, and a peer could send empty ones without end. Over it
    the connection is closed with 1008."""

    incomplete_seconds: float = _seconds(60.0)
    """From the first byte of a message to its last; a slow line transfers 1 MiB in that time. Over
    it the connection is closed with 1008."""

    ping_burst: int = _count(60)
    """Pings of the peer that are answered in a row, each with a frame of this side; a heartbeat
    sends one every few seconds. Over it the connection is closed with 1008."""

    pings_per_second: float = attrs.field(default=10.0, validator=validator(check_number))
    """Pings that may follow such a burst. Over it as with `ping_burst`."""

    handshake_seconds: float = _seconds(10.0)
    """In a server, from the connection to the end of its handshake, with TLS and authentication: a
    slower peer holds a descriptor for nothing, and is cut off. In a client, for name lookup,
    connection, TLS and handshake. Over it `ConnectFailed` is raised."""

    hello_seconds: float = _seconds(5.0)
    """In a client, for the response to its hello: a server that has answered the handshake but not
    the hello by then never will. Over it `ConnectFailed` is raised."""

    pending_handshakes: int = _count(1000)
    """Handshakes under way, and at most half of the descriptors that `descriptor_share` leaves.
    Over it the oldest one is dropped, so that silent peers keep nobody out."""

    headers: int = _count(64)
    """Header fields of a request. Over it the response is 431."""

    header_line: int = _count(8 * KIB)
    """Bytes of the first line of a request, and of each header. Over it the response is 431."""

    head: int = _count(16 * KIB)
    """Bytes of a request with all its headers. Over it the response is 431."""

    connections: int = _count(10_000)
    """Open connections. Over it the response is 503."""

    descriptor_share: float = attrs.field(default=0.8, validator=validator(check_share))
    """The share of the descriptors of the process (RLIMIT_NOFILE when `serve` begins) that open
    connections may take. Over it the response is 503."""

    calls: int = _count(1024)
    """Calls of a peer in flight, until their tasks have ended; streams too, subscriptions not. The
    hello tells farcall peers, which wait. Over it other peers get `Busy`, and notifications are
    dropped."""

    call_bytes: int = _count(16 * MIB)
    """Bytes of the parameters of these calls together. Over it as with `calls`. A single call that
    is larger raises `EncodeError` at a farcall peer."""

    process_calls: int = _count(16 * KIB)
    """Calls of all peers in flight. A peer with as many calls as are left gets no more, so those
    with fewer still have room. Over it as with `calls`."""

    process_call_bytes: int = _count(512 * MIB)
    """Bytes of the parameters of the calls of all peers together, shared as `process_calls`. Over
    it as with `calls`."""

    subscriptions: int = _count(128)
    """Subscriptions of a peer; broadcasts, which the server begins by itself, do not count. Over it
    a new one is refused with -32006."""

    subscription_bytes: int = _count(8 * MIB)
    """Bytes of keys, and of the values that wait in all subscriptions of a peer, each value counted
    once for every subscription it waits in; the last value may be larger than the rest. Over it the
    subscription that holds most drops its oldest value, under its own policy: that of a plain peer
    closes the connection with 1013. A new key is refused with -32006."""

    queued_messages: int = _count(1024)
    """Requests and responses that wait to be sent. Over it tasks wait: callers, and those that have
    a result, whose calls stay in flight. Responses without a task, such as errors, are queued
    regardless, and over the limit they close the connection with 1013."""

    queued_bytes: int = _count(16 * MIB)
    """Bytes of these messages, and of the responses to unfinished batches; one message may be
    larger than the rest. Over it as with `queued_messages`."""

    stall_seconds: float = _seconds(10.0)
    """For which a peer may accept no byte while something is sent to it; a slow peer accepts some.
    Over it the connection is cut, with 1013 on this side: a Close frame cannot follow half of
    another frame."""

    close_seconds: float = _seconds(5.0)
    """For the peer's answer to a Close frame, or for ours to be sent, and before it for what waits
    to be sent; longer than any round trip. Over it the connection is cut."""

    process_bytes: int = _count(1024 * MIB)
    """Bytes that all connections have waiting: send queues and what is being sent, results that
    wait for room there, items of streams and uploads, buffers of subscriptions, incomplete
    messages. Over it the connection that holds most is closed with 1013, or one whose incomplete
    message makes no progress."""

    failed_logins: int = _count(5)
    """Logins of one connection that may fail or be cancelled; nobody mistypes more often. The next
    one closes the connection with 1008. As many may be unanswered; over that the error is
    -32003."""

    login_bytes: int = _count(16 * KIB)
    """Bytes of the parameters of a login, as many as a whole handshake may have (`head`). Over it
    the error is -32600, and ``authenticate`` is not called."""

    message_before_login: int = _count(64 * KIB)
    """Bytes of a message of a peer that has not logged in, if every member needs a login: a hello
    and a login need no more. Over it as with `message`, which holds from the first login on."""

    address_failed_logins: int = _count(30)
    """Logins from one address that may fail in a minute, and handshakes that may be refused, each
    counted on its own; more than a few people behind one address mistype. Of an IPv6 address the
    first 64 bits count. Addresses of this machine do not count, for a proxy may be there. Over it
    ``authenticate`` is not called until the minute is over: a login fails with -32003, a handshake
    with 429."""

    server_failed_logins: int = _count(600)
    """The same for all addresses together: ten guesses a second. Over it only connections and
    addresses that have failed within this minute are refused; all others still have a try."""

    logins: int = _count(8)
    """Runs of ``authenticate`` at the same time in a process: as many for logins, at most one of
    each connection, and as many for handshakes. A good password hash takes 16 MiB and a core. Over
    it they wait. Connections and addresses that have failed less often come first, then those that
    came first. A handshake still has to end within `handshake_seconds`."""

    @classmethod
    def within(cls, memory: int) -> Limits:
        """Return limits for a process that may have so much memory, such as a container.

        What all peers together can make the process hold is at most half of it, by the sum in
        ``docs/limits.md``; the other half is for the program itself. No limit is higher than its
        default. Change others with `attrs.evolve`.

        Args:
            memory: In bytes, at least 64 MiB.

        Raises:
            TypeError: `memory` is not an int.
            ValueError: it is less than 64 MiB.

        >>> Limits.within(256 * 2**20).connections
        204
        """
        check_int("memory=", memory, least=MIN_MEMORY)
        waiting, calls, tasks, links = (memory // 2 * share // 10 for share in (4, 4, 1, 1))
        process_bytes = min(DEFAULT_LIMITS.process_bytes, waiting // COPIES)
        call_bytes = min(DEFAULT_LIMITS.process_call_bytes, calls // DECODED)
        one_peer = process_bytes // 4
        return cls(
            message=call_bytes // 4 if call_bytes // 4 < MAX_MESSAGE_IN_SERVER else None,
            call_bytes=min(DEFAULT_LIMITS.call_bytes, call_bytes // 2),
            process_calls=min(DEFAULT_LIMITS.process_calls, tasks // CALL),
            process_call_bytes=call_bytes,
            subscription_bytes=min(DEFAULT_LIMITS.subscription_bytes, one_peer),
            queued_bytes=min(DEFAULT_LIMITS.queued_bytes, one_peer),
            process_bytes=process_bytes,
            connections=min(DEFAULT_LIMITS.connections, links // CONNECTION),
            logins=max(1, min(DEFAULT_LIMITS.logins, memory // 20 // (2 * LOGIN))),
        )


DEFAULT_LIMITS: Final = Limits()


def check_limits(name: str, limits: object) -> None:
    """Check for `Limits`; None is refused, for there is no way to be without any."""
    write = f"{name}Limits(message=65_536), or leave it out"
    check_instance(name, limits, Limits, "a farcall.Limits", write)


class MessageLimit(Struct, frozen=True):
    """How large a message that comes in may be."""

    size: int
    """In bytes."""
    name: str = "message"
    """The field of `Limits` that says so, for errors."""


def message_limit(limits: Limits, *, is_client: bool) -> MessageLimit:
    """Return the limit of one side: `Limits.message`, or the default of that side."""
    default = MAX_MESSAGE_IN_CLIENT if is_client else MAX_MESSAGE_IN_SERVER
    return MessageLimit(default if limits.message is None else limits.message)


def exceeded(name: str, most: int) -> dict[str, str | int]:
    """Return the data of the error for something over a limit: the field, and its value."""
    return {"limit": name, "most": most}
