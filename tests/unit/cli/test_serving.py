"""The options of `farcall serve`."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import trio

import farcall
from farcall._cli.app import run
from farcall._cli.errors import CommandError
from farcall._cli.serving import DEFAULT_PORT, ServeOptions
from tests.patience import PATIENCE
from tests.unit.transport.websocket.certificates import authority, client_context

ROOT = Path(__file__).parents[3]
CHAT = "examples.chat.service:Chat"


def options(
    port: int | None = None,
    unix: Path | None = None,
    fd: tuple[int, ...] = (),
    cert: Path | None = None,
    key: Path | None = None,
) -> ServeOptions:
    return ServeOptions(
        port=port,
        host=["127.0.0.1"],
        unix=unix,
        fd=fd,
        tls_cert=cert,
        tls_key=key,
        allowed_origin=[],
        allowed_host=[],
        trusted_proxy=[],
    )


def test_the_port_has_a_default() -> None:
    """The port has a default only without --unix and --fd."""
    assert options().port_to_listen == DEFAULT_PORT
    assert options(port=0).port_to_listen == 0
    assert options(unix=Path("a")).port_to_listen is None
    assert options(port=1, unix=Path("a")).port_to_listen == 1


def test_a_descriptor_is_a_socket() -> None:
    """A descriptor that is no socket is refused by its number."""
    with socket.socket() as inherited:
        sock = options(fd=(os.dup(inherited.fileno()),)).keywords().get("sock")
        assert isinstance(sock, list)
        (sock,) = sock
        assert sock.family == inherited.family
        sock.close()
    with open(os.devnull) as file, pytest.raises(CommandError, match=r"--fd \d+ is no socket"):
        options(fd=(file.fileno(),)).keywords()


def test_certificates(tmp_path: Path) -> None:
    """A certificate and its key come from one file, or from two."""
    issued = authority().issue_cert("127.0.0.1")
    issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / "both.pem")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")

    assert options().keywords().get("ssl_context") is None
    for cert, key in (("both.pem", None), ("cert.pem", "key.pem")):
        key_path = None if key is None else tmp_path / key
        assert options(cert=tmp_path / cert, key=key_path).keywords().get("ssl_context") is not None


def test_certificates_that_are_none(tmp_path: Path) -> None:
    """The error names the files."""
    (tmp_path / "a.pem").write_text("no certificate")

    with pytest.raises(CommandError, match=r"cannot use .*a\.pem for TLS"):
        options(cert=tmp_path / "a.pem").keywords()
    with pytest.raises(CommandError, match=r"cannot use .*b\.pem for TLS: No such file"):
        options(cert=tmp_path / "b.pem").keywords()
    with pytest.raises(CommandError, match="--tls-key needs the certificate"):
        options(key=tmp_path / "a.pem").keywords()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--allowed-origin", "example.com"], "in --allowed-origin is not an origin such as"),
        (["--allowed-origin", "https://*.example.com"], "in --allowed-origin has a star"),
        (["--allowed-host", "a b"], "in --allowed-host is not a host such as"),
        (["--trusted-proxy", "example.com"], "in --trusted-proxy is not an address"),
        (["--host", ""], "--host takes an address or a name"),
        (["--port", "http"], 'for --port: unable to convert "http"'),
        (["--port", "70000"], "Must be < 65536"),
        (["--unix", ""], "It is no path of a file"),
        (["--tls-cert", "none.pem"], "cannot use none.pem for TLS"),
        (["--tls-key", "none.pem"], "--tls-key needs the certificate"),
        (["--fd", "999"], "--fd 999 is no socket"),
        (["--drain-seconds", "-1"], "Must be >= 0"),
        (["--drain-seconds", "inf"], "--drain-seconds takes a number of seconds"),
    ],
)
def test_a_wrong_option_is_one_line(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error names the option in one line, without a traceback, and the status is 2."""
    assert run(["serve", CHAT, *options]) == 2

    shown = capsys.readouterr().err
    assert words in shown
    assert shown.count("\n") == 1


def test_a_place_that_cannot_be_used_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """An error of the system, rather than of the command line, has the status 1."""
    assert run(["serve", CHAT, "--unix", "/none/a.sock"]) == 1

    shown = capsys.readouterr().err
    assert "cannot listen at /none/a.sock" in shown
    assert shown.count("\n") == 1


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("FARCALL_PORT", "http", "Invalid value for FARCALL_PORT from env"),
        ("FARCALL_PORT", "70000", "for FARCALL_PORT provided by env. Must be < 65536"),
        ("FARCALL_HOST", "::1 a,b", "cannot listen at a,b"),
        ("FARCALL_UNIX", "", "for FARCALL_UNIX provided by env. It is no path of a file"),
        ("FARCALL_FD", "3 x", "Invalid value for FARCALL_FD from env"),
        ("FARCALL_TLS_CERT", "none.pem", "cannot use none.pem for TLS"),
        ("FARCALL_TLS_KEY", "none.pem", "--tls-key needs the certificate"),
        (
            "FARCALL_ALLOWED_ORIGIN",
            "https://a.example b",
            "(or FARCALL_ALLOWED_ORIGIN) is not",
        ),
        (
            "FARCALL_ALLOWED_HOST",
            "a.example *.b",
            "--allowed-host (or FARCALL_ALLOWED_HOST) has a star",
        ),
        (
            "FARCALL_TRUSTED_PROXY",
            "unix x",
            "(or FARCALL_TRUSTED_PROXY) is not",
        ),
        ("FARCALL_DRAIN_SECONDS", "soon", "Invalid value for FARCALL_DRAIN_SECONDS from env"),
    ],
)
def test_each_option_is_a_variable_of_the_environment(
    variable: str,
    value: str,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each option is read from the environment; a wrong value is one line, and the status is 2."""
    monkeypatch.setenv(variable, value)

    status = run(["serve", CHAT])

    shown = capsys.readouterr().err
    assert words in shown
    assert (status, shown.count("\n")) == (1 if "cannot listen" in words else 2, 1)


async def test_all_places_at_once() -> None:
    """A TLS port, a Unix socket and an inherited one are served by one command."""
    with TemporaryDirectory(prefix="fc") as folder, trio.fail_after(PATIENCE):
        pem = Path(folder) / "both.pem"
        authority().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(pem)
        command = [sys.executable, "-m", "farcall", "serve", CHAT, "--port", "0"]
        command += ["--unix", f"{folder}/a.sock", "--tls-cert", str(pem)]
        async with trio.open_nursery() as nursery:
            with socket.create_server(("127.0.0.1", 0)) as inherited:
                number = inherited.fileno()
                process: trio.Process = await nursery.start(
                    partial(
                        trio.run_process,
                        [*command, "--fd", str(number)],
                        stdout=subprocess.PIPE,
                        cwd=ROOT,
                        pass_fds=[number],
                    )
                )
            assert process.stdout is not None
            said = (await process.stdout.receive_some()).decode()
            urls = said.removeprefix("Serving at ").strip().split(", ")
            assert [url.partition(":")[0] for url in urls] == ["wss", "wss", "ws+unix"]
            for url in urls:
                context = client_context() if url.startswith("wss") else None
                async with farcall.connect(url, ssl_context=context) as session:
                    assert await session.ping() < 5
            process.send_signal(signal.SIGTERM)
