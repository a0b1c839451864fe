"""Stubs against servers of another version: when there is a warning or an error, and its text."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import farcall
from farcall import Proxy, RemoteSignal, current_call, endpoint, functions, method, service
from farcall.testing import memory_pair, open_pair
from tests.ends import RawPeer, dial, forget_contracts, raw_client
from tests.past_stubs.bakery import BakeryProxy, Cake, Order, Size, SoldOut
from tests.past_stubs.changed_bakery import Changed
from tests.past_stubs.grown_bakery import Cake as GrownCake
from tests.past_stubs.grown_bakery import Grown
from tests.past_stubs.grown_bakery import Size as GrownSize


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_contracts(monkeypatch)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]


BROKEN = {
    "Bakery.buy(voucher)": "was added and must be given",
    "Bakery.find": "Size.HUGE was added",
    "Bakery.menu": "was removed",
    "Bakery.bake": "was removed",
    "Bakery.baked": "was Cake and is str now",
}


# Past stubs


async def test_a_stub_of_a_server_that_has_grown_is_no_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A server that has only grown causes no warning."""
    async with open_pair(Grown(), BakeryProxy) as (bakery, _):
        assert await bakery.buy(Order("a", 3)) == 6.0

    assert warnings(caplog) == []


async def test_a_past_stub_works_with_a_server_that_has_grown() -> None:
    """A past stub works in strict mode with a server that has grown."""
    grown = Grown()
    async with open_pair(grown, BakeryProxy, contract="strict") as (bakery, _):
        assert await bakery.find("b", Size.LARGE) == Cake("b", Size.LARGE, 2.0)
        with pytest.raises(SoldOut) as sold_out:
            await bakery.buy(Order("none"))
        assert sold_out.value.cake == "none"
        await bakery.praise("good")
        async with bakery.menu() as cakes:
            assert [cake async for cake in cakes] == [Cake("plain", Size.SMALL, 1.0)]
        assert await bakery.deliver(several(Cake("c", Size.SMALL, 1.0))) == 1
        async with trio.open_nursery() as nursery:
            assert await nursery.start(bakery.bake, "rye") == 3
        async with bakery.baked.subscribe(key="d") as baked:
            grown.baked.emit(GrownCake("d", GrownSize.SMALL, 2.0))
            assert await anext(baked) == Cake("d", Size.SMALL, 2.0)


async def several(*cakes: Cake) -> AsyncIterator[Cake]:
    for cake in cakes:
        yield cake


async def test_a_change_that_fails_calls_is_one_warning_that_names_them(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A breaking change causes one warning that names each broken member and no other."""
    async with open_pair(Changed(), BakeryProxy) as (bakery, _):
        await bakery.praise("good")

    (warning,) = warnings(caplog)
    assert "the stub of Bakery does not match this server's contract" in warning
    assert all(f"{name} " in warning or f"{name}:" in warning for name in BROKEN)
    assert all(change in warning for change in BROKEN.values())
    assert "praise" not in warning
    assert "deliver" not in warning
    assert warning.endswith("generate the stub again")


async def test_a_change_that_fails_calls_is_refused_in_strict_mode() -> None:
    """`contract="strict"` refuses a broken stub and names a broken member."""
    with pytest.raises(farcall.ContractMismatch, match=r"Bakery\.menu was removed"):
        async with open_pair(Changed(), BakeryProxy, contract="strict"):
            pass


async def test_an_error_of_such_a_call_says_that_the_contracts_differ() -> None:
    """An error of a broken member says that the contracts differ."""
    async with open_pair(Changed(), BakeryProxy) as (bakery, _):
        with pytest.raises(farcall.InvalidArguments, match="made for another contract") as refused:
            await bakery.buy(Order("a"))
        assert "Bakery.buy(voucher) was added and must be given" in str(refused.value.contract)
        with pytest.raises(farcall.MethodNotFound, match=r"Bakery\.menu was removed"):
            async with bakery.menu():
                pass
        with pytest.raises(farcall.MethodNotFound, match=r"Bakery\.bake was removed"):
            await bakery.bake("rye")


async def test_an_error_of_the_handler_says_nothing_of_contracts() -> None:
    """An error that the handler raises says nothing of contracts."""

    @service(name="Bakery")
    class Closed:
        async def find(self, name: str, size: GrownSize) -> GrownCake:
            raise farcall.RpcError(-32099, "no cake")

    async with open_pair(Closed(), BakeryProxy) as (bakery, _):
        with pytest.raises(farcall.RpcError, match="no cake") as failed:
            await bakery.find("a", Size.SMALL)
        assert failed.value.contract is None


async def test_a_subscription_that_is_not_there_says_that_the_contracts_differ() -> None:
    """A subscription to a removed signal says that the contracts differ."""
    async with open_pair(functions(one, name="Ones"), BakeryProxy) as (bakery, _):
        with pytest.raises(farcall.MethodNotFound, match=r"Bakery\.baked was removed"):
            async with bakery.baked.subscribe():
                pass


def one() -> int:
    return 1


async def test_a_server_that_offers_nothing_of_a_stub_is_told_in_few_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A warning about a server without the whole service is short."""
    async with open_pair(functions(one, name="Ones"), BakeryProxy):
        pass

    (warning,) = warnings(caplog)
    assert warning.endswith("does not offer Bakery; generate the stub again")


class Part(Proxy, service="Bakery", contract="by hand"):
    """A hand-written stub of two members, one of which has an unknown type."""

    baked: RemoteSignal[Any] = RemoteSignal("Bakery.baked")

    @endpoint("Bakery.praise", oneway=True)
    async def praise(self, text: str) -> None:
        raise NotImplementedError

    @endpoint("Bakery.deliver")
    async def count(self, cakes: list[Missing]) -> int:  # type: ignore[name-defined]  # noqa: F821
        raise NotImplementedError


async def test_a_stub_of_some_members_needs_no_others() -> None:
    """A stub needs only the members it has; one with a wrong type raises when it is called."""
    async with open_pair(Changed(), Part, contract="strict") as (part, _):
        await part.praise("good")
        with pytest.raises(farcall.DeclarationError, match="Missing"):
            await part.count([])


class Elsewhere(Proxy, service="Cakes", contract="?"):
    """A stub with the same member and another service name."""

    @endpoint("Bakery.praise", oneway=True)
    async def praise(self, text: str) -> None:
        raise NotImplementedError


async def test_the_names_of_members_count_and_not_that_of_the_service() -> None:
    """A stub matches a server by the wire names of its members, not by the name of the service."""
    async with open_pair(
        [Changed(), functions(one, name="Ones")], Elsewhere, contract="strict"
    ) as (there, _):
        await there.praise("good")


# Asking


@asynccontextmanager
async def counted(services: Any, proxy: Any = None, **options: Any) -> AsyncIterator[Any]:
    """Connect, and count the frames that the client has sent by then."""
    async with open_pair(services, proxy, **options) as (client, connection):
        yield client, connection.statistics().frames_in


async def test_the_server_is_asked_once_and_the_answer_kept() -> None:
    """A client asks for a contract once; a second connection uses the answer."""
    async with counted(Grown(), BakeryProxy) as (_, first):
        pass
    async with counted(Grown(), BakeryProxy) as (_, second):
        pass

    assert (first, second) == (2, 1)


async def test_a_stub_of_the_right_contract_asks_nothing() -> None:
    """A client whose stub has the server's digest asks for no contract."""
    async with counted(Grown(), Grown, contract="strict") as (_, frames):
        assert frames == 1


async def test_a_session_asks_for_a_stub_in_the_background(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A session asks for the contract in the background and warns once."""
    async with open_pair(Changed()) as (session, connection):
        before = connection.statistics().frames_in
        for _ in range(3):
            session.proxy(BakeryProxy)
            session.proxy(Part)
        await wait_all_tasks_blocked()
        session.proxy(BakeryProxy)
        await wait_all_tasks_blocked()

        assert connection.statistics().frames_in == before + 1
    (warning,) = warnings(caplog)
    assert "Bakery.menu was removed" in warning


async def test_a_strict_session_knows_when_a_stub_is_used() -> None:
    """`proxy` of a strict session refuses a broken stub at once, every time."""
    async with open_pair(Changed(), contract="strict") as (session, _):
        session.proxy(Part)
        for _ in range(2):
            with pytest.raises(farcall.ContractMismatch, match=r"Bakery\.menu was removed"):
                session.proxy(BakeryProxy)


@service
class Site:
    """A service that calls its client back with a stub that does not match."""

    def __init__(self) -> None:
        self.client = trio.Event()

    async def build(self) -> None:
        for _ in range(2):
            await current_call().connection.proxy(BakeryProxy).praise("good")


async def test_a_stub_for_calls_back_is_compared_as_well(caplog: pytest.LogCaptureFixture) -> None:
    """A stub for calls back is compared too, and warned of once."""
    async with open_pair(Site(), Site, serves=[Changed()]) as (site, _):
        await site.build()
        await site.build()
        await wait_all_tasks_blocked()

    (warning,) = warnings(caplog)
    assert "Bakery.menu was removed" in warning


# Servers that cannot tell


async def refusal(answer: Mapping[str, Any] | None, **options: Any) -> Exception | None:
    """Connect with a past stub to a server that gives this answer to `rpc.discover`, or none."""
    dialled, accepted = memory_pair()
    server = RawPeer(accepted)

    async def serve() -> None:
        hello = msgspec.json.decode(await server.hear())
        theirs = {**hello["params"], "contracts": {"Bakery": "another"}}
        await server.send_json({"jsonrpc": "2.0", "id": hello["id"], "result": theirs})
        discover = msgspec.json.decode(await server.hear())
        assert discover["method"] == "rpc.discover"
        if answer is not None:
            await server.send_json({"jsonrpc": "2.0", "id": discover["id"], **answer})

    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.run)
        nursery.start_soon(serve)
        try:
            async with dial(dialled, BakeryProxy, **options):
                pass
        except farcall.FarcallError as error:
            return error
        finally:
            nursery.cancel_scope.cancel()
    return None


def result(document: Any) -> dict[str, Any]:
    return {"result": document}


UNKNOWN = {
    "-32601": {"error": {"code": -32601, "message": "Method not found"}},
    "number": result(7),
    "no contracts": result({"openrpc": "1.3.2"}),
    "no object": result({"x-farcall": []}),
    "later version": result({"x-farcall": {"v": 2, "services": []}}),
    "no service": result({"x-farcall": {"v": 1, "services": [{"name": 7}]}}),
    "another digest": result(
        {
            "x-farcall": {
                "v": 1,
                "services": [
                    {
                        "name": "Bakery",
                        "class_name": "Bakery",
                        "methods": [],
                        "signals": [],
                        "definitions": [],
                        "digest": "0" * 32,
                    }
                ],
            }
        }
    ),
}


@pytest.mark.parametrize("answer", UNKNOWN.values(), ids=UNKNOWN)
async def test_an_unknown_contract_is_one_warning(
    answer: Mapping[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A server whose contract cannot be read causes one warning."""
    assert await refusal(answer) is None

    (warning,) = warnings(caplog)
    assert (
        "has another contract, and the contract of the server is not known (rpc.discover" in warning
    )


@pytest.mark.parametrize("answer", UNKNOWN.values(), ids=UNKNOWN)
async def test_an_unknown_contract_is_refused_in_strict_mode(
    answer: Mapping[str, Any],
) -> None:
    """`contract="strict"` refuses a server whose contract cannot be read."""
    error = await refusal(answer, contract="strict")

    assert isinstance(error, farcall.ContractMismatch)
    assert "is not known (rpc.discover" in str(error)


async def test_a_description_that_is_too_long_is_not_read(caplog: pytest.LogCaptureFixture) -> None:
    """A contract of more than 512 KiB is not read."""
    services = {"v": 1, "services": [], "padding": " " * 2**19}
    assert await refusal(result({"x-farcall": services})) is None

    assert "at most 524288 are read" in warnings(caplog)[0]


async def test_a_server_writes_no_lines_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """A server cannot write lines of its own into the client's log."""
    keys = [f"{n}\nWARNING {'x' * 200}" for n in range(5)]
    fields = [{"name": key, "type": "int"} for key in keys]
    order = {"sort": "record", "name": "Order", "kind": "typeddict", "fields": fields}
    size = {"sort": "enum", "name": "Size", "base": "Enum", "members": [["SMALL", "small"]]}
    arguments = [{"name": "order", "type": ["ref", "Order"], "role": "either"}]
    buy = {"name": "buy", "wire_name": "Bakery.buy", "arguments": arguments, "result": "float"}
    bakery = {
        "name": "Bakery",
        "class_name": "Bakery",
        "methods": [buy],
        "signals": [],
        "definitions": [order, size],
    }
    assert await refusal(result({"x-farcall": {"v": 1, "services": [bakery]}})) is None

    (warning,) = warnings(caplog)
    assert "Bakery.buy" in warning
    assert r"0\nWARNING xxx" in warning
    assert "\n" not in warning
    assert len(warning) < 1000


async def test_a_strict_client_waits_for_the_contract(
    autojump_clock: MockClock,
) -> None:
    """A strict client waits five seconds for the server's contract."""
    error = await refusal(None, contract="strict")

    assert isinstance(error, farcall.ContractMismatch)
    assert "no response to rpc.discover in 5 s" in str(error)


async def test_a_refused_hello_is_a_mismatch_in_strict_mode() -> None:
    """`contract="strict"` refuses a server that refuses the hello."""
    dialled, accepted = memory_pair()
    server = RawPeer(accepted)

    async def refuse() -> None:
        hello = msgspec.json.decode(await server.hear())
        error = {"code": -32601, "message": "Method not found"}
        await server.send_json({"jsonrpc": "2.0", "id": hello["id"], "error": error})

    async with trio.open_nursery() as nursery:
        nursery.start_soon(server.run)
        nursery.start_soon(refuse)
        with pytest.raises(farcall.ContractMismatch, match=r"refused the hello .*-32601"):
            async with dial(dialled, contract="strict"):
                pass
        nursery.cancel_scope.cancel()


def test_strict_needs_the_hello() -> None:
    """`contract="strict"` with `dialect="plain"` raises ValueError."""
    with pytest.raises(ValueError, match="does not send; write one of the two"):
        farcall.connect("ws://localhost", dialect="plain", contract="strict")


# rpc.discover


@service
class Vault:
    """A service with an open and a protected method."""

    async def knock(self, at: str, times: int = 1) -> None:
        pass

    @method(protected=True, roles={"owner"})
    async def open(self, code: str, /) -> bool:
        return True


DISCOVER = {"jsonrpc": "2.0", "id": 1, "method": "rpc.discover"}


async def test_a_plain_peer_may_ask_what_is_offered() -> None:
    """A plain peer gets the whole contract from `rpc.discover`, protected methods included."""
    async with raw_client(Vault()) as client:
        (answer,) = await client.ask(DISCOVER)

    document = answer["result"]
    assert document["openrpc"] == "1.3.2"
    assert document["info"]["title"] == "Vault"
    knock, open_ = document["methods"]
    assert knock == {
        "name": "Vault.knock",
        "paramStructure": "either",
        "params": [
            {"name": "at", "required": True, "schema": {}},
            {"name": "times", "required": False, "schema": {}},
        ],
        "result": {"name": "result", "schema": {}},
    }
    assert (open_["name"], open_["paramStructure"]) == ("Vault.open", "by-position")
    (contract,) = document["x-farcall"]["services"]
    assert [each["wire_name"] for each in contract["methods"]] == ["Vault.knock", "Vault.open"]


async def test_the_description_is_made_once() -> None:
    """A server makes its answer to `rpc.discover` once."""
    async with raw_client(Vault()) as client:
        (endpoints,) = client.host.paths.values()
        await client.ask(DISCOVER)
        first = endpoints.description
        await client.ask({**DISCOVER, "id": 2})

        assert endpoints.description is first


async def test_a_description_has_a_limit_as_every_answer() -> None:
    """An answer to `rpc.discover` over `message_out` is refused with -32008."""
    limits = farcall.Limits(message_out=1024)
    async with raw_client([Vault(), Grown()], limits=limits) as client:
        (answer,) = await client.ask(DISCOVER)

    assert answer["error"]["code"] == -32008


async def test_discover_as_a_notification_gets_no_answer() -> None:
    """`rpc.discover` as a notification gets no answer."""
    async with raw_client(Vault()) as client:
        assert await client.ask({"jsonrpc": "2.0", "method": "rpc.discover"}) == []
