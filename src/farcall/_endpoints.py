"""What is served at one path: methods and signals by wire name, each with its object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

import attrs

from farcall._contract.spec import SignalSpec
from farcall._declare import Method, Service, service_of
from farcall._signals import SignalState
from farcall.errors import DeclarationError

_T = TypeVar("_T")


@attrs.frozen
class Endpoint:
    """A method of a service object."""

    method: Method
    target: Any
    """The service object."""

    @property
    def function(self) -> Any:
        """The bound method."""
        return getattr(self.target, self.method.attribute)


@attrs.frozen
class EventSource:
    """A signal of a service object."""

    spec: SignalSpec
    state: SignalState[Any]


@attrs.frozen
class Endpoints:
    """Everything that one path offers."""

    methods: Mapping[str, Endpoint]
    signals: Mapping[str, EventSource]
    contracts: Mapping[str, str]
    """The digest of each contract, by the name of its service."""
    background: tuple[Any, ...]
    """Bound ``@background`` methods."""

    @classmethod
    def of(cls, targets: Iterable[object]) -> Endpoints:
        """Collect the endpoints of service objects.

        Raises:
            DeclarationError: an object is no service, or two offer the same wire name.
        """
        services = [(service_of(target), target) for target in targets]
        return cls(
            methods=dict(_unique(_methods(services))),
            signals=dict(_unique(_signals(services))),
            contracts={service.spec.name: service.digest for service, _ in services},
            background=tuple(
                getattr(target, name) for service, target in services for name in service.background
            ),
        )


_Services = list[tuple[Service, Any]]


def _methods(services: _Services) -> Iterator[tuple[str, Endpoint]]:
    for service, target in services:
        for name, method in service.methods.items():
            yield name, Endpoint(method, target)


def _signals(services: _Services) -> Iterator[tuple[str, EventSource]]:
    for service, target in services:
        for name, entry in service.signals.items():
            yield name, EventSource(entry.spec, entry.signal.state(target))


def _unique(items: Iterator[tuple[str, _T]]) -> Iterator[tuple[str, _T]]:
    seen: set[str] = set()
    for name, item in items:
        if name in seen:
            raise DeclarationError(
                "FC401",
                "serve()",
                name,
                "two of the served objects offer this name",
                "Give one of their services another name, or serve them at different paths",
            )
        seen.add(name)
        yield name, item
