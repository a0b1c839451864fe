"""The cases of the fuzzer: a kind and a seed determine the bytes that a peer sends."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any, Final, Literal, TypeAlias

import attrs

from tests.fuzz import said
from tests.fuzz.sent import PINGS
from tests.fuzz.spoil import in_pieces, spoil_bytes, spoil_json
from tests.unit.transport.websocket.sockets import (
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
    """The actions of one hostile peer."""

    pieces: list[bytes]
    """The bytes that it sends, each piece in a write of its own."""
    ending: Ending
    """Its end: closing in good order, a reset, or an end of file after which it reads on."""
    is_tls: bool = False
    """Whether it connects to the port with TLS."""
    is_right: bool = False
    """Whether all of it is correct, so that it must be served."""
    waits: bool = False
    """Whether its first piece is a handshake, and it waits for the response."""

    @property
    def data(self) -> bytes:
        """All bytes that the peer sends."""
        return b"".join(self.pieces)


@attrs.frozen
class Case:
    """One hostile peer."""

    kind: str
    seed: int

    def script(self) -> Script:
        """Return the script of the case, the same each time."""
        random = Random(f"{self.kind}/{self.seed}")
        data, is_right = _KINDS[self.kind](random)
        ending = random.choice(ENDINGS)
        if self.kind not in _ON_WEBSOCKETS:
            return Script(in_pieces(random, data), ending, self.kind == "tls", is_right)
        pieces = [said.UPGRADE, *in_pieces(random, data)]
        return Script(pieces, ending, is_right=is_right, waits=True)


_Said: TypeAlias = tuple[bytes, bool]
"""The bytes of a peer, and whether all of them are correct."""


def _bytes(random: Random) -> _Said:
    start = random.choice((b"", b"GET ", said.TLS, said.HTTP_2, said.UPGRADE[:-2]))
    return start + random.randbytes(random.choice((1, 10, 100, 20_000))), False


def _tls(random: Random) -> _Said:
    match random.randrange(6):
        case 0:
            return said.TLS, True
        case 1:
            start = random.choice((b"", said.TLS[:1], said.TLS[:5], said.TLS[:43]))
            return start + random.randbytes(random.choice((1, 10, 100, 20_000))), False
        case 2:
            return random.choice((said.GET, said.UPGRADE, said.HTTP_2)), False
        case 3:
            record = bytes([random.choice((20, 21, 22, 23, 24, 80)), 3, random.randrange(5)])
            size = random.choice((0, 2, 40, 2**14, 2**14 + 257))
            return said.TLS + record + size.to_bytes(2, "big") + random.randbytes(size), False
        case _:
            return spoil_bytes(random, said.TLS, (b"\0", b"\xff\xff", b"\x03\x00", said.TLS)), False


def _http(random: Random) -> _Said:
    request = random.choice(
        (said.UPGRADE, said.UPGRADE, said.GET, said.POST, said.CHUNKED, said.HTTP_2)
    )
    wrong = random.choice((_spoil_line, spoil_bytes))(random, request, said.HTTP_PIECES)
    behind = random.choice((b"", said.GET, frame(TEXT, json.dumps(said.PLAIN[0]).encode())))
    return wrong + behind, False


def _spoil_line(random: Random, request: bytes, pieces: Sequence[bytes]) -> bytes:
    """Spoil one line of a request, so that the other lines are still read."""
    lines = request.split(b"\r\n")
    place = random.randrange(max(1, len(lines) - 2))
    start = random.randint(0, len(lines[place]))
    strange = random.choice((random.choice(pieces), bytes([random.getrandbits(8)])))
    end = random.choice((start, len(lines[place])))
    lines[place] = lines[place][:start] + strange + lines[place][end:]
    return b"\r\n".join(lines)


def _frames(random: Random) -> _Said:
    frames = [_frame(random) for _ in range(random.randint(1, 6))]
    place = random.randrange(len(frames))
    if random.random() < 0.8:
        frames[place] = _wrong_frame(random, frames[place])
    return b"".join(frames), False


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
            frame(TEXT, _large_call(random)),
            frame(TEXT, fin=False) + frame(CONTINUATION, fin=False) * random.choice((1000, 1024)),
            frame(PING, b"?") * random.choice((2, 59, 61)),
        )
    )


def _large_call(random: Random) -> bytes:
    """Write a call over the limit, with its id first, last, nested or missing."""
    params = random.choice(("x", '"', "\\", "é")) * 2**20
    members = {"params": [params, {"id": 1}], "jsonrpc": "2.0", "method": "fuzz.add"}
    id = random.choice((7, "7", None, [7]))
    call = {"id": id, **members} if random.random() < 0.5 else {**members, "id": id}
    return json.dumps(call, ensure_ascii=random.random() < 0.5).encode()


def _pings(random: Random) -> _Said:
    """Send about as many pings as a server answers at once, and a Close frame."""
    count = PINGS + random.choice((-1, 0, 1, 2, 100))
    pings = (frame(PING, random.randbytes(random.choice((0, 1, 125)))) for _ in range(count))
    return b"".join(pings) + close_frame(1000, "bye"), count <= PINGS


def _plain(random: Random) -> _Said:
    return _conversation(random, random.sample(said.PLAIN, random.randint(1, 5)))


def _greeted(random: Random) -> _Said:
    messages = random.sample(said.GREETED, random.randint(1, 6))
    if random.random() < 0.2:
        messages.append(random.choice(said.GREETED_WRONG))
    return _conversation(random, [said.HELLO, *messages])


def _conversation(random: Random, messages: list[Any]) -> _Said:
    wrong = {random.randrange(len(messages)) for _ in range(random.randint(0, 2))}
    opcode = random.choice((TEXT, TEXT, TEXT, BINARY))
    frames = [
        _blob_frame(random, message, is_wrong=place in wrong)
        if isinstance(message, bytes)
        else frame(opcode, _text(random, message, is_wrong=place in wrong))
        for place, message in enumerate(messages)
    ]
    is_right = not wrong and messages[-1] not in said.GREETED_WRONG
    return b"".join(frames), is_right


def _blob_frame(random: Random, blob: bytes, *, is_wrong: bool) -> bytes:
    pieces = (b"\0", b"\xff\xff\xff\xff", b"[", b'"id": 76')
    return frame(BINARY, spoil_bytes(random, blob, pieces) if is_wrong else blob)


def _text(random: Random, message: Any, *, is_wrong: bool) -> bytes:
    return _wrong_text(random, message) if is_wrong else json.dumps(message).encode()


def _wrong_text(random: Random, message: Any) -> bytes:
    if random.random() < 0.2:
        text = json.dumps(message).encode()
        return spoil_bytes(random, text, (b'"', b"\\", b"{", b"]", b",", b"null", b"\xff"))
    if random.random() < 0.1:
        return spoil_json(random, [message] * random.choice((2, 300, 1001)))
    return spoil_json(random, message)


_KINDS: Final[Mapping[str, Callable[[Random], _Said]]] = {
    "bytes": _bytes,
    "tls": _tls,
    "http": _http,
    "frames": _frames,
    "pings": _pings,
    "plain": _plain,
    "greeted": _greeted,
}
KINDS: Final = tuple(_KINDS)

_ON_WEBSOCKETS: Final = {"frames", "pings", "plain", "greeted"}
"""The kinds that begin with a correct handshake."""
