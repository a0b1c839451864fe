"""What is served at one path: methods and signals by wire name, with their service objects."""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, partial
from types import MethodType
from typing import Any, Final, Literal, TypeAlias

import attrs
import msgspec
from msgspec import Struct, field

from farcall._codec import ErrorCodec
from farcall._contract.description import description_of
from farcall._contract.spec import MethodSpec, SignalSpec
from farcall._declare import (
    Method,
    Rule,
    Service,
    SignalEntry,
    documented,
    service_of_object,
    site_of_attribute,
)
from farcall._limits import Limits
from farcall._protocol.binary import FEATURES
from farcall._protocol.messages import VERSION, Hello, PeerLimits
from farcall._signals import SignalState

logger = logging.getLogger("farcall")

MAX_NAMED: Final = 5
"""Members in one line of the log."""


EndpointKind: TypeAlias = Literal["call", "stream", "task"]
"""How calls of a method are served; see `RUNNERS` of the dispatcher."""


class MethodLimits(Struct, eq=False):
    """The limits of one method, and its calls that run, of all peers."""

    max_seconds: float = math.inf
    max_concurrent: float = math.inf
    running: int = 0

    @classmethod
    def of(cls, spec: MethodSpec) -> MethodLimits | None:
        """Return the limits of a method; None if it has none."""
        if spec.max_seconds is None and spec.max_concurrent is None:
            return None
        return cls(
            math.inf if spec.max_seconds is None else spec.max_seconds,
            math.inf if spec.max_concurrent is None else spec.max_concurrent,
        )

    @property
    def is_full(self) -> bool:
        return self.running >= self.max_concurrent


@attrs.define(eq=False)
class Endpoint:
    """A method of a service object, with what each call of it needs."""

    method: Method
    target: object
    """The service object."""
    kind: EndpointKind = attrs.field(init=False)
    is_inline: bool = attrs.field(init=False)
    """Whether calls may run in the reader: a plain ``def`` that is not ``ordered``."""
    is_protected: bool = attrs.field(init=False)
    """Whether it needs a login."""
    limits: MethodLimits | None = attrs.field(init=False)
    """None if it has no limits of its own."""
    function: Callable[..., Any] = attrs.field(init=False)
    """The bound method."""

    def __attrs_post_init__(self) -> None:
        method = self.method
        self.kind = "call" if method.started is None else "task"
        if method.is_stream:
            self.kind = "stream"
        self.is_inline = not (method.is_async or method.in_thread or method.ordered)
        self.is_protected = method.spec.access.protected
        self.limits = MethodLimits.of(method.spec)
        self.function = getattr(self.target, method.attribute)

    @property
    def generator(self) -> Callable[..., AsyncGenerator[Any, None]]:
        """The generator function that the method of a stream wraps, bound to its object."""
        function: Any = self.function
        owner = getattr(function, "__self__", None)
        generator: Callable[..., AsyncGenerator[Any, None]] = function.__wrapped__
        return generator if owner is None else partial(generator, owner)


class SignalEndpoint(Struct, frozen=True):
    """A signal of a service object."""

    spec: SignalSpec
    state: SignalState[Any]
    allow: Callable[[Any, Any], bool] | None = None
    """Decides on each subscription, given the call and the key."""
    errors: ErrorCodec = field(default_factory=lambda: ErrorCodec(()))
    """A signal declares none."""


@attrs.frozen
class Endpoints:
    """Everything that is served at one path."""

    methods: Mapping[str, Endpoint]
    signals: Mapping[str, SignalEndpoint]
    contracts: Mapping[str, str]
    """The digest of each contract, by the name of its service; see `contracts_of`."""
    background: tuple[MethodType, ...]
    """Bound ``@background`` methods."""
    services: tuple[Service, ...] = ()
    need_a_login: bool = attrs.field(init=False)
    """Whether there are members, and each needs a login."""

    def __attrs_post_init__(self) -> None:
        is_needed = 0 < len(self.members) == len(self.protected)
        object.__setattr__(self, "need_a_login", is_needed)

    @cached_property
    def description(self) -> bytes:
        """The result of ``rpc.discover``."""
        return msgspec.json.encode(description_of(map(documented, self.services)))

    @property
    def members(self) -> tuple[str, ...]:
        """The wire names of all methods and signals."""
        return (*self.methods, *self.signals)

    @property
    def protected(self) -> tuple[str, ...]:
        """The wire names of the members that need a login."""
        specs: list[MethodSpec | SignalSpec] = [
            *(each.method.spec for each in self.methods.values()),
            *(each.spec for each in self.signals.values()),
        ]
        return tuple(spec.wire_name for spec in specs if spec.access.protected)

    @classmethod
    def of(cls, targets: Iterable[object]) -> Endpoints:
        """Collect the endpoints of service objects.

        Raises:
            DeclarationError: an object is no service, or two offer the same wire name.
        """
        services = [(service_of_object(target), target) for target in targets]
        _check_names(service for service, _ in services)
        return cls(
            methods=dict(_methods(services)),
            signals=dict(_signals(services)),
            contracts=contracts_of((each.spec.name, each.digest) for each, _ in services),
            background=tuple(
                getattr(target, name) for service, target in services for name in service.background
            ),
            services=tuple(dict.fromkeys(service for service, _ in services)),
        )


def contracts_of(digests: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """Map each name of a service to its digests, separated by spaces, as a hello has them.

    Services without a name share the empty one, and both ends may serve one of the same name.
    """
    contracts: dict[str, str] = {}
    for name, digest in digests:
        known = contracts.get(name, "").split()
        contracts[name] = " ".join(dict.fromkeys([*known, *digest.split()]))
    return contracts


def greeting(limits: Limits, message: int, contracts: Mapping[str, str]) -> Hello:
    """Make the hello of one side.

    Args:
        limits: Of this side.
        message: The largest message that it takes, in bytes.
        contracts: The digests of the services that it serves or calls; see `contracts_of`.
    """
    announced = PeerLimits(
        message=message,
        calls=limits.calls,
        subscriptions=limits.subscriptions,
        bundle=limits.bundle,
        call_bytes=limits.call_bytes,
    )
    return Hello(v=VERSION, limits=announced, features=FEATURES, contracts=contracts)


def warn_of_protected(paths: Iterable[Endpoints], why: str) -> None:
    """Log one line that names the members which need a login, where there are none.

    Args:
        paths: The members of each path.
        why: The reason why there are no logins.
    """
    served = list(paths)
    names = list(dict.fromkeys(name for each in served for name in each.protected))
    if names:
        members = {name for each in served for name in each.members}
        text = "%d of %d members need a login, and no peer can log in: %s (%s)"
        logger.warning(text, len(names), len(members), why, some_of(names))


def some_of(names: Sequence[str]) -> str:
    """List the first few, and count the rest."""
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more


_Services = list[tuple[Service, object]]


def _methods(services: _Services) -> Iterator[tuple[str, Endpoint]]:
    for service, target in services:
        for name, method in service.methods.items():
            yield name, Endpoint(method, target)


def _signals(services: _Services) -> Iterator[tuple[str, SignalEndpoint]]:
    for service, target in services:
        for name, entry in service.signals.items():
            yield (
                name,
                SignalEndpoint(
                    entry.spec, entry.signal._state_of(target), entry.signal.options.allow
                ),
            )


def _check_names(services: Iterable[Service]) -> None:
    owners: dict[str, Service] = {}
    for service in services:
        members: dict[str, Method | SignalEntry] = {**service.methods, **service.signals}
        for name, member in members.items():
            if name in owners:
                other = owners[name].cls.__name__
                raise site_of_attribute(service.cls, member.attribute).error(
                    Rule.SERVED_TWICE,
                    f"{other}, at the same path, already offers {name}",
                    "Give one of the services another name or another path",
                )
            owners[name] = service
