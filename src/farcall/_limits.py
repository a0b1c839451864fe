"""What a peer may cost us: every limit in one object, each with the reason for its default.

Limits wrap what they guard; nothing here enforces one. Whoever does says "the limit NAME" in the
error, where NAME is that of the field.
"""

from __future__ import annotations

import sys
from typing import Any, Final, cast

import attrs

from farcall._usage.options import (
    check_instance,
    check_int,
    check_number,
    check_seconds,
    optional,
    validator,
    wrong_value,
)

KIB: Final = 1024
MIB: Final = 1024 * KIB

MAX_MESSAGE_IN_SERVER: Final = MIB
"""Bytes: a server takes from anybody, so it takes little (trio-websocket's default as well)."""
MAX_MESSAGE_IN_CLIENT: Final = 16 * MIB
"""Bytes: a client has chosen its server, and results are larger than calls."""


MAX_DEPTH: Final = 64
"""Nesting of arrays and objects. Data of services seldom passes 10; parsers of other peers give
up between 100 and 1,000, and a recursive one must never be driven into its stack's end."""

MIN_DEPTH: Final = 8
"""What the messages of the protocol themselves need, and a little data."""

MAX_PARTS: Final = 64 * KIB
"""What an array may hold before it is split to be counted: 16 MiB of ``[0,0,...]`` would become a
gigabyte of small objects."""


def _count(default: int, *, most: int = sys.maxsize, least: int = 1) -> Any:
    # Any: as for `attrs.field`, whose type is that of the default.
    return attrs.field(default=default, validator=validator(check_int, least=least, most=most))


def _seconds(default: float) -> Any:
    return attrs.field(default=default, validator=validator(check_seconds))


def _check_share(name: str, value: object) -> None:
    check_number(name, value, takes="a share", write="0.8 for 80 percent")
    if cast("float", value) >= 1:
        raise wrong_value(name, "a share below 1", value, "0.8 for 80 percent")


@attrs.frozen(kw_only=True)
class Limits:
    """Say what peers may cost: ``serve(..., limits=Limits(message=65_536))``.

    Every limit is on by default, and costs the connection that is over it at most. Those of the
    handshake, but its time, and of connections have a meaning in a server alone.

    Raises:
        ValueError: a limit is zero or less, or nan, or a count is over what is possible.
        TypeError: a count is no int, or a time or a share is no number.

    >>> Limits(message=65_536, calls=16).message
    65536
    """

    message: int | None = attrs.field(
        default=None, validator=validator(optional(check_int), least=1)
    )
    """Bytes on the wire of a message that comes in; None for 1 MiB in a server, which takes from
    anybody, and 16 MiB in a client, which has chosen its server. farcall peers are told. Over it
    the connection is closed with 1009, or, of a plain peer, the call refused with -32600."""

    message_out: int = _count(16 * MIB)
    """Bytes of a message to a peer that has not told what it takes, as farcall peers do: the
    default of farcall's own client. Over it a call raises `EncodeError`, and the caller of a result
    gets -32008."""

    depth: int = _count(MAX_DEPTH, least=MIN_DEPTH, most=MAX_DEPTH)
    """Nesting of arrays and objects in a message, that itself included, both in and out; from 8 to
    64, for that is what peers read. Over it what comes in is answered with -32700, what goes out
    as with `message_out`."""

    request_id: int = _count(256)
    """Bytes of the id of a request, or of an upload, which is kept and echoed; a UUID has 36. Over
    it the call is refused, with -32600 or -32602."""

    batch: int = _count(1000, most=MAX_PARTS)
    """Messages in a JSON-RPC batch, 65,536 at most: a thousand is more than any page of work, and
    less than a second of a server. Over it the batch is refused with -32010."""

    bundle: int = _count(256, most=MAX_PARTS)
    """Messages in an array of a farcall peer, 65,536 at most; it is told. Over it the connection is
    closed with 1008."""

    fragments: int = _count(1024)
    """Frames in one message; each of an endless row of empty ones costs time. Over it the
    connection is closed with 1008."""

    incomplete_seconds: float = _seconds(60.0)
    """From the first byte of a message to its last; a slow line has 1 MiB through in that. Over it
    the connection is closed with 1008."""

    ping_burst: int = _count(60)
    """Pings of the peer that are answered without a pause, each with a frame of ours; a heartbeat
    sends one in some seconds. Over it the connection is closed with 1008."""

    pings_per_second: float = attrs.field(default=10.0, validator=validator(check_number))
    """Pings that may follow upon such a burst; over it as with `ping_burst`."""

    handshake_seconds: float = _seconds(10.0)
    """In a server from the connection to the end of its handshake, with TLS and whatever decides
    who may come in; a peer that needs longer holds a descriptor for nothing, and is hung up on. In
    a client for name, connection, TLS and handshake; over it `ConnectFailed` is raised."""

    hello_seconds: float = _seconds(5.0)
    """In a client for the answer to its hello: a server that has answered the handshake, and not
    the hello in this time, will not. Over it `ConnectFailed` is raised."""

    pending_handshakes: int = _count(1000)
    """Connections whose handshake is under way, and never more than half of the descriptors that
    `descriptor_share` leaves. Over it the oldest one is dropped, so that peers who say nothing
    keep nobody out."""

    headers: int = _count(64)
    """Header fields of a request; over it the answer is 431."""

    header_line: int = _count(8 * KIB)
    """Bytes of the first line of a request, and of each header; over it the answer is 431."""

    head: int = _count(16 * KIB)
    """Bytes of a request with all its headers; over it the answer is 431."""

    connections: int = _count(10_000)
    """Open connections; over it the answer is 503."""

    descriptor_share: float = attrs.field(default=0.8, validator=validator(_check_share))
    """Of the descriptors that the process may have (RLIMIT_NOFILE when `serve` begins), what open
    connections may take; over it the answer is 503."""

    calls: int = _count(1024)
    """Calls of a peer in flight, until their tasks have ended; streams too, subscriptions not.
    farcall peers are told, and wait; over it others get `Busy`, and one-way calls are dropped."""

    call_bytes: int = _count(16 * MIB)
    """Bytes of the parameters of all these calls; over it as with `calls`. A call of a farcall peer
    that is larger than that by itself raises `EncodeError` there."""

    process_calls: int = _count(16 * KIB)
    """Calls of all peers in flight; over it as with `calls`."""

    process_call_bytes: int = _count(512 * MIB)
    """Bytes of the parameters of all these calls; over it as with `calls`."""

    subscriptions: int = _count(128)
    """Subscriptions of a peer; over it a new one is refused with -32006. Those that the server
    begins by itself, to broadcasts, do not count."""

    subscription_bytes: int = _count(8 * MIB)
    """Bytes of values that wait in all subscriptions of a peer, for each that they wait in, and of
    keys; one value may be larger than what was left. Over it the subscription that holds most drops
    its oldest value, under its own policy, which for a plain peer is to be closed with 1013; a key
    is refused with -32006."""

    queued_messages: int = _count(1024)
    """Requests and responses that wait to be sent. Over it tasks wait, those of callers and those
    that have a result (whose calls stay in flight); answers that need no task, such as errors, go
    in all the same, and over it the connection is closed with 1013."""

    queued_bytes: int = _count(16 * MIB)
    """Bytes of them, of the answers to unfinished batches as well; over it as with
    `queued_messages`, but that one message may be larger than what was left."""

    stall_seconds: float = _seconds(10.0)
    """For which a peer may take no byte at all while something is sent to it; a slow one takes
    some. Over it the link is dead, with 1013 for this side: in the middle of a frame there is no
    goodbye."""

    close_seconds: float = _seconds(5.0)
    """For the peer's answer to a Close frame, or for ours to leave, and before it for what waits
    to be sent; longer than any round trip. Over it the connection is hung up on."""

    process_bytes: int = _count(1024 * MIB)
    """Bytes that all connections have waiting: send queues and what is being sent, results that
    wait for room there, items of streams and uploads, buffers of subscriptions, incomplete
    messages. Over it the connection that holds most is closed with 1013, or one whose message
    does not go on coming."""

    failed_logins: int = _count(5)
    """Logins of one connection that may fail, or be cancelled; nobody mistypes more often. The next
    one ends the connection with 1008. As many may be unanswered; over it the error is -32003."""

    login_bytes: int = _count(16 * KIB)
    """Bytes of what one login brings, of a peer that nobody knows: as many as a handshake has in
    all (`head`). Over it the error is -32600, and `authenticate` is not asked."""

    message_before_login: int = _count(64 * KIB)
    """Bytes of a message of a peer that has not logged in, where nothing that is served can be used
    without a login: its greeting and its login need no more. Over it as with `message`, which holds
    from the first login on."""

    address_failed_logins: int = _count(30)
    """Logins from one address that may fail in a minute, and handshakes that may be refused, each
    counted by itself: more than a few people behind one address mistype. Of an IPv6 address the
    first 64 bits count; addresses of this machine do not, for a proxy may be there. Over it
    ``authenticate`` is not asked until the minute is over: the error of a login is -32003, and a
    handshake is answered with 429."""

    server_failed_logins: int = _count(600)
    """The same for all addresses: ten guesses a second. Over it those are sent away whose
    connection, or address, has failed in this minute; all others still have a try."""

    logins: int = _count(8)
    """Runs of ``authenticate`` at the same time in a process: so many for logins, one of each
    connection, and as many for handshakes. A good hash of a password takes 16 MiB and a core. Over
    it they wait. Those of a connection, or an address, that has failed less often come first, then
    those that came first; a handshake has its own time for that as well."""


DEFAULT_LIMITS: Final = Limits()


def check_limits(name: str, limits: object) -> None:
    """Check for `Limits`; there is no way to be without any."""
    write = f"{name}Limits(message=65_536), or leave it out"
    check_instance(name, limits, Limits, "a farcall.Limits", write)


@attrs.frozen
class MessageLimit:
    """How large a message that comes in may be."""

    size: int
    """In bytes."""
    name: str = "message"
    """The field of `Limits` that says so, for errors."""


def message_limit(limits: Limits, *, is_client: bool) -> MessageLimit:
    """Give the limit of one side: what `Limits.message` says, or the default of that side."""
    default = MAX_MESSAGE_IN_CLIENT if is_client else MAX_MESSAGE_IN_SERVER
    return MessageLimit(default if limits.message is None else limits.message)


def exceeded(name: str, most: int) -> dict[str, str | int]:
    """Make the data of the error that something over a limit ends with.

    Args:
        name: The field of `Limits`.
        most: Its value, in what it counts.
    """
    return {"limit": name, "most": most}
