"""Logging in and protected members, in both dialects."""

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
from farcall.testing import memory_pair, open_pair
from tests.ends import KINDS, Kind, dial, drain, make_host, open_client, raw_client, wait_until
from tests.inside import links_of
from tests.shelf import Dialect

DIALECTS: tuple[Dialect, ...] = ("farcall", "plain")

ADA = {"name": "ada", "password": "enigma"}
BOB = {"name": "bob", "password": "enigma"}
WRONG = {"name": "ada", "password": "guess"}


class Doorman:
    """An ``authenticate`` that knows ada, a trader, and bob, who has no role."""

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
    """A service with open and protected members."""

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
    """A protected method is forbidden before the login and served after it."""
    async with open_client(kind, Vault(), authenticate=Doorman(), dialect=dialect) as session:
        assert await refused(session, "look") == await refused(session, "glance") == -32605
        assert await session.call("whoami") is None

        assert await session.call("rpc.login", arguments=ADA) is True

        assert await session.call("look") == await session.call("whoami") == "ada"
        assert await session.call("glance") == "gold"
        assert await session.call("take", 3) == 3


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_login_without_the_role_is_not_enough(dialect: Dialect) -> None:
    """A user without the role of a method cannot call it."""
    async with open_pair(Vault(), authenticate=Doorman(), dialect=dialect) as (session, _):
        await session.call("rpc.login", arguments=BOB)

        assert await session.call("look") == "bob"
        assert await refused(session, "take", 3) == -32605


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_refused_login_says_false_and_no_more(
    dialect: Dialect, caplog: pytest.LogCaptureFixture
) -> None:
    """A refused login returns false: wrong, unwelcome, or one that makes `authenticate` fail."""
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
    """A failed login leaves the current principal in place."""
    async with open_pair(Vault(), authenticate=Doorman()) as (session, _):
        await session.call("rpc.login", arguments=ADA)
        await session.call("rpc.login", arguments=WRONG)
        assert await session.call("whoami") == "ada"

        await session.call("rpc.login", arguments=BOB)
        assert await session.call("whoami") == "bob"


async def test_login_takes_what_the_client_sends() -> None:
    """`authenticate` gets the parameters of a login as the client sent them."""
    doorman = Doorman()
    async with raw_client(Vault(), authenticate=doorman) as client:
        for params in (["a", None], {"token": {"x": [1]}}, [], {}):
            request = {"jsonrpc": "2.0", "id": 1, "method": "rpc.login", "params": params}
            assert await client.ask(request) == [{"jsonrpc": "2.0", "id": 1, "result": False}]

    assert doorman.asked == [["a", None], {"token": {"x": [1]}}, [], {}]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_login_needs_parameters_and_authenticate(dialect: Dialect) -> None:
    """A login without parameters is -32604; a server without `authenticate` has no `rpc.login`."""
    for authenticate in (None, Doorman()):
        async with open_pair(Vault(), authenticate=authenticate, dialect=dialect) as (session, _):
            with pytest.raises(farcall.RpcError) as caught:
                await session.call("rpc.login")
            assert caught.value.code == -32604
            if authenticate is None:
                with pytest.raises(farcall.MethodNotFound):
                    await session.call("rpc.login", "me")


async def test_a_login_without_an_id_is_ignored() -> None:
    """A login sent as a notification is ignored."""
    doorman = Doorman()
    async with raw_client(Vault(), authenticate=doorman) as client:
        request = {"jsonrpc": "2.0", "method": "rpc.login", "params": ADA}
        assert await client.ask(request) == []
        (answer,) = await client.ask({"jsonrpc": "2.0", "id": 1, "method": "look"})

    assert answer["error"] == {"code": -32605, "message": "Method forbidden"}
    assert doorman.asked == []


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_streams_are_checked(dialect: Dialect) -> None:
    """A protected stream is forbidden before the login and served after it."""
    async with open_pair(Vault(), authenticate=Doorman(), dialect=dialect) as (session, _):
        with pytest.raises(farcall.Forbidden):
            async with session.stream("watch"):
                pytest.fail("it was let in")
        await session.call("rpc.login", arguments=ADA)
        async with session.stream("watch") as numbers:
            assert [number async for number in numbers] == [1]


@service(name="", protected=True)
class Yard:
    """Protected methods with a task status and with an upload."""

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
    """Count the sacks that were taken."""

    def __init__(self) -> None:
        self.taken = 0

    async def __aiter__(self) -> AsyncIterator[int]:
        for sack in range(10_000):
            self.taken += 1
            yield sack


async def test_remote_tasks_are_checked() -> None:
    """A protected remote task does not start before the login and starts after it."""
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
    """A refused upload leaves nothing behind, and works after the login."""
    yard, sacks = Yard(), Sacks()
    async with open_pair(yard, authenticate=Doorman(), dialect=dialect) as (session, connection):
        proxy = session.proxy(Yard)
        with pytest.raises(farcall.Forbidden):
            await proxy.store(sacks)
        await wait_all_tasks_blocked()
        assert await proxy.gate() == "open"
        assert yard.begun == []
        (link,) = links_of(connection)
        assert not link.protocol.uploads.incoming
        if dialect == "farcall":  # no more than its first window has left
            assert sacks.taken < 100

        await session.login(ADA)
        assert await proxy.store(Sacks()) == sum(range(10_000))


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_tasks_and_uploads_of_raw_peers_are_checked(dialect: Dialect) -> None:
    """A raw peer cannot start protected tasks or uploads, with or without an id."""
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
    """An unknown method is reported first, then a missing login, then wrong arguments."""
    async with open_pair(Vault(), authenticate=Doorman()) as (session, _):
        with pytest.raises(farcall.MethodNotFound):
            await session.call("nothing")
        assert await refused(session, "take", "three") == -32605

        await session.call("rpc.login", arguments=ADA)
        with pytest.raises(farcall.InvalidArguments):
            await session.call("take", "three")


async def test_one_way_calls_are_checked() -> None:
    """A protected notification before the login is dropped."""
    vault = Vault()
    async with open_pair(vault, authenticate=Doorman()) as (session, _):
        await session.notify("note")
        await session.call("rpc.login", arguments=ADA)
        await session.notify("note")
        await session.call("whoami")

    assert vault.heard == [Principal("ada", {"trader"})]


async def test_calls_in_a_batch_are_checked() -> None:
    """Each call of a batch is checked when the batch arrives, before a login in it takes effect."""
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
    """`__listMethods` lists protected methods, and `rpc.login` where there is a login."""
    async with open_pair(Vault(), authenticate=authenticate, dialect="plain") as (session, _):
        names = await session.call("__listMethods")

    assert names[-1 - len(login) :] == [*login, "__listMethods"]
    assert {"look", "whoami"} < set(names)


async def test_calls_during_a_login_see_the_old_principal(
    autojump_clock: MockClock,
) -> None:
    """Calls sent before the login is answered still run as the previous user."""
    async with open_pair(Vault(), authenticate=Doorman(seconds=1)) as (session, _):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: session.call("rpc.login", arguments=ADA))
            await wait_all_tasks_blocked()
            assert await refused(session, "look") == -32605
            assert await session.call("whoami") is None
        assert await session.call("look") == "ada"


async def test_logout_drops_the_principal(autojump_clock: MockClock) -> None:
    """After a logout, running calls keep their principal and new ones have none."""
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
    """A principal of a handshake or a login expires; another login replaces it."""
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
    """Each login starts its own time to expiry."""
    async with open_pair(Vault(), authenticate=Doorman(expires_after=10)) as (session, _):
        for login in (ADA, BOB, ADA):
            await session.call("rpc.login", arguments=login)
            await trio.sleep(6)
        assert await session.call("look") == "ada"
        await trio.sleep(5)
        assert await refused(session, "look") == -32605


async def test_logins_of_a_connection_run_one_at_a_time(autojump_clock: MockClock) -> None:
    """Logins of one connection run one at a time, in the order sent, and the last one counts."""
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
    """A cancelled login changes nothing and counts as failed."""
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
    """`max_call_seconds` ends a login that takes too long."""
    pair = open_pair(Vault(), authenticate=Doorman(seconds=10), max_call_seconds=3)
    async with pair as (session, _):
        with pytest.raises(farcall.DeadlineExceeded):
            await session.call("rpc.login", arguments=ADA)


async def test_a_drain_lets_a_login_end(autojump_clock: MockClock) -> None:
    """A drain lets a running login end and refuses a new one."""
    async with open_pair(Vault(), authenticate=Doorman(seconds=3)) as (session, connection):
        answers: list[object] = []

        async def log_in() -> None:
            answers.append(await session.call("rpc.login", arguments=ADA))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(log_in)
            await wait_all_tasks_blocked()
            nursery.start_soon(drain, connection, 10)
            await wait_all_tasks_blocked()
            with pytest.raises(farcall.ShuttingDown):
                await session.call("rpc.login", arguments=ADA)
    assert answers == [True]


async def test_a_drain_ends_a_login_that_takes_too_long(autojump_clock: MockClock) -> None:
    """A drain cancels a login that outlasts the drain."""
    async with open_pair(Vault(), authenticate=Doorman(seconds=30)) as (session, connection):
        async with trio.open_nursery() as nursery:

            async def log_in() -> None:
                with pytest.raises(farcall.RemoteCancelled):
                    await session.call("rpc.login", arguments=ADA)

            nursery.start_soon(log_in)
            await wait_all_tasks_blocked()
            nursery.start_soon(drain, connection, 10)


async def test_a_lost_connection_ends_its_logins(autojump_clock: MockClock) -> None:
    """A lost connection cancels the running login and drops those that wait."""
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
async def test_headers_of_the_handshake_authenticate(kind: Kind) -> None:
    """A client is authenticated by the headers of its handshake."""
    options: dict[str, Any] = {"authenticate": Doorman(), "headers": {"X-Name": "ada"}}
    async with open_client(kind, Vault(), **options) as session:
        assert await session.call("look") == "ada"
        assert await session.call("take", 3) == 3


@pytest.mark.parametrize("kind", KINDS)
async def test_unauthorized_refuses_the_handshake(kind: Kind) -> None:
    """`Unauthorized` refuses the handshake with HTTP 401 and keeps its reason on the server."""
    options: dict[str, Any] = {"authenticate": Doorman(), "headers": {"X-Name": "mallory"}}

    def is_401(error: farcall.ConnectFailed) -> bool:
        return error.status == 401 and "welcome" not in str(error)

    # Over WebSocket the nursery of the server wraps the error.
    refusal = pytest.RaisesExc(farcall.ConnectFailed, check=is_401)
    with pytest.RaisesGroup(refusal, allow_unwrapped=True):
        async with open_client(kind, Vault(), **options):
            pytest.fail("it was let in")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_connect_logs_in(kind: Kind, dialect: Dialect) -> None:
    """`connect(login=...)` logs in before its block begins."""
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
    """`connect` raises ConnectFailed if its login fails."""
    with pytest.raises(farcall.ConnectFailed, match=problem):
        async with open_pair(Vault(), authenticate=authenticate, login=login):
            pytest.fail("it was let in")


async def test_connect_fails_with_a_server_that_hangs_up(autojump_clock: MockClock) -> None:
    """`connect` reports the close code of a server that hangs up during the login."""

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
            async with dial(dialled, login=ADA):
                pytest.fail("it was let in")
        nursery.cancel_scope.cancel()
    assert caught.value.code == 1008


def test_members_that_no_peer_can_use_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """A server without logins warns in one line of the members that need one."""
    make_host({"/": Vault(), "/side": Vault()})

    (told,) = [each.getMessage() for each in caplog.records]
    assert told == (
        "6 of 8 members need a login, and no peer can log in: authenticate= is missing"
        " (look, glance, take, note, wait and 1 more)"
    )


async def test_a_client_warns_as_well(caplog: pytest.LogCaptureFixture) -> None:
    """A client that serves protected members warns that its server cannot log in."""

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
    """`session.login()` repeats the login of `connect` after it has expired."""
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


async def test_a_session_logs_in_as_another_user() -> None:
    """`session.login(other)` changes the user once; `session.login()` repeats the first login."""
    async with open_pair(Vault(), authenticate=Doorman(), login=ADA) as (session, _):
        await session.login(BOB)
        assert await session.call("look") == "bob"
        await session.login()
        assert await session.call("look") == "ada"


async def test_a_subscription_can_be_had_again(autojump_clock: MockClock) -> None:
    """A subscription ends with its login, and the next login allows another one."""

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
    """`session.login` raises ConnectFailed if the login fails, and sets no principal."""
    async with open_pair(Vault(), authenticate=authenticate) as (session, connection):
        with pytest.raises(farcall.ConnectFailed, match=problem):
            await session.login(login)
        assert connection.principal is None
        assert await session.call("whoami") is None


async def test_a_later_login_on_a_lost_connection() -> None:
    """`session.login` on a closed connection raises ConnectFailed with the close code."""
    async with open_pair(Vault(), authenticate=Doorman()) as (session, connection):
        await connection.aclose(1001)
        with pytest.raises(farcall.ConnectFailed, match="ended the connection") as caught:
            await session.login(ADA)
        assert caught.value.code == 1001


async def test_there_must_be_a_login() -> None:
    """`session.login()` raises ValueError if `connect` was given no login."""
    async with open_pair(Vault(), authenticate=Doorman()) as (session, _):
        with pytest.raises(ValueError, match="no login"):
            await session.login()


@service(name="")
class Queued:
    """A service whose calls may wait before they begin."""

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
        ("in_order", BOB, [0, 1, 2]),  # the same user again
        ("open_to_all", None, [0, 1, 2]),
    ],
)
async def test_calls_that_have_not_begun_end_with_their_principal(
    name: str, login: object, began: list[int], autojump_clock: MockClock
) -> None:
    """A call in the queue is checked again when it begins; a running call goes on."""
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
    """A call that waits for a thread is checked again once it has one."""
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
    """A protected stream ends with its principal: its reader gets Forbidden."""
    queued = Queued()
    doorman = Doorman(expires_after=5)
    pair = open_pair(queued, authenticate=doorman, login=BOB, dialect=dialect)
    async with pair as (session, _):
        with pytest.raises(farcall.Forbidden):
            await read_all(session, "count")

    assert queued.reason == "logout"
