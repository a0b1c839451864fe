"""`Signal` as users see it: declared on a class, emitted and subscribed to on an object.

The state of a signal belongs to one object, by identity: a table here holds what cannot be put on
the object itself.
"""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator, Callable, Set
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Generic, Never, NoReturn, TypeVar, overload

import attrs
import trio

from farcall._signals.audience import Address
from farcall._signals.buffer import Buffer, OnLag
from farcall._signals.state import KeyValue, SignalCodec, SignalOptions, SignalState
from farcall._signals.subscription import Subscription, open_subscription
from farcall._usage.live import Live
from farcall._usage.opening import Openable, Opening, advice_on_signal

V = TypeVar("V")


@attrs.frozen(eq=False)
class _Kept(Generic[V]):
    owner: weakref.ref[object]
    value: V


class IdentityTable(Generic[V]):
    """Keep a value for each object, found by identity, for as long as the object lives.

    Unlike `weakref.WeakKeyDictionary` it asks objects neither for a hash nor for equality: two
    services that are equal are still two, and attrs classes with ``eq`` have no hash at all.
    """

    def __init__(self) -> None:
        self._kept: dict[int, _Kept[V]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, owner: object) -> V | None:
        """Give what is kept for `owner`, or None."""
        kept = self._kept.get(id(owner))
        return None if kept is None else kept.value

    def setdefault(self, owner: object, value: V) -> V:
        """Keep `value` unless there is one already, and give the one that counts.

        Raises:
            TypeError: the class of `owner` has slots and none for weak references.
        """
        number, table = id(owner), self._kept
        # The callback runs before the memory of `owner`, and with it the id, can be used again.
        reference = weakref.ref(owner, lambda _: table.pop(number, None))
        # One atomic step: worker threads look up signals as well, to hand `emit` to Trio.
        return table.setdefault(number, _Kept(reference, value)).value


T = TypeVar("T")


class Signal(Live, Generic[T]):
    """Declare an event of a service: ``ticked: Signal[Quote] = Signal(key="symbol")``.

    On the class it is itself; on a service object it gives the `BoundSignal` of that object.
    Each object has subscribers of its own, by identity.

    Args:
        name: The whole name on the wire, in place of ``Service.member``.
        key: A field of the values, by whose value subscribers may filter.
        retain: Hand a new subscriber the last value; with `key`, the last of each key (of the
            1,024 keys emitted last, at most 1 MiB).
        broadcast: Send the values to plain peers that have not asked for them, too.
        history: Not there yet; refused.
        protected: Whether subscribers must have logged in; False opens a signal of a protected
            class. By default the class decides.
        roles: Of these subscribers must have one, which their login gave them.
        allow: ``allow(call, key)`` decides on each subscription, and again when another principal
            takes over the connection: `farcall.CallContext`, and the key asked for; None stands
            for every value there is. It must not block.

    Raises:
        TypeError: an option is of another type. What else is wrong with it is an error of the
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
        """Say how values are encoded for the objects of `owner` and its subclasses.

        ``@service`` calls it once the types are known. A signal can be inherited by several
        services, and mean another type in each.
        """
        self._codecs[owner] = codec

    def _state_of(self, instance: object) -> SignalState[T]:
        """Give what a server attaches remote subscriptions to."""
        return self.__get__(instance)._state

    def _bind(self, instance: object) -> BoundSignal[T]:
        codecs = (self._codecs.get(base) for base in type(instance).__mro__)
        codec = next((each for each in codecs if each is not None), None)
        state = SignalState(self._label, codec, self.options)
        try:
            return self._bound.setdefault(instance, BoundSignal(state))
        except TypeError as exc:
            raise TypeError(
                f"{type(instance).__name__} has slots and none for weak references, by which"
                f" {self._label} is kept: add weakref_slot=True, or '__weakref__' to __slots__"
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
        """Hand `value` to everybody who has subscribed; never blocks.

        It is checked and encoded here, once, whoever listens. Each subscriber gets the value as it
        is now, whatever becomes of the object; local ones share it where it is frozen.

        Args:
            value: Of the signal's type.
            to: Whom it is for, of those who have subscribed: `farcall.user` and `farcall.room`
                make what may be in it. None for all. Subscribers in this process hear everything.
                What is for some is never retained.

        Raises:
            EncodeError: `value` is not of that type.
            TypeError: `to` is no set of users and rooms, or the signal is a broadcast.
            RuntimeError: this is another thread than that of the Trio run, or no Trio runs.
                There call ``trio.from_thread.run_sync(service.signal.emit, value)``.
        """
        self._state.emit(value, to=to)

    def subscribe(
        self, *, key: KeyValue | None = None, on_lag: OnLag = "raise"
    ) -> AbstractAsyncContextManager[Subscription[T]]:
        """Listen while an ``async with`` block runs.

        Args:
            key: Only values with this key; None for all.
            on_lag: What to do when more than 1,024 values or 1 MiB wait. All policies drop the
                oldest first: ``"raise"`` tells by `SignalLagged`, ``"drop_oldest"`` counts in
                `Subscription.missed`, and so does ``"latest"``, which keeps one value only.

        Returns:
            A context manager that gives the `Subscription`.

        Raises:
            EncodeError: `key` is not of the type of the key's field.
            TypeError: the signal has no key.

        Cancellation:
            The subscription ends at once; there is nobody to wait for.
        """
        wanted = None if key is None else self._state.encode_key(key)
        buffer, subscription = open_subscription(self._state.read, on_lag=on_lag)
        return Opening(_attached(self._state, wanted, buffer, subscription), self._advice)


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
