"""The tutorial works as written: its files, its commands, and what they print."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs
import pytest

from tests.patience import PATIENCE

ROOT = Path(__file__).parent.parent

BLOCK = re.compile(
    r"^(?P<reason><!-- not run: [^\n]+ -->\n)?^```(?P<language>\w+)\n(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
TITLE = re.compile(r"# (?P<name>[\w./]+\.\w+)(?P<part>: a part of it)?\n")

TOOLS = ("farcall", "mypy", "pytest")
"""Commands of the page, which run here as modules of this Python."""

PORT = "8765"
"""Of the server on the page; the test takes a free one."""


@attrs.define
class Reader:
    """A reader who writes the files of a page and runs its commands, in order."""

    home: Path
    port: str
    processes: ExitStack
    printed: str = ""
    """Output of commands, until the page shows it."""

    def follow(self, language: str, text: str) -> None:
        """Do what one block of the page says."""
        text = text.replace(PORT, self.port)
        if language != "text":
            assert self.printed == "", f"the page does not show {self.printed}"
        match language:
            case "python" | "ini":
                self._write(text)
            case "sh":
                self.printed = self._serve(text) if "farcall serve" in text else self._run(text)
            case "text":
                same = doctest.OutputChecker().check_output(text, self.printed, doctest.ELLIPSIS)
                assert same, f"the page shows:\n{text}\nbut the command printed:\n{self.printed}"
                self.printed = ""
            case _:
                pytest.fail(f"a block in {language}")

    def _write(self, text: str) -> None:
        title = TITLE.match(text)
        assert title is not None, f"this block does not begin with the name of its file:\n{text}"
        path = self.home / title["name"]
        if title["part"]:
            assert text[title.end() :] in path.read_text("utf-8")
            return
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")

    def _run(self, text: str) -> str:
        """Run commands in the folder where the ones before them ended."""
        done = subprocess.run(
            ["bash", "-c", f"cd $(cat {self._place})\n{text}\npwd > {self._place}"],
            check=False,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
        )
        return done.stdout

    def _serve(self, text: str) -> str:
        """Start a server that runs to the end of the page, and return its first line."""
        command = ["bash", "-c", f"cd $(cat {self._place})\nexec {text}"]
        return self.processes.enter_context(_started(command, self._environment))

    @property
    def _place(self) -> Path:
        return self.home / "place"

    @property
    def _environment(self) -> dict[str, str]:
        source = str(ROOT / "src")
        kept = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
        path = f"{self.home / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return kept | {"PATH": path, "PYTHONPATH": source, "MYPYPATH": source}


@contextmanager
def _started(command: list[str], environment: dict[str, str]) -> Iterator[str]:
    with subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline()
        finally:
            process.terminate()


def _free_port() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """Return a reader who has installed farcall, in the folder `market`."""
    (tmp_path / "bin").mkdir()
    for project in ("market", "trader"):
        activate = tmp_path / project / ".venv" / "bin" / "activate"
        activate.parent.mkdir(parents=True)
        activate.touch()
    python = shlex.quote(sys.executable)
    commands = {"python": python} | {tool: f"{python} -m {tool}" for tool in TOOLS}
    for name, command in commands.items():
        script = tmp_path / "bin" / name
        script.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        script.chmod(0o755)
    with ExitStack() as processes:
        reader = Reader(tmp_path, _free_port(), processes)
        reader._place.write_text(str(tmp_path / "market"))
        yield reader


def test_the_tutorial_works(reader: Reader) -> None:
    """A reader who follows the tutorial sees what it shows."""
    page = (ROOT / "docs" / "tutorial.md").read_text("utf-8")

    for block in BLOCK.finditer(page):
        if block["reason"] is None:
            reader.follow(block["language"], block["text"])

    assert reader.printed == ""
