"""Proxies: classes whose methods call a peer, and the contracts they were made for.

A generated stub derives from `Proxy` and declares its members with `endpoint`, `stream_endpoint`
and `RemoteSignal`; the annotations of a member are read when it is first used. A `ClassProxy`
stands for a service class itself, where both sides share the code.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import AbstractAsyncContextManager, suppress
from types import FunctionType
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Generic,
    NoReturn,
    ParamSpec,
    Protocol,
    TypeVar,
    cast,
    get_args,
    overload,
)
from weakref import WeakKeyDictionary

from msgspec import Struct

from farcall._codec import Codec, codec_of
from farcall._contract.definitions import Definitions
from farcall._contract.describe import describe
from farcall._contract.spec import MethodSpec, ServiceSpec, SignalSpec, UnsupportedType
from farcall._declare import (
    Method,
    Service,
    errors_listed,
    is_service,
    method_of,
    resolved_hints,
    service_of,
    site_of_caller,
    site_to_mark,
)
from farcall._signals import OnLag, Subscription, check_on_lag
from farcall._usage.live import Live
from farcall._usage.nearest import nearest
from farcall._usage.opening import Openable, advice_on_signal
from farcall._usage.options import check_flag, check_text, wrong_type
from farcall.errors import ApplicationError, DeclarationError, NotSupported

if TYPE_CHECKING:
    from typing_extensions import TypeVar as TypeVarWithDefault

    K = TypeVarWithDefault("K", default=None)
else:
    K = TypeVar("K")

P = ParamSpec("P")
T = TypeVar("T")
ProxyT = TypeVar("ProxyT")


class Caller(Protocol):
    """Carries the calls of a proxy over a link."""

    async def call_method(
        self, method: Method, args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> Any:
        """Call a method of known types."""

    def open_stream(
        self, method: Method, args: tuple[object, ...], kwargs: Mapping[str, object]
    ) -> AbstractAsyncContextManager[AsyncIterator[Any]]:
        """Call a stream of known types."""
        ...

    def subscribe_signal(
        self, name: str, codec: Codec[T], *, key: object, on_lag: OnLag
    ) -> AbstractAsyncContextManager[Subscription[T]]:
        """Subscribe to a signal whose values have a known type."""
        ...

    def listen(
        self, name: str, codec: Codec[T], *, on_lag: OnLag
    ) -> AbstractAsyncContextManager[Subscription[T]]:
        """Listen to the notifications of a name, and send nothing."""
        ...


def check_proxy(proxy: object, name: str = "proxy") -> None:
    """Check that this is a class to make a proxy from.

    Raises:
        TypeError: it is not a class, or it is the base of all stubs.
        DeclarationError: it is neither a stub nor a service class.
        NotSupported: it is a service class that has plain ``def`` endpoints.
    """
    takes = "a stub or a service class"
    if not isinstance(proxy, type):
        write = type(proxy).__name__ if is_service(proxy) else ""
        raise wrong_type(name, takes, proxy, write)
    if proxy is Proxy:
        raise wrong_type(name, takes, Proxy, "the class that `farcall stubs` generates")
    if not issubclass(proxy, Proxy):
        class_proxy(service_of(cast("object", proxy)))


class Proxy(Live):
    """Call one service through typed methods: the base of generated stubs.

    ``connect(url, MarketProxy)`` and `Session.proxy` make one. Each of its methods is awaited,
    sends the arguments that were passed, and raises the errors it declares, or an `RpcError`,
    `ConnectionLost`, `EncodeError` or `InvalidResult`.

    Args:
        caller: Carries its calls.
    """

    # No endpoint has a name that begins with an underscore.
    _service_name: ClassVar[str] = ""
    _contract_digest: ClassVar[str] = ""

    def __init_subclass__(cls, *, service: str = "", contract: str = "", **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        check_text("service=", service, write='service="Market"', may_be_empty=True)
        check_text("contract=", contract, may_be_empty=True)
        cls._service_name = service
        cls._contract_digest = contract

    def __init__(self, caller: Caller) -> None:
        if not hasattr(caller, "call_method"):
            write = f"session.proxy({type(self).__name__})"
            raise wrong_type("caller", "what carries its calls", caller, write)
        self._caller = caller

    def __repr__(self) -> str:
        return f"<{type(self).__name__} over {self._caller!r}>"


class _Endpoint(Struct, frozen=True):
    """The declaration of a method of a stub."""

    function: Callable[..., object]
    wire_name: str
    errors: Sequence[type[ApplicationError]]
    is_oneway: bool = False
    is_stream: bool = False

    def read(self, definitions: Definitions | None = None) -> Method:
        """Read the signature; add the types that it names to `definitions`."""
        return method_of(
            self.function,
            self.wire_name,
            self.errors,
            oneway=self.is_oneway,
            stream=self.is_stream,
            definitions=definitions,
        )


_endpoints: WeakKeyDictionary[Callable[..., object], _Endpoint] = WeakKeyDictionary()
"""The methods that stubs declare, by the function that calls each."""


def endpoint(
    wire_name: str, *, raises: Sequence[type[ApplicationError]] = (), oneway: bool = False
) -> Callable[[Callable[P, Awaitable[T]]], Callable[P, Coroutine[Any, Any, T]]]:
    """Declare a method of a stub; its signature gives the types on the wire.

    To type checkers it returns a coroutine, so that they notice a missing ``await``.

    Args:
        wire_name: Such as ``Market.quote``.
        raises: The errors that arrive as themselves.
        oneway: Whether it is sent as a notification, which gets no response.
    """
    check_text("wire_name", wire_name, write='@endpoint("Market.quote")')
    check_flag("oneway=", oneway)
    errors = errors_listed(site_of_caller("@endpoint"), raises)

    def decorate(function: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
        site_to_mark(function, "@endpoint")
        # Read on first use: a stub's records may be defined below the method that names them.
        endpoint = _Endpoint(function, wire_name, errors, is_oneway=oneway)
        read = functools.cache(endpoint.read)

        @functools.wraps(function)
        async def call(*args: P.args, **kwargs: P.kwargs) -> T:
            proxy, *rest = args
            assert isinstance(proxy, Proxy)
            result: T = await proxy._caller.call_method(read(), tuple(rest), kwargs)
            return result

        _endpoints[call] = endpoint
        return call

    return decorate


def stream_endpoint(
    wire_name: str, *, raises: Sequence[type[ApplicationError]] = ()
) -> Callable[
    [Callable[P, AbstractAsyncContextManager[AsyncIterator[T]]]],
    Callable[P, AbstractAsyncContextManager[AsyncIterator[T]]],
]:
    """Declare a stream of a stub; its signature gives the types on the wire.

    Args:
        wire_name: Such as ``Market.history``.
        raises: The errors that arrive as themselves.
    """
    check_text("wire_name", wire_name, write='@stream_endpoint("Market.history")')
    errors = errors_listed(site_of_caller("@stream_endpoint"), raises)

    def decorate(
        function: Callable[P, AbstractAsyncContextManager[AsyncIterator[T]]],
    ) -> Callable[P, AbstractAsyncContextManager[AsyncIterator[T]]]:
        site_to_mark(function, "@stream_endpoint")
        endpoint = _Endpoint(function, wire_name, errors, is_stream=True)
        read = functools.cache(endpoint.read)

        @functools.wraps(function)
        def open_(
            *args: P.args, **kwargs: P.kwargs
        ) -> AbstractAsyncContextManager[AsyncIterator[T]]:
            proxy, *rest = args
            assert isinstance(proxy, Proxy)
            return proxy._caller.open_stream(read(), tuple(rest), kwargs)

        _endpoints[open_] = endpoint
        return open_

    return decorate


class BoundRemoteSignal(Live, Openable, Generic[T, K]):
    """A signal of a peer, on one proxy; `K` is the type of its key, None for no key."""

    def __init__(
        self, caller: Caller, wire_name: str, codec: Codec[T], key: Codec[Any] | None
    ) -> None:
        self._caller = caller
        self._wire_name = wire_name
        self._codec = codec
        self._key = key

    @property
    def _advice(self) -> str:
        return advice_on_signal(self._wire_name)

    def __repr__(self) -> str:
        return f"<remote signal {self._wire_name}>"

    def subscribe(
        self, *, key: K | None = None, on_lag: OnLag = "raise"
    ) -> AbstractAsyncContextManager[Subscription[T]]:
        """Subscribe for as long as an ``async with`` block runs.

        Args:
            key: Only values with this key; None for all.
            on_lag: What to do when more values wait than the buffer takes (1,024, or 1 MiB). Each
                policy drops the oldest first: ``"raise"`` raises `SignalLagged`, ``"drop_oldest"``
                counts them in `Subscription.missed`, and so does ``"latest"``, whose buffer takes
                one value.

        Returns:
            A context manager. It enters the block when the peer has confirmed the subscription.
            After the block it ends the subscription and waits for the response, 0.5 s at most.

        Raises:
            RpcError: the peer refuses; `MethodNotFound` if it has no such signal.
            ConnectionLost: the link has ended, also while iterating.
            EncodeError: `key` is not of the type of the key.
            TypeError: the signal has no key.

        Cancellation:
            The peer is asked to end the subscription, and its response awaited for at most 0.5 s.
        """
        check_on_lag(on_lag)
        if key is not None:
            if self._key is None:
                raise TypeError(f"{self._wire_name} has no key to filter by: leave out key=")
            self._key.encode(key, at="key")
        return self._caller.subscribe_signal(self._wire_name, self._codec, key=key, on_lag=on_lag)

    def listen(self, *, on_lag: OnLag = "raise") -> AbstractAsyncContextManager[Subscription[T]]:
        """Listen to the notifications of this name that the peer sends unasked; send nothing.

        For a hand-written stub of a server that sends its events to every client, or after some
        other call. A farcall server emits only to subscribers: use `subscribe` there.

        Args:
            on_lag: As for `subscribe`.

        Returns:
            A context manager that gives the `Subscription`; nothing is sent when it begins or ends.

        Raises:
            ConnectionLost: the link has ended, also while iterating.
        """
        check_on_lag(on_lag)
        return self._caller.listen(self._wire_name, self._codec, on_lag=on_lag)


class RemoteSignal(Live, Generic[T, K]):
    """Declare a signal of a stub, with the types of its values and of its key.

    ``opened: RemoteSignal[bool] = RemoteSignal("Market.opened")`` has no key,
    ``ticked: RemoteSignal[Quote, str] = RemoteSignal("Market.ticked")`` has a text as its key.

    Args:
        wire_name: Such as ``Market.ticked``.
    """

    def __init__(self, wire_name: str) -> None:
        check_text("wire_name", wire_name, write='RemoteSignal("Market.ticked")')
        self._wire_name = wire_name
        self._name = ""
        self._codecs: tuple[Codec[T], Codec[Any] | None] | None = None

    if not TYPE_CHECKING:

        def __class_getitem__(cls, types: object) -> object:
            # The default of K, which type checkers know; Python has those from 3.13 on.
            both = types if isinstance(types, tuple) else (types, None)
            return super().__class_getitem__(both)

    def __repr__(self) -> str:
        return f"<RemoteSignal {self._wire_name}>"

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> RemoteSignal[T, K]: ...

    @overload
    def __get__(self, instance: Proxy | ClassProxy, owner: type) -> BoundRemoteSignal[T, K]: ...

    def __get__(
        self, instance: Proxy | ClassProxy | None, owner: type
    ) -> RemoteSignal[T, K] | BoundRemoteSignal[T, K]:
        if instance is None:
            return self
        if self._codecs is None:
            value, key = get_args(resolved_hints(owner)[self._name])
            self._codecs = codec_of(value), None if key is type(None) else codec_of(key)
        return BoundRemoteSignal(instance._caller, self._wire_name, *self._codecs)

    def _contract_in(self, owner: type[Proxy]) -> ServiceSpec:
        """Make its contract, which has the type of its key, and not the name.

        Raises:
            DeclarationError: its type names something that is not defined.
            UnsupportedType: its values cannot cross the wire.
        """
        value, key = get_args(resolved_hints(owner)[self._name])
        definitions = Definitions()
        spec = SignalSpec(
            self._name,
            self._wire_name,
            describe(value, definitions),
            key_type=None if key is type(None) else describe(key, definitions),
        )
        return _contract_of(owner, definitions, spec)


def contracts_of_members(proxy: type[Proxy]) -> Iterator[ServiceSpec]:
    """Yield the contract of each member of a stub by itself.

    Two members of a hand-written stub may mean different types by one name. A member that cannot be
    read is left out here, and raises when it is used.
    """
    members = {name: each for cls in reversed(proxy.__mro__) for name, each in vars(cls).items()}
    for member in members.values():
        with suppress(DeclarationError, UnsupportedType):
            if isinstance(member, RemoteSignal):
                yield member._contract_in(proxy)
            elif isinstance(member, FunctionType) and member in _endpoints:
                definitions = Definitions()
                method = _endpoints[member].read(definitions)
                yield _contract_of(proxy, definitions, method.spec)


def _contract_of(
    proxy: type[Proxy], definitions: Definitions, member: MethodSpec | SignalSpec
) -> ServiceSpec:
    return ServiceSpec(
        proxy._service_name,
        proxy.__name__,
        (member,) if isinstance(member, MethodSpec) else (),
        (member,) if isinstance(member, SignalSpec) else (),
        definitions.sorted(),
    )


def _nearest(name: str, names: Iterable[str]) -> str:
    found = nearest(name, (each for each in names if not each.startswith("_")))
    return f"; did you mean {found}?" if found else ""


class ClassProxy(Live):
    """Stand for a service class on the calling side, with its endpoints alone.

    Args:
        caller: Carries its calls.
    """

    _service_class: ClassVar[type[object]] = object

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def __repr__(self) -> str:
        return f"<proxy of {self._service_class.__name__} over {self._caller!r}>"

    def __getattr__(self, name: str) -> NoReturn:
        cls = self._service_class
        if hasattr(cls, name):
            problem = f"{cls.__name__}.{name} is not an endpoint: it stays on the server"
        else:
            problem = f"{cls.__name__} has no {name}{_nearest(name, vars(type(self)))}"
        raise AttributeError(problem, name=name, obj=self)


_class_proxies: WeakKeyDictionary[Service, type[ClassProxy]] = WeakKeyDictionary()
"""One for each service: a server that calls back may ask for one in each call."""


def class_proxy(service: Service) -> type[ClassProxy]:
    """Return the class of the proxies of a service, made once; in `help` it looks like the service.

    Raises:
        NotSupported: an endpoint is a plain ``def``, whose type promises a result without a wait.
    """
    if service in _class_proxies:
        return _class_proxies[service]
    cls = service.cls
    body: dict[str, object] = {
        "_service_class": cls,
        "__doc__": cls.__doc__,
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
    }
    for method in service.methods.values():
        if not method.is_async:
            raise NotSupported(
                f"{cls.__name__}.{method.attribute} is a plain def, but a call over the wire must"
                " be awaited: connect with a generated stub, or make it async def"
            )
        body[method.attribute] = _shown_as(cls, method.attribute, _member_of(method))
    for name, entry in service.signals.items():
        signal = body[entry.attribute] = RemoteSignal[Any, Any](name)
        key = None if entry.codecs.key is None else entry.codecs.key.codec
        signal._codecs = entry.codec, key
    made = _class_proxies[service] = type(cls.__name__, (ClassProxy,), body)
    return made


def _member_of(method: Method) -> Callable[..., object]:
    async def call(self: ClassProxy, /, *args: object, **kwargs: object) -> object:
        return await self._caller.call_method(method, args, kwargs)

    def open_(
        self: ClassProxy, /, *args: object, **kwargs: object
    ) -> AbstractAsyncContextManager[AsyncIterator[Any]]:
        return self._caller.open_stream(method, args, kwargs)

    return open_ if method.is_stream else call


def _shown_as(
    cls: type[object], attribute: str, call: Callable[..., object]
) -> Callable[..., object]:
    """Copy name, docstring and signature of the method that a call stands for."""
    function = getattr(cls, attribute)
    signature = inspect.signature(function)
    if isinstance(inspect.getattr_static(cls, attribute), staticmethod):
        receiver = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
        # `help` leaves out the first parameter of a method.
        signature = signature.replace(parameters=[receiver, *signature.parameters.values()])
    shown: Any = functools.update_wrapper(call, function, updated=())
    shown.__signature__ = signature
    return call


def proxy_over(caller: Caller, proxy: type[ProxyT]) -> ProxyT:
    """Make a proxy over a caller.

    Raises:
        NotSupported: a service class that has plain ``def`` endpoints; use its stub.
        DeclarationError: the class is neither a stub nor a service.
    """
    if issubclass(proxy, Proxy):
        return proxy(caller)
    # To the type checker it is the class: that is what this kind of proxy is for.
    return cast("ProxyT", class_proxy(service_of(proxy))(caller))


def contract_of(proxy: type[object]) -> Mapping[str, str]:
    """Return the contract of a stub or a service class, as in a hello: its name and digest."""
    if issubclass(proxy, Proxy):
        return {proxy._service_name: proxy._contract_digest}
    service = service_of(proxy)
    return {service.spec.name: service.digest}


def needs_of(proxy: type[object]) -> Iterator[ServiceSpec]:
    """Yield what a stub or a service class needs of a server, as one contract or several."""
    if issubclass(proxy, Proxy):
        yield from contracts_of_members(proxy)
    else:
        yield service_of(proxy).spec
