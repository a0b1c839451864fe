"""Remote tasks: they start remotely and end with the local nursery."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import attrs
import msgspec
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import farcall
from farcall import ApplicationError, current_call, method, service
from farcall.testing import open_pair
from tests.ends import KINDS, Kind, cut, open_client, raw_client, raw_server


@attrs.frozen
class Ready:
    port: int


@attrs.define
class Refused(ApplicationError):
    why: str


@service
class Foreman:
    """A service of tasks that start in different ways."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.statuses: list[trio.TaskStatus[Ready]] = []

    @method(raises=[Refused])
    async def run(
        self, after: float = 0, *, task_status: trio.TaskStatus[Ready] = trio.TASK_STATUS_IGNORED
    ) -> str:
        self.statuses.append(task_status)
        await trio.sleep(after)
        task_status.started(Ready(80))
        try:
            await trio.sleep(10)
        except trio.Cancelled:
            self.log.append(f"ended: {current_call().cancel_reason}")
            raise
        return "done"

    @method(raises=[Refused])
    async def refuse(
        self, is_late: bool, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        if is_late:
            task_status.started()
            await trio.sleep(1)
        raise Refused("no")

    async def forget(self, *, task_status: trio.TaskStatus[Ready]) -> str:
        return "never started"

    async def misuse(self, how: str, *, task_status: trio.TaskStatus[Ready]) -> str:
        values: dict[str, Any] = {"type": 7, "size": Ready(10**4000)}
        errors: list[str] = []
        for _ in range(2):
            try:
                task_status.started(values.get(how, Ready(1)))
            except (farcall.EncodeError, RuntimeError) as error:
                errors.append(f"{type(error).__name__}: {error}")
        return "; ".join(errors)

    async def begin(self, how: str, *, task_status: trio.TaskStatus[str]) -> None:
        if how == "bare":
            task_status.started("x" * 300)
        async with trio.open_nursery():
            task_status.started("x" * 300)

    async def deadlines(self, *, task_status: trio.TaskStatus[list[bool]]) -> list[bool]:
        task_status.started(self._limits())
        return self._limits()

    def _limits(self) -> list[bool]:
        return [trio.current_effective_deadline() < math.inf, current_call().deadline < math.inf]

    async def cling(self, *, task_status: trio.TaskStatus[None]) -> str:
        with trio.CancelScope(shield=True):
            await trio.sleep(1)
            task_status.started()
            await trio.sleep(1)
        return "clung"


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


async def test_a_task_starts_and_ends_with_its_nursery(kind: Kind) -> None:
    """`start` returns the handler's value, and the handler ends before its nursery."""
    foreman = Foreman()
    async with open_client(kind, foreman, Foreman) as proxy:
        async with trio.open_nursery() as nursery:
            ready: Ready = await nursery.start(proxy.run)
            assert ready == Ready(80)
            nursery.cancel_scope.cancel()

        assert foreman.log == ["ended: caller"]


async def test_a_task_outlives_the_deadline_of_its_start(autojump_clock: MockClock) -> None:
    """The deadline of `start` does not end a task that has started."""
    foreman = Foreman()
    async with open_pair(foreman, Foreman) as (proxy, connection):
        async with trio.open_nursery() as nursery:
            with trio.fail_after(2):
                await nursery.start(proxy.run, 1)
            await trio.sleep(5)
            assert foreman.log == []
            assert connection.statistics().calls_in == 1
        assert foreman.log == []
        assert connection.statistics().calls_in == 0


async def test_the_deadline_of_a_start_travels(autojump_clock: MockClock) -> None:
    """A task that does not start by the deadline of `start` is cancelled remotely."""
    foreman = Foreman()
    async with open_pair(foreman, Foreman) as (proxy, connection):
        async with trio.open_nursery() as nursery:
            with pytest.raises(trio.TooSlowError):
                with trio.fail_after(2):
                    await nursery.start(proxy.run, 3)
        assert connection.statistics().calls_in == 0


async def test_the_handler_has_no_deadline_once_started(autojump_clock: MockClock) -> None:
    """A handler has neither its caller's deadline nor `max_call_seconds` once it has started."""
    async with open_pair(Foreman(), Foreman, max_call_seconds=20) as (proxy, _):
        results: list[list[bool]] = []

        async def run(*, task_status: trio.TaskStatus[list[bool]]) -> None:
            results.append(await proxy.deadlines(task_status=task_status))

        async with trio.open_nursery() as nursery:
            with trio.fail_after(5):
                assert await nursery.start(run) == [True, True]
        assert results == [[False, False]]


async def test_the_server_caps_the_time_until_the_start(autojump_clock: MockClock) -> None:
    """`max_call_seconds` ends a task that has not started, and no other."""
    async with open_pair(Foreman(), Foreman, max_call_seconds=2) as (proxy, _):
        async with trio.open_nursery() as nursery:
            with pytest.raises(farcall.DeadlineExceeded):
                await nursery.start(proxy.run, 3)
            await nursery.start(proxy.run, 1)


async def test_an_error_before_the_start_raises_in_start(kind: Kind) -> None:
    """An error before the start raises in `start`, and the nursery goes on."""
    async with open_client(kind, Foreman(), Foreman) as proxy:
        async with trio.open_nursery() as nursery:
            with pytest.raises(Refused):
                await nursery.start(proxy.refuse, False)


async def test_an_error_after_the_start_raises_in_the_nursery(
    autojump_clock: MockClock,
) -> None:
    """An error after the start raises in the nursery."""
    async with open_pair(Foreman(), Foreman) as (proxy, _):
        with pytest.RaisesGroup(Refused):
            async with trio.open_nursery() as nursery:
                await nursery.start(proxy.refuse, True)


async def test_a_task_that_never_starts_is_a_mistake() -> None:
    """A task that ends without a start makes `start` raise RuntimeError."""
    async with open_pair(Foreman(), Foreman) as (proxy, _):
        async with trio.open_nursery() as nursery:
            with pytest.raises(RuntimeError, match="without calling task_status"):
                await nursery.start(proxy.forget)


async def test_a_task_may_be_awaited(autojump_clock: MockClock) -> None:
    """A task can be awaited without a nursery, and returns its result."""
    async with open_pair(Foreman(), Foreman) as (proxy, _):
        assert await proxy.run() == "done"


async def test_a_deadline_around_an_awaited_task_holds_to_its_end(
    autojump_clock: MockClock,
) -> None:
    """A deadline around an awaited task holds after the start."""
    foreman = Foreman()
    async with open_pair(foreman, Foreman) as (proxy, _):
        with trio.move_on_after(3) as scope:
            await proxy.run()
        assert scope.cancelled_caught
        assert foreman.log == ["ended: deadline"]


@pytest.mark.parametrize("dialect", ["plain", "farcall"])
async def test_a_call_without_a_stub_gets_the_result_alone(
    dialect: Any, autojump_clock: MockClock
) -> None:
    """A call without a stub gets the result and ignores the start, in both dialects."""
    async with open_pair(Foreman(), dialect=dialect) as (session, _):
        assert await session.call("Foreman.run") == "done"
        assert session.statistics().strays == 0
        assert session.statistics().dialect == dialect


async def test_a_plain_peer_hears_nothing_of_a_start(autojump_clock: MockClock) -> None:
    """A plain peer gets the result and no start."""
    async with raw_client(Foreman()) as client:
        await client.ask({"jsonrpc": "2.0", "id": 1, "method": "Foreman.run"})
        await trio.sleep(11)

        assert client.heard() == [{"jsonrpc": "2.0", "id": 1, "result": "done"}]


async def test_a_farcall_peer_hears_of_a_start_once(autojump_clock: MockClock) -> None:
    """A farcall peer gets one `rpc.started` before the result."""
    async with raw_client(Foreman()) as client:
        await client.ask({"jsonrpc": "2.0", "id": 1, "method": "rpc.hello", "params": HELLO})
        (started,) = await client.ask({"jsonrpc": "2.0", "id": 2, "method": "Foreman.run"})
        await trio.sleep(11)

        params = {"id": 2, "value": {"port": 80}}
        assert started == {"jsonrpc": "2.0", "method": "rpc.started", "params": params}
        assert client.heard() == [{"jsonrpc": "2.0", "id": 2, "result": "done"}]


HELLO = {"v": 1, "features": [], "contracts": {}, "limits": {"message": 4096}}


async def test_a_start_that_cannot_be_sent_is_the_handlers_error(
    autojump_clock: MockClock,
) -> None:
    """A start over the peer's limit raises EncodeError in the handler."""
    async with raw_client(Foreman()) as client:
        limits = {"message": 1024}
        hello = {**HELLO, "limits": limits}
        await client.ask({"jsonrpc": "2.0", "id": 1, "method": "rpc.hello", "params": hello})
        call = {"jsonrpc": "2.0", "id": 2, "method": "Foreman.misuse", "params": ["size"]}
        (answer,) = await client.ask(call)

        assert answer["result"].count("EncodeError: the message has") == 2


@pytest.mark.parametrize("how", ["bare", "in a nursery"])
async def test_a_start_that_its_caller_does_not_take_is_no_defect(
    how: str, autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A handler that raises the EncodeError of its start is answered with -32008, without a log."""
    async with raw_client(Foreman()) as client:
        hello = {**HELLO, "limits": {"message": 512}}
        await client.ask({"jsonrpc": "2.0", "id": 1, "method": "rpc.hello", "params": hello})
        call = {"jsonrpc": "2.0", "id": "x" * 250, "method": "Foreman.begin", "params": [how]}
        (answer,) = await client.ask(call)

        assert answer["error"]["code"] == -32008
        assert answer["error"]["data"] == {"limit": "message", "bytes": 512}
    assert not caplog.records


async def test_a_start_of_the_wrong_type_is_the_handlers_error() -> None:
    """A start of the wrong type raises EncodeError in the handler."""
    async with open_pair(Foreman()) as (session, _):
        errors = await session.call("Foreman.misuse", "type")
    assert errors.count("EncodeError: expected Ready, got int @ started") == 2


async def test_a_second_start_is_the_handlers_error() -> None:
    """A second start raises RuntimeError in the handler."""
    async with open_pair(Foreman()) as (session, _):
        errors = await session.call("Foreman.misuse", "twice")
    assert errors == "RuntimeError: called 'started' twice on the same task status"


async def test_a_start_after_the_end_is_an_error(autojump_clock: MockClock) -> None:
    """A start after the end of the task raises RuntimeError."""
    foreman = Foreman()
    async with open_pair(foreman, Foreman) as (proxy, _):
        with trio.move_on_after(1):
            await proxy.run(5)
    with pytest.raises(RuntimeError, match="after the remote task had ended"):
        foreman.statuses[0].started(Ready(1))


async def test_a_start_of_another_type_than_agreed_ends_the_task(
    autojump_clock: MockClock,
) -> None:
    """A start of another type than the stub's makes `start` raise and cancels the handler."""

    class Stub(farcall.Proxy, service="Foreman"):
        @farcall.endpoint("Foreman.run")
        async def run(
            self, after: float = 0, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED
        ) -> str:
            raise NotImplementedError

    foreman = Foreman()
    async with open_pair(foreman, Stub) as (proxy, connection):
        async with trio.open_nursery() as nursery:
            with pytest.raises(farcall.InvalidResult, match=r"Foreman\.run: .*int.* @ started"):
                await nursery.start(proxy.run)
            assert foreman.log == ["ended: caller"]
            assert connection.statistics().calls_in == 0


async def test_a_start_during_the_cancellation_is_dropped(autojump_clock: MockClock) -> None:
    """A start during the cancellation of `start` is dropped."""
    async with open_pair(Foreman(), Foreman, cancel_grace=5) as (proxy, _):
        async with trio.open_nursery() as nursery:
            with trio.move_on_after(0.5):
                with pytest.raises(RuntimeError, match="without calling"):
                    await nursery.start(proxy.cling)


async def test_a_lost_link_ends_a_task(autojump_clock: MockClock) -> None:
    """A lost connection ends the task in the nursery and in the handler."""
    foreman = Foreman()
    async with open_pair(foreman, Foreman) as (proxy, connection):
        with pytest.RaisesGroup(farcall.ConnectionLost):
            async with trio.open_nursery() as nursery:
                await nursery.start(proxy.run)
                cut(connection)
        await wait_all_tasks_blocked()
        assert foreman.log == ["ended: disconnect"]


async def test_interceptors_wrap_the_whole_task(autojump_clock: MockClock) -> None:
    """Interceptors wrap the whole task and see its arguments and result."""
    seen: list[Any] = []

    async def note(call: farcall.CallContext, proceed: farcall.Proceed) -> Any:
        result = await proceed()
        seen.append((dict(call.arguments), result))
        return result

    async with open_pair(Foreman(), Foreman, interceptors=[note], client_interceptors=[note]) as (
        proxy,
        _,
    ):
        async with trio.open_nursery() as nursery:
            await nursery.start(proxy.run, 1)
    assert seen == [({"after": 1.0}, "done"), ({"after": 1}, "done")]


async def test_a_start_that_crosses_a_cancel_is_told(autojump_clock: MockClock) -> None:
    """A start that crosses a cancel still reaches `start`."""
    async with raw_server(Foreman, cancel_grace=5) as (proxy, server):
        async with trio.open_nursery() as nursery:

            async def answer() -> None:
                await trio.sleep(2)
                assert [each["method"] for each in server.heard()] == ["Foreman.run", "rpc.cancel"]
                await server.send([json(started(2, {"port": 1}), result(2, "done"))])

            nursery.start_soon(answer)
            with trio.move_on_after(1):
                assert await nursery.start(proxy.run) == Ready(1)
                nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    "messages",
    [lambda: [started(2, {"port": 1})] * 2, lambda: [started(3, {"port": 1})]],
    ids=["twice", "for no call"],
)
async def test_a_hostile_start_ends_the_link(
    messages: Callable[[], list[Any]], autojump_clock: MockClock
) -> None:
    """A repeated start, or one for no call, ends the link with 1002."""
    async with raw_server(Foreman) as (proxy, server):
        with pytest.RaisesGroup(farcall.ConnectionLost):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(proxy.run)
                await wait_all_tasks_blocked()
                await server.send([json(*messages())])
        assert server.reason is not None
        assert server.reason.code == 1002


async def test_a_call_that_is_no_task_is_not_started(autojump_clock: MockClock) -> None:
    """A start of a call that its stub does not know as a task ends the link."""
    async with raw_server() as (session, server):
        async with trio.open_nursery() as nursery:
            outcomes: list[Any] = []

            async def call() -> None:
                outcomes.append(await session.call("x"))

            nursery.start_soon(call)
            await wait_all_tasks_blocked()
            await server.send([json(started(2, 7), result(2, "done"))])
        assert outcomes == ["done"]

        with pytest.RaisesGroup(farcall.ConnectionLost):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(session.proxy(Plain).call)
                await wait_all_tasks_blocked()
                await server.send([json(started(3, 7))])


class Plain(farcall.Proxy):
    @farcall.endpoint("x")
    async def call(self) -> None:
        raise NotImplementedError


def started(id: int, value: object) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "method": "rpc.started", "params": {"id": id, "value": value}}


def result(id: int, value: object) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "result": value}


def json(*messages: object) -> bytes:
    return msgspec.json.encode(messages)
