"""HTTP responses."""

from __future__ import annotations

import pytest

from farcall._transport.http import Rejection, Response


@pytest.fixture(autouse=True)
def _date(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("farcall._transport.http.response.formatdate", lambda usegmt: "today")


def test_an_answer_is_written() -> None:
    """A response has a date, a length and a type, and says that the connection ends."""
    assert Response(200, b"hello", "text/html", headers={"X-A": "b"}).render() == (
        b"HTTP/1.1 200 OK\r\n"
        b"Date: today\r\n"
        b"Content-Type: text/html\r\n"
        b"Content-Length: 5\r\n"
        b"Connection: close\r\n"
        b"X-A: b\r\n"
        b"\r\n"
        b"hello"
    )


def test_head() -> None:
    """HEAD gets the response of GET without its body."""
    response = Response(200, b"hello")

    assert response.render("HEAD") == response.render().removesuffix(b"hello")


def test_a_header_of_the_answer_takes_the_place_of_ours() -> None:
    """A header of a response replaces the default one."""
    shown = Response(426, headers={"Connection": "close, upgrade"}).render()

    assert shown.count(b"Connection: ") == 1
    assert b"Connection: close, upgrade\r\n" in shown


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "\0", "€"])
def test_a_header_that_cannot_be_written(value: str) -> None:
    """A value that would begin another field is refused when the response is made."""
    with pytest.raises(ValueError, match="the header X-A cannot hold"):
        Response(200, headers={"X-A": value})


def test_a_rejection() -> None:
    """Its reason is the body of the response, and appears in the log."""
    rejection = Rejection(401, "log in", {"WWW-Authenticate": "Bearer"})

    assert str(rejection) == "401, log in"
    assert rejection.response == Response(401, b"log in\n", headers={"WWW-Authenticate": "Bearer"})
