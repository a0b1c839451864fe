"""farcall on a system without Unix: a process that hides all of it stands for Windows."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

WITHOUT_UNIX = """
import os, socket, sys
from functools import partial
import psutil  # which knows the system that it runs on

socket.socketpair = partial(socket.socketpair, socket.AF_UNIX)  # which is how Trio wakes up
del socket.AF_UNIX
socket.__all__.remove("AF_UNIX")
for name in ("fcntl", "grp", "pty", "pwd", "syslog", "termios", "tty"):
    sys.modules[name] = None
for name in ("O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "fchmod", "fork", "geteuid", "getuid"):
    delattr(os, name)

import farcall, trio

@farcall.service
class Greeter:
    async def greet(self, name: str) -> str:
        return f"Hello, {name}!"
"""


def run(script: str) -> str:
    """Run a script in a process without Unix, and return its output."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_UNIX + dedent(script)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


def test_every_module_can_be_imported() -> None:
    """Every module of farcall can be imported."""
    script = """
        import importlib, pkgutil

        for module in pkgutil.walk_packages(farcall.__path__, "farcall."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
        print("all")
    """

    assert run(script) == "all\n"


def test_calls_go_over_tcp() -> None:
    """A server and a client work over TCP."""
    script = """
        async def main():
            async with trio.open_nursery() as nursery:
                server = await nursery.start(farcall.serve, Greeter(), 0)
                async with farcall.connect(server.url, Greeter) as greeter:
                    print(await greeter.greet("Ada"))
                server.shutdown()

        trio.run(main)
    """

    assert run(script) == "Hello, Ada!\n"


def test_a_unix_socket_is_refused() -> None:
    """`serve(unix=)` and a `ws+unix:` URL say that the system has no Unix sockets."""
    script = """
        async def main():
            try:
                await farcall.serve(Greeter(), unix="greeter.sock")
            except OSError as error:
                print(error.strerror)
            try:
                async with farcall.connect("ws+unix:///greeter.sock:/", Greeter):
                    pass
            except farcall.ConnectFailed as error:
                print(error)

        trio.run(main)
    """

    assert run(script) == (
        "cannot listen at greeter.sock: this system has no Unix sockets; listen at a port\n"
        "ws+unix:///greeter.sock:/: this system has no Unix sockets; connect to a port\n"
    )
