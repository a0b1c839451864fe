"""One signal of one service object: its subscribers, its retained values, and the fan-out."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence, Set
from enum import Enum
from typing import Any, Generic, TypeAlias, TypeVar, cast
from uuid import UUID

import msgspec
import trio
from msgspec import Struct, field

from farcall._codec import Codec, Faults
from farcall._contract.spec import Delivery
from farcall._signals.audience import Address, Membership, read_audience
from farcall._signals.buffer import MAX_BYTES, MAX_ITEMS, Buffer, Entry
from farcall._signals.frozen import can_be_shared
from farcall._usage.home import elsewhere
from farcall._usage.options import check_flag, check_int, check_text, optional
from farcall.errors import InvalidResult


class Retained(Struct, eq=False):
    """The last value of each key, oldest first.

    A signal without keys has a single key, None. The bounds are those of a subscription's buffer,
    so all retained values fit into the buffer of a new subscriber.
    """

    max_items: int = MAX_ITEMS
    max_bytes: int = MAX_BYTES
    size: int = 0
    """The bytes of all values."""
    _entries: dict[bytes | None, Entry] = field(default_factory=dict[bytes | None, Entry])

    def add(self, entry: Entry) -> None:
        """Replace the last value of its key. The newest value stays, however large it is."""
        self._discard(entry.key)
        self._entries[entry.key] = entry
        self.size += entry.size
        while len(self._entries) > self.max_items or (
            self.size > self.max_bytes and len(self._entries) > 1
        ):
            self._discard(next(iter(self._entries)))

    def get(self, key: bytes | None) -> Sequence[Entry]:
        """Return the last value of `key`; for None, those of all keys, oldest first."""
        if key is None:
            return tuple(self._entries.values())
        entry = self._entries.get(key)
        return () if entry is None else (entry,)

    def _discard(self, key: bytes | None) -> None:
        if (entry := self._entries.pop(key, None)) is not None:
            self.size -= entry.size


T = TypeVar("T")

KeyValue: TypeAlias = str | int | UUID | Enum
"""What subscribers can filter by: one of these, as the type of the key's field says."""


class SignalKey(Struct, frozen=True, eq=False):
    """The field by which subscribers filter. Keys are compared as their JSON text."""

    field: str
    codec: Codec[Any]

    def of(self, value: object) -> bytes:
        """Return the key of an emitted value."""
        if isinstance(value, dict):
            return self.codec.encode(cast("dict[str, object]", value)[self.field])
        return self.codec.encode(getattr(value, self.field))

    def encode(self, key: KeyValue) -> bytes:
        """Encode the key that a local subscriber asks for.

        Raises:
            EncodeError: It is not of the field's type.
        """
        return self.codec.encode(key, at="key")

    def read(self, text: bytes | msgspec.Raw, at: str = "params.key") -> bytes:
        """Encode the key that a remote subscriber asks for in the form that is compared.

        Raises:
            Faults: It is not of the field's type.
        """
        return self.codec.encode(self.codec.decode(text, unknown="refuse", at=at))

    def decode(self, key: bytes) -> KeyValue:
        """Decode a key that `of`, `encode` or `read` has encoded."""
        decoded: KeyValue = self.codec.decode(key, unknown="refuse", at="key")
        return decoded


class SignalCodec(Struct, Generic[T], frozen=True, eq=False):
    """Checks and encodes the values of a signal, and finds their keys."""

    value: Codec[T]
    key: SignalKey | None = None


class SignalOptions(Delivery, frozen=True, kw_only=True):
    """The arguments of ``Signal(...)``."""

    name: str | None = None
    key: str | None = None
    history: int = 0
    protected: bool | None = None
    roles: Set[str] = frozenset[str]()
    allow: Callable[[Any, Any], bool] | None = None

    def __post_init__(self) -> None:
        optional(check_text)("key=", self.key)
        check_int("history=", self.history, least=0)
        optional(check_flag)("protected=", self.protected)
        for name, flag in self.flags().items():
            check_flag(f"{name}=", flag)


Listeners: TypeAlias = dict[Buffer, Membership | None]
"""Buffers, each with the addresses of its subscriber; None gets every value."""


class SignalState(Struct, Generic[T], eq=False):
    """Fans values out to the buffers of all subscriptions, local and remote alike.

    It belongs to one Trio run at a time. There are no locks: emit and subscribe in its thread.

    Args:
        name: Such as ``Market.ticked``, for messages.
        codec: None if the class of the signal is not decorated with ``@service``.
        options: The options of its declaration.
    """

    name: str
    codec: SignalCodec[T] | None
    options: SignalOptions = field(default_factory=SignalOptions)
    _subscribed: dict[bytes | None, Listeners] = field(
        default_factory=dict[bytes | None, "Listeners"]
    )
    """The buffers by key, in the order of subscribing; those for every key stand under None."""
    _retained: Retained = field(default_factory=Retained)
    _epoch: str = field(default_factory=lambda: secrets.token_hex(4))
    """Distinguishes its cursors from those of another process, or of this one before a restart."""
    _emitted: int = 0
    _run: trio.lowlevel.TrioToken | None = None

    @property
    def cursor(self) -> str:
        """The position after the value emitted last, as an opaque text."""
        return f"{self._epoch}.{self._emitted}"

    @property
    def key(self) -> SignalKey:
        """The field by which subscribers may filter.

        Raises:
            TypeError: The signal has none.
        """
        key = self._known_codec().key
        if key is None:
            raise TypeError(f"{self.name} has no key: declare it with Signal(key=...)")
        return key

    @property
    def subscribers(self) -> int:
        return sum(len(buffers) for buffers in self._subscribed.values())

    def emit(self, value: T, *, to: Set[Address] | None = None) -> None:
        """Check and encode `value`, then push it to its subscribers; never blocks.

        Args:
            value: Of the signal's type.
            to: Its audience; None for all. A value with an audience is never retained.

        Raises:
            EncodeError: `value` is not of the signal's type.
            RuntimeError: This is not the thread of the Trio run.
            TypeError: The class was not decorated, `to` is not a set of users and rooms, or the
                signal is a broadcast.
        """
        self._check_thread()
        audience = None if to is None else read_audience(to)
        if audience is not None and self.options.broadcast:
            raise TypeError(f"{self.name} is a broadcast, sent to all peers: leave out to=")
        codec = self._known_codec()
        encoded = codec.value.encode(value)
        key = None if codec.key is None else codec.key.of(value)
        self._emitted += 1
        entry = Entry(encoded, value, key, self.cursor, audience)
        if self.options.retain and audience is None:
            self._retained.add(entry)
        for buffer in self._addressed(entry):
            buffer.push(entry)

    def read(self, entry: Entry) -> T:
        """Return a value to a subscriber in this process as it was when it was emitted.

        The emitter or another subscriber may have changed the object since then, so only objects
        that cannot change are shared. For others the subscriber gets a decoded copy, as a remote
        one does.

        Raises:
            InvalidResult: The encoded value cannot be decoded.
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
        """Push values to `buffer` from now on, beginning with the retained ones.

        Args:
            buffer: The buffer of the subscription.
            key: As encoded by `SignalKey`; None for every value.
            membership: The addresses of the subscriber; None for one in this process, which gets
                every value.

        Returns:
            A function that ends it; it may be called several times.

        Raises:
            RuntimeError: This is not the thread of the Trio run.
        """
        self._check_thread()
        self._subscribed.setdefault(key, {})[buffer] = membership
        for entry in self._retained.get(key):
            buffer.push(entry)

        def detach() -> None:
            buffers = self._subscribed.get(key, {})
            buffers.pop(buffer, None)
            if not buffers:
                self._subscribed.pop(key, None)

        return detach

    def _addressed(self, entry: Entry) -> Sequence[Buffer]:
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

    def _known_codec(self) -> SignalCodec[T]:
        if self.codec is None:
            raise TypeError(f"{self.name} has no type yet: decorate its class with @service")
        return self.codec

    def _check_thread(self) -> None:
        try:
            run = trio.lowlevel.current_trio_token()
        except RuntimeError:
            run = None
        if run is None or (self._subscribed and run is not self._run):
            instead = "trio.from_thread.run_sync(service.signal.emit, value)"
            raise elsewhere(self.name, instead) from None
        self._run = run
