"""A wrong argument raises at the call, with the name of the parameter."""

from __future__ import annotations

import contextlib
import functools
import inspect
import math
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
import trio

import farcall
from farcall import (
    ApplicationError,
    Busy,
    CallContext,
    Credentials,
    Heartbeat,
    Limits,
    Principal,
    Proceed,
    Signal,
    auth,
    functions,
    method,
    service,
    stream,
    stubgen,
    testing,
)
from farcall.testing import open_pair

URL: Final = "ws://127.0.0.1:1"
NAN, INF = math.nan, math.inf
HASH: Final = auth.hash_password("open sesame", cost=2, block_size=1, parallelism=1)


@service
class Shop:
    sold: Signal[int] = Signal()

    async def price(self, sku: str) -> float:
        return 2.5


class Inbox(Shop, list[str]):
    """An object of a service, and a list."""


class Board(Shop, dict[str, str]):
    """An object of a service, and a dict."""


class ShopProxy(farcall.Proxy, service="Shop"):
    @farcall.endpoint("Shop.price")
    async def price(self, sku: str) -> float:
        raise NotImplementedError


@attrs.define
class SoldOut(ApplicationError):
    sku: str


async def allows(credentials: Credentials) -> Principal | None:
    return None


def plain(*args: Any) -> None:
    return None


async def without(*, only: int) -> None:
    return None


async def intercept(call: CallContext, proceed: Proceed) -> Any:
    return await proceed()


class PlainCallable:
    def __call__(self, *args: object) -> None:
        return None


async def generates(*args: object) -> AsyncIterator[int]:
    yield 1


SERVER_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
CLIENT_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


# How each is called: with right arguments, but for those that a row of the table names.


async def serve(**wrong: Any) -> None:
    arguments: dict[str, Any] = {"services": Shop(), "port": 0, **wrong}
    await farcall.serve(arguments.pop("services"), arguments.pop("port"), **arguments)


_SHOP: Final = object()


def server(services: Any = _SHOP, port: Any = 0, **wrong: Any) -> object:
    return farcall.open_server(Shop() if services is _SHOP else services, port, **wrong)


def connect(url: Any = URL, proxy: Any = None, **wrong: Any) -> object:
    return farcall.connect(url, proxy, **wrong)


def pair(services: Any = _SHOP, proxy: Any = None, **wrong: Any) -> object:
    return open_pair(Shop() if services is _SHOP else services, proxy, **wrong)


def run(services: Any = _SHOP, port: Any = 0, **wrong: Any) -> object:
    return farcall.run(Shop() if services is _SHOP else services, port, **wrong)


def app(services: Any = _SHOP, **wrong: Any) -> object:
    return farcall.App(Shop() if services is _SHOP else services, **wrong)


async def lifespan_of(kind: Any) -> object:
    calls: list[CallContext] = []

    async def note(call: CallContext, proceed: Proceed) -> Any:
        calls.append(call)
        return await proceed()

    async with open_pair(Shop(), interceptors=[note]) as (session, _):
        await session.call("Shop.price", "a")
    return calls[0].lifespan(kind)


async def sweep(open: Any = None, scenario: Any = None, **wrong: Any) -> object:  # noqa: A002
    async def ask(pair: Any) -> None:
        await pair.client.price("a")

    opener = (lambda: open_pair(Shop(), Shop)) if open is None else open
    return await testing.cancel_sweep(opener, scenario or ask, **wrong)


Asks = Callable[[Any], object]


def of_session(ask: Callable[..., Any]) -> Callable[..., Awaitable[object]]:
    async def call(**wrong: Any) -> object:
        async with open_pair(Shop()) as (session, _):
            outcome = ask(session, **wrong)
            return await outcome if inspect.isawaitable(outcome) else outcome

    return call


def of_connection(ask: Callable[..., Any]) -> Callable[..., Awaitable[object]]:
    async def call(**wrong: Any) -> object:
        async with open_pair(Shop()) as (_, connection):
            outcome = ask(connection, **wrong)
            return await outcome if inspect.isawaitable(outcome) else outcome

    return call


def call(session: Any, method: Any = "Shop.price", **wrong: Any) -> object:
    return session.call(method, **wrong)


def notify(session: Any, method: Any = "Shop.price", **wrong: Any) -> object:
    return session.notify(method, **wrong)


def subscribe(session: Any, name: Any = "Shop.sold", **wrong: Any) -> object:
    return session.subscribe(name, **wrong)


def listen(session: Any, name: Any = "Shop.sold", **wrong: Any) -> object:
    return session.listen(name, **wrong)


def open_stream(session: Any, name: Any = "Shop.price", **wrong: Any) -> object:
    return session.stream(name, **wrong)


def proxy_of(session: Any, proxy: Any) -> object:
    return session.proxy(proxy)


async def subscribe_by_proxy(**wrong: Any) -> object:
    async with open_pair(Shop(), Shop) as (shop, _):
        return shop.sold.subscribe(**wrong)


async def listen_by_proxy(**wrong: Any) -> object:
    async with open_pair(Shop(), Shop) as (shop, _):
        return shop.sold.listen(**wrong)  # type: ignore[attr-defined]  # of the class proxy


async def emit(value: Any = 1, **wrong: Any) -> None:
    Shop().sold.emit(value, **wrong)


def a_signal(**wrong: Any) -> object:
    class Market:
        opened: Signal[int] = Signal(**wrong)

    return service(Market)


def a_method(function: Any = None, **wrong: Any) -> object:
    if function is not None:
        return method(function)

    class Market:
        @method(**wrong)
        async def close(self) -> None: ...

    return service(Market)


def a_stream(function: Any = None, **wrong: Any) -> object:
    if function is not None:
        return stream(function)

    class Market:
        @stream(**wrong)
        async def quotes(self) -> AsyncIterator[int]:
            yield 1

    return service(Market)


def a_service(cls: Any = None, **wrong: Any) -> object:
    class Market:
        async def close(self) -> None: ...

    return service(cls) if cls is not None else service(**wrong)(Market)


async def add(a: int, b: int) -> int:
    return a + b


def some_functions(functions: Any = (add,), name: Any = "calc") -> object:
    return farcall.functions(*functions, name=name)


def endpoint(wire_name: Any = "Shop.price", function: Any = add, **wrong: Any) -> object:
    return farcall.endpoint(wire_name, **wrong)(function)


def stream_endpoint(wire_name: Any = "Shop.all", function: Any = add, **wrong: Any) -> object:
    return farcall.stream_endpoint(wire_name, **wrong)(function)


def render_stub(service: Any = Shop, **wrong: Any) -> object:
    return stubgen.render(service, **wrong)


def write_stubs(services: Any = (), directory: Any = "stubs", **wrong: Any) -> object:
    return stubgen.write(services, directory, **wrong)


def check_stubs(services: Any = (), directory: Any = "stubs", **wrong: Any) -> object:
    return stubgen.check(services, directory, **wrong)


def hash_password(password: Any = "open sesame", **wrong: Any) -> object:
    return auth.hash_password(password, **wrong)


def verify(password: Any = "open sesame", stored: Any = HASH) -> object:
    return auth.verify_password(password, stored)


def users(hashes: Any = None, **wrong: Any) -> object:
    return auth.StaticUsers({"ada": HASH} if hashes is None else hashes, **wrong)


def first_of(authenticates: Any) -> object:
    return auth.first_of(*authenticates)


async def memory_pair(**wrong: Any) -> object:
    return testing.memory_pair(**wrong)


def collect(signal: Any) -> None:
    with testing.collect(signal):
        pass


def busy(seconds: Any = 1.0, message: Any = "Busy") -> object:
    return Busy.after(seconds, message)


def at(path: Any = "params.a", message: Any = "no") -> object:
    return farcall.InvalidArguments.at(path, message)


def rpc_error(code: Any = 5, message: Any = "no") -> object:
    return farcall.RpcError(code, message)


def lost(reason: Any = "cut", sent: Any = True) -> object:
    return farcall.ConnectionLost(reason, sent=sent)


def failed(reason: Any = "cut", **wrong: Any) -> object:
    return farcall.ConnectFailed(reason, **wrong)


def declaration(number: Any = "FC101", where: Any = "", **wrong: Any) -> object:
    parts = {"member": "", "problem": "", "fix": "", **wrong}
    return farcall.DeclarationError(number, where, **parts)


Row = tuple[str, object, type[Exception], str]
"""A parameter, a wrong value, what is raised, and what that says besides the name."""

T, V, D = TypeError, ValueError, farcall.DeclarationError


def seconds(parameter: str, *, zero: bool = False, infinite: bool = True) -> Sequence[Row]:
    """Make the rows of a parameter that takes a time."""
    bad: list[object] = [NAN, -INF, -1, *([] if zero else [0]), *([] if infinite else [INF])]
    takes = "takes a number of seconds"
    return [
        *((parameter, value, T, takes) for value in ("5", None, True, [1])),
        *((parameter, value, V, takes) for value in bad),
    ]


def flag(parameter: str) -> Sequence[Row]:
    return [(parameter, value, T, "takes True or False") for value in (None, 0, 1, "no", [True])]


def text(parameter: str, *, empty: bool = False) -> Sequence[Row]:
    """Make the rows of a parameter that takes a str."""
    rows: list[Row] = [(parameter, value, T, "a str") for value in (None, 5, b"x", True, ["x"])]
    return [*rows, *([] if empty else [(parameter, "", V, "not empty")])]


def interceptors(parameter: str) -> Sequence[Row]:
    takes = "an async function of \\(call, proceed\\)"
    return [
        *((parameter, value, T, "takes a list") for value in (intercept, None, "x", {intercept})),
        *((parameter, [value], T, takes) for value in (plain, 5, PlainCallable(), PlainCallable)),
        (parameter, [generates], T, takes),
        (parameter, [without], T, "cannot be called like that"),
    ]


def authenticate(parameter: str) -> Sequence[Row]:
    takes = "an async function of \\(credentials\\)"
    return [
        *((parameter, value, T, takes) for value in (plain, lambda _: None, 5, "x", generates)),
        (parameter, functools.partial(plain, 1), T, takes),
        (parameter, PlainCallable(), T, "which is a plain def"),
        (parameter, auth.StaticUsers, T, "write StaticUsers\\(...\\)"),
        (parameter, without, T, "cannot be called like that"),
    ]


LIFESPAN: Final[Sequence[Row]] = [
    *(
        ("lifespan", value, T, "a function that returns an async context manager")
        for value in (5, "x", allows, generates, contextlib.nullcontext())
    ),
    ("lifespan", contextlib.nullcontext(), T, "write the function itself, without \\(\\)"),
    ("lifespan", lambda app: None, T, "no parameters.*cannot be called like that"),
]

SERVICES: Final[Sequence[Row]] = [
    *(("services", value, T, "takes a service object") for value in (None, "x", 5, {Shop()})),
    ("services", iter([Shop()]), T, "takes a service object"),
    ("services", [], V, "an empty list"),
    ("services", (), V, "an empty tuple"),
    ("services", {}, V, "an empty dict"),
    ("services", {"/": []}, V, "services\\['/'\\] is an empty list"),
    ("services", {"/": None}, T, "services\\['/'\\] takes a service object"),
    ("services", {"/": {"/": Shop()}}, T, "services\\['/'\\] takes a service object"),
    ("services", {5: Shop()}, T, "each path of services"),
    ("services", {"shop": Shop()}, V, "write '/shop'"),
    ("services", {"": Shop()}, V, "write '/'"),
    ("services", {"/a b": Shop()}, V, "write '/a%20b'"),
    ("services", {"/ä": Shop()}, V, "write '/%C3%A4'"),
    ("services", {"/a?b": Shop()}, V, "write '/a'"),
    ("services", {"/a#b": Shop()}, V, "write '/a'"),
    ("services", {"/a%b": Shop()}, V, "write '/a%25b'"),
    ("services", {"/a\\b": Shop()}, V, "write '/a%5Cb'"),
    ("services", {"/a/../b": Shop()}, V, "write '/b'"),
    ("services", {"/a\n": Shop()}, V, "write '/a%0A'"),
    ("services", Shop, D, "Serve an instance: Shop\\(\\)"),
    ("services", [Shop], D, "Serve an instance: Shop\\(\\)"),
    ("services", [object()], D, "this is not a service"),
]

OWN_TYPES: Final[Sequence[Row]] = [
    ("types", value, T, "a list of modules, not .*; write \\[models\\]")
    for value in (None, 5, "models", ["models"], [Shop], stubgen)
]

STUBS: Final[Sequence[Row]] = [
    *(("services", value, T, "write \\[Shop\\]") for value in (Shop, Shop(), None, 5, "Shop")),
    ("services", [5], D, "this is not a service"),
    *(("directory", value, T, "a path") for value in (None, 5, b"stubs")),
    ("directory", "", V, "not empty"),
    ("directory", "a\0", V, "NUL"),
    *text("shared"),
    *OWN_TYPES,
]

MAX_CONCURRENT: Final[Sequence[Row]] = [
    *(("max_concurrent", value, T, "an int from 1") for value in ("2", 1.5, True)),
    ("max_concurrent", 0, V, "an int from 1"),
]

LIMITS: Final[Sequence[Row]] = [
    *(("limits", value, T, "a farcall.Limits") for value in (None, 5, {}, {"message": 5})),
    ("limits", Limits, T, "write Limits\\(...\\)"),
]

HEARTBEAT: Final[Sequence[Row]] = [
    *(("heartbeat", value, T, "Heartbeat\\(idle_seconds=math.inf\\)") for value in (None, 20, "x")),
    ("heartbeat", Heartbeat, T, "write Heartbeat\\(...\\)"),
]

PROXY: Final[Sequence[Row]] = [
    ("proxy", Shop(), T, "write Shop"),
    ("proxy", "Shop", T, "a stub or a service class"),
    ("proxy", 5, T, "a stub or a service class"),
    ("proxy", farcall.Proxy, T, "farcall stubs"),
    ("proxy", int, D, "this is not a service"),
]

CLIENT: Final[Sequence[Row]] = [
    *PROXY[:2],
    *PROXY[3:],
    *(("dialect", value, V, "'farcall' or 'plain'") for value in ("", "Plain")),
    *(("dialect", value, T, "'farcall' or 'plain'") for value in (None, 5, ["plain"])),
    ("contract", "strictly", V, "'warn' or 'strict'"),
    ("contract", None, T, "'warn' or 'strict'"),
    ("serves", Shop(), T, "write \\[Shop\\(\\)\\]"),
    *(("serves", value, T, "a list of service objects") for value in (None, "x", 5, {Shop()})),
    ("serves", [Shop], D, "Serve an instance: Shop\\(\\)"),
    ("serves", [5], D, "this is not a service"),
    *seconds("max_call_seconds"),
    *seconds("cancel_grace", zero=True),
    *LIMITS,
    *HEARTBEAT,
    ("headers", [("a", "b")], T, "a mapping from str to str"),
    ("headers", "X: y", T, "a mapping from str to str"),
    ("headers", {"X-A": 5}, T, "a str, not an int"),
    ("headers", {b"X-A": "5"}, T, "each key"),
    ("headers", {"X A": "5"}, V, "the name of a header"),
    ("headers", {"": "5"}, V, "the name of a header"),
    ("headers", {"X-A": "a\r\nHost: b"}, V, "control character"),
    ("headers", {"X-A": "a\0"}, V, "control character"),
    ("headers", {"X-A": " a"}, V, "a space at an end"),
    ("headers", {"X-A": "\u20ac"}, V, "beyond Latin-1"),
    *(
        ("headers", {name: "x"}, V, "leave it out")
        for name in ("Host", "upgrade", "Content-Length")
    ),
]

APP: Final[Sequence[Row]] = [
    *SERVICES,
    *interceptors("interceptors"),
    *seconds("max_call_seconds"),
    *flag("debug"),
    *seconds("cancel_grace", zero=True),
    *authenticate("authenticate"),
    *LIFESPAN,
    ("allowed_origins", "https://a.example", T, "write \\['https://a.example'\\]"),
    *(("allowed_origins", value, T, "a list of origins") for value in (None, 5, b"x")),
    ("allowed_origins", [5], T, "a str"),
    ("allowed_origins", ["*"], V, "a star"),
    ("allowed_origins", ["https://*.example"], V, "a star"),
    ("allowed_origins", ["a.example"], V, "not an origin such as"),
    ("allowed_origins", ["https://a.example/"], V, "not an origin such as"),
    ("allowed_origins", ["https://a.example:70000"], V, "not an origin such as"),
    ("allowed_origins", ["https://bücher.example"], V, "beyond ASCII"),
    ("allowed_origins", ["wss://a.example"], V, "write 'https://a.example'"),
    ("allowed_hosts", "a.example", T, "write \\['a.example'\\]"),
    *(("allowed_hosts", value, T, "a list of names") for value in (None, 5, {"a": "b"})),
    ("allowed_hosts", [None], T, "a str"),
    ("allowed_hosts", ["*.example"], V, "a star"),
    ("allowed_hosts", ["https://a.example"], V, "not a host such as"),
    ("allowed_hosts", ["a.example:70000"], V, "not a host such as"),
    ("allowed_hosts", ["bücher.example"], V, "beyond ASCII"),
    *LIMITS,
    *seconds("drain_seconds", zero=True, infinite=False),
    *HEARTBEAT,
]

SERVER: Final[Sequence[Row]] = [
    *APP,
    ("port", "8765", T, "write 8765"),
    *(("port", value, T, "an int from 0 to 65535") for value in (True, 1.5, "http", [1])),
    *(("port", value, V, "an int from 0 to 65535") for value in (-1, 65536)),
    ("port", None, V, "nowhere to listen"),
    *(("host", value, T, "an address or name") for value in (5, b"::1", {"a": "b"})),
    ("host", [None], T, "each element of host= takes a str"),
    *(("host", value, V, "host=") for value in ([], "", "a b", ["::1", ""])),
    *(("unix", value, T, "takes a path") for value in (5, True, [Path("a")])),
    ("unix", b"/a", T, "takes a path"),
    ("unix", "", V, "not empty"),
    ("unix", "/a\0b", V, "NUL"),
    *(("sock", value, T, "socket.socket") for value in (None, 5, "x", [5])),
    *(("ssl_context", value, T, "an ssl.SSLContext") for value in (True, "x", ssl)),
    ("ssl_context", CLIENT_TLS, V, "context of a server, not that of a client"),
    ("trusted_proxies", "127.0.0.1", T, "write \\['127.0.0.1'\\]"),
    *(("trusted_proxies", value, T, "a list of") for value in (None, 5, {"a": "b"})),
    *(("trusted_proxies", [value], T, "a str") for value in (5, None, b"::1")),
    ("trusted_proxies", ["10.0.0.1/8"], V, "not an address"),
    ("trusted_proxies", ["*"], V, "not an address"),
]


class Unregistered:
    """A class that no test registers."""


REGISTRATION: Final[Mapping[str, Any]] = {
    "cls": Unregistered,
    "wire": str,
    "encode": str,
    "decode": str,
}

TABLE: Final[Mapping[str, tuple[Callable[..., Any], Sequence[Row]]]] = {
    "farcall.serve": (serve, SERVER),
    "farcall.open_server": (server, SERVER),
    "farcall.run": (run, SERVER),
    "farcall.App": (app, APP),
    "farcall.connect": (
        connect,
        [
            *text("url"),
            ("url", "http://a.example", V, "ws://"),
            *CLIENT,
            *interceptors("interceptors"),
            ("ssl_context", CLIENT_TLS, V, "has no TLS"),
        ],
    ),
    "farcall.testing.open_pair": (
        pair,
        [
            *SERVICES,
            *CLIENT,
            *text("path"),
            ("path", "shop", V, "write '/shop'"),
            ("path", "/a b", V, "write '/a%20b'"),
            ("principal", "ada", T, "a farcall.Principal"),
            *authenticate("authenticate"),
            *LIFESPAN,
            *interceptors("interceptors"),
            *interceptors("client_interceptors"),
            *flag("debug"),
        ],
    ),
    "farcall.testing.memory_pair": (
        memory_pair,
        [
            *text("path"),
            ("path", "shop", V, "write '/shop'"),
            *text("query", empty=True),
            ("headers", {"a": 5}, T, "a str, not an int"),
            ("headers", [], T, "a mapping"),
            ("principal", "ada", T, "a farcall.Principal"),
            *LIMITS,
            *(("window", value, T, "an int") for value in (None, "x", NAN, True)),
            ("window", 0, V, "an int from 1"),
        ],
    ),
    "farcall.testing.collect": (
        collect,
        [("signal", value, T, "the signal of a service object") for value in (5, None, Shop.sold)],
    ),
    "farcall.testing.cancel_sweep": (
        sweep,
        [
            ("open", 5, T, "open_pair\\(Shop\\(\\), ShopProxy\\)"),
            ("scenario", 5, T, "a function"),
            ("by", "client", V, "'caller', 'handlers', 'server' or 'cut'"),
            ("by", 5, T, "'caller', 'handlers', 'server' or 'cut'"),
            ("again", 5, T, "a function"),
            ("tolerate", ValueError, T, "a tuple of exception classes"),
            ("tolerate", [ValueError], T, "a tuple of exception classes"),
            ("tolerate", (5,), T, "a class of exceptions"),
            *seconds("settle_seconds", zero=True),
            *seconds("scenario_seconds"),
            ("max_steps", 0, V, "an int from 1"),
            ("max_steps", "5", T, "an int from 1"),
            ("seed", "x", T, "an int"),
        ],
    ),
    "farcall.stubgen.render": (
        render_stub,
        [
            *(("service", value, D, "is not a service") for value in (None, 5, "Shop", [Shop])),
            *OWN_TYPES,
        ],
    ),
    "farcall.stubgen.write": (write_stubs, STUBS),
    "farcall.stubgen.check": (check_stubs, STUBS),
    "Session.call": (
        of_session(call),
        [
            *text("method"),
            ("returns", 5, T, "returns="),
            *(("arguments", value, T, "a mapping by name") for value in ([1], "x", 5)),
            ("arguments", {5: 1}, T, "each key of arguments="),
        ],
    ),
    "Session.notify": (of_session(notify), [*text("method"), ("arguments", [1], T, "a mapping")]),
    "Session.subscribe": (
        of_session(subscribe),
        [
            *text("name"),
            ("returns", 5, T, "returns="),
            ("on_lag", "drop", V, "'raise', 'drop_oldest' or 'latest'"),
            ("on_lag", None, T, "'raise', 'drop_oldest' or 'latest'"),
        ],
    ),
    "Session.listen": (
        of_session(listen),
        [
            *text("name"),
            ("returns", 5, T, "returns="),
            ("on_lag", "drop", V, "'raise', 'drop_oldest' or 'latest'"),
        ],
    ),
    "Session.stream": (
        of_session(open_stream),
        [*text("name"), ("returns", 5, T, "returns="), ("arguments", [1], T, "a mapping")],
    ),
    "Session.proxy": (of_session(proxy_of), PROXY),
    "Connection.proxy": (of_connection(proxy_of), PROXY),
    "CallContext.lifespan": (
        lifespan_of,
        [("kind", value, T, "the class of what lifespan= yields") for value in (None, 5, "Shop")],
    ),
    "Connection.join": (of_connection(lambda it, name: it.join(name)), text("name", empty=True)),
    "Connection.leave": (of_connection(lambda it, name: it.leave(name)), text("name", empty=True)),
    "Connection.aclose": (
        of_connection(lambda it, **wrong: it.aclose(**wrong)),
        [
            *(("code", value, T, "a close code") for value in ("1000", None, True, 1000.0)),
            *(("code", value, V, "a close code") for value in (0, 999, 1005, 1006, 2000, 5000)),
            ("reason", 5, T, "a str"),
            ("reason", "x" * 124, V, "123 bytes"),
        ],
    ),
    "BoundRemoteSignal.subscribe": (
        subscribe_by_proxy,
        [("on_lag", "drop", V, "'latest'"), ("key", "a", T, "has no key")],
    ),
    "BoundRemoteSignal.listen": (listen_by_proxy, [("on_lag", "drop", V, "'latest'")]),
    "BoundSignal.subscribe": (
        Shop().sold.subscribe,
        [("on_lag", "drop", V, "'latest'"), ("key", "a", T, "has no key")],
    ),
    "BoundSignal.emit": (
        emit,
        [
            ("value", "x", farcall.EncodeError, "expected int"),
            *(("to", value, T, "takes a set") for value in ("ada", farcall.user("ada"), ["a"], 5)),
            ("to", {"ada"}, T, "farcall.user"),
        ],
    ),
    "farcall.Signal": (
        a_signal,
        [
            *(("name", value, D, "not a valid wire name") for value in (5, "", "a b")),
            ("key", 5, T, "a str"),
            ("key", "", V, "not empty"),
            ("key", "sku", D, "is not a field"),
            *flag("retain"),
            *flag("broadcast"),
            *(("history", value, T, "an int from 0") for value in ("5", None, True)),
            ("history", -1, V, "an int from 0"),
            *flag("protected")[1:],
            *(
                ("roles", value, D, "a set of non-empty")
                for value in ("trader", ["trader"], 5, {5})
            ),
            *(("allow", value, D, "takes a plain function") for value in (5, "x", allows, Shop)),
        ],
    ),
    "farcall.method": (
        a_method,
        [
            *(("function", value, D, "decorates functions") for value in (5, "x", Shop)),
            *(("name", value, D, "not a valid wire name") for value in (5, "", "a b")),
            *(("raises", value, D, "raises=") for value in (5, "x", None, SoldOut, [int], [5])),
            *flag("oneway"),
            *flag("protected")[1:],
            *(
                ("roles", value, D, "a set of non-empty")
                for value in ("trader", ["trader"], 5, {5})
            ),
            *flag("thread"),
            *flag("ordered"),
            *flag("idempotent"),
            *(row for row in seconds("max_seconds", infinite=False) if row[1] is not None),
            *MAX_CONCURRENT,
        ],
    ),
    "farcall.stream": (
        a_stream,
        [
            *(("function", value, D, "decorates functions") for value in (5, "x", Shop)),
            *(("name", value, D, "not a valid wire name") for value in (5, "", "a b")),
            *(("raises", value, D, "raises=") for value in (5, "x", None, SoldOut, [int])),
            *flag("protected")[1:],
            *(("roles", value, D, "a set of non-empty") for value in ("trader", ["trader"], 5)),
            *MAX_CONCURRENT,
        ],
    ),
    "farcall.service": (
        a_service,
        [
            *(("cls", value, D, "@service decorates classes") for value in (5, "x", Shop())),
            *(("name", value, D, "not a valid wire name") for value in (5, "a b", b"x")),
            *flag("protected")[1:],
        ],
    ),
    "farcall.functions": (
        some_functions,
        [
            ("functions", (), D, "no functions"),
            *(("functions", (value,), D, "only functions") for value in (5, "add", Shop, [add])),
            *(("name", value, D, "not a valid wire name") for value in (None, 5, "a b")),
        ],
    ),
    "farcall.Via": (
        lambda **options: farcall.Via(str, **({"encode": str, "decode": str} | options)),
        [
            *(("encode", value, T, "a function") for value in (None, 5, "str")),
            *(("decode", value, T, "a function") for value in (None, 5, "str")),
        ],
    ),
    "farcall.register_type": (
        lambda **options: farcall.register_type(**{**REGISTRATION, **options}),
        [
            *(("cls", value, D, "is not a class") for value in (None, 5, "Shop", list[int])),
            ("cls", int, D, "farcall has a form for int"),
            *(("wire", value, D, "the type on the wire") for value in (5, Shop, complex)),
            *(("encode", value, T, "a function") for value in (None, 5, "str")),
            *(("decode", value, T, "a function") for value in (None, 5, "str")),
        ],
    ),
    "farcall.local": (
        lambda function: farcall.local(function),  # noqa: PLW0108 - a parameter by name
        [("function", value, D, "decorates functions") for value in (5, None, "x", Shop)],
    ),
    "farcall.background": (
        lambda function: farcall.background(function),  # noqa: PLW0108
        [("function", value, D, "decorates functions") for value in (5, None, "x", Shop)],
    ),
    "farcall.endpoint": (
        endpoint,
        [
            *text("wire_name"),
            ("wire_name", add, T, '@endpoint\\("Market.quote"\\)'),
            *(("raises", value, D, "raises=") for value in (5, "x", SoldOut, [int])),
            *flag("oneway"),
            ("function", 5, D, "decorates functions"),
        ],
    ),
    "farcall.stream_endpoint": (
        stream_endpoint,
        [
            *text("wire_name"),
            *(("raises", value, D, "raises=") for value in (5, "x", SoldOut, [int])),
            ("function", 5, D, "decorates functions"),
        ],
    ),
    "farcall.RemoteSignal": (farcall.RemoteSignal, text("wire_name")),
    "farcall.Proxy": (ShopProxy, [("caller", 5, T, "session.proxy\\(ShopProxy\\)")]),
    "farcall.Heartbeat": (
        Heartbeat,
        [
            *seconds("idle_seconds"),
            *seconds("grace_seconds"),
            *(("jitter", value, T, "a share") for value in (None, "x", True)),
            *(("jitter", value, V, "a share") for value in (NAN, INF, -0.1, 1, 2.0)),
        ],
    ),
    "farcall.Limits": (
        Limits,
        [
            *(
                row
                for field in attrs.fields(Limits)
                for row in (
                    (field.name, "5", T, "takes"),
                    (field.name, True, T, "takes"),
                    (field.name, 0, V, "takes"),
                    (field.name, -1, V, "takes"),
                    *(() if field.name == "message" else ((field.name, None, T, "takes"),)),
                    (field.name, 10**400, V, "takes"),
                )
            ),
            *(
                (field.name, NAN, V, "not nan")
                for field in attrs.fields(Limits)
                if isinstance(field.default, float)
            ),
            ("calls", 1.5, T, "an int"),
            ("depth", 65, V, "from 8 to 64"),
            ("descriptor_share", 1, V, "below 1"),
        ],
    ),
    "farcall.Principal": (
        functools.partial(Principal, "ada"),
        [
            ("roles", "trader", T, "write {'trader'}"),
            *(("roles", value, T, "a set of names") for value in (None, 5, {"a": "b"})),
            ("roles", [5], T, "each element of roles= takes a str"),
            *(row for row in seconds("expires_after") if row[1] is not None),
            *(("claims", value, T, "a mapping") for value in (None, ["a"], "x")),
        ],
    ),
    "farcall.Principal.name": (Principal, text("name", empty=True)),
    "farcall.Credentials": (
        Credentials,
        [
            (name, value, T, "takes a")
            for name in ("headers", "query", "cookies")
            for value in (None, "a=b", [("a", "b")], {"a": 5}, {5: "a"})
        ],
    ),
    "farcall.user": (farcall.user, text("name", empty=True)),
    "farcall.room": (farcall.room, text("name", empty=True)),
    "farcall.User": (farcall.User, text("name", empty=True)),
    "farcall.Room": (farcall.Room, text("name", empty=True)),
    "farcall.RpcError": (
        rpc_error,
        [
            *(("code", value, T, "an int") for value in ("5", None, True, 1.5, NAN)),
            ("code", 10**30, V, "an int"),
            *text("message", empty=True),
        ],
    ),
    "InvalidArguments.at": (at, [*text("path", empty=True), *text("message", empty=True)]),
    "Forbidden.because": (farcall.Forbidden.because, text("reason", empty=True)),
    "Busy.after": (
        busy,
        [*seconds("seconds", zero=True, infinite=False), *text("message", empty=True)],
    ),
    "farcall.ConnectionLost": (lost, [*text("reason", empty=True), *flag("sent")]),
    "farcall.ConnectFailed": (
        failed,
        [*text("reason", empty=True), ("status", "401", T, "an int"), ("code", True, T, "an int")],
    ),
    "farcall.SignalLagged": (
        farcall.SignalLagged,
        [("missed", value, T, "an int") for value in (None, "5", True, 1.5)],
    ),
    "farcall.SignalGap": (
        farcall.SignalGap,
        [("missed", value, T, "an int") for value in ("5", True, 1.5)],
    ),
    "farcall.DeclarationError": (
        declaration,
        [(name, 5, T, "a str") for name in ("number", "where", "member", "problem", "fix")],
    ),
    "farcall.auth.hash_password": (
        hash_password,
        [
            *(("password", value, T, "a password is a str, not") for value in (None, 5, b"x")),
            *(("cost", value, T, "an int") for value in (None, "2", True, 2.0)),
            *(("cost", value, V, "cost=") for value in (-2, 0, 1)),
            ("cost", 3, V, "write 4"),
            *(
                row
                for name in ("block_size", "parallelism")
                for row in ((name, "8", T, "an int"), (name, 0, V, "an int from 1"))
            ),
        ],
    ),
    "farcall.auth.verify_password": (
        verify,
        [
            *(("password", value, T, "a password is a str, not") for value in (None, 5, b"x")),
            *(("stored", value, T, "a str") for value in (None, 5, b"x")),
        ],
    ),
    "farcall.auth.StaticUsers": (
        users,
        [
            *(("hashes", value, T, "a mapping from str to str") for value in ([HASH], "x", 5)),
            ("hashes", {"ada": 5}, T, "a str, not an int"),
            ("hashes", {5: HASH}, T, "each key of hashes"),
            ("hashes", {"ada": "open sesame"}, V, "a stored hash is"),
            ("roles", {"ada": "admin"}, T, "write {'admin'}"),
            ("roles", {"ada": None}, T, "a set of names"),
            ("roles", ["ada"], T, "a mapping"),
            ("roles", {5: {"admin"}}, T, "each key of roles="),
            *(row for row in seconds("expires_after") if row[1] is not None),
        ],
    ),
    "farcall.auth.BearerTokens": (
        auth.BearerTokens,
        [
            *(("principals", value, T, "a mapping from tokens") for value in (None, ["t"], "t")),
            ("principals", {5: Principal("ada")}, T, "a str, not an int"),
            ("principals", {"t": "ada"}, T, "a farcall.Principal"),
            ("principals", {"": Principal("ada")}, V, "empty token"),
        ],
    ),
    "farcall.auth.first_of": (
        first_of,
        [
            ("authenticates", (), T, "at least one argument"),
            ("authenticates", ([allows],), T, "each argument of first_of"),
            *(("authenticates", (row[1],), T, row[3]) for row in authenticate("authenticates")),
        ],
    ),
}

NAMELESS = {"nowhere to listen", "at least one argument", "ws://"}
"""What is wrong with more than one parameter, or with the only one."""

UNCHECKED: Final[Mapping[str, str]] = {
    "farcall.Via(wire)": "refused by rule where the annotation is declared",
    "farcall.serve(task_status)": "Trio passes it",
    "farcall.connect(login)": "any JSON value; a server decides",
    "farcall.testing.open_pair(login)": "any JSON value; a server decides",
    "farcall.Credentials(login)": "any JSON value",
    "Session.call(args)": "any JSON values",
    "Session.call(kwargs)": "any JSON values",
    "Session.notify(args)": "any JSON values",
    "Session.notify(kwargs)": "any JSON values",
    "Session.stream(args)": "any JSON values",
    "Session.stream(kwargs)": "any JSON values",
    "Session.login(login)": "any JSON value; a server decides",
    "Session.subscribe(key)": "any JSON value; a server decides",
    "farcall.stream(options)": "refused one by one, by rule",
    "farcall.RpcError(data)": "any JSON value",
    "farcall.DeclarationError(others)": "farcall makes it",
}
"""What takes anything, and why."""

ERRORS = {"EncodeError", "InvalidResult", "ContractMismatch", "NotSupported", "Unauthorized"}
MADE_BY_FARCALL = {
    "BoundRemoteSignal",
    "BoundSignal",
    "CallContext",
    "Connection",
    "ConnectionState",
    "ConnectionStatistics",
    "Server",
    "ServerStatistics",
    "Session",
    "SessionState",
    "Subscription",
}
ALIASES = {"Authenticate", "CallKind", "Interceptor", "Json", "Lifespan", "OMIT", "Proceed"}
"""Names that cannot be called, or are only called by farcall."""


TESTS = {"StubError", "CancelSweepError", "CancelledBy", "MemoryTransport", "Pair", "SweepReport"}
"""The same of `farcall.stubgen` and `farcall.testing`."""


def rows() -> list[Any]:
    return [
        pytest.param(call, *row, id=f"{name}-{row[0]}-{type(row[1]).__name__}-{number}")
        for name, (call, wrong) in TABLE.items()
        for number, row in enumerate(wrong)
    ]


async def outcome_of(call: Callable[..., Any], parameter: str, value: object) -> None:
    """Pass a value; two seconds are for one that is taken, such as by a server that then serves."""
    with trio.move_on_after(2):
        outcome = call(**{parameter: value})
        if inspect.isawaitable(outcome):
            await outcome


@pytest.mark.parametrize(("call", "parameter", "value", "error", "says"), rows())
async def test_a_wrong_argument_is_refused_where_it_is_passed(
    call: Callable[..., Any], parameter: str, value: object, error: type[Exception], says: str
) -> None:
    """The message names the parameter, what it takes and what it got."""
    with pytest.raises(error, match=says) as caught:
        await outcome_of(call, parameter, value)
    is_named = isinstance(caught.value, farcall.FarcallError) or parameter in str(caught.value)
    assert is_named or says in NAMELESS or "argument of first_of" in str(caught.value)


def public_callables() -> Mapping[str, Callable[..., Any]]:
    """Collect what a user can call, and with it each method of the objects that farcall makes."""
    found: dict[str, Callable[..., Any]] = {}
    modules = {
        "farcall": farcall,
        "farcall.auth": auth,
        "farcall.stubgen": stubgen,
        "farcall.testing": testing,
    }
    for module, namespace in modules.items():
        for name in namespace.__all__:
            if name not in ALIASES | ERRORS | MADE_BY_FARCALL | TESTS:
                found[f"{module}.{name}"] = getattr(namespace, name)
    for name in MADE_BY_FARCALL:
        for attribute, member in vars(getattr(farcall, name)).items():
            if not attribute.startswith("_") and inspect.isfunction(member):
                found[f"{name}.{attribute}"] = member
    return found


def parameters_of(function: Callable[..., Any]) -> set[str]:
    """Name the parameters of a function but for self."""
    try:
        return set(inspect.signature(function).parameters) - {"self"}
    except ValueError:
        return set()


@pytest.mark.parametrize("name", sorted(public_callables()))
def test_every_parameter_is_in_the_table(name: str) -> None:
    """Every parameter of the public API has rows here, or a reason why it takes any value."""
    function = public_callables()[name]
    if isinstance(function, type) and issubclass(function, farcall.RpcError | ApplicationError):
        return  # its arguments are those of RpcError, or of a user's class
    checked = {row[0] for key, (_, rows) in TABLE.items() if key.startswith(name) for row in rows}

    missing = parameters_of(function) - checked

    assert {each for each in missing if f"{name}({each})" not in UNCHECKED} == set()


# What looks odd, and is right


@pytest.mark.parametrize("cls", [Inbox, Board])
async def test_a_service_may_be_a_container_itself(cls: type[Any]) -> None:
    """An object of a service class is served, even if its class is a list or a dict."""
    for services in (cls(), [cls()], {"/": cls()}):
        async with open_pair(services) as (session, _):
            assert await session.call("Shop.price", "a") == 2.5


def nested(authenticate: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(authenticate)
    def wrapped(credentials: Credentials) -> Any:
        return authenticate(credentials)

    return wrapped


class Doorman:
    async def __call__(self, credentials: Credentials) -> Principal | None:
        return None

    async def ask(self, credentials: Credentials) -> Principal | None:
        return None


async def ask_twice(first: str, credentials: Credentials) -> Principal | None:
    return None


@pytest.mark.parametrize(
    "authenticate",
    [
        allows,
        Doorman(),
        Doorman().ask,
        functools.partial(ask_twice, "x"),
        nested(allows),
        auth.first_of(allows, Doorman()),
    ],
)
async def test_whatever_is_awaited_may_authenticate(authenticate: Any) -> None:
    """Every kind of async callable is accepted: function, method, object, partial, decorated."""
    async with open_pair(Shop(), authenticate=authenticate) as (session, _):
        assert await session.call("Shop.price", "a") == 2.5


async def test_infinity_means_never() -> None:
    """Each number of seconds that may be infinite accepts inf."""
    heartbeat = Heartbeat(idle_seconds=math.inf, grace_seconds=math.inf, jitter=0)
    limits = Limits(stall_seconds=math.inf, pings_per_second=math.inf, incomplete_seconds=math.inf)
    options: dict[str, Any] = {"heartbeat": heartbeat, "limits": limits, "cancel_grace": math.inf}
    async with open_pair(Shop(), max_call_seconds=math.inf, **options) as (session, _):
        assert await session.call("Shop.price", "a") == 2.5
        assert await session.ping() >= 0


def test_a_listening_socket_may_be_in_any_sequence() -> None:
    """A listening socket is accepted alone, in a list or in a tuple."""
    with socket.socket() as sock:
        for given in (sock, [sock], (sock,)):
            with pytest.raises(ValueError, match="cannot be served at"):
                trio.run(functools.partial(farcall.serve, Shop(), sock=given))


async def test_a_name_for_an_argument_is_given_once() -> None:
    """A name given both by keyword and in ``arguments=`` is refused."""
    async with open_pair(functions(add, name="")) as (session, _):
        with pytest.raises(TypeError, match="the argument 'a' was passed twice"):
            await session.call("add", a=1, arguments={"a": 2, "b": 3})


async def test_a_secret_is_not_shown() -> None:
    """Error messages never contain headers, tokens or passwords."""
    wrong: list[Callable[[], object]] = [
        lambda: connect(headers={"Authorization": "s3cret\n"}),
        lambda: connect(headers={"Authorization": b"s3cret"}),
        lambda: auth.BearerTokens({b"s3cret": Principal("ada")}),  # type: ignore[dict-item]
        lambda: auth.hash_password(b"s3cret"),  # type: ignore[arg-type]
        lambda: auth.verify_password(b"s3cret", HASH),  # type: ignore[arg-type]
    ]
    for each in wrong:
        with pytest.raises((TypeError, ValueError)) as caught:
            each()
        assert "s3cret" not in str(caught.value)


async def test_a_path_that_is_not_served_is_refused_in_memory_as_well() -> None:
    """An unknown path raises in memory as the 404 does over a socket."""
    with pytest.raises(farcall.ConnectFailed, match="404") as caught:
        async with open_pair({"/shop": Shop()}, path="/none"):
            pass
    assert caught.value.status == 404


def _returns(manager: AbstractAsyncContextManager[object]) -> None:
    """Say that a manager was made."""


async def test_a_heartbeat_is_given_to_both() -> None:
    """Right values are accepted."""
    _returns(farcall.connect(URL, ShopProxy, heartbeat=Heartbeat(5, 2, 0), headers={"X-A": "é"}))
    _returns(farcall.connect("wss://127.0.0.1:1", Shop, ssl_context=CLIENT_TLS))
    with pytest.raises(ValueError, match="context of a client, not that of a server"):
        farcall.connect("wss://127.0.0.1:1", ssl_context=SERVER_TLS)
