"""Serving calls, in memory and over WebSocket."""

from __future__ import annotations

import logging
import time
from typing import Any

import attrs
import msgspec
import pytest
import trio
import trio.lowlevel

import farcall
from farcall import ApplicationError, current_call, method, service
from farcall.testing import open_pair
from tests.ends import KINDS, Kind, open_client, raw_client, wait_until


@attrs.frozen
class Item:
    name: str
    price: float = 1.0


@attrs.define
class SoldOut(ApplicationError):
    name: str
    left: int = 0


@attrs.define
class Unlisted(ApplicationError):
    secret: str


@service
class Shop:
    """A service with a method for everything that a handler can do."""

    def __init__(self) -> None:
        self.started: list[int] = []
        self.noted: list[str] = []
        self.was_cancelled = False

    @method(raises=[SoldOut])
    async def buy(self, item: Item, count: int = 1) -> Item:
        if item.name == "gone":
            raise SoldOut(item.name)
        if item.name == "badly":
            raise SoldOut(7)  # type: ignore[arg-type]  # a field that cannot cross
        return Item(item.name, item.price * count)

    async def fail(self, how: str) -> int:
        errors: dict[str, Exception] = {
            "undeclared": Unlisted("secret"),
            "defect": KeyError("secret"),
            "rpc": farcall.RpcError(77, "as it is", {"x": 1}),
            "reserved": farcall.RpcError(-32001, "secret"),
            "unsayable": farcall.RpcError(77, "no", object()),
        }
        if how in errors:
            raise errors[how]
        return "secret"  # type: ignore[return-value]  # a result of the wrong type

    async def start(self, number: int) -> None:
        self.started.append(number)
        await trio.lowlevel.checkpoint()

    async def hang(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            self.was_cancelled = True

    @method(oneway=True)
    async def note(self, text: str) -> None:
        self.noted.append(text)

    def quick(self, a: int, b: int) -> int:
        return a + b

    def slow(self) -> None:
        time.sleep(0.06)

    async def whoami(self) -> list[str]:
        call = current_call()
        visits = call.connection.data["visits"] = call.connection.data.get("visits", 0) + 1
        return [call.method, call.connection.path, str(visits)]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


async def test_a_call_brings_its_result(kind: Kind) -> None:
    """Records are arguments and results of their own classes."""
    async with open_client(kind, Shop()) as session:
        assert await session.call("Shop.buy", {"name": "pen", "price": 2}, 3, returns=Item) == Item(
            "pen", 6.0
        )


async def test_a_declared_error_arrives_as_itself(kind: Kind) -> None:
    """The proxy raises the class that the method declares, with its fields."""
    shop = AsyncShop()
    async with open_client(kind, shop, AsyncShop) as proxy:
        with pytest.raises(SoldOut) as caught:
            await proxy.buy("gone")

    assert (caught.value.name, caught.value.left) == ("gone", 3)


@service
class AsyncShop:
    @method(raises=[SoldOut])
    async def buy(self, name: str) -> None:
        raise SoldOut(name, left=3)


@pytest.mark.parametrize("how", ["undeclared", "defect", "reserved", "wrong result", "unsayable"])
async def test_what_is_not_declared_is_redacted(how: str, caplog: pytest.LogCaptureFixture) -> None:
    """The peer gets only an id, and the log has the exception with the id."""
    async with open_pair(Shop()) as (session, _):
        with pytest.raises(farcall.InternalError) as caught:
            await session.call("Shop.fail", how)

    assert caught.value.id is not None
    assert "secret" not in str(caught.value)
    assert caught.value.id in caplog.text


async def test_an_rpc_error_goes_out_as_it_is() -> None:
    """Code, message and data are sent unchanged."""
    async with open_pair(Shop()) as (session, _):
        with pytest.raises(farcall.RpcError) as caught:
            await session.call("Shop.fail", "rpc")

    error = caught.value
    assert (error.code, error.message, error.data) == (77, "as it is", {"x": 1})


async def test_a_declared_error_that_cannot_be_encoded_is_still_answered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An error with a field of the wrong type is redacted."""
    async with open_pair(Shop()) as (session, _):
        with pytest.raises(farcall.InternalError):
            await session.call("Shop.buy", {"name": "badly"})

    assert caplog.records


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ([7], "params[0]"),
        ([{"name": "pen", "prise": 1}], "params[0].prise"),
        ([], "params.item"),
        ([{"name": "pen"}, 1, 2], "params[2]"),
    ],
)
async def test_a_wrong_argument_names_its_path(arguments: list[Any], path: str) -> None:
    """-32602 has the path of the mistake."""
    async with open_pair(Shop()) as (session, _):
        with pytest.raises(farcall.InvalidArguments) as caught:
            await session.call("Shop.buy", *arguments)

    assert path in [error["path"] for error in caught.value.errors]


async def test_an_unknown_method_is_not_found() -> None:
    """-32601, and the link is still usable."""
    async with open_pair(Shop()) as (session, _):
        with pytest.raises(farcall.MethodNotFound):
            await session.call("Shop.sell")

        assert await session.call("Shop.quick", 1, 2) == 3


async def test_calls_start_in_the_order_in_which_they_were_sent() -> None:
    """A hundred calls in one frame begin in order, though Trio shuffles their tasks."""
    shop = Shop()
    async with raw_client(shop) as client:
        requests = [
            {"jsonrpc": "2.0", "id": number, "method": "Shop.start", "params": [number]}
            for number in range(100)
        ]
        await client.send([msgspec.json.encode(requests)])
        answers = msgspec.json.decode(await client.hear())

    assert shop.started == list(range(100))
    assert [answer["id"] for answer in answers] == list(range(100))


async def test_notifications_start_in_the_order_in_which_they_were_sent() -> None:
    """A hundred notifications of one task begin in order."""
    shop = Shop()
    async with open_pair(shop) as (session, _):
        for number in range(100):
            await session.notify("Shop.start", number)
        await session.call("Shop.quick", 1, 2)

    assert shop.started == list(range(100))


async def test_a_oneway_method_is_sent_and_not_waited_for(kind: Kind) -> None:
    """The call of the proxy returns at once, and the handler runs."""
    shop = Shop()
    async with open_client(kind, shop) as session:
        await session.notify("Shop.note", "hello")
        await session.call("Shop.quick", 1, 2)

    assert shop.noted == ["hello"]


async def test_a_notification_that_fails_is_only_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A notification gets no response, so its failure is only logged."""
    async with open_pair(Shop()) as (session, _):
        await session.notify("Shop.fail", "defect")
        await session.notify("Shop.nothing")
        assert await session.call("Shop.quick", 1, 2) == 3

    assert "secret" in caplog.text


async def test_a_slow_plain_def_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    """A plain def that blocks all tasks is logged once."""
    async with open_pair(Shop()) as (session, _):
        with caplog.at_level(logging.WARNING):
            await session.call("Shop.slow")
            await session.call("Shop.slow")

    assert [record.args and "Shop.slow" in str(record.args) for record in caplog.records] == [True]


async def test_a_lost_link_cancels_its_handlers(kind: Kind) -> None:
    """The handlers of a client end with its connection."""
    shop = Shop()
    async with open_client(kind, [shop]) as session:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_call_and_fail, session)
            await wait_until(lambda: session.statistics().calls_out == 1)
            await trio.testing.wait_all_tasks_blocked(0.01)
            session._link.abort(1006, "cut")

        await wait_until(lambda: shop.was_cancelled)


async def _call_and_fail(session: farcall.Session) -> None:
    with pytest.raises(farcall.ConnectionLost) as caught:
        await session.call("Shop.hang")
    assert caught.value.sent


async def test_a_handler_knows_its_call(kind: Kind) -> None:
    """The current call has its method, its path, and a dict of its connection."""
    async with open_client(kind, {"/": Shop()}) as session:
        await session.call("Shop.whoami")

        assert await session.call("Shop.whoami") == ["Shop.whoami", "/", "2"]


def test_there_is_no_current_call_outside_of_a_handler() -> None:
    """The error says where current_call may be used."""
    with pytest.raises(RuntimeError, match="in a handler"):
        current_call()


async def test_login_is_answered_as_by_a_server_without_authentication() -> None:
    """-32604 without params, -32601 with params."""
    async with open_pair(Shop(), dialect="plain") as (session, _):
        with pytest.raises(farcall.RpcError) as without:
            await session.call("rpc.login")
        with pytest.raises(farcall.MethodNotFound):
            await session.call("rpc.login", "me", "secret")

    assert without.value.code == -32604


async def test_a_reply_that_is_too_large_ends_only_its_call() -> None:
    """-32008 for that call, and the link is still usable."""
    async with open_pair(Large()) as (session, _):
        with pytest.raises(farcall.ReplyTooLarge):
            await session.call("Large.text", 17 * 2**20)

        assert await session.call("Large.text", 3) == "xxx"


@pytest.mark.parametrize("name", ["nested", "nested_inline"])
async def test_a_reply_that_is_too_deep_ends_only_its_call(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """With -32008, and without a traceback in the log."""
    async with open_pair(Large()) as (session, _):
        with pytest.raises(farcall.ReplyTooLarge) as refusal:
            await session.call(f"Large.{name}", 61)

        assert refusal.value.data == {"limit": "depth", "most": 64}
        assert await session.call(f"Large.{name}", 3) == [[[]]]
    assert caplog.messages == []


async def test_an_argument_that_a_handler_cannot_send_is_no_reply() -> None:
    """An argument of the handler's own call that is too deep is a defect of the handler."""
    async with open_pair(Large()) as (session, _):
        with pytest.raises(farcall.InternalError):
            await session.call("Large.ask")


async def test_a_request_that_is_too_large_is_not_sent() -> None:
    """The caller gets an EncodeError that names the limit, and the link is still usable."""
    async with open_pair(Large()) as (session, _):
        with pytest.raises(farcall.EncodeError, match=r"1048576 .*limit message"):
            await session.call("Large.size", "x" * 2**20)

        assert await session.call("Large.size", "xxx") == 3


def nested(depth: int) -> farcall.Json:
    value: farcall.Json = []
    for _ in range(depth - 1):
        value = [value]
    return value


@service(name="Large")
class AsyncLarge:
    async def size(self, value: farcall.Json) -> int:
        """Take a value that cannot be sent."""
        return len(str(value))


@service
class Large:
    async def nested(self, depth: int) -> farcall.Json:
        return nested(depth)

    def nested_inline(self, depth: int) -> farcall.Json:
        return nested(depth)

    async def ask(self) -> farcall.Json:
        """Call the caller."""
        connection = farcall.current_call().connection
        return await connection.proxy(AsyncLarge).size(nested(61))

    async def text(self, size: int) -> str:
        return "x" * size

    async def size(self, text: str) -> int:
        return len(text)
