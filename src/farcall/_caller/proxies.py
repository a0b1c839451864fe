"""Proxies over a caller, and the contracts that they were made for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, cast

from farcall._contract.spec import ServiceSpec
from farcall._declare import service_of
from farcall._proxy import Caller, Proxy, class_proxy, contracts_of_members

ProxyT = TypeVar("ProxyT")


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


def contract_of(proxy: type[Any]) -> Mapping[str, str]:
    """Tell the contract of a stub or a service class, as a hello names it."""
    if issubclass(proxy, Proxy):
        return {proxy._service_name: proxy._contract_digest}
    service = service_of(proxy)
    return {service.spec.name: service.digest}


def needs_of(proxy: type[Any]) -> Iterator[ServiceSpec]:
    """Give what a stub or a service class needs of a server, as one contract or several."""
    if issubclass(proxy, Proxy):
        yield from contracts_of_members(proxy)
    else:
        yield service_of(proxy).spec
