"""The cases of the fuzzer: a kind and a seed say what a peer does, byte for byte."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, Final, Literal, TypeAlias

import attrs

from tests.fuzz import said
from tests.fuzz.spoil import in_pieces, spoil_bytes, spoil_json
from tests.websocket.sockets import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    close_frame,
    frame,
)

Ending: TypeAlias = Literal["close", "reset", "half"]
ENDINGS: Final[tuple[Ending, ...]] = ("close", "reset", "half")


@attrs.frozen
class Script:
    """What one hostile peer does."""

    pieces: list[bytes]
    """What it sends, each in a write of its own."""
    ending: Ending
    """It hangs up: in good order, by a reset, or by saying that nothing follows and reading on."""


@attrs.frozen
class Case:
    """One hostile peer."""

    kind: str
    seed: int

    def script(self) -> Script:
        """Write what it does; the same each time."""
        random = Random(f"{self.kind}/{self.seed}")
        data = _KINDS[self.kind](random)
        return Script(in_pieces(random, data), random.choice(ENDINGS))


def _bytes(random: Random) -> bytes:
    start = random.choice((b"", b"GET ", said.TLS, said.HTTP_2, said.UPGRADE[:-2]))
    return start + random.randbytes(random.choice((1, 10, 100, 20_000)))


def _http(random: Random) -> bytes:
    request = random.choice(
        (said.UPGRADE, said.UPGRADE, said.GET, said.POST, said.CHUNKED, said.HTTP_2)
    )
    wrong = random.choice((_spoil_line, spoil_bytes))(random, request, said.HTTP_PIECES)
    behind = random.choice((b"", said.GET, frame(TEXT, json.dumps(said.PLAIN[0]).encode())))
    return wrong + behind


def _spoil_line(random: Random, request: bytes, pieces: Sequence[bytes]) -> bytes:
    """Put something strange into one line, so that it comes as far as the others let it."""
    lines = request.split(b"\r\n")
    place = random.randrange(max(1, len(lines) - 2))
    start = random.randint(0, len(lines[place]))
    strange = random.choice((random.choice(pieces), bytes([random.getrandbits(8)])))
    end = random.choice((start, len(lines[place])))
    lines[place] = lines[place][:start] + strange + lines[place][end:]
    return b"\r\n".join(lines)


def _frames(random: Random) -> bytes:
    frames = [_frame(random) for _ in range(random.randint(1, 6))]
    place = random.randrange(len(frames))
    if random.random() < 0.8:
        frames[place] = _wrong_frame(random, frames[place])
    return said.UPGRADE + b"".join(frames)


def _frame(random: Random) -> bytes:
    text = json.dumps(random.choice(said.PLAIN)).encode()
    cut = random.randint(0, len(text))
    whole = (
        frame(TEXT, text),
        frame(BINARY, text),
        frame(PING, text[:125]),
        frame(PONG, text[:20]),
        frame(TEXT, text[:cut], fin=False) + frame(PING) + frame(CONTINUATION, text[cut:]),
        frame(TEXT, text[:cut], fin=False) + frame(CONTINUATION, text[cut:]),
    )
    return random.choice((*whole, *whole, close_frame(1000, "bye")))


def _wrong_frame(random: Random, right: bytes) -> bytes:
    payload = random.randbytes(random.choice((0, 1, 125, 126, 70_000)))
    head = bytes([random.getrandbits(8), random.getrandbits(8)])
    return random.choice(
        (
            spoil_bytes(random, right, (b"\x81\xff", b"\x88\x82", b"\xff" * 9, b"\x00\x00")),
            head + right[2:],
            frame(random.randrange(16), payload, fin=random.random() < 0.5),
            frame(TEXT, payload, masked=False),
            frame(CLOSE, payload[:125]),
            close_frame(random.randrange(5000), "why"),
            frame(TEXT, b"x" * 20)[: random.randrange(24)],
            frame(TEXT, b"x" * (2**20 + random.choice((-1, 0, 1)))),
            frame(TEXT, fin=False) + frame(CONTINUATION, fin=False) * random.choice((1000, 1024)),
            frame(PING, b"?") * random.choice((2, 59, 61)),
        )
    )


def _plain(random: Random) -> bytes:
    return _conversation(random, [random.choice(said.PLAIN) for _ in range(random.randint(1, 5))])


def _greeted(random: Random) -> bytes:
    messages = [random.choice(said.GREETED) for _ in range(random.randint(1, 6))]
    return _conversation(random, [said.HELLO, *messages])


def _conversation(random: Random, messages: list[Any]) -> bytes:
    wrong = {random.randrange(len(messages)) for _ in range(random.randint(0, 2))}
    texts = [
        _wrong_text(random, message) if place in wrong else json.dumps(message).encode()
        for place, message in enumerate(messages)
    ]
    opcode = random.choice((TEXT, TEXT, TEXT, BINARY))
    return said.UPGRADE + b"".join(frame(opcode, text) for text in texts)


def _wrong_text(random: Random, message: Any) -> bytes:
    if random.random() < 0.2:
        text = json.dumps(message).encode()
        return spoil_bytes(random, text, (b'"', b"\\", b"{", b"]", b",", b"null", b"\xff"))
    if random.random() < 0.1:
        return spoil_json(random, [message] * random.choice((2, 300, 1001)))
    return spoil_json(random, message)


_KINDS: Final[Mapping[str, Callable[[Random], bytes]]] = {
    "bytes": _bytes,
    "http": _http,
    "frames": _frames,
    "plain": _plain,
    "greeted": _greeted,
}
KINDS: Final = tuple(_KINDS)
