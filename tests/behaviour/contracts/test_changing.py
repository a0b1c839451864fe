"""Which changes of a service break clients or servers of the other version.

The page docs/changing.md is checked against a strict connection and calls between two versions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio

from farcall import ContractMismatch, FarcallError, stubgen
from farcall.testing import open_pair
from tests.unit.stubgen.running import imported

PAGE = Path(__file__).parents[3] / "docs" / "changing.md"

HEAD = """
import attrs, enum, farcall
from collections.abc import AsyncIterator
from typing import Literal
from farcall import ApplicationError, Signal, method, service, stream
"""


@attrs.frozen
class Version:
    """A version of a service, and how its client uses it."""

    source: str
    use: str

    def declared(self) -> Any:
        """Return the class of the service."""
        namespace: dict[str, Any] = {"__name__": __name__}
        exec(compile(HEAD + self.source, "version.py", "exec", dont_inherit=True), namespace)
        return namespace["S"]


def version(body: str, use: str, before: str = "") -> Version:
    """Write a service with `body` and a method that never changes."""
    lines = "".join(f"    {line}\n" for line in body.strip("\n").splitlines())
    same = "    async def same(self) -> int:\n        return 1\n"
    return Version(f"{before}\n@service\nclass S:\n{same}{lines}", use)


def get(result: str, value: str) -> str:
    return f"async def get(self) -> {result}:\n    return {value}"


def put(type_: str) -> str:
    return f"async def put(self, value: {type_}) -> None: ..."


def record(*fields: str) -> str:
    return "@attrs.frozen\nclass R:\n" + "".join(f"    {each}\n" for each in fields)


def enum_(*members: str) -> str:
    return "class E(enum.Enum):\n" + "".join(f"    {each} = '{each}'\n" for each in members)


GET, PUT = "await proxy.get()", "await proxy.put(stub.R(1))"
CASES: Mapping[str, tuple[Version, Version]] = {
    "add a method or a signal": (
        version("", "await proxy.same()"),
        version(get("int", "1"), GET),
    ),
    "remove a method or a signal": (
        version(get("int", "1"), GET),
        version("", "await proxy.same()"),
    ),
    "rename a method, a signal or the service": (
        version(get("int", "1"), GET),
        version("async def fetch(self) -> int:\n    return 1", "await proxy.fetch()"),
    ),
    "add an optional argument": (
        version("async def get(self, a: int) -> int:\n    return a", "await proxy.get(1)"),
        version(
            "async def get(self, a: int, b: int = 2) -> int:\n    return a",
            "await proxy.get(1, 2)",
        ),
    ),
    "add a required argument": (
        version("async def get(self, a: int) -> int:\n    return a", "await proxy.get(1)"),
        version(
            "async def get(self, a: int, b: int) -> int:\n    return a", "await proxy.get(1, 2)"
        ),
    ),
    "give an argument a default": (
        version("async def get(self, a: int) -> int:\n    return a", "await proxy.get(1)"),
        version("async def get(self, a: int = 1) -> int:\n    return a", "await proxy.get()"),
    ),
    "rename an argument": (
        version("async def get(self, a: int) -> int:\n    return a", "await proxy.get(1)"),
        version("async def get(self, b: int) -> int:\n    return b", "await proxy.get(1)"),
    ),
    "rename an argument, all positional-only": (
        version("async def get(self, a: int, /) -> int:\n    return a", "await proxy.get(1)"),
        version("async def get(self, b: int, /) -> int:\n    return b", "await proxy.get(1)"),
    ),
    "reorder arguments": (
        version(
            "async def get(self, a: int, b: str) -> int:\n    return a", "await proxy.get(1, '')"
        ),
        version(
            "async def get(self, b: str, a: int) -> int:\n    return a", "await proxy.get('', 1)"
        ),
    ),
    "reorder arguments, all positional-only": (
        version(
            "async def get(self, a: int, b: str, /) -> int:\n    return a", "await proxy.get(1, '')"
        ),
        version(
            "async def get(self, b: str, a: int, /) -> int:\n    return a", "await proxy.get('', 1)"
        ),
    ),
    "widen the type of an argument": (
        version(put("int"), "await proxy.put(1)"),
        version(put("int | None"), "await proxy.put(None)"),
    ),
    "narrow the type of an argument": (
        version(put("int | None"), "await proxy.put(None)"),
        version(put("int"), "await proxy.put(1)"),
    ),
    "widen the type of a result": (
        version(get("int", "1"), GET),
        version(get("int | None", "None"), GET),
    ),
    "narrow the type of a result": (
        version(get("int | None", "None"), GET),
        version(get("int", "1"), GET),
    ),
    "add a field to a record that is received": (
        version(get("R", "R(1)"), GET, record("a: int")),
        version(get("R", "R(1, 2)"), GET, record("a: int", "b: int")),
    ),
    "add a field with a default to a record that is received": (
        version(get("R", "R(1)"), GET, record("a: int")),
        version(get("R", "R(1, 2)"), GET, record("a: int", "b: int = 2")),
    ),
    "remove a field from a record that is received": (
        version(get("R", "R(1, 2)"), GET, record("a: int", "b: int")),
        version(get("R", "R(1)"), GET, record("a: int")),
    ),
    "add a required field to a record that is sent": (
        version(put("R"), PUT, record("a: int")),
        version(put("R"), "await proxy.put(stub.R(1, 2))", record("a: int", "b: int")),
    ),
    "add a field with a default to a record that is sent": (
        version(put("R"), PUT, record("a: int")),
        version(put("R"), PUT, record("a: int", "b: int = 2")),
    ),
    "remove a field from a record that is sent": (
        version(put("R"), "await proxy.put(stub.R(1, 2))", record("a: int", "b: int")),
        version(put("R"), PUT, record("a: int")),
    ),
    "rename a record": (
        version(get("R", "R(1)"), GET, record("a: int")),
        version(get("Q", "Q(1)"), GET, record("a: int").replace("R:", "Q:")),
    ),
    "add a member to an enum that is received": (
        version(get("E", "E.A"), GET, enum_("A")),
        version(get("E", "E.B"), GET, enum_("A", "B")),
    ),
    "add a member to an enum that is sent": (
        version(put("E"), "await proxy.put(stub.E.A)", enum_("A")),
        version(put("E"), "await proxy.put(stub.E.B)", enum_("A", "B")),
    ),
    "add a record to a union that is received": (
        version(get("R | Q", "R(1)"), GET, record("a: int") + record("b: int").replace("R:", "Q:")),
        version(
            get("R | Q | P", "P(1)"),
            GET,
            record("a: int")
            + record("b: int").replace("R:", "Q:")
            + record("c: int").replace("R:", "P:"),
        ),
    ),
    "turn a method into a stream, or a stream into a method": (
        version(get("int", "1"), GET),
        version(
            "@stream\nasync def get(self) -> AsyncIterator[int]:\n    yield 1",
            "async with proxy.get() as items: await anext(items)",
        ),
    ),
    "declare another error": (
        version("async def get(self) -> int:\n    return 1", GET),
        version(
            "@method(raises=[Closed])\nasync def get(self) -> int:\n    return 1",
            GET,
            "class Closed(ApplicationError): ...\n",
        ),
    ),
    "change a default, a docstring, or `retain=` of a signal": (
        version(
            "ticked: Signal[int] = Signal(retain=True)\n"
            "async def get(self, a: int = 1) -> int:\n    return a",
            "await proxy.get()\nasync with proxy.ticked.subscribe(): pass",
        ),
        version(
            "ticked: Signal[int] = Signal()\n"
            "async def get(self, a: int = 2) -> int:\n    '''Give it.'''\n    return a",
            "await proxy.get()\nasync with proxy.ticked.subscribe(): pass",
        ),
    ),
    "remove the key of a signal": (
        version(
            "ticked: Signal[R] = Signal(key='a')",
            "async with proxy.ticked.subscribe(key=1): pass",
            record("a: int"),
        ),
        version(
            "ticked: Signal[R] = Signal()",
            "async with proxy.ticked.subscribe(): pass",
            record("a: int"),
        ),
    ),
}


def rows() -> Mapping[str, tuple[bool, bool]]:
    """Read the page: for each change, whether an old and a new client work."""
    text = PAGE.read_text("utf-8")
    found = re.findall(
        r"^\| ([^|]+?) \| (works|fails)[^|]* \| (works|fails)[^|]* \|$", text, re.MULTILINE
    )
    return {change: (old == "works", new == "works") for change, old, new in found}


def test_the_page_lists_what_is_tested() -> None:
    """Each row of the page has a case here."""
    assert set(rows()) == set(CASES)


@pytest.mark.parametrize("change", CASES)
@pytest.mark.parametrize("direction", ["old client", "new client"])
async def test_a_change_works_or_fails_as_the_page_says(change: str, direction: str) -> None:
    """A client works with a server of the other version exactly where the page says so."""
    old, new = CASES[change]
    client, server = (old, new) if direction == "old client" else (new, old)
    works = rows()[change][direction == "new client"]

    assert await is_matching(client, server) == works
    assert await is_used(client, server) == works


async def is_matching(client: Version, server: Version) -> bool:
    """Return whether a strict client of one version accepts a server of another."""
    with imported(stubgen.render(client.declared())) as stub:
        try:
            async with open_pair(server.declared()(), stub.SProxy, contract="strict"):
                return True
        except ContractMismatch:
            return False


async def is_used(client: Version, server: Version) -> bool:
    """Return whether a client of one version works with a server of another."""
    with imported(stubgen.render(client.declared())) as stub:
        namespace: dict[str, Any] = {"stub": stub}
        lines = "".join(f"    {line}\n" for line in client.use.splitlines())
        exec(f"async def use(proxy):\n    await proxy.same()\n{lines}", namespace)
        async with open_pair(server.declared()(), stub.SProxy) as (proxy, _):
            try:
                with trio.fail_after(5):
                    await namespace["use"](proxy)
            except (FarcallError, TypeError):
                return False
            return True
