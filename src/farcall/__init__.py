"""Typed remote procedure calls and live signals over WebSocket, for Trio.

Decorate a class with `service` and hand an object of it to `open_server`; `connect` to it from
elsewhere, call its methods through a generated proxy, and iterate over its `Signal` attributes.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from farcall import _starting as _starting  # isort: split - before all that takes time to import

if TYPE_CHECKING:
    from farcall import auth as auth
    from farcall import errors as errors
    from farcall import stubgen as stubgen
    from farcall import testing as testing
    from farcall._calling.proxy import (
        BoundRemoteSignal,
        Proxy,
        RemoteSignal,
        endpoint,
        stream_endpoint,
    )
    from farcall._client.connect import connect
    from farcall._client.session import Session, SessionState
    from farcall._codec import OMIT, Json
    from farcall._connection.heartbeat import Heartbeat
    from farcall._connection.state import ConnectionState, ConnectionStatistics
    from farcall._context import (
        CallContext,
        CallKind,
        Connection,
        current_call,
    )
    from farcall._contract.own_types import Via
    from farcall._declare import (
        background,
        functions,
        local,
        method,
        register_type,
        service,
        stream,
    )
    from farcall._interceptors import Interceptor, Proceed
    from farcall._limits import Limits
    from farcall._principal import Authenticate, Credentials, Principal
    from farcall._server.app import App
    from farcall._server.host import ServerStatistics
    from farcall._server.lifespan import Lifespan
    from farcall._server.run import run
    from farcall._server.serve import open_server, serve
    from farcall._server.server import Server
    from farcall._signals import BoundSignal, Signal, Subscription
    from farcall._signals.audience import Room, User, room, user
    from farcall.errors import (
        ApplicationError,
        Busy,
        ConnectFailed,
        ConnectionLost,
        ContractMismatch,
        DeadlineExceeded,
        DeclarationError,
        EncodeError,
        FarcallError,
        Forbidden,
        InternalError,
        InvalidArguments,
        InvalidResult,
        MethodNotFound,
        NotSupported,
        RemoteCancelled,
        ReplyTooLarge,
        RpcError,
        ShuttingDown,
        SignalGap,
        SignalLagged,
        Unauthorized,
    )

__all__ = [
    "OMIT",
    "App",
    "ApplicationError",
    "Authenticate",
    "BoundRemoteSignal",
    "BoundSignal",
    "Busy",
    "CallContext",
    "CallKind",
    "ConnectFailed",
    "Connection",
    "ConnectionLost",
    "ConnectionState",
    "ConnectionStatistics",
    "ContractMismatch",
    "Credentials",
    "DeadlineExceeded",
    "DeclarationError",
    "EncodeError",
    "FarcallError",
    "Forbidden",
    "Heartbeat",
    "Interceptor",
    "InternalError",
    "InvalidArguments",
    "InvalidResult",
    "Json",
    "Lifespan",
    "Limits",
    "MethodNotFound",
    "NotSupported",
    "Principal",
    "Proceed",
    "Proxy",
    "RemoteCancelled",
    "RemoteSignal",
    "ReplyTooLarge",
    "Room",
    "RpcError",
    "Server",
    "ServerStatistics",
    "Session",
    "SessionState",
    "ShuttingDown",
    "Signal",
    "SignalGap",
    "SignalLagged",
    "Subscription",
    "Unauthorized",
    "User",
    "Via",
    "background",
    "connect",
    "current_call",
    "endpoint",
    "functions",
    "local",
    "method",
    "open_server",
    "register_type",
    "room",
    "run",
    "serve",
    "service",
    "stream",
    "stream_endpoint",
    "user",
]

if not TYPE_CHECKING:
    # Each name is imported when a program first asks for it: a client loads no server, and a module
    # of shared declarations no connection. A test compares this table with the imports above.
    _NAMES = {
        "_calling.proxy": "BoundRemoteSignal Proxy RemoteSignal endpoint stream_endpoint",
        "_client.connect": "connect",
        "_client.session": "Session SessionState",
        "_codec": "OMIT Json",
        "_connection.heartbeat": "Heartbeat",
        "_connection.state": "ConnectionState ConnectionStatistics",
        "_context": "CallContext CallKind Connection current_call",
        "_contract.own_types": "Via",
        "_declare": "background functions local method register_type service stream",
        "_interceptors": "Interceptor Proceed",
        "_limits": "Limits",
        "_principal": "Authenticate Credentials Principal",
        "_server.app": "App",
        "_server.host": "ServerStatistics",
        "_server.lifespan": "Lifespan",
        "_server.run": "run",
        "_server.serve": "open_server serve",
        "_server.server": "Server",
        "_signals": "BoundSignal Signal Subscription",
        "_signals.audience": "Room User room user",
        "errors": (
            "ApplicationError Busy ConnectFailed ConnectionLost ContractMismatch "
            "DeadlineExceeded DeclarationError EncodeError FarcallError Forbidden "
            "InternalError InvalidArguments InvalidResult MethodNotFound NotSupported "
            "RemoteCancelled ReplyTooLarge RpcError ShuttingDown SignalGap SignalLagged "
            "Unauthorized"
        ),
    }
    _HOMES = {name: home for home, names in _NAMES.items() for name in names.split()}
    _MODULES = ("auth", "errors", "stubgen", "testing")

    def __getattr__(name):
        if name in _MODULES:
            return importlib.import_module(f"farcall.{name}")
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = getattr(importlib.import_module(f"farcall.{_HOMES[name]}"), name)
        return globals().setdefault(name, found)

    def __dir__():
        return sorted({*globals(), *_HOMES, *_MODULES})
