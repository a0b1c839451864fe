"""The protocol of one connection as a state machine.

Theory of operation. `Protocol` holds what both sides have agreed on, and two tables of calls in
flight, one for each direction. It has no clock, no task and no queue. Each message takes one way:
it is decoded once, looked up once, and passed on: a response to the call that waits for it, a
control message about a call to its `Owner`, anything else to the `Listener`. Commands change the
tables and return the text to send. The link sends the texts in the right order, and asks
`OutgoingCall.take` for the text of a request when the writer takes it: that is when the request
becomes *sent*.

Both sides run the same code, but for two things. They number their calls differently; and only the
side that accepted the connection responds to a text that cannot be read, as JSON-RPC 2.0 has it: to
the side that dialled such a text may have been a response. Nothing that a peer can send raises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from farcall._json import is_too_deep
from farcall._limits import DEFAULT_LIMITS, Limits, exceeded
from farcall._protocol import messages
from farcall._protocol.binary import BINARY_MARK, FEATURE, binary_items
from farcall._protocol.credit import DEFAULT_WINDOW, SendCredit
from farcall._protocol.messages import Error, Hello
from farcall._protocol.notifications import read_binary_items
from farcall._protocol.reading import read_array, read_message, refuse_text
from farcall._protocol.skipped import Skipped, is_worth_skipping, read_skipped
from farcall._protocol.state import (
    NEVER,
    STARTED,
    SUBSCRIBE,
    IncomingCall,
    OutgoingCall,
    OutgoingUpload,
    ProtocolState,
    Violation,
    no_step,
)
from farcall.errors import CloseCode, EncodeError, ErrorCode


class Protocol(ProtocolState):
    """The protocol of one connection; see `ProtocolState` for the arguments.

    The link sets `listener` before it receives the first frame.
    """

    def __init__(self, own: Hello, *, has_dialled: bool, limits: Limits = DEFAULT_LIMITS) -> None:
        super().__init__(own, has_dialled=has_dialled, limits=limits)
        self._calls_made = 0

    # Reading

    def receive(self, text: bytes) -> None:
        """Take one frame of text, which is valid UTF-8; never raise.

        After a violation frames are ignored.
        """
        is_array = text[:1] != b"{" and text.lstrip(b" \t\r\n")[:1] == b"["
        self._read(read_array if is_array else read_message, text)

    def receive_binary(self, data: bytes) -> None:
        """Take one binary frame likewise: items, or JSON text that was sent as binary."""
        if data[:1] == BINARY_MARK and self.has_feature(FEATURE):
            self._read(read_binary_items, data)
            return
        try:
            data.decode()
        except UnicodeDecodeError as error:
            self._read(partial(refuse_text, problem=f"not UTF-8: {error}"), data)
        else:
            self.receive(data)

    def may_skip(self, start: bytes) -> bool:
        """Tell whether `receive_skipped` may recognize a message over the limit that begins so."""
        return not self.is_broken and is_worth_skipping(self, start)

    def receive_skipped(self, message: Skipped, problem: str) -> None:
        """Take the ends of a message over the limit, which end its call, or else the link.

        Args:
            message: Its beginning and its end.
            problem: Says which limit it was over.
        """
        if self.is_broken:
            return
        if not read_skipped(self, message, problem):
            self.break_off(Violation(problem, CloseCode.TOO_BIG))
        self.has_received = True

    def _read(self, read: Callable[[Protocol, bytes], None], frame: bytes) -> None:
        if self.is_broken:
            return
        try:
            read(self, frame)
        except Violation as fault:
            self.break_off(fault)
        self.has_received = True

    # Calling

    def hello(self, call: OutgoingCall) -> None:
        """Greet; the listener hears of the response, and the call ends with null, or an error."""
        self.hello_call = call
        self.request(call, self.own.render())

    def request(
        self,
        call: OutgoingCall,
        params: bytes | None,
        *,
        traceparent: str | None = None,
    ) -> None:
        """Make a call; it is in the table from now on, and sent when the writer takes its message.

        Args:
            call: A new one, with credit if it is a stream call. A deadline that does not travel is
                removed from it: a plain peer knows no deadlines, and a stream may outlast its own.
            params: JSON text, or None to leave the member out.
            traceparent: The caller's span, if it has one.

        Raises:
            EncodeError: the message would be larger than the peer takes.
        """
        self._calls_made += 1
        id = b"%d" % self._calls_made if self.has_dialled else b'"s%d"' % self._calls_made
        tail, room = messages.END, 0
        if not self.is_greeted:  # a plain peer gets JSON-RPC 2.0 and nothing else
            call.deadline, traceparent = NEVER, None
        elif call.credit is not None:
            call.deadline, window = NEVER, call.credit.window
            tail = messages.credit_meta(window.items, window.size)
        elif call.deadline < NEVER:
            tail, room = b"", messages.TIMEOUT_ROOM
        try:
            text = messages.request(id, call.method, params, tail, traceparent)
        except UnicodeEncodeError as error:
            raise EncodeError(str(error)) from error
        if self.checks_depth or len(text) + room > self.message_limit:
            self.check_size(text, room)
        call.id, call.text = id, text
        if call.credit is not None:
            call.may_start = True
        if call.method == SUBSCRIBE:
            self.outgoing_subscriptions += 1
        elif params is not None:
            call.size = len(params)
            self.outgoing_size += call.size
        self.outgoing[id] = call

    def notify(self, method: str, params: bytes | None, *, traceparent: str | None = None) -> bytes:
        """Make a notification; see `request` for the arguments and what is raised."""
        try:
            text = messages.notification(method, params, traceparent if self.is_greeted else None)
        except UnicodeEncodeError as error:
            raise EncodeError(str(error)) from error
        self.check_size(text)
        return text

    def check_size(self, text: bytes, room: int = 0) -> None:
        """Refuse a message that the peer would not take.

        Args:
            text: The message.
            room: Bytes by which it may grow until it is sent.

        Raises:
            EncodeError: names the limit that the message is over.
        """
        size = len(text) + room
        if size > self.message_limit:
            problem = f"the message has {size} bytes; the peer takes {self.message_limit}"
            whose = "its" if self.is_greeted else "the"
            raise EncodeError(f"{problem} ({whose} limit {self.message_limit_name})")
        if self.checks_depth and is_too_deep(text, self.limits.depth):
            most = self.limits.depth
            raise EncodeError(f"the message nests deeper than {most} levels (the limit depth)")

    def withdraw(self, call: OutgoingCall) -> None:
        """Remove a call whose message the writer has not taken."""
        if call.stage.withdraw is None:
            no_step(call)
        self.end_outgoing(call)

    def cancel(self, call: OutgoingCall, reason: str) -> bytes | None:
        """Make the cancel of a call, once; None for a plain peer, or a call that has ended."""
        if call.is_cancelled or not self.is_greeted or call.stage.abandon is None:
            return None
        call.is_cancelled = True
        return messages.cancel(call.id, reason)

    def abandon(self, call: OutgoingCall) -> None:
        """Stop waiting for a call; its id counts as in flight until its response comes."""
        call.stage = call.stage.abandon or no_step(call)

    # Responding

    def respond(self, call: IncomingCall, result: bytes) -> bytes | None:
        """End a call of the peer with its result, or with -32008 if that is too large.

        Returns:
            What to send; None while a batch waits for its other responses.
        """
        return self._end(call, messages.response(call.id, result))

    def fail(self, call: IncomingCall, error: Error) -> bytes | None:
        """End a call of the peer with an error; see `respond`."""
        return self._end(call, messages.error_response(call.id, error))

    def _end(self, call: IncomingCall, text: bytes) -> bytes | None:
        tail = b""
        if call.credit is not None and call.stage is STARTED:
            tail = messages.seq_member(call.seq)
        call.stage = call.stage.end or no_step(call)
        if self.incoming.pop(call.id, None) is not None and call.method == SUBSCRIBE:
            self.incoming_subscriptions -= 1
        batch = call.batch
        size = len(text) + len(tail)
        if batch is not None:  # the reply to the batch is one message
            size += batch.size + len(b"[]")
        if size > self.message_limit:
            limit, room = self.message_limit_name, self.message_limit
            text = _too_large(call, {"limit": limit, "bytes": room, "excess": size - room})
        elif self.checks_depth and is_too_deep(text, self.limits.depth):
            text = _too_large(call, exceeded("depth", self.limits.depth))
        if tail:
            text = b"%b%b}" % (text[:-1], tail)
        return text if batch is None else self.fill(batch, call.index, text)

    def start(self, call: IncomingCall, value: bytes) -> bytes:
        """Tell the peer that its stream call, or its remote task, has begun."""
        call.stage = call.stage.start or no_step(call)
        return messages.started(call.id, value)

    def send_credit(self, call: IncomingCall) -> SendCredit:
        """Return the credit of a stream call, which limits what `items` may send."""
        if call.credit is None:
            call.credit = DEFAULT_WINDOW.for_sender()
        return call.credit

    def items(
        self,
        call: IncomingCall,
        values: Sequence[bytes],
        *,
        cursor: str | None = None,
        missed: int | None = 0,
        is_binary: bool = False,
    ) -> bytes:
        """Make the message with the next values of a stream.

        The writer calls this in a step in which nothing may fail: check before with `send_credit`
        that there is room, and with `max_items_size` that the values fit.

        Args:
            call: The stream.
            values: As JSON texts.
            cursor: Where the last of them stands in its signal.
            missed: How many were dropped before the first; None if unknown.
            is_binary: Whether the values are plain bytes; both sides have the feature.
        """
        call.stage = call.stage.items or no_step(call)
        seq = call.seq
        call.seq += len(values)
        self.send_credit(call).spend(len(values), sum(map(len, values)))
        if is_binary:
            return binary_items(call.id, seq, values)
        return messages.items(call.id, seq, values, cursor, missed)

    def upload_items(
        self, upload: OutgoingUpload, values: Sequence[bytes], *, is_binary: bool = False
    ) -> bytes:
        """Make the message with the next values of an upload; see `items`."""
        seq = upload.seq
        upload.seq += len(values)
        upload.credit.spend(len(values), sum(map(len, values)))
        make = binary_items if is_binary else messages.items
        return make(upload.id, seq, values, is_upload=True)

    # The end

    def cut(self) -> list[OutgoingCall]:
        """Remove everything in flight because the link has ended, and return the open calls."""
        self.is_broken = True
        calls = list(self.outgoing.values())
        self.outgoing.clear()
        self.incoming.clear()
        self.outgoing_size = self.outgoing_subscriptions = self.incoming_subscriptions = 0
        self.uploads.clear()
        return calls


def _too_large(call: IncomingCall, data: Mapping[str, object]) -> bytes:
    return messages.error_response(call.id, Error.of(ErrorCode.REPLY_TOO_LARGE, data))
