"""The process of the command: its status, Ctrl-C, and the missing extra."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from farcall import _cli
from farcall._cli import app, main
from tests.patience import PATIENCE


def status_of_main() -> object:
    with pytest.raises(SystemExit) as caught:
        main()
    return caught.value.code


@pytest.mark.parametrize("missing", ["cyclopts", "psutil", "rich"])
def test_a_missing_extra_is_one_line(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the extra the command says what to install."""

    def find_spec(name: str) -> object | None:
        return None if name == missing else object()

    monkeypatch.setattr(_cli, "find_spec", find_spec)
    monkeypatch.setattr(app, "run", lambda: pytest.fail("it was run"))

    assert status_of_main() == 2
    assert capsys.readouterr().err == (
        "farcall: the command needs an extra: pip install 'farcall[cli]'\n"
    )


@pytest.mark.parametrize("status", [0, 1, 2])
def test_the_status_is_that_of_the_command(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The status of the process is that of the command."""
    monkeypatch.setattr(app, "run", lambda: status)

    assert status_of_main() == status


def test_an_interrupt_is_told_by_the_status_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C has the status 128 plus the number of the signal, as in shells."""

    def interrupted() -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(app, "run", interrupted)

    assert status_of_main() == 130
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("writes", ["print('x', flush=True)", "print('x')"])
def test_a_reader_that_has_gone_is_no_news(writes: str) -> None:
    """A reader that has gone, as in ``farcall stubs ... | head -1``, causes no traceback."""
    program = (
        "from farcall import _cli; from farcall._cli import app;"
        f"app.run = lambda: {writes} or 0; input(); _cli.main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None  # so that `communicate` does not read it

    _, complaints = process.communicate(b"\n", timeout=PATIENCE)

    assert (process.returncode, complaints) == (1, b"")


@pytest.fixture
def slow_import(tmp_path: Path) -> dict[str, str]:
    """Make an environment in which `import farcall` takes long, and reports its start."""
    (tmp_path / "trio.py").write_text("import time; print('importing', flush=True); time.sleep(60)")
    source = Path(__file__).parents[3] / "src"
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(source)])}


def interrupted(command: list[str], environment: dict[str, str]) -> tuple[int, bytes]:
    """Run a command, press Ctrl-C while it imports, and return its status and its errors."""
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"importing\n"
    process.send_signal(signal.SIGINT)
    _, complaints = process.communicate(timeout=PATIENCE)
    return process.returncode, complaints


@pytest.mark.parametrize("how", ["module", "script"])
def test_an_interrupt_while_it_imports_prints_nothing(
    how: str, tmp_path: Path, slow_import: dict[str, str]
) -> None:
    """Ctrl-C during the import ends the command as it does later."""
    script = tmp_path / "farcall"
    script.write_text("from farcall._cli import main; main()")
    words = {"module": ["-m", "farcall", "demo"], "script": [str(script), "demo"]}

    status, complaints = interrupted([sys.executable, *words[how]], slow_import)

    assert (status, complaints) == (-signal.SIGINT, b"")


def test_an_interrupt_while_another_program_imports_is_its_own(slow_import: dict[str, str]) -> None:
    """A program that imports farcall keeps its own signal handlers."""
    program = """
try:
    from farcall import serve
except KeyboardInterrupt:
    print("caught", flush=True)
    raise SystemExit(7)
"""
    status, complaints = interrupted([sys.executable, "-c", program], slow_import)

    assert (status, complaints) == (7, b"")
