"""Fragments joined to messages."""

from __future__ import annotations

import pytest
from wsproto.events import BytesMessage, TextMessage

from farcall._limits import MessageLimit
from farcall._transport.websocket.assembly import Assembly, Refused
from farcall.errors import CloseCode


def never(_start: bytes) -> bool:
    return False


@pytest.fixture
def assembly() -> Assembly:
    return Assembly(MessageLimit(10), 5, never)


def test_whole_messages(assembly: Assembly) -> None:
    """A message in one piece comes out unchanged."""
    assert assembly.add(TextMessage("text")) == "text"
    assert assembly.add(BytesMessage(b"bytes")) == b"bytes"
    assert isinstance(assembly.add(BytesMessage(bytearray(b"x"))), bytes)


def test_pieces_are_joined(assembly: Assembly) -> None:
    """A message comes out with its last piece, and the next one begins afresh."""
    assert assembly.add(TextMessage("gr", message_finished=False)) is None
    assert assembly.add(TextMessage("ün")) == "grün"
    assert assembly.add(BytesMessage(b"1", message_finished=False)) is None
    assert assembly.add(BytesMessage(b"")) == b"1"


def test_a_message_is_incomplete_until_its_last_piece(assembly: Assembly) -> None:
    """Even an empty first piece begins a message."""
    seen = [assembly.is_incomplete]
    for is_last in (False, False, True):
        assembly.add(TextMessage("", message_finished=is_last))
        seen.append(assembly.is_incomplete)

    assert seen == [False, True, True, False]


def test_what_an_incomplete_message_holds(assembly: Assembly) -> None:
    """`size` counts its bytes until it is complete or dropped."""
    seen: list[int] = []
    for event in (
        TextMessage("1"),
        TextMessage("ü", message_finished=False),
        TextMessage("1", message_finished=False),
        TextMessage("2"),
        BytesMessage(b"12", message_finished=False),
    ):
        assembly.add(event)
        seen.append(assembly.size)
    assembly.clear()

    assert [*seen, assembly.size] == [0, 2, 3, 0, 2, 0]


@pytest.mark.parametrize("text", ["x" * 11, "ü" * 6])
def test_a_whole_message_over_the_limit(assembly: Assembly, text: str) -> None:
    """The limit counts bytes, not characters."""
    with pytest.raises(Refused, match="larger than 10 bytes") as caught:
        assembly.add(TextMessage(text))

    assert caught.value.code is CloseCode.TOO_BIG


@pytest.mark.parametrize("text", ["x" * 10, "ü" * 5])
def test_a_whole_message_within_the_limit(assembly: Assembly, text: str) -> None:
    """A message of exactly the limit passes."""
    assert assembly.add(TextMessage(text)) == text


def test_pieces_over_the_limit(assembly: Assembly) -> None:
    """All pieces count together, and a message is refused before its end."""
    assembly.add(BytesMessage(b"x" * 10, message_finished=False))

    with pytest.raises(Refused, match="larger than 10 bytes"):
        assembly.add(BytesMessage(b"x", message_finished=False))


def test_too_many_fragments(assembly: Assembly) -> None:
    """The frames of a message are limited, however small they are."""
    for _ in range(5):
        assembly.add(TextMessage("", message_finished=False))

    with pytest.raises(Refused, match="more than 5 fragments") as caught:
        assembly.add(TextMessage("", message_finished=False))

    assert caught.value.code is CloseCode.POLICY


def test_fragments_are_counted_for_each_message(assembly: Assembly) -> None:
    """Each message may have as many frames."""
    for _ in range(3):
        for _ in range(4):
            assembly.add(TextMessage("", message_finished=False))
        assert assembly.add(TextMessage("end")) == "end"


def test_pieces_of_one_frame_are_no_fragments() -> None:
    """A frame that arrives in pieces counts as one."""
    assembly = Assembly(MessageLimit(10_000), 5, never)
    for _ in range(10):
        assembly.add(TextMessage("x", frame_finished=False, message_finished=False))

    assert assembly.add(TextMessage("x")) == "x" * 11
