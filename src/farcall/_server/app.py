"""An app: what to serve and how, without where."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar, cast

import attrs

from farcall._server.host import Services, check_services
from farcall._server.options import AppOptions, HostOptions
from farcall._transport.http import OriginPolicy

OptionsT = TypeVar("OptionsT", bound=HostOptions)


@attrs.frozen(slots=False, repr=False)
class App(AppOptions):
    """Services and their options, without where to serve them.

    `open_server`, `serve`, `run`, `farcall.testing.open_pair` and the command ``farcall serve``
    take one in place of services. A test replaces some of its options:
    ``attrs.evolve(app, authenticate=..., lifespan=...)``.

    Args:
        services: As for `serve`.
        interceptors: As for `serve`.
        max_call_seconds: As for `serve`.
        cancel_grace: As for `serve`.
        limits: As for `serve`.
        heartbeat: As for `serve`.
        debug: As for `serve`.
        authenticate: As for `serve`.
        lifespan: As for `serve`.
        allowed_origins: As for `serve`.
        allowed_hosts: As for `serve`.
        drain_seconds: As for `serve`.

    Raises:
        DeclarationError: an object is no service, or two offer the same name at one path.
        TypeError: an argument is of another type; the message names it.
        ValueError: an argument makes no sense, or there is nothing to serve.

    >>> from farcall import functions
    >>> from farcall.testing import open_pair
    >>> def add(a: int, b: int) -> int:
    ...     return a + b
    >>> app = App(functions(add, name=""), max_call_seconds=5)
    >>> async def main() -> None:
    ...     async with open_pair(app) as (session, _):
    ...         print(await session.call("add", 2, 3))
    >>> import trio
    >>> trio.run(main)
    5
    """

    services: Services

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        _refuse_app(self.services)
        check_services(self.services)
        OriginPolicy.of(self.allowed_origins, self.allowed_hosts)

    def __repr__(self) -> str:
        options = "".join(f", {name}={value!r}" for name, value in self._given().items())
        return f"App({self.services!r}{options})"

    def _given(self) -> Mapping[str, Any]:
        """Return the options that differ from their defaults."""
        values = {field.name: getattr(self, field.name) for field in attrs.fields(AppOptions)}
        defaults = {field.name: field.default for field in attrs.fields(AppOptions)}
        return {name: value for name, value in values.items() if value != defaults[name]}


def _refuse_app(services: object) -> None:
    """Refuse an app in place of one of several services, or in another app."""
    match services:
        case App():
            raise TypeError("an App is served alone; write App([Shop(), News()])")
        case Mapping():
            for each in cast("Mapping[object, object]", services).values():
                _refuse_app(each)
        case list() | tuple():
            for each in cast("Sequence[object]", services):
                _refuse_app(each)
        case _:
            return


def given_twice(app: App, keywords: Collection[str]) -> Sequence[str]:
    """Name the keywords that are options of the app as well."""
    given = app._given()
    return [name for name in keywords if name in given]


def unpack(
    services: App | Services,
    options: OptionsT,
    function: Callable[..., object],
    keywords: Collection[str],
) -> tuple[Services, OptionsT]:
    """Return the services of an app, and its options beside those of a call; else both unchanged.

    Options of the app that the function does not have are left out.

    Args:
        services: An app, or services.
        options: Made of the keywords.
        function: It got the keywords.
        keywords: Their names.

    Raises:
        TypeError: an option is given to the app and to the function.
    """
    if not isinstance(services, App):
        _refuse_app(services)
        return services, options
    given = services._given()
    for name in given_twice(services, keywords):
        raise TypeError(
            f"{name}= is given twice, to App() and to {function.__name__}(): leave one out,"
            f" or write attrs.evolve(app, {name}=...)"
        )
    shared = {field.name for field in attrs.fields(type(options))}
    own = {name: value for name, value in given.items() if name in shared}
    return services.services, attrs.evolve(options, **own)
