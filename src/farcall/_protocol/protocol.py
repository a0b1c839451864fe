"""The protocol of one connection as a machine: texts in, commands in; messages out, news out.

Theory of operation. `Protocol` holds what both sides have agreed on, and two tables of calls in
flight, one for each direction. It has no clock, no task and no queue. Each message takes one way:
it is decoded once, looked up once, and told to whom it is for: an answer to the call that waits
for it, a word about a call to who serves it, anything else to the `Listener`. Commands change the
tables and give the text to send; whoever owns the link sends the texts in the right order, and
lets `OutgoingCall.take` give the text of a request at the moment the writer takes it, for that is
when it becomes *sent*.

Both sides run the same code. What differs is who numbers calls how, and who answers a text that
cannot be read: the side that accepted the connection does, as JSON-RPC has it; the side that
dialled has nobody to tell. Nothing that a peer can send raises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from farcall._json import is_too_deep
from farcall._limits import DEFAULT_LIMITS, Limits, exceeded
from farcall._protocol import messages
from farcall._protocol.binary import BINARY_MARK, FEATURE, binary_items
from farcall._protocol.credit import DEFAULT_WINDOW, SendCredit, Window
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
    """What is said on one connection; see `ProtocolState` for its arguments.

    Whoever owns the link sets `listener` before the first frame is received.
    """

    def __init__(self, own: Hello, *, has_dialled: bool, limits: Limits = DEFAULT_LIMITS) -> None:
        super().__init__(own, has_dialled=has_dialled, limits=limits)
        self._calls_made = 0

    # Reading

    def receive(self, text: bytes) -> None:
        """Take one frame of text, which is valid UTF-8, tell what it means, and never raise.

        After a violation frames are ignored.
        """
        is_array = text[:1] != b"{" and text.lstrip(b" \t\r\n")[:1] == b"["
        self._read(read_array if is_array else read_message, text)

    def receive_binary(self, data: bytes) -> None:
        """Take one binary frame, under the rules of `receive`: items, or JSON that was sent so."""
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
        """Tell whether `receive_skipped` may know a message over the limit that begins so."""
        return not self.is_broken and is_worth_skipping(self, start)

    def receive_skipped(self, message: Skipped, problem: str) -> None:
        """Take what is left of a message over the limit: its call ends, or the link.

        Args:
            message: Its ends.
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

    # Asking

    def hello(self, call: OutgoingCall) -> None:
        """Greet; the listener hears of the answer, and the call ends with null, or an error."""
        self.hello_call = call
        self.request(call, self.own.render())

    def request(
        self,
        call: OutgoingCall,
        params: bytes | None,
        *,
        window: Window | None = None,
        traceparent: str | None = None,
    ) -> None:
        """Make a call; it is in the table from now on, and sent when its message is taken.

        Args:
            call: A new one. Its deadline is forgotten where it does not travel: a plain peer does
                not know of it, and a stream may outlast it.
            params: JSON text, or None for no such member.
            window: Given for a stream call.
            traceparent: The caller's span, if it has one.

        Raises:
            EncodeError: the message would be larger than the peer takes.
        """
        self._calls_made += 1
        id = b"%d" % self._calls_made if self.has_dialled else b'"s%d"' % self._calls_made
        tail, room = messages.END, 0
        if not self.is_greeted:  # a plain peer gets JSON-RPC 2.0 and nothing else
            call.deadline, traceparent = NEVER, None
        elif window is not None:
            call.deadline = NEVER
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
        if window is not None:
            call.credit, call.may_start = window.for_receiver(), True
        if call.method == SUBSCRIBE:
            self.outgoing_subscriptions += 1
        elif params is not None:
            call.size = len(params)
            self.outgoing_size += call.size
        self.outgoing[id] = call

    def notify(self, method: str, params: bytes | None, *, traceparent: str | None = None) -> bytes:
        """Make a notification, under the rules of `request`."""
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
            room: Bytes that it may grow by until it leaves.

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
        """Forget a call whose message the writer has not taken."""
        if call.stage.withdraw is None:
            no_step(call)
        self.end_outgoing(call)

    def cancel(self, call: OutgoingCall, reason: str) -> bytes | None:
        """Ask the peer to end a call, once; None where it cannot be asked, or need not be."""
        if call.is_cancelled or not self.is_greeted or call.stage.abandon is None:
            return None
        call.is_cancelled = True
        return messages.cancel(call.id, reason)

    def abandon(self, call: OutgoingCall) -> None:
        """Stop waiting for a call; its id counts as in flight until it is answered."""
        call.stage = call.stage.abandon or no_step(call)

    def consume(self, call: OutgoingCall, size: int) -> bytes | None:
        """Count an item as used, and give the credit that is due now, if any."""
        if call.credit is None or call.stage.abandon is None:
            return None
        totals = call.credit.use(size)
        return None if totals is None else messages.credit(call.id, *totals)

    # Answering

    def respond(self, call: IncomingCall, result: bytes) -> bytes | None:
        """End a call of the peer with its result, or with -32008 where that is too large.

        Returns:
            What to send: None while a batch waits for its other answers.
        """
        return self._end(call, messages.response(call.id, result))

    def fail(self, call: IncomingCall, error: Error) -> bytes | None:
        """End a call of the peer with an error; see `respond`."""
        return self._end(call, messages.error_response(call.id, error))

    def _end(self, call: IncomingCall, text: bytes) -> bytes | None:
        tail = b""
        if call.credit is not None and call.stage is STARTED:
            tail = messages.count(call.seq)
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
        return text if batch is None else self.fill(batch, call.place, text)

    def start(self, call: IncomingCall, value: bytes) -> bytes:
        """Tell the peer that its stream call, or its remote task, has begun."""
        call.stage = call.stage.start or no_step(call)
        return messages.started(call.id, value)

    def send_credit(self, call: IncomingCall) -> SendCredit:
        """Give the credit of a stream call, which says what `items` may send."""
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
        """Send the next values of a stream.

        The writer calls this, and nothing may fail in its step: check with `send_credit` that
        there is room, and with `max_items_size` that the values fit.

        Args:
            call: The stream.
            values: As JSON texts.
            cursor: Where the last of them stands in its signal.
            missed: How many were dropped before the first; None when nobody knows.
            is_binary: Whether the values are bytes as they are; both sides have the feature.
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
        """Send the next values of an upload; under the rules of `items`."""
        seq = upload.seq
        upload.seq += len(values)
        upload.credit.spend(len(values), sum(map(len, values)))
        make = binary_items if is_binary else messages.items
        return make(upload.id, seq, values, is_upload=True)

    # The end

    def cut(self) -> list[OutgoingCall]:
        """Forget everything in flight because the link has ended, and give the open calls."""
        self.is_broken = True
        calls = list(self.outgoing.values())
        self.outgoing.clear()
        self.incoming.clear()
        self.outgoing_size = self.outgoing_subscriptions = self.incoming_subscriptions = 0
        self.uploads.clear()
        return calls


def _too_large(call: IncomingCall, data: Mapping[str, object]) -> bytes:
    return messages.error_response(call.id, Error.of(ErrorCode.REPLY_TOO_LARGE, data))
