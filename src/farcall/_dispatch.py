"""Serving the calls of one connection: find the endpoint, decode, run the handler, answer.

Calls start in the order in which they were sent. Trio does not start tasks in the order in which
they were spawned, so each request goes into a queue, and each task, when it first runs, takes the
oldest one that waits.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from farcall._call import CallContext, Connection, enter_call
from farcall._codec import Faults, encode_untyped
from farcall._connection.link import Link
from farcall._connection.statistics import ConnectionState
from farcall._declare import Method
from farcall._endpoints import Endpoint, Endpoints
from farcall._protocol.messages import Error, Hello
from farcall._protocol.state import IncomingCall
from farcall._publish import Publisher
from farcall.errors import RESERVED_CODES, ApplicationError, ErrorCode, RpcError

logger = logging.getLogger("farcall")

SLOW_SECONDS = 0.05
"""An inline method that takes longer holds up everybody; long enough not to blame a busy CPU."""

_slow_methods: set[str] = set()
"""Those already logged; as many as there are inline methods."""


class Dispatcher:
    """Answer what the peer of one link asks.

    Args:
        link: The link.
        endpoints: What is served on it.
    """

    def __init__(self, link: Link, endpoints: Endpoints) -> None:
        self._link = link
        self._endpoints = endpoints
        self._connection = Connection(link)
        self._publisher = Publisher(link, endpoints.signals)
        self._waiting: deque[tuple[IncomingCall | None, Endpoint, bytes | None]] = deque()
        # The queue's bound is that of the calls in flight: each entry has its task already.
        self._builtin: Mapping[str, Callable[[IncomingCall], None]] = {
            "rpc.on": self._publisher.on,
            "rpc.off": self._publisher.off,
            "rpc.subscribe": self._publisher.subscribe,
            "rpc.login": self._login,
            "__listMethods": self._list_methods,
        }

    # What the link tells

    def on_open(self) -> None:
        """Begin: the link can send."""
        self._publisher.on_open()

    def on_hello(self, _hello: Hello) -> None:
        """The peer is farcall: it subscribes for itself, and reads bundles."""
        self._publisher.on_hello()

    def on_request(self, call: IncomingCall) -> None:
        """Start to serve a call, or answer it at once."""
        builtin = self._builtin.get(call.method)
        endpoint = self._endpoints.methods.get(call.method)
        if builtin is not None:
            builtin(call)
        elif endpoint is None:
            self._link.fail(call, Error.of(ErrorCode.METHOD_NOT_FOUND))
        elif self._link.state is not ConnectionState.OPEN:
            self._link.fail(call, Error.of(ErrorCode.SHUTTING_DOWN))
        else:
            self._start(call, endpoint, call.params)

    def on_notification(self, method: str, params: bytes | None) -> None:
        """Start to serve a one-way call; an unknown one has nobody to be told to."""
        endpoint = self._endpoints.methods.get(method)
        if endpoint is not None and self._link.state is ConnectionState.OPEN:
            self._start(None, endpoint, params)
        elif method in ("rpc.on", "rpc.off"):
            self._publisher.on_notification(method, params)
        else:
            logger.debug("%s: no method %s for a notification", self._connection.peer, method)

    def on_cancel(self, call: IncomingCall, _reason: str) -> None:
        """End a subscription that its subscriber leaves."""
        self._publisher.cancel(call)

    def on_credit(self, call: IncomingCall) -> None:
        """Send what a subscription holds back."""
        self._publisher.on_credit(call)

    def on_event(self, _name: str, _params: bytes | None) -> None:
        """Ignore an event: this side has not subscribed to any."""

    def on_draining(self) -> None:
        """End the subscriptions, which would never end by themselves."""
        self._publisher.cancel_all()

    def on_closed(self) -> None:
        """Leave every signal."""
        self._publisher.close()

    # Built in

    def _login(self, call: IncomingCall) -> None:
        """Answer as a server of rpc-websockets without authentication does."""
        missing = call.params is None
        code = ErrorCode.PARAMS_NOT_FOUND if missing else ErrorCode.METHOD_NOT_FOUND
        self._link.fail(call, Error.of(code))

    def _list_methods(self, call: IncomingCall) -> None:
        names = [*self._endpoints.methods, "__listMethods"]
        self._link.respond(call, msgspec.json.encode(names))

    # Handlers

    def _start(self, call: IncomingCall | None, endpoint: Endpoint, params: bytes | None) -> None:
        self._waiting.append((call, endpoint, params))
        self._link.start_soon(self._serve_oldest)

    async def _serve_oldest(self) -> None:
        call, endpoint, params = self._waiting.popleft()
        enter_call(CallContext(self._connection, endpoint.method.spec.wire_name))
        try:
            result = await _run(endpoint, params)
        except Exception as exc:  # noqa: BLE001 - whatever a handler raises is answered, and ends only its call
            error = _describe(exc, endpoint.method)
            if call is not None:
                self._link.fail(call, error)
        else:
            if call is not None:
                self._link.respond(call, result)


async def _run(endpoint: Endpoint, params: bytes | None) -> bytes:
    """Decode the arguments, run the handler, encode its result."""
    method = endpoint.method
    args, kwargs = method.arguments.decode(params)
    if method.is_async:
        value = await endpoint.function(*args, **kwargs)
    else:
        value = _run_inline(endpoint, args, kwargs)
    return method.result.encode(value)


def _run_inline(endpoint: Endpoint, args: list[Any], kwargs: dict[str, Any]) -> Any:
    began = time.perf_counter()
    try:
        return endpoint.function(*args, **kwargs)
    finally:
        _note_slow(endpoint.method.spec.wire_name, time.perf_counter() - began)


def _note_slow(name: str, seconds: float) -> None:
    if seconds > SLOW_SECONDS and name not in _slow_methods:
        _slow_methods.add(name)
        logger.warning(
            "%s is a plain def and took %.0f ms, in which nothing else could run;"
            " make it async, or quicker (logged once)",
            name,
            seconds * 1000,
        )


# Errors


def _describe(exc: Exception, method: Method) -> Error:
    """Say what a peer may know of a handler's failure."""
    if isinstance(exc, Faults):
        errors = [{"path": fault.path, "message": fault.message} for fault in exc.errors]
        return Error.of(ErrorCode.INVALID_PARAMS, {"errors": errors})
    if isinstance(exc, ApplicationError) and method.errors.knows(exc):
        return _declared(exc, method)
    if isinstance(exc, RpcError) and exc.code not in RESERVED_CODES:
        return _as_it_is(exc, method)
    return _redacted(exc, method)


def _declared(exc: ApplicationError, method: Method) -> Error:
    try:
        return Error(*method.errors.encode(exc))
    except Exception as fault:  # noqa: BLE001 - a field of the wrong type, or a __str__ that fails
        return _redacted(fault, method)


def _as_it_is(exc: RpcError, method: Method) -> Error:
    try:
        error = Error(exc.code, exc.message, None if exc.data is None else encode_untyped(exc.data))
        error.render()
    except Exception as fault:  # noqa: BLE001 - data that is no JSON, a code that is no number
        return _redacted(fault, method)
    return error


def _redacted(exc: Exception, method: Method) -> Error:
    """Tell the peer an id, and the log everything: it may hold what is not the peer's business."""
    id = secrets.token_hex(8)
    logger.error("%s failed (id %s)", method.spec.wire_name, id, exc_info=exc)
    return Error.of(ErrorCode.INTERNAL_ERROR, {"id": id})
