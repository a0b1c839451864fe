"""Logging in, in both dialects, and what is protected by that."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any

import msgspec
import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import farcall
from farcall import Credentials, Principal, Unauthorized, current_call, method, service, stream
from farcall._client.connect import open_session
from farcall._client.options import ClientOptions, Dialect
from farcall.testing import memory_pair, open_pair
from tests.ends import KINDS, Kind, make_host, open_client, raw_client, wait_until

DIALECTS: tuple[Dialect, ...] = ("farcall", "plain")

ADA = {"name": "ada", "password": "enigma"}
BOB = {"name": "bob", "password": "enigma"}
WRONG = {"name": "ada", "password": "guess"}


class Doorman:
    """An ``authenticate`` that knows ada, who trades, and bob, who does not."""

    def __init__(self, seconds: float = 0, expires_after: float | None = None) -> None:
        self.seconds = seconds
        self.expires_after = expires_after
        self.asked: list[Any] = []
        self.at_work = self.most_at_work = 0

    async def __call__(self, credentials: Credentials) -> Principal | None:
        self.asked.append(credentials.login)
        if credentials.login is None:
            return self._greet(credentials.headers.get("x-name"))
        self.at_work += 1
        self.most_at_work = max(self.at_work, self.most_at_work)
        try:
            await trio.sleep(self.seconds)
        finally:
            self.at_work -= 1
        if credentials.login == ["bug"]:
            raise RuntimeError("out of order")
        if credentials.login == ["banned"]:
            raise Unauthorized("we know you")
        password = credentials.login["password"]
        return self._greet(credentials.login["name"]) if password == "enigma" else None

    def _greet(self, name: str | None) -> Principal | None:
        if name == "mallory":
            raise Unauthorized("mallory is not welcome")
        if name == "bug":
            raise RuntimeError("a secret")
        if name is None:
            return None
        roles = {"trader"} if name == "ada" else frozenset[str]()
        return Principal(name, roles, self.expires_after)


@service(name="")
class Vault:
    """What needs a login, and what does not."""

    def __init__(self) -> None:
        self.heard: list[object] = []

    async def whoami(self) -> str | None:
        principal = current_call().connection.principal
        return None if principal is None else principal.name

    @method(protected=True)
    async def look(self) -> str:
        principal = current_call().principal
        assert principal is not None
        return principal.name

    @method(protected=True)
    def glance(self) -> str:
        return "gold"

    @method(roles={"trader"})
    async def take(self, count: int) -> int:
        return count

    @method(protected=True, oneway=True)
    async def note(self) -> None:
        self.heard.append(current_call().principal)

    @method(protected=True)
    async def wait(self) -> str | None:
        await trio.sleep(10)
        call = current_call()
        assert call.principal is not None
        assert call.connection.principal is None
        return call.principal.name

    @stream(protected=True)
    async def watch(self) -> AsyncIterator[int]:
        yield 1

    async def leave(self) -> None:
        current_call().connection.logout()


async def refused(session: farcall.Session, name: str, *args: Any) -> int:
    with pytest.raises(farcall.Forbidden) as caught:
        await session.call(name, *args)
    return caught.value.code


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_login_opens_what_is_protected(kind: Kind, dialect: Dialect) -> None:
    """-32605 before it, and the call after it; it answers true."""
    async with open_client(kind, Vault(), authenticate=Doorman(), dialect=dialect) as session:
        assert await refused(session, "look") == await refused(session, "glance") == -32605
        assert await session.call("whoami") is None

        assert await session.call("rpc.login", arguments=ADA) is True

        assert await session.call("look") == await session.call("whoami") == "ada"
        assert await session.call("glance") == "gold"
        assert await session.call("take", 3) == 3


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_login_without_the_role_is_not_enough(dialect: Dialect) -> None:
    """Bob may look, and take nothing."""
    async with open_pair(Vault(), authenticate=Doorman(), dialect=dialect) as (session, _):
        await session.call("rpc.login", arguments=BOB)

        assert await session.call("look") == "bob"
        assert await refused(session, "take", 3) == -32605


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_refused_login_says_false_and_no_more(
    dialect: Dialect, caplog: pytest.LogCaptureFixture
) -> None:
    """Whether it was wrong, unwelcome, or more than `authenticate` could bear."""
    async with open_pair(Vault(), authenticate=Doorman(), dialect=dialect) as (session, _):
        assert await session.call("rpc.login", arguments=WRONG) is False
        assert await session.call("rpc.login", "banned") is False
        assert await session.call("rpc.login", "bug") is False
        assert await session.call("rpc.login", "me", "enigma") is False  # a list: a TypeError

        assert await session.call("whoami") is None
    assert "a login was refused" in caplog.text
    assert "out of order" in caplog.text
    assert "guess" not in caplog.text


async def test_a_failed_login_leaves_the_principal() -> None:
    """Only another one that succeeds takes its place."""
    async with open_pair(Vault(), authenticate=Doorman()) as (session, _):
        await session.call("rpc.login", arguments=ADA)
        await session.call("rpc.login", arguments=WRONG)
        assert await session.call("whoami") == "ada"

        await session.call("rpc.login", arguments=BOB)
        assert await session.call("whoami") == "bob"


async def test_login_takes_what_the_client_sends() -> None:
    """By position or by name, and whatever is in it."""
    doorman = Doorman()
    async with raw_client(Vault(), authenticate=doorman) as client:
        for params in (["a", None], {"token": {"x": [1]}}, [], {}):
            request = {"jsonrpc": "2.0", "id": 1, "method": "rpc.login", "params": params}
            assert await client.ask(request) == [{"jsonrpc": "2.0", "id": 1, "result": False}]

    assert doorman.asked == [["a", None], {"token": {"x": [1]}}, [], {}]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_without_parameters_or_authenticate(dialect: Dialect) -> None:
    """-32604 in any case, and -32601 where there are no logins."""
    for authenticate in (None, Doorman()):
        async with open_pair(Vault(), authenticate=authenticate, dialect=dialect) as (session, _):
            with pytest.raises(farcall.RpcError) as caught:
                await session.call("rpc.login")
            assert caught.value.code == -32604
            if authenticate is None:
                with pytest.raises(farcall.MethodNotFound):
                    await session.call("rpc.login", "me")


async def test_a_login_without_an_id_is_none() -> None:
    """It would have no answer; nobody is asked."""
    doorman = Doorman()
    async with raw_client(Vault(), authenticate=doorman) as client:
        request = {"jsonrpc": "2.0", "method": "rpc.login", "params": ADA}
        assert await client.ask(request) == []
        (answer,) = await client.ask({"jsonrpc": "2.0", "id": 1, "method": "look"})

    assert answer["error"] == {"code": -32605, "message": "Method forbidden"}
    assert doorman.asked == []


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_streams_are_checked(dialect: Dialect) -> None:
    """Like calls, in both dialects."""
    async with open_pair(Vault(), authenticate=Doorman(), dialect=dialect) as (session, _):
        with pytest.raises(farcall.Forbidden):
            async with session.stream("watch"):
                pytest.fail("it was let in")
        await session.call("rpc.login", arguments=ADA)
        async with session.stream("watch") as numbers:
            assert [number async for number in numbers] == [1]


@service(name="", protected=True)
class Yard:
    """Protected members of other kinds."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    async def guard(self, *, task_status: trio.TaskStatus[int]) -> None:
        self.begun.append("guard")
        task_status.started(1)
        await trio.sleep_forever()

    async def store(self, sacks: AsyncIterable[int]) -> int:
        self.begun.append("store")
        return sum([sack async for sack in sacks])

    @method(protected=False)
    async def gate(self) -> str:
        return "open"


class Sacks:
    """Counts those that were taken."""

    def __init__(self) -> None:
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[int]:
        for sack in range(10_000):
            self.taken += 1
            yield sack


async def test_remote_tasks_are_checked() -> None:
    """One that may not be does not begin, and its nursery hears of it; it begins behind a login."""
    yard = Yard()
    async with open_pair(yard, authenticate=Doorman()) as (session, _):
        proxy = session.proxy(Yard)
        async with trio.open_nursery() as nursery:
            with pytest.raises(farcall.Forbidden):
                await nursery.start(proxy.guard)
            assert yard.begun == []
            await session.login(ADA)
            assert await nursery.start(proxy.guard) == 1
            nursery.cancel_scope.cancel()
    assert yard.begun == ["guard"]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_uploads_are_checked(dialect: Dialect) -> None:
    """Of one that may not be nothing is kept, and the connection goes on."""
    yard, sacks = Yard(), Sacks()
    async with open_pair(yard, authenticate=Doorman(), dialect=dialect) as (session, connection):
        proxy = session.proxy(Yard)
        with pytest.raises(farcall.Forbidden):
            await proxy.store(sacks)
        await wait_all_tasks_blocked()
        assert await proxy.gate() == "open"
        assert yard.begun == []
        assert not connection._link.protocol.uploads.incoming
        if dialect == "farcall":  # no more than its first window has left
            assert sacks.taken < 100

        await session.login(ADA)
        assert await proxy.store(Sacks()) == sum(range(10_000))


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_tasks_and_uploads_of_raw_peers_are_checked(dialect: Dialect) -> None:
    """Whatever they bring along, in the place of an answer or without one."""
    yard = Yard()
    items = {"jsonrpc": "2.0", "method": "rpc.items", "params": {"upload": "u", "seq": 0}}
    items["params"]["values"] = [1, 2]  # type: ignore[index]
    async with raw_client(yard, authenticate=Doorman()) as client:
        if dialect == "farcall":
            hello = {"v": 1}
            await client.ask({"jsonrpc": "2.0", "id": 0, "method": "rpc.hello", "params": hello})
        calls: list[dict[str, Any]] = [
            {"jsonrpc": "2.0", "id": 1, "method": "guard", "meta": {"credit": [1, 1]}},
            {"jsonrpc": "2.0", "id": 2, "method": "store", "params": {"sacks": {"$stream": "u"}}},
            {"jsonrpc": "2.0", "id": 3, "method": "store", "params": [[1, 2]]},
        ]
        for call in calls:
            (answer,) = await client.ask(call)
            assert (answer["id"], answer["error"]["code"]) == (call["id"], -32605)
            del call["id"]
            assert await client.ask(call) == []
        assert await client.ask(items) == []
        assert await client.ask({"jsonrpc": "2.0", "id": 9, "method": "gate"}) == [
            {"jsonrpc": "2.0", "id": 9, "result": "open"}
        ]
    assert yard.begun == []


async def test_the_order_of_the_checks() -> None:
    """Unknown, then protected, then arguments: who may not call learns nothing about them."""
    async with open_pair(Vault(), authenticate=Doorman()) as (session, _):
        with pytest.raises(farcall.MethodNotFound):
            await session.call("nothing")
        assert await refused(session, "take", "three") == -32605

        await session.call("rpc.login", arguments=ADA)
        with pytest.raises(farcall.InvalidArguments):
            await session.call("take", "three")


async def test_one_way_calls_are_checked() -> None:
    """One that may not be is dropped."""
    vault = Vault()
    async with open_pair(vault, authenticate=Doorman()) as (session, _):
        await session.notify("note")
        await session.call("rpc.login", arguments=ADA)
        await session.notify("note")
        await session.call("whoami")

    assert vault.heard == [Principal("ada", {"trader"})]


async def test_calls_in_a_batch_are_checked() -> None:
    """Each on its own; those behind a login in one batch are too early."""
    async with raw_client(Vault(), authenticate=Doorman()) as client:
        (answers,) = await client.ask(
            [
                {"jsonrpc": "2.0", "id": 1, "method": "look"},
                {"jsonrpc": "2.0", "id": 2, "method": "whoami"},
                {"jsonrpc": "2.0", "id": 3, "method": "rpc.login", "params": ADA},
                {"jsonrpc": "2.0", "id": 4, "method": "look"},
            ]
        )

    outcomes = {each["id"]: each.get("result", each.get("error")) for each in answers}
    forbidden = {"code": -32605, "message": "Method forbidden"}
    assert outcomes == {1: forbidden, 2: None, 3: True, 4: forbidden}


@pytest.mark.parametrize(("authenticate", "login"), [(None, []), (Doorman(), ["rpc.login"])])
async def test_list_methods(authenticate: Doorman | None, login: list[str]) -> None:
    """What is protected is no secret, and `rpc.login` is there where it is."""
    async with open_pair(Vault(), authenticate=authenticate, dialect="plain") as (session, _):
        names = await session.call("__listMethods")

    assert names[-1 - len(login) :] == [*login, "__listMethods"]
    assert {"look", "whoami"} < set(names)


async def test_calls_behind_an_unanswered_login_see_the_old_principal(
    autojump_clock: MockClock,
) -> None:
    """A login takes its time; what was sent behind it is not held up."""
    async with open_pair(Vault(), authenticate=Doorman(seconds=1)) as (session, _):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: session.call("rpc.login", arguments=ADA))
            await wait_all_tasks_blocked()
            assert await refused(session, "look") == -32605
            assert await session.call("whoami") is None
        assert await session.call("look") == "ada"


async def test_logout_drops_the_principal(autojump_clock: MockClock) -> None:
    """Calls that run go on, and know who called; another login works."""
    async with open_pair(Vault(), authenticate=Doorman()) as (session, connection):
        await session.call("rpc.login", arguments=ADA)
        async with trio.open_nursery() as nursery:
            names: list[str] = []

            async def wait() -> None:
                names.append(await session.call("wait"))

            nursery.start_soon(wait)
            await wait_all_tasks_blocked()
            await session.call("leave")
            assert await refused(session, "look") == -32605
            assert connection.principal is None
        assert names == ["ada"]

        connection.logout()
        await session.call("rpc.login", arguments=BOB)
        assert await session.call("look") == "bob"


@pytest.mark.parametrize("headers", [None, {"X-Name": "bob"}])
async def test_a_principal_expires(
    autojump_clock: MockClock, headers: dict[str, str] | None
) -> None:
    """Whether a handshake or a login has told it; then it is nobody until the next login."""
    doorman = Doorman(expires_after=10)
    login = None if headers else BOB
    pair = open_pair(Vault(), authenticate=doorman, headers=headers, login=login)
    async with pair as (session, connection):
        await trio.sleep(9)
        assert await session.call("look") == "bob"
        await trio.sleep(2)
        assert await refused(session, "look") == -32605
        assert connection.principal is None

        await session.call("rpc.login", arguments=ADA)
        assert await session.call("look") == "ada"


async def test_a_new_login_has_its_own_time(autojump_clock: MockClock) -> None:
    """The end of the one before it does not concern it."""
    async with open_pair(Vault(), authenticate=Doorman(expires_after=10)) as (session, _):
        for login in (ADA, BOB, ADA):
            await session.call("rpc.login", arguments=login)
            await trio.sleep(6)
        assert await session.call("look") == "ada"
        await trio.sleep(5)
        assert await refused(session, "look") == -32605


async def test_logins_of_a_connection_run_one_at_a_time(autojump_clock: MockClock) -> None:
    """In the order in which they were sent; the last one counts."""
    doorman = Doorman(seconds=1)
    async with raw_client(Vault(), authenticate=doorman) as client:
        for number, login in enumerate((ADA, BOB, WRONG)):
            request = {"jsonrpc": "2.0", "id": number, "method": "rpc.login", "params": login}
            assert await client.ask(request) == []
        began = trio.current_time()
        heard = [msgspec.json.decode(await client.hear(10)) for _ in range(3)]
        assert [each["result"] for each in heard] == [True, True, False]
        assert trio.current_time() - began == 3
        assert doorman.most_at_work == 1
        assert doorman.asked == [ADA, BOB, WRONG]


async def test_a_login_that_is_cancelled(autojump_clock: MockClock) -> None:
    """It changes nothing, makes room for the next one, and counts as one that failed."""
    doorman = Doorman(seconds=10)
    async with open_pair(Vault(), authenticate=doorman) as (session, connection):
        for _ in range(5):
            with trio.move_on_after(1):
                await session.call("rpc.login", arguments=ADA)
        assert doorman.at_work == 0
        assert connection.statistics().calls_in == 0
        assert connection.principal is None

        with pytest.raises(farcall.ConnectionLost, match="failed_logins"):
            await session.call("rpc.login", arguments=ADA)


async def test_a_login_has_the_time_of_any_call(autojump_clock: MockClock) -> None:
    """`max_call_seconds` ends it as well."""
    pair = open_pair(Vault(), authenticate=Doorman(seconds=10), max_call_seconds=3)
    async with pair as (session, _):
        with pytest.raises(farcall.DeadlineExceeded):
            await session.call("rpc.login", arguments=ADA)


async def test_a_drain_lets_a_login_end(autojump_clock: MockClock) -> None:
    """A running one is answered, a new one refused."""
    async with open_pair(Vault(), authenticate=Doorman(seconds=3)) as (session, connection):
        answers: list[object] = []

        async def log_in() -> None:
            answers.append(await session.call("rpc.login", arguments=ADA))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(log_in)
            await wait_all_tasks_blocked()
            nursery.start_soon(connection._link.drain, 10)
            await wait_all_tasks_blocked()
            with pytest.raises(farcall.ShuttingDown):
                await session.call("rpc.login", arguments=ADA)
    assert answers == [True]


async def test_a_drain_ends_a_login_that_takes_too_long(autojump_clock: MockClock) -> None:
    """Like any call."""
    async with open_pair(Vault(), authenticate=Doorman(seconds=30)) as (session, connection):
        async with trio.open_nursery() as nursery:

            async def log_in() -> None:
                with pytest.raises(farcall.RemoteCancelled):
                    await session.call("rpc.login", arguments=ADA)

            nursery.start_soon(log_in)
            await wait_all_tasks_blocked()
            nursery.start_soon(connection._link.drain, 10)


async def test_a_lost_connection_ends_its_logins(autojump_clock: MockClock) -> None:
    """Nobody waits for their outcome, and they hold up nobody else's."""
    doorman = Doorman(seconds=30)
    async with raw_client(Vault(), authenticate=doorman) as client:
        for number in range(3):
            request = {"jsonrpc": "2.0", "id": number, "method": "rpc.login", "params": ADA}
            await client.ask(request)
        assert doorman.at_work == 1
        client.hang_up()
        await wait_all_tasks_blocked()
        assert doorman.at_work == 0


@pytest.mark.parametrize("kind", KINDS)
async def test_the_handshake_tells_who_it_is(kind: Kind) -> None:
    """By headers, so that no login is needed."""
    options: dict[str, Any] = {"authenticate": Doorman(), "headers": {"X-Name": "ada"}}
    async with open_client(kind, Vault(), **options) as session:
        assert await session.call("look") == "ada"
        assert await session.call("take", 3) == 3


@pytest.mark.parametrize("kind", KINDS)
async def test_unauthorized_refuses_the_handshake(kind: Kind) -> None:
    """With HTTP 401, which the client is told, and the reason is not."""
    options: dict[str, Any] = {"authenticate": Doorman(), "headers": {"X-Name": "mallory"}}

    def is_401(error: farcall.ConnectFailed) -> bool:
        return error.status == 401 and "welcome" not in str(error)

    # Over WebSocket the nursery of the server is around it.
    refusal = pytest.RaisesExc(farcall.ConnectFailed, check=is_401)
    with pytest.RaisesGroup(refusal, allow_unwrapped=True):
        async with open_client(kind, Vault(), **options):
            pytest.fail("it was let in")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_connect_logs_in(kind: Kind, dialect: Dialect) -> None:
    """Behind the hello, before the block begins."""
    options: dict[str, Any] = {"authenticate": Doorman(), "login": ADA, "dialect": dialect}
    async with open_client(kind, Vault(), **options) as session:
        assert await session.call("look") == "ada"


@pytest.mark.parametrize(
    ("authenticate", "login", "problem"),
    [
        (Doorman(), WRONG, "refused the login"),
        (Doorman(), "one value is sent as a list of one", "refused the login"),
        (None, ADA, "the server knows no logins"),
        (
            Doorman(seconds=30),
            ADA,
            r"no response to the login in 10 s \(the limit handshake_seconds",
        ),
    ],
)
async def test_connect_without_a_login_fails(
    autojump_clock: MockClock, authenticate: Doorman | None, login: Any, problem: str
) -> None:
    """The block does not begin, whatever the reason is."""
    with pytest.raises(farcall.ConnectFailed, match=problem):
        async with open_pair(Vault(), authenticate=authenticate, login=login):
            pytest.fail("it was let in")


async def test_connect_fails_with_a_server_that_hangs_up(autojump_clock: MockClock) -> None:
    """The code of its goodbye is told."""

    async def authenticate(credentials: Credentials) -> Principal | None:
        if credentials.login is not None:
            (link,) = host.links
            link.hang_up(1008, "enough")
            await trio.sleep_forever()
        return None

    host = make_host(Vault(), authenticate)
    dialled, accepted = memory_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(host.serve_link, accepted)
        with pytest.raises(farcall.ConnectFailed, match="at the login") as caught:
            async with open_session(dialled, "memory:/", None, ClientOptions(login=ADA)):
                pytest.fail("it was let in")
        nursery.cancel_scope.cancel()
    assert caught.value.code == 1008


def test_what_nobody_can_use_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """A server without logins counts in one line what needs one, and says what to write."""
    make_host({"/": Vault(), "/side": Vault()})

    (told,) = [each.getMessage() for each in caplog.records]
    assert told == (
        "6 of 8 members need a login, and no peer can log in: serve(authenticate=...) is missing"
        " (look, glance, take, note, wait and 1 more)"
    )


async def test_a_client_warns_as_well(caplog: pytest.LogCaptureFixture) -> None:
    """Its server cannot log in at all; where nothing is protected there is no warning."""

    @service(name="")
    class Open:
        async def look(self) -> None: ...

    @service(name="", protected=True)
    class Closed:
        async def look(self) -> None: ...

    async with open_pair(Open(), serves=[Open()]):
        assert not caplog.records
    async with open_pair(Open(), serves=[Closed()]) as (_, connection):
        told = "1 of 1 members need a login, and no peer can log in: a client has no logins (look)"
        assert told in caplog.text
        with pytest.raises(farcall.Forbidden):
            await connection.proxy(Closed).look()


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_session_logs_in_again(autojump_clock: MockClock, dialect: Dialect) -> None:
    """When its login has expired calls are refused until then; each login has its own time."""
    options: dict[str, Any] = {"login": ADA, "dialect": dialect}
    doorman = Doorman(expires_after=10)
    async with open_pair(Vault(), authenticate=doorman, **options) as (session, connection):
        await trio.sleep(9)
        assert await session.call("look") == "ada"
        await trio.sleep(2)
        assert connection.principal is None
        assert await refused(session, "look") == -32605

        await session.login()
        assert doorman.asked[1:] == [ADA, ADA]
        await trio.sleep(9)
        assert await session.call("look") == "ada"


async def test_a_session_logs_in_as_somebody_else() -> None:
    """Without a new name it is the first one again."""
    async with open_pair(Vault(), authenticate=Doorman(), login=ADA) as (session, _):
        await session.login(BOB)
        assert await session.call("look") == "bob"
        await session.login()
        assert await session.call("look") == "ada"


async def test_a_subscription_can_be_had_again(autojump_clock: MockClock) -> None:
    """One that has ended with its login stays so; another one works behind the next login."""

    @service(name="")
    class News:
        told: farcall.Signal[int] = farcall.Signal(protected=True)

    news = News()
    async with open_pair(news, authenticate=Doorman(expires_after=10), login=ADA) as (session, _):
        async with session.subscribe("told") as told:
            with pytest.raises(farcall.Forbidden):
                await anext(told)
        await session.login()
        async with session.subscribe("told") as told:
            news.told.emit(1)
            assert await anext(told) == 1


@pytest.mark.parametrize(
    ("authenticate", "login", "problem"),
    [
        (Doorman(), WRONG, "refused the login"),
        (Doorman(), "x", "refused the login"),
        (None, ADA, "the server knows no logins"),
        (
            Doorman(seconds=30),
            ADA,
            r"no response to the login in 10 s \(the limit handshake_seconds",
        ),
    ],
)
async def test_a_later_login_that_fails(
    autojump_clock: MockClock, authenticate: Doorman | None, login: Any, problem: str
) -> None:
    """It raises as `connect` does, and nobody is somebody else by it."""
    async with open_pair(Vault(), authenticate=authenticate) as (session, connection):
        with pytest.raises(farcall.ConnectFailed, match=problem):
            await session.login(login)
        assert connection.principal is None
        assert await session.call("whoami") is None


async def test_a_later_login_on_a_lost_connection() -> None:
    """Its reason is told."""
    async with open_pair(Vault(), authenticate=Doorman()) as (session, connection):
        await connection.aclose(1001)
        with pytest.raises(farcall.ConnectFailed, match="ended the connection") as caught:
            await session.login(ADA)
        assert caught.value.code == 1001


async def test_there_must_be_a_login() -> None:
    """What `connect` was not given cannot be repeated."""
    async with open_pair(Vault(), authenticate=Doorman()) as (session, _):
        with pytest.raises(ValueError, match="no login"):
            await session.login()


@service(name="")
class Queued:
    """What may have to wait before it begins."""

    def __init__(self) -> None:
        self.began: list[int] = []
        self.reason: str | None = None
        self.hold = threading.Event()

    @method(protected=True, ordered=True)
    async def in_order(self, number: int) -> None:
        self.began.append(number)
        await trio.sleep(10)

    @method(protected=True, thread=True)
    def in_thread(self, number: int) -> None:
        self.began.append(number)
        self.hold.wait(5)

    @method(ordered=True)
    async def open_to_all(self, number: int) -> None:
        self.began.append(number)
        await trio.sleep(10)

    @stream(protected=True)
    async def count(self) -> AsyncIterator[int]:
        number = 0
        try:
            while True:
                yield number
                number += 1
                await trio.sleep(1)
        finally:
            self.reason = current_call().cancel_reason


async def outcome(
    session: farcall.Session, name: str, number: int, outcomes: dict[int, int]
) -> None:
    try:
        await session.call(name, number)
        outcomes[number] = 0
    except farcall.RpcError as error:
        outcomes[number] = error.code


@pytest.mark.parametrize(
    ("name", "login", "began"),
    [
        ("in_order", None, [0]),  # logged out
        ("in_order", ADA, [0]),  # another user
        ("in_order", BOB, [0, 1, 2]),  # the same once more
        ("open_to_all", None, [0, 1, 2]),
    ],
)
async def test_calls_that_have_not_begun_end_with_their_principal(
    name: str, login: object, began: list[int], autojump_clock: MockClock
) -> None:
    """What runs goes on; what waits for its turn is asked again whether it may."""
    queued, outcomes = Queued(), dict[int, int]()
    pair = open_pair(queued, authenticate=Doorman(), login=BOB)
    async with pair as (session, connection):
        async with trio.open_nursery() as nursery:
            for number in range(3):
                nursery.start_soon(outcome, session, name, number, outcomes)
                await wait_all_tasks_blocked()
            if login is None:
                connection.logout()
            else:
                await session.login(login)

    assert queued.began == began
    assert outcomes == {number: 0 if number in began else -32605 for number in range(3)}


async def test_calls_that_wait_for_a_thread_end_with_their_principal() -> None:
    """They ask again once they have it."""
    queued, outcomes = Queued(), dict[int, int]()
    limiter = trio.to_thread.current_default_thread_limiter()
    tokens, limiter.total_tokens = limiter.total_tokens, 1
    try:
        async with open_pair(queued, authenticate=Doorman(), login=BOB) as (session, connection):
            async with trio.open_nursery() as nursery:
                for number in range(3):
                    nursery.start_soon(outcome, session, "in_thread", number, outcomes)
                    await wait_until(lambda: queued.began == [0])
                    await wait_all_tasks_blocked()
                connection.logout()
                queued.hold.set()
    finally:
        limiter.total_tokens = tokens

    assert queued.began == [0]
    assert outcomes == {0: 0, 1: -32605, 2: -32605}


async def read_all(session: farcall.Session, name: str) -> None:
    async with session.stream(name) as items:
        async for _ in items:
            pass


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_protected_stream_ends_with_its_principal(
    dialect: Dialect, autojump_clock: MockClock
) -> None:
    """Its reader gets Forbidden, and its generator is told why it ends."""
    queued = Queued()
    doorman = Doorman(expires_after=5)
    pair = open_pair(queued, authenticate=doorman, login=BOB, dialect=dialect)
    async with pair as (session, _):
        with pytest.raises(farcall.Forbidden):
            await read_all(session, "count")

    assert queued.reason == "logout"
