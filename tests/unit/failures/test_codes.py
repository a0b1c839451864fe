"""The codes that a handler may use, the meaning of a peer's codes, and whether a call has run."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from typing import Any, ClassVar

import attrs
import pytest
import trio

import farcall
from farcall import ApplicationError, RpcError, method, service, stream
from farcall.errors import ErrorCode
from farcall.testing import open_pair
from tests.ends import raw_client, raw_server

NEVER = (-32700, *range(-32606, -32599))
"""The codes of JSON-RPC 2.0 and rpc-websockets for a call itself."""

FARCALL = (-32001, -32002, -32003, -32006, -32008, -32010)
"""The codes that farcall adds for a call itself."""

SERVERS_OWN = tuple(range(-32099, -31999))
"""The codes that JSON-RPC 2.0 leaves to servers, such as Ethereum nodes and language servers."""

OTHERS = (-32800, -32769, -32701, -32607, -32599, -32500, -32100, -31999, -1, 0, 1, 2, 3, 2**40)


@attrs.define
class NonceTooLow(ApplicationError):
    code: ClassVar[int] = -32050
    nonce: int


@service(name="")
class Node:
    """Its method fails with the code in its argument."""

    async def send(self, code: int) -> None:
        raise RpcError(code, "nonce too low", {"nonce": 7})

    def send_inline(self, code: int) -> None:
        raise RpcError(code, "nonce too low", {"nonce": 7})

    async def several(self, code: int) -> None:
        raise ExceptionGroup("several", [RpcError(code, "nonce too low"), RpcError(5, "other")])

    @stream
    async def blocks(self, code: int) -> AsyncIterator[int]:
        yield 1
        raise RpcError(code, "nonce too low", {"nonce": 7})


@service(name="")
class Store:
    @method(raises=[NonceTooLow])
    async def declared(self) -> None:
        raise NonceTooLow(7)

    async def store(self, items: AsyncIterable[int]) -> int:
        return sum([item async for item in items])


def may_leave(code: int, *, is_plain: bool) -> bool:
    return code not in NEVER and (is_plain or code not in FARCALL)


# What a handler answers with


@pytest.mark.parametrize("name", ["send", "send_inline", "blocks"])
async def test_the_codes_of_a_handler_to_a_plain_peer(name: str) -> None:
    """All are sent but those of JSON-RPC and rpc-websockets for the call itself."""
    async with raw_client(Node()) as client:
        for code in (*NEVER, *SERVERS_OWN, *OTHERS):
            request = {"jsonrpc": "2.0", "id": code, "method": name, "params": [code]}
            (answer,) = await client.ask(request)

            if may_leave(code, is_plain=True):
                error = {"code": code, "message": "nonce too low", "data": {"nonce": 7}}
                assert answer["error"] == error
            else:
                assert answer["error"]["code"] == -32603
                assert "nonce" not in repr(answer)


@pytest.mark.parametrize("name", ["send", "send_inline", "blocks"])
async def test_the_codes_of_a_handler_to_a_farcall_peer(name: str) -> None:
    """The codes of farcall for a call itself are redacted: the caller would misread them."""
    async with open_pair(Node()) as (session, _):
        for code in (*NEVER, *SERVERS_OWN, *OTHERS):
            with pytest.raises(RpcError) as caught:
                await session.call(name, code)

            error = caught.value
            if may_leave(code, is_plain=False):
                assert (error.code, error.message, error.data) == (
                    code,
                    "nonce too low",
                    {"nonce": 7},
                )
            else:
                assert isinstance(error, farcall.InternalError)
                assert "nonce" not in str(error)
            assert error.may_have_run


@pytest.mark.parametrize("dialect", ["plain", "farcall"])
async def test_inside_of_a_group_the_same_codes_may_leave(dialect: Any) -> None:
    """A plain peer gets the group as one error, whose data has all of them."""
    async with open_pair(Node(), dialect=dialect) as (session, _):
        for code in (*NEVER, *SERVERS_OWN):
            with pytest.raises((RpcError, ExceptionGroup)) as caught:
                await session.call("several", code)

            codes = codes_in(caught.value)
            expected = code if may_leave(code, is_plain=dialect == "plain") else -32603
            assert codes == [expected, 5]


def codes_in(error: BaseException) -> list[int]:
    if isinstance(error, ExceptionGroup):
        return [each.code for each in error.exceptions if isinstance(each, RpcError)]
    assert isinstance(error, RpcError)
    return [each["code"] for each in error.data["errors"]]


@pytest.mark.parametrize("dialect", ["plain", "farcall"])
async def test_a_declared_error_may_have_a_code_of_the_servers_own(dialect: Any) -> None:
    """The proxy raises its class, and plain JSON-RPC clients know it by its code."""
    async with open_pair(Store(), Store, dialect=dialect) as (node, _):
        with pytest.raises(NonceTooLow) as caught:
            await node.declared()

    assert caught.value.nonce == 7
    assert caught.value.may_have_run


@pytest.mark.parametrize("code", [*NEVER, *FARCALL, 2])
def test_a_declared_error_has_no_code_of_the_protocol(code: int) -> None:
    """Declaring one is an error, because the caller could not recognise it."""
    chosen = code

    @attrs.define
    class Wrong(ApplicationError):
        code: ClassVar[int] = chosen

    with pytest.raises(farcall.DeclarationError, match=f"FC111 .* Wrong.code is {code}"):

        @service
        class Shop:
            @method(raises=[Wrong])
            async def buy(self) -> None: ...


# What the codes of a peer mean

CLASSES: dict[int, type[RpcError]] = {
    -32700: RpcError,
    -32600: RpcError,
    -32601: farcall.MethodNotFound,
    -32602: farcall.InvalidArguments,
    -32603: farcall.InternalError,
    -32604: RpcError,
    -32605: farcall.Forbidden,
    -32606: farcall.Forbidden,
}
"""The codes of JSON-RPC 2.0 and of rpc-websockets."""


async def answered(session: farcall.Session, server: Any, error: object) -> Exception:
    """Make a call, answer it with an error, and return the exception of the call."""
    caught: list[Exception] = []

    async def call() -> None:
        try:
            await session.call("act")
        except Exception as exc:  # noqa: BLE001 - whatever it is
            caught.append(exc)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(call)
        request = await hear_json(server)
        await server.send_json({"jsonrpc": "2.0", "id": request["id"], "error": error})
    return caught[0]


async def hear_json(server: Any) -> Any:
    await trio.testing.wait_all_tasks_blocked()
    (message,) = server.heard()
    return message


async def test_the_codes_of_a_plain_server_are_its_own() -> None:
    """TrueNAS uses -32001 for ordinary errors, where it does not mean a shutdown."""
    async with raw_server(dialect="plain") as (session, server):
        for code in (*NEVER, *SERVERS_OWN, *OTHERS):
            error = {"code": code, "message": "no", "data": {"by": "caller", "retry_after_ms": 5}}
            raised = await answered(session, server, error)

            assert type(raised) is CLASSES.get(code, RpcError)
            assert isinstance(raised, RpcError)
            assert (raised.code, raised.message, raised.data) == (code, "no", error["data"])
            assert raised.may_have_run is (code not in NEVER or code == -32603)


async def test_a_plain_server_has_no_groups_and_no_causes() -> None:
    """Data of the same shape stay in `RpcError.data`."""
    data = {
        "errors": [{"code": 5, "message": "a"}],
        "cause": {"code": 5, "message": "b"},
        "notes": ["c"],
        "traceback": "d",
    }
    async with raw_server(dialect="plain") as (session, server):
        for code in (2, -32603, 7):
            raised = await answered(session, server, {"code": code, "message": "no", "data": data})

            assert isinstance(raised, RpcError)
            assert raised.data == data
            assert raised.__cause__ is None
            assert not hasattr(raised, "__notes__")


@pytest.mark.parametrize("code", [-32001, -32002, -32003])
async def test_a_subscription_to_a_plain_server_keeps_its_codes(code: int) -> None:
    """An error of `rpc.on` has the same meaning as one of any call."""
    caught: list[Exception] = []

    async def subscribe(session: farcall.Session) -> None:
        try:
            async with session.stream("blocks"):
                pass
        except Exception as exc:  # noqa: BLE001 - whatever it is
            caught.append(exc)

    async with raw_server(dialect="plain") as (session, server), trio.open_nursery() as nursery:
        nursery.start_soon(subscribe, session)
        request = await hear_json(server)
        error = {"code": code, "message": "no"}
        await server.send_json({"jsonrpc": "2.0", "id": request["id"], "error": error})

    assert type(caught[0]) is RpcError
    assert caught[0].may_have_run


# Whether a call has run

RUN = {
    ErrorCode.SHUTTING_DOWN: False,
    ErrorCode.BUSY: False,
    ErrorCode.METHOD_NOT_FOUND: False,
    ErrorCode.INVALID_PARAMS: False,
    ErrorCode.METHOD_FORBIDDEN: False,
    ErrorCode.EVENT_FORBIDDEN: False,
    ErrorCode.PARSE_ERROR: False,
    ErrorCode.INVALID_REQUEST: False,
    ErrorCode.BATCH_TOO_LARGE: False,
    ErrorCode.TOO_MANY_SUBSCRIPTIONS: False,
    ErrorCode.DEADLINE_EXCEEDED: True,
    ErrorCode.REPLY_TOO_LARGE: True,
    ErrorCode.CANCELLED: True,
    ErrorCode.INTERNAL_ERROR: True,
    -32050: True,
    1: True,
    77: True,
}


async def test_an_error_of_a_farcall_peer_tells_whether_the_call_may_have_run() -> None:
    """A call that was refused has not run; a call that failed otherwise may have."""
    async with raw_server() as (session, server):
        for code, has_run in RUN.items():
            raised = await answered(session, server, {"code": int(code), "message": "no"})

            assert isinstance(raised, RpcError)
            assert raised.may_have_run is has_run, raised


@pytest.mark.parametrize(
    ("error", "has_run"),
    [
        (farcall.ConnectionLost("cut", sent=True), True),
        (farcall.ConnectionLost("cut", sent=False), False),
        (farcall.ConnectFailed("nobody there"), False),
        (farcall.InvalidResult("expected int"), True),
        (farcall.EncodeError("expected int"), False),
        (farcall.ContractMismatch("another"), False),
        (farcall.NotSupported("no key"), False),
        (farcall.Unauthorized("who"), False),
        (farcall.SignalLagged(3), True),
        (farcall.SignalGap(None), True),
        (farcall.Busy.after(1), False),
        (farcall.Forbidden.because("no"), False),
        (farcall.InvalidArguments.at("params.a", "no"), False),
        (NonceTooLow(7), True),
    ],
)
def test_every_error_tells_whether_the_call_may_have_run(
    error: farcall.FarcallError, has_run: bool
) -> None:
    """False only if nothing was sent, or the call was refused."""
    assert error.may_have_run is has_run


async def test_an_upload_that_is_refused_on_its_way_may_have_run() -> None:
    """The handler may have used the items before the wrong one."""

    class StoreStub(farcall.Proxy, service=""):
        @farcall.endpoint("store")
        async def store(self, items: AsyncIterable[str]) -> int:
            raise NotImplementedError

    async def items() -> AsyncIterator[str]:
        yield "one"

    async with open_pair(Store(), StoreStub) as (node, _):
        with pytest.raises(farcall.InvalidArguments) as caught:
            await node.store(items())

    assert caught.value.may_have_run


async def test_an_item_of_an_upload_that_cannot_be_sent_leaves_a_call_that_may_have_run() -> None:
    """The call was sent before the item, though the exception is an `EncodeError`."""

    async def items() -> AsyncIterator[Any]:
        yield 1
        yield "two"

    async with open_pair(Store(), Store) as (node, _):
        with pytest.raises(farcall.EncodeError) as caught:
            await node.store(items())

    assert caught.value.may_have_run


async def test_an_open_stream_that_fails_has_run() -> None:
    """A stream that was opened has begun, so its error says that it may have run."""
    async with raw_server() as (session, server), trio.open_nursery() as nursery:
        caught: list[RpcError] = []

        async def read() -> None:
            async with session.stream("numbers") as numbers:
                with pytest.raises(RpcError) as failure:
                    await anext(numbers)
                caught.append(failure.value)

        nursery.start_soon(read)
        request = await hear_json(server)
        number = request["id"]
        params = {"id": number, "value": None}
        items = {"jsonrpc": "2.0", "method": "rpc.started", "params": params}
        await server.send_json(items)
        await trio.testing.wait_all_tasks_blocked()
        error = {"code": -32605, "message": "the login has ended"}
        await server.send_json({"jsonrpc": "2.0", "id": number, "error": error})

    assert caught[0].may_have_run
