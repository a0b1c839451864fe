"""A service with each kind of member, open and protected."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from contextlib import suppress

import attrs
import trio

import farcall
from farcall import (
    ApplicationError,
    CallContext,
    Credentials,
    Json,
    Principal,
    Signal,
    Unauthorized,
    current_call,
    method,
    service,
    stream,
)

MOST = 100
"""The most items of a stream, and bytes of an item: a service must bound what callers ask for."""


async def authenticate(credentials: Credentials) -> Principal | None:
    """Know ada and bob by a login; refuse any header."""
    if "authorization" in credentials.headers:
        raise Unauthorized("not by a header")
    match credentials.login:
        case [{"user": "ada", "password": "secret"}]:
            return Principal("ada", {"admin"}, expires_after=30)
        case {"user": "bob", "password": "secret"}:
            return Principal("bob")
        case _:
            return None


def own(call: CallContext, key: object) -> bool:
    """Allow a user the key that is the user's name."""
    return call.principal is not None and call.principal.name == key


@attrs.frozen
class Part:
    name: str
    size: int
    inner: list[Part] = attrs.field(factory=list["Part"])


@attrs.define
class Refused(ApplicationError):
    why: str


@service(name="back")
class Back:
    """A service for calls back, which a hostile peer may answer."""

    async def anything(self) -> Json: ...


@service(name="fuzz")
class Target:
    """A service without defects: any failure is a fault of farcall."""

    ticked: Signal[int] = Signal(retain=True)
    keyed: Signal[Part] = Signal(key="name")
    told: Signal[str] = Signal(broadcast=True)
    hidden: Signal[int] = Signal(protected=True)
    ruled: Signal[int] = Signal(roles={"admin"})
    owned: Signal[Part] = Signal(key="name", allow=own)

    async def add(self, a: int, b: int) -> int:
        return a + b

    def join(self, texts: list[str]) -> str:
        self.told.emit("joined")
        return "".join(texts)

    async def echo(self, value: Json) -> Json:
        return value

    async def describe(self, part: Part) -> Part:
        self.keyed.emit(Part(part.name, 1))
        self.owned.emit(Part("ada", 1))
        return part

    async def nap(self, seconds: float) -> None:
        self.ticked.emit(1)
        await trio.sleep(max(0, seconds))

    @method(raises=[Refused])
    async def refuse(self, why: str) -> None:
        raise Refused(why)

    @method(oneway=True)
    async def say(self, number: int) -> None:
        self.ticked.emit(number)
        self.hidden.emit(number)
        self.ruled.emit(number)

    @method(ordered=True)
    async def queue(self, seconds: float) -> float:
        await trio.sleep(max(0, seconds))
        return seconds

    @stream(raises=[Refused])
    async def count(self, number: int) -> AsyncIterator[int]:
        for each in range(min(number, MOST)):
            yield each
        if number > MOST:
            raise Refused("as many as that")

    @stream
    async def blobs(self, sizes: list[int]) -> AsyncIterator[bytes]:
        for size in sizes:
            yield bytes(max(0, min(size, MOST)))

    @stream
    async def double(self, numbers: AsyncIterable[int]) -> AsyncIterator[int]:
        async for number in numbers:
            yield 2 * number

    async def total(self, numbers: AsyncIterable[int]) -> int:
        return sum([number async for number in numbers])

    async def weigh(self, chunks: AsyncIterable[bytes]) -> int:
        return sum([len(chunk) async for chunk in chunks])

    async def watch(
        self, name: str, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED
    ) -> None:
        task_status.started(name)
        await trio.sleep_forever()

    @method(protected=True)
    async def whoami(self) -> str:
        principal = current_call().principal
        assert principal is not None
        return principal.name

    @method(roles={"admin"})
    def rule(self) -> bool:
        return True

    @stream(protected=True)
    async def secrets(self) -> AsyncIterator[int]:
        yield 1

    def leave(self) -> None:
        current_call().connection.logout()

    async def ask_back(self) -> Json:
        with suppress(farcall.FarcallError):
            return await current_call().connection.proxy(Back).anything()
        return None


SIGNALS = ("ticked", "keyed", "told", "hidden", "ruled", "owned")
