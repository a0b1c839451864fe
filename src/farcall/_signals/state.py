"""One signal of one service object: its subscribers, its retained values, and the fan-out."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence, Set
from enum import Enum
from typing import Any, Generic, TypeAlias, TypeVar, cast
from uuid import UUID

import attrs
import msgspec
import trio

from farcall._codec import Codec, Faults
from farcall._contract.spec import Delivery
from farcall._signals.audience import Address, Membership, read_audience
from farcall._signals.buffer import MAX_BYTES, MAX_ITEMS, Buffer, Entry
from farcall._signals.frozen import can_be_shared
from farcall._usage.options import check_flag, check_int, check_text, optional, validator
from farcall.errors import InvalidResult


@attrs.define(eq=False)
class Retained:
    """Keep the last value of each key, those of the keys emitted last.

    A signal without keys is one with a single key. The bounds are those of a subscription's
    buffer, so that all that is kept fits into the buffer of a new subscriber.
    """

    max_items: int = MAX_ITEMS
    max_bytes: int = MAX_BYTES
    size: int = attrs.field(default=0, init=False)
    """The bytes of all values that are kept."""
    _entries: dict[bytes | None, Entry] = attrs.field(factory=dict[bytes | None, Entry], init=False)

    def keep(self, entry: Entry) -> None:
        """Put `entry` in the place of the last value of its key; the newest is always kept."""
        self._discard(entry.key)
        self._entries[entry.key] = entry
        self.size += entry.size
        while self._is_over():
            self._discard(next(iter(self._entries)))

    def of(self, key: bytes | None) -> Sequence[Entry]:
        """Give the last value of `key`, or for None those of all keys, oldest first."""
        if key is None:
            return tuple(self._entries.values())
        entry = self._entries.get(key)
        return () if entry is None else (entry,)

    def _discard(self, key: bytes | None) -> None:
        if (entry := self._entries.pop(key, None)) is not None:
            self.size -= entry.size

    def _is_over(self) -> bool:
        kept = len(self._entries)
        return kept > self.max_items or (self.size > self.max_bytes and kept > 1)


T = TypeVar("T")

KeyValue: TypeAlias = str | int | UUID | Enum
"""What subscribers can filter by; which of these it is, is said by the type of the key's field."""


@attrs.frozen(eq=False)
class SignalKey:
    """The field by which subscribers filter. Keys are compared as their JSON text."""

    field: str
    codec: Codec[Any]

    def of(self, value: object) -> bytes:
        """Give the key of an emitted value."""
        if isinstance(value, dict):
            return self.codec.encode(cast("dict[str, object]", value)[self.field])
        return self.codec.encode(getattr(value, self.field))

    def encode(self, key: KeyValue) -> bytes:
        """Give the key that a local subscriber asks for.

        Raises:
            EncodeError: it is not of the field's type.
        """
        return self.codec.encode(key, at="key")

    def read(self, text: bytes | msgspec.Raw, at: str) -> bytes:
        """Give the key that a remote subscriber asks for, in the form in which it is compared.

        Raises:
            Faults: it is not of the field's type.
        """
        return self.codec.encode(self.codec.decode(text, unknown="refuse", at=at))


@attrs.frozen(eq=False)
class SignalCodec(Generic[T]):
    """How the values of a signal are checked and encoded, and by which key they are told apart."""

    value: Codec[T]
    key: SignalKey | None = None


@attrs.frozen(kw_only=True)
class SignalOptions(Delivery):
    """The arguments of ``Signal(...)``."""

    name: str | None = None
    key: str | None = attrs.field(default=None, validator=validator(optional(check_text)))
    history: int = attrs.field(default=0, validator=validator(check_int, least=0))
    protected: bool | None = attrs.field(default=None, validator=validator(optional(check_flag)))
    roles: Set[str] = frozenset[str]()
    allow: Callable[[Any, Any], bool] | None = None

    def __attrs_post_init__(self) -> None:
        for name, flag in self.flags().items():
            check_flag(f"{name}=", flag)


Listeners: TypeAlias = dict[Buffer, Membership | None]
"""Buffers, each with the addresses by which its subscriber is reached; None reaches it always."""


@attrs.define(eq=False)
class SignalState(Generic[T]):
    """Fan values out to the buffers of all subscriptions, local and remote alike.

    It lives in one Trio run at a time: nothing here is locked, so whoever emits or subscribes is
    in the thread of that run.

    Args:
        name: Such as ``Market.ticked``, for messages.
        codec: None for a signal whose class was not decorated with ``@service``.
        options: Of its declaration.
    """

    name: str
    codec: SignalCodec[T] | None
    options: SignalOptions = SignalOptions()
    _subscribed: dict[bytes | None, Listeners] = attrs.field(
        factory=dict[bytes | None, "Listeners"], init=False
    )
    """The buffers by key, in the order of subscribing; those that take every key under None."""
    _retained: Retained = attrs.field(factory=Retained, init=False)
    _epoch: str = attrs.field(factory=lambda: secrets.token_hex(4), init=False)
    """Tells this state from that of another process, or of the same one restarted."""
    _emitted: int = attrs.field(default=0, init=False)
    _run: trio.lowlevel.TrioToken | None = attrs.field(default=None, init=False)

    @property
    def cursor(self) -> str:
        """The place behind the value emitted last, as an opaque text."""
        return f"{self._epoch}.{self._emitted}"

    @property
    def subscribers(self) -> int:
        """How many subscriptions there are."""
        return sum(len(buffers) for buffers in self._subscribed.values())

    def emit(self, value: T, *, to: Set[Address] | None = None) -> None:
        """Check and encode `value`, then push it to everybody who listens; never blocks.

        Args:
            value: Of the signal's type.
            to: Whom it is for; None for everybody. What is for some is never retained.

        Raises:
            EncodeError: `value` is not of the signal's type.
            RuntimeError: this is not the thread of the Trio run.
            TypeError: the class was not decorated, `to` is no set of users and rooms, or the
                signal is a broadcast.
        """
        self._check_thread()
        entry = self._enter(value, None if to is None else self._audience(to))
        if self.options.retain and entry.to is None:
            self._retained.keep(entry)
        for buffer in self._reached(entry):
            buffer.push(entry)

    def read(self, entry: Entry) -> T:
        """Give a subscriber in this process the value as it was when it was emitted.

        The emitter may have changed the object since then, and so may other subscribers: only
        what nobody can change is shared. All others get what a remote subscriber gets.

        Raises:
            InvalidResult: the value cannot be read again.
        """
        if can_be_shared(entry.value):
            return cast("T", entry.value)
        codec = self._known_codec().value
        try:
            return codec.decode(entry.encoded, unknown="ignore", at="value")
        except Faults as faults:
            raise InvalidResult(f"{self.name}: {faults}") from None

    def attach(
        self, buffer: Buffer, key: bytes | None = None, membership: Membership | None = None
    ) -> Callable[[], None]:
        """Push values to `buffer` from now on, beginning with what is retained.

        Args:
            buffer: Of the subscription.
            key: What `encode_key` or `read_key` gave; None for every value.
            membership: By which addresses the subscriber is reached; None for one in this process,
                which hears everything.

        Returns:
            What ends it again; calling that twice does no harm.

        Raises:
            RuntimeError: this is not the thread of the Trio run.
        """
        self._check_thread()
        self._subscribed.setdefault(key, {})[buffer] = membership
        for entry in self._retained.of(key):
            buffer.push(entry)
        return lambda: self._detach(buffer, key)

    def encode_key(self, key: KeyValue) -> bytes:
        """Give the form of a local subscriber's key that `attach` takes.

        Raises:
            EncodeError: it is not of the field's type.
            TypeError: the signal has no key.
        """
        return self._known_key().encode(key)

    def read_key(self, text: bytes | msgspec.Raw, at: str = "params.key") -> bytes:
        """Give the form of a remote subscriber's key that `attach` takes.

        Raises:
            Faults: it is not of the field's type.
            TypeError: the signal has no key.
        """
        return self._known_key().read(text, at)

    def decode_key(self, key: bytes) -> KeyValue:
        """Give the key that `encode_key` or `read_key` has put into the form for `attach`."""
        decoded: KeyValue = self._known_key().codec.decode(key, unknown="refuse", at="key")
        return decoded

    def _audience(self, to: Set[Address]) -> frozenset[Address]:
        if self.options.broadcast:
            raise TypeError(f"{self.name} is a broadcast, which is for everybody: leave out to=")
        return read_audience(to)

    def _enter(self, value: T, to: frozenset[Address] | None) -> Entry:
        codec = self._known_codec()
        encoded = codec.value.encode(value)
        key = None if codec.key is None else codec.key.of(value)
        self._emitted += 1
        return Entry(encoded, value, key, self.cursor, to)

    def _reached(self, entry: Entry) -> Sequence[Buffer]:
        # A copy: pushing wakes others, who may subscribe or leave meanwhile.
        by_key = None if entry.key is None else self._subscribed.get(entry.key)
        groups = [group for group in (self._subscribed.get(None), by_key) if group]
        if entry.to is None:
            return [buffer for group in groups for buffer in group]
        return [
            buffer
            for group in groups
            for buffer, membership in group.items()
            if membership is None or membership.is_in(entry.to)
        ]

    def _detach(self, buffer: Buffer, key: bytes | None) -> None:
        buffers = self._subscribed.get(key, {})
        buffers.pop(buffer, None)
        if not buffers:
            self._subscribed.pop(key, None)

    def _known_codec(self) -> SignalCodec[T]:
        if self.codec is None:
            raise TypeError(f"{self.name} has no type yet: decorate its class with @service")
        return self.codec

    def _known_key(self) -> SignalKey:
        if (key := self._known_codec().key) is None:
            raise TypeError(f"{self.name} has no key: declare it with Signal(key=...)")
        return key

    def _check_thread(self) -> None:
        run = _current_run()
        if run is None or (self._subscribed and run is not self._run):
            raise RuntimeError(
                f"{self.name} can be used in the thread of its Trio run only;"
                " from another one call trio.from_thread.run_sync(service.signal.emit, value)"
            )
        self._run = run


def _current_run() -> trio.lowlevel.TrioToken | None:
    try:
        return trio.lowlevel.current_trio_token()
    except RuntimeError:
        return None
