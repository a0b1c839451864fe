"""What `farcall serve` serves: apps, what factories make, and services."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

import farcall
from farcall._cli.app import run
from tests.program import open_program

MODULE = """
import os
from contextlib import asynccontextmanager

import trio

import farcall
from farcall import App, Principal, current_call, method, service


class Database:
    def __init__(self, name: str) -> None:
        self.name = name


@service(name="", protected=True)
class Shop:
    async def where(self) -> str:
        return f"{current_call().lifespan(Database).name} for {current_call().principal.name}"


@service
class News:
    async def read(self) -> str:
        return "news"


async def authenticate(credentials):
    return Principal("ada")


@asynccontextmanager
async def database():
    yield Database("a database")
    print("the database is closed", flush=True)


app = App(Shop(), authenticate=authenticate, lifespan=database, drain_seconds=5)


def make_app():
    @asynccontextmanager
    async def database():
        yield Database(os.environ["SHOP_DATABASE"])

    return App(Shop(), authenticate=authenticate, lifespan=database)


async def make_app_later():
    await trio.sleep(0)
    return make_app()


def make_news():
    return News()


def needs_more(path):
    return app


def fails():
    raise RuntimeError("no settings")


async def fails_later():
    await trio.sleep(0)
    raise RuntimeError("no settings")


def makes_a_dict():
    return {"/": News()}


def makes_a_class():
    return News


@asynccontextmanager
async def refusing():
    raise ConnectionRefusedError(111, "Connection refused")
    yield


refused = App(News(), lifespan=refusing)
number = 5
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make a working directory with a module of apps; return its name."""
    name = f"apps_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return name


@pytest.mark.parametrize(
    ("target", "database"),
    [("app", "a database"), ("make_app", "shop.db"), ("make_app_later", "shop.db")],
)
async def test_an_app_is_served(module: str, target: str, database: str) -> None:
    """An app, or one that a factory makes, is served with its login and its lifespan."""
    arguments = ["-m", "farcall", "serve", f"{module}:{target}"]
    environment = {"SHOP_DATABASE": "shop.db", "FARCALL_PORT": "0"}
    async with open_program(arguments, environment=environment) as program:
        async with farcall.connect(await program.url()) as session:
            assert await session.call("where") == f"{database} for ada"
        program.send(signal.SIGHUP)
        assert await program.status() == 0

    assert "Traceback" not in program.errors
    assert ("the database is closed" in program.out) == (target == "app")


async def test_options_win_over_the_environment(module: str, tmp_path: Path) -> None:
    """An option of the command line replaces that of the environment."""
    arguments = ["-m", "farcall", "serve", f"{module}:make_news", "--unix", "b.sock"]
    async with open_program(arguments, environment={"FARCALL_UNIX": "a.sock"}) as program:
        url = await program.url()
        async with farcall.connect(f"ws+unix://{tmp_path}/b.sock") as session:
            assert await session.call("News.read") == "news"
        program.send(signal.SIGTERM)
        assert await program.status() == 0

    assert url.endswith("b.sock")


@pytest.mark.parametrize(
    ("targets", "options", "status", "words"),
    [
        ("app News", [], 2, "an app is served alone; write App([Shop(), News()])"),
        ("app", ["--drain-seconds", "3"], 2, "--drain-seconds is given, and drain_seconds= to the"),
        ("needs_more", [], 1, "needs arguments (missing a required argument: 'path'); name a fac"),
        ("fails", [], 1, "fails() failed: "),
        ("fails_later", [], 1, "RuntimeError: no settings"),
        ("makes_a_dict", [], 1, "makes_a_dict() returned a dict; return farcall.App(...) or a "),
        ("makes_a_class", [], 1, "makes_a_class() returned the class News; return farcall.App("),
        ("App", [], 1, "App is the class farcall.App; name an object of it, such as app = App(Sh"),
        ("number", [], 1, "number is no service"),
        ("refused", [], 1, "ConnectionRefusedError: [Errno 111] Connection refused"),
        ("Shop", [], 1, "every member needs a login (where)"),
    ],
)
def test_what_cannot_be_served_is_one_line(
    module: str,
    targets: str,
    options: list[str],
    status: int,
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The error says in one line what is wrong, and what to write."""
    named = [f"{module}:{each}" for each in targets.split()]

    assert run(["serve", *named, "--port", "0", *options]) == status

    shown = capsys.readouterr().err
    assert words in shown
    assert shown.count("\n") == 1


async def test_a_signal_ends_a_factory(module: str, tmp_path: Path) -> None:
    """A signal while an async factory runs ends the command, with status 0."""
    (tmp_path / "slow.py").write_text(
        "import trio\nasync def make():\n    print('Serving at no place', flush=True)\n"
        "    await trio.sleep_forever()\n"
    )
    async with open_program(["-m", "farcall", "serve", "slow:make"]) as program:
        await program.url()
        program.send(signal.SIGTERM)
        assert await program.status() == 0

    assert program.errors == ""
