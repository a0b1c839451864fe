"""`Signal` as users see it: declared on a class, emitted and subscribed to on an object.

The state of a signal belongs to one object. It is kept in a table, by identity, because an object
with slots has no attribute for it.
"""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Callable, Set
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Generic, Never, NoReturn, TypeVar, overload

import trio
from msgspec import Struct

from farcall._signals.audience import Address
from farcall._signals.buffer import Buffer, OnLag
from farcall._signals.state import KeyValue, SignalCodec, SignalOptions, SignalState
from farcall._signals.subscription import Subscription, open_subscription
from farcall._usage.live import Live
from farcall._usage.opening import Openable, Opening, advice_on_signal

V = TypeVar("V")


class _Item(Struct, Generic[V], frozen=True, eq=False):
    owner: weakref.ref[object]
    value: V


class IdentityTable(Generic[V]):
    """A value for each object, looked up by identity and removed when the object dies.

    `weakref.WeakKeyDictionary` needs a hash and compares by equality. But two equal services are
    still two, and attrs classes with ``eq`` have no hash.
    """

    def __init__(self) -> None:
        self._items: dict[int, _Item[V]] = {}

    def __len__(self) -> int:
        return len(self._items)

    def get(self, owner: object) -> V | None:
        """Return the value of `owner`, or None."""
        item = self._items.get(id(owner))
        return None if item is None else item.value

    def setdefault(self, owner: object, value: V) -> V:
        """Insert `value` unless `owner` has one, and return the value in the table.

        Raises:
            TypeError: The class of `owner` has slots, and none for weak references.
        """
        number, items = id(owner), self._items
        # The callback runs before the memory of `owner`, and with it the id, can be used again.
        reference = weakref.ref(owner, lambda _: items.pop(number, None))
        # One atomic step: worker threads look up signals as well, to pass `emit` to Trio.
        return items.setdefault(number, _Item(reference, value)).value


T = TypeVar("T")


class Signal(Live, Generic[T]):
    """Declare an event of a service: ``ticked: Signal[Quote] = Signal(key="symbol")``.

    On the class it is itself; on a service object it gives the `BoundSignal` of that object.
    Each object has its own subscribers.

    Args:
        name: The whole name on the wire, in place of ``Service.member``.
        key: A field of the values; subscribers may filter by its value.
        retain: Send a new subscriber the last value; with `key`, the last value of each key (of
            the 1,024 keys emitted last, at most 1 MiB).
        broadcast: Send the values to plain peers as well, without their asking.
        history: Not available yet.
        protected: Whether subscribers must have logged in; False opens a signal of a protected
            class. By default the class decides.
        roles: Subscribers must have one of these roles, given by their login.
        allow: ``allow(call, key)`` decides on each subscription, and again when another principal
            takes over the connection. It gets the `farcall.CallContext` and the key asked for;
            None means every key. It must not block.

    Raises:
        TypeError: An option has the wrong type. Other mistakes in the options are errors of the
            class that the signal stands in.

    >>> from farcall import service
    >>> @service
    ... class Thermometer:
    ...     changed: Signal[float] = Signal()
    >>> async def main() -> None:
    ...     thermometer = Thermometer()
    ...     async with thermometer.changed.subscribe() as changes:
    ...         thermometer.changed.emit(21.5)
    ...         print(await anext(changes))
    >>> trio.run(main)
    21.5
    """

    def __init__(
        self,
        *,
        name: str | None = None,
        key: str | None = None,
        retain: bool = False,
        broadcast: bool = False,
        history: int = 0,
        protected: bool | None = None,
        roles: Set[str] = frozenset(),
        allow: Callable[[Any, Any], bool] | None = None,
    ) -> None:
        self.options = SignalOptions(
            name=name,
            key=key,
            retain=retain,
            broadcast=broadcast,
            history=history,
            protected=protected,
            roles=roles,
            allow=allow,
        )
        self._label = "the signal"
        self._codecs: dict[type, SignalCodec[T]] = {}
        self._bound: IdentityTable[BoundSignal[T]] = IdentityTable()

    def __set_name__(self, owner: type, name: str) -> None:
        self._label = f"{owner.__name__}.{name}"

    def __repr__(self) -> str:
        return f"<Signal {self._label}>"

    @overload
    def __get__(self, instance: None, owner: type) -> Signal[T]: ...

    @overload
    def __get__(self, instance: object, owner: type | None = None) -> BoundSignal[T]: ...

    def __get__(self, instance: object, owner: type | None = None) -> Signal[T] | BoundSignal[T]:
        if instance is None:
            return self
        return self._bound.get(instance) or self._bind(instance)

    def __set__(self, instance: object, value: Never) -> NoReturn:
        raise AttributeError(f"{self._label} is a signal: emit a value, do not assign one")

    def _configure(self, owner: type, codec: SignalCodec[T]) -> None:
        """Set how values are encoded for the objects of `owner` and its subclasses.

        ``@service`` calls it once the types are known. Several services can inherit a signal, and
        its type variables may stand for another type in each.
        """
        self._codecs[owner] = codec

    def _state_of(self, instance: object) -> SignalState[T]:
        return self.__get__(instance)._state

    def _bind(self, instance: object) -> BoundSignal[T]:
        codecs = (self._codecs.get(base) for base in type(instance).__mro__)
        codec = next((each for each in codecs if each is not None), None)
        state = SignalState(self._label, codec, self.options)
        try:
            return self._bound.setdefault(instance, BoundSignal(state))
        except TypeError as exc:
            raise TypeError(
                f"{self._label} needs weak references to its object, and the slots of"
                f" {type(instance).__name__} do not allow them: add weakref_slot=True, or"
                " '__weakref__' to __slots__"
            ) from exc


class BoundSignal(Live, Openable, Generic[T]):
    """A signal of one service object: emit values into it, or subscribe to it."""

    def __init__(self, state: SignalState[T]) -> None:
        self._state = state

    @property
    def _advice(self) -> str:
        return advice_on_signal(self._state.name)

    def __repr__(self) -> str:
        return f"<signal {self._state.name}: {self._state.subscribers} subscribers>"

    def emit(self, value: T, *, to: Set[Address] | None = None) -> None:
        """Send `value` to all subscribers; never blocks.

        The value is checked and encoded here, once. Each subscriber gets it as it is now, even if
        the object changes later; local subscribers share the object itself if it is frozen.

        Args:
            value: Of the signal's type.
            to: The audience, a set of `farcall.user` and `farcall.room`; None for all subscribers.
                Subscribers in this process get every value. A value with an audience is never
                retained.

        Raises:
            EncodeError: `value` is not of the signal's type.
            TypeError: `to` is not a set of users and rooms, or the signal is a broadcast.
            RuntimeError: This is not the thread of the Trio run. From another thread call
                ``trio.from_thread.run_sync(service.signal.emit, value)``.
        """
        self._state.emit(value, to=to)

    def subscribe(
        self, *, key: KeyValue | None = None, on_lag: OnLag = "raise"
    ) -> AbstractAsyncContextManager[Subscription[T]]:
        """Subscribe while an ``async with`` block runs.

        Args:
            key: Only values with this key; None for all.
            on_lag: The policy when more than 1,024 values or 1 MiB wait. All policies drop the
                oldest value first: ``"raise"`` raises `SignalLagged`, ``"drop_oldest"`` counts in
                `Subscription.missed`, and so does ``"latest"``, which keeps one value only.

        Returns:
            A context manager that gives the `Subscription`.

        Raises:
            EncodeError: `key` is not of the type of the key's field.
            TypeError: The signal has no key.

        Cancellation:
            The subscription ends at once.
        """
        encoded = None if key is None else self._state.key.encode(key)
        buffer, subscription = open_subscription(self._state.read, on_lag=on_lag)
        return Opening(_attached(self._state, encoded, buffer, subscription), self._advice)


@asynccontextmanager
async def _attached(
    state: SignalState[T], key: bytes | None, buffer: Buffer, subscription: Subscription[T]
) -> AsyncIterator[Subscription[T]]:
    await trio.lowlevel.checkpoint()
    detach = state.attach(buffer, key)
    try:
        yield subscription
    finally:
        detach()
        buffer.close()
