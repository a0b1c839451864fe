"""The commands: their output, their errors and their status."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import trio

from farcall._cli.app import run
from tests.patience import PATIENCE

SERVICE = '''
from farcall import Signal, background, method, service

@service
class Greeter:
    """Says hello."""

    async def greet(self, name: str) -> str:
        """Greet somebody."""
        return f"hello {name}"

@service
class Needy:
    def __init__(self, what: str) -> None:
        self.what = what

    async def ask(self) -> str:
        return self.what

@service
class Broken:
    def __init__(self) -> None:
        raise RuntimeError("no database")

    async def ask(self) -> None: ...

@service
class Lost:
    async def ask(self) -> None: ...

    @background
    async def watch(self) -> None:
        raise RuntimeError("the database is gone")

@service(protected=True)
class Vault:
    opened: Signal[bool] = Signal()

    async def look(self) -> None: ...

@service
class Secret:
    opened: Signal[bool] = Signal(protected=True)

    @method(roles={"keeper"})
    async def look(self) -> None: ...

class NoService:
    pass
'''


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a working directory with a module of services."""
    name = f"greeting_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(SERVICE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path / f"{name}.py"


def test_stubs_are_written_and_checked(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--check` prints nothing if nothing has changed, or else a diff, with status 1."""
    target = f"{project.stem}:Greeter"

    assert run(["stubs", target, "-o", "out"]) == 0
    assert capsys.readouterr().out == "out/greeter.py\n"
    assert run(["stubs", target, "-o", "out", "--check"]) == 0

    stub = Path("out/greeter.py")
    stub.write_text(stub.read_text().replace("Greet somebody", "Greet nobody"))
    assert run(["stubs", target, "-o", "out", "--check"]) == 1
    assert '+        """Greet somebody."""' in capsys.readouterr().out


SHARING = """
import attrs
from farcall import service

@attrs.frozen
class Money:
    amount: int

@service
class Bank:
    async def balance(self) -> Money: ...

@service
class Shop:
    async def pay(self, money: Money) -> None: ...
"""


def test_stubs_share_types(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--shared` names the module with the types of both services."""
    project.write_text(SHARING)
    command = ["stubs", f"{project.stem}:Bank", f"{project.stem}:Shop", "--shared", "common"]

    assert run(command) == 0
    assert capsys.readouterr().out == "stubs/bank.py\nstubs/shop.py\nstubs/common.py\n"
    assert run([*command, "--check"]) == 0
    assert "class Money" in Path("stubs/common.py").read_text()


def test_stubs_import_types_of_the_user(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--types` names a module whose types the stubs import; a wrong name is one line."""
    project.write_text(SHARING)
    models = f"{project.stem}_models"
    project.with_name(f"{models}.py").write_text(SHARING.partition("@service")[0])
    command = ["stubs", f"{project.stem}:Bank", "--types"]

    assert run([*command, models]) == 0
    assert f"from {models} import Money\n" in Path("stubs/bank.py").read_text()
    assert run([*command, models, "--check"]) == 0
    capsys.readouterr()
    for name, problem in [
        ("logging", "logging has no type of Bank: name a module that has one, or leave --types"),
        ("a b", "'a b' is not the name of a module, such as shop.models\n"),
        ("no.such", "there is no module no, neither in "),
    ]:
        assert run([*command, name]) == 1
        shown = capsys.readouterr().err
        assert shown.startswith(f"farcall: {problem}")
        assert shown.count("\n") == 1


def test_a_source_is_never_overwritten(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`-o .` beside `greeter.py` is refused in one line, for it would overwrite the source."""
    (source := Path("greeter.py")).write_text(SERVICE)

    assert run(["stubs", "greeter:Greeter", "-o", "."]) == 1

    shown = capsys.readouterr().err
    assert shown.startswith("farcall: greeter.py is not a stub that farcall has written")
    assert shown.count("\n") == 1
    assert source.read_text() == SERVICE


def test_what_cannot_be_written_is_one_line(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error names the file that is in the way."""
    Path("out").write_text("")

    assert run(["stubs", f"{project.stem}:Greeter", "-o", "out"]) == 1
    assert capsys.readouterr().err == "farcall: out: File exists\n"


def test_letters_that_the_stream_does_not_know_are_escaped(project: Path) -> None:
    """On an ASCII terminal other characters of a path or a diff are escaped."""
    command = [sys.executable, "-m", "farcall", "stubs", f"{project.stem}:Greeter", "-o", "été"]
    ascii_only = {**os.environ, "PYTHONIOENCODING": "ascii"}

    def shown(*options: str) -> tuple[int, bytes, bytes]:
        done = subprocess.run(
            [*command, *options], env=ascii_only, capture_output=True, check=False
        )
        return done.returncode, done.stdout, done.stderr

    assert shown() == (0, b"\\xe9t\\xe9/greeter.py\n", b"")

    project.write_text(SERVICE.replace("Says hello.", "Says hé."))
    status, difference, complaints = shown("--check")

    assert (status, complaints) == (1, b"")
    assert b'+    """Says h\\xe9."""' in difference


@pytest.mark.parametrize(
    ("attribute", "words"),
    [
        (":NoService", "is no service"),
        (":Missing", "has no Missing"),
        ("", "is not module:Class"),
    ],
)
def test_a_wrong_target_is_one_line(
    project: Path, capsys: pytest.CaptureFixture[str], attribute: str, words: str
) -> None:
    """The error names the mistake in one line, without a traceback."""
    assert run(["stubs", project.stem + attribute]) == 1

    shown = capsys.readouterr().err
    assert words in shown
    assert shown.count("\n") == 1


def test_no_target_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    """Both commands print what they need, with status 2."""
    assert run(["stubs"]) == run(["serve"]) == 2
    assert "SERVICES" in capsys.readouterr().err


def test_a_service_that_needs_arguments_is_one_line(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error says to name an object instead."""
    assert run(["serve", f"{project.stem}:Needy"]) == 1
    assert "needs arguments" in capsys.readouterr().err


def test_a_service_that_cannot_be_made_is_one_line(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error names the line of the constructor that failed."""
    assert run(["serve", f"{project.stem}:Broken"]) == 1

    shown = capsys.readouterr().err
    assert shown.startswith(f"farcall: {project.stem}:Broken() failed: {project}:")
    assert shown.endswith(": RuntimeError: no database\n")
    assert shown.count("\n") == 1


def test_a_background_task_that_fails_ends_the_command(
    project: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The error names the line that failed, and the log has the traceback."""
    assert run(["serve", f"{project.stem}:Lost", "--port", "0"]) == 1

    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f"farcall: {project}:")
    assert last.endswith(": RuntimeError: the database is gone")
    assert [record.exc_info is not None for record in caplog.records] == [True]


def test_a_port_in_use_is_one_line(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The error names the address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert run(["serve", f"{project.stem}:Greeter", "--port", port]) == 1

    shown = capsys.readouterr().err
    assert f"127.0.0.1:{port}: the port is in use" in shown
    assert shown.count("\n") == 1


@pytest.mark.parametrize("kind", ["Vault", "Secret"])
def test_what_needs_a_login_throughout_is_not_served(
    project: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    """A service alone has no logins, so the error says to serve an app."""
    assert run(["serve", f"{project.stem}:{kind}", "--port", "0"]) == 1

    shown = capsys.readouterr().err
    assert shown == (
        f"farcall: every member needs a login ({kind}.look, {kind}.opened), and a service alone has"
        " none; serve farcall.App(..., authenticate=...)\n"
    )


async def test_what_needs_a_login_is_counted_in_one_line(project: Path) -> None:
    """If some members need no login, the others are logged in one line."""
    targets = [f"{project.stem}:{kind}" for kind in ("Vault", "Greeter")]
    command = [sys.executable, "-m", "farcall", "serve", *targets, "--port", "0"]
    async with trio.open_nursery() as nursery:
        process: trio.Process = await nursery.start(
            partial(
                trio.run_process,
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                check=False,
            )
        )
        assert process.stdout is not None
        assert process.stderr is not None
        with trio.fail_after(PATIENCE):
            await process.stdout.receive_some()
            process.send_signal(signal.SIGTERM)
            told = b"".join([chunk async for chunk in process.stderr]).decode()
    assert told.count("need a login") == 1
    assert "2 of 3 members need a login" in told
    assert "(Vault.look, Vault.opened)" in told


def test_an_unknown_option_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    """An unknown option has status 2."""
    assert run(["serve", "--speed", "9"]) == 2


def test_the_demo_shows_calls_and_samples() -> None:
    """Without a terminal the demo prints lines, and ends by itself with status 0."""
    shown = subprocess.run(
        [sys.executable, "-m", "farcall", "demo", "--seconds", "0.8"],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE,
    ).stdout

    assert "Serving Monitor at ws://127.0.0.1:" in shown
    assert "process(-1): NoSuchProcess(pid=-1), a declared error, shown on purpose\n" in shown
    assert shown.count("sampled:") >= 1


async def test_a_signal_ends_a_server() -> None:
    """SIGTERM drains the server, and the status is 0."""
    command = [sys.executable, "-m", "farcall", "serve"]
    command += ["examples.chat.service:Chat", "--port", "0"]
    root = Path(__file__).parents[3]
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as nursery:
            process: trio.Process = await nursery.start(
                partial(trio.run_process, command, stdout=subprocess.PIPE, cwd=root)
            )
            assert process.stdout is not None
            assert b"Serving at ws://127.0.0.1:" in await process.stdout.receive_some()
            process.send_signal(signal.SIGTERM)

    assert process.returncode == 0
