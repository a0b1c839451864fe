"""The arguments of one method."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from farcall._codec import OMIT, Argument, Arguments, Faults, UnsupportedType
from farcall.errors import EncodeError


@attrs.frozen
class Item:
    id: int


BUY = Arguments(
    [
        Argument("item", Item),
        Argument("quantity", int, default=1),
        Argument("limit", float | None, "keyword", default=None),
        Argument("dry", bool, "keyword"),
    ]
)
SWAP = Arguments(
    [
        Argument("a", int, "positional"),
        Argument("b", int, "positional", default=2),
        Argument("c", int, "positional", default=3),
        Argument("d", int, default=4),
    ]
)
BLOCK = Arguments(
    [
        Argument("number", str, "positional"),
        Argument("full", bool, "positional", default=False),
        Argument("item", Item | None, "positional", default=None),
    ]
)
NOTHING = Arguments([])


@pytest.mark.parametrize(
    ("arguments", "args", "kwargs", "text"),
    [
        (BUY, (Item(1),), {"dry": True}, '{"item":{"id":1},"dry":true}'),
        (BUY, (Item(1), 2), {"dry": True}, '{"item":{"id":1},"quantity":2,"dry":true}'),
        (
            BUY,
            (),
            {"limit": None, "dry": False, "item": Item(1)},
            '{"item":{"id":1},"limit":null,"dry":false}',
        ),
        (BUY, (Item(1), OMIT), {"dry": True, "limit": OMIT}, '{"item":{"id":1},"dry":true}'),
        (SWAP, (1, OMIT, 5), {}, '{"a":1,"c":5}'),
        (SWAP, (1,), {"d": 2}, '{"a":1,"d":2}'),
        (BLOCK, ("0x1", True), {}, '["0x1",true]'),
        (BLOCK, ("0x1", True, Item(1)), {}, '["0x1",true,{"id":1}]'),
        (BLOCK, ("0x1", OMIT), {}, '["0x1"]'),
        (NOTHING, (), {}, None),
        (Arguments([Argument("a", int, default=1)]), (OMIT,), {}, None),
        (Arguments([Argument("a", int, "positional", default=1)]), (OMIT,), {}, None),
    ],
)
def test_encode(
    arguments: Arguments, args: tuple[Any, ...], kwargs: dict[str, Any], text: str | None
) -> None:
    """Passed arguments are sent, by position if all are positional only; `OMIT` is left out."""
    encoded = arguments.encode(args, kwargs)

    assert (None if encoded is None else encoded.decode()) == text


@pytest.mark.parametrize(
    ("arguments", "args", "kwargs", "error"),
    [
        (BUY, (), {"dry": True}, "missing argument 'item'"),
        (BUY, (Item(1),), {}, "missing argument 'dry'"),
        (BUY, (OMIT,), {"dry": True}, "missing argument 'item'"),
        (
            BUY,
            (Item(1), 1, 2.0),
            {"dry": True},
            "expected at most 2 arguments by position, got 3",
        ),
        (BUY, (Item(1),), {"item": Item(2), "dry": True}, "got two values for argument 'item'"),
        (BUY, (Item(1),), {"dry": True, "x": 1}, "got an unexpected keyword argument 'x'"),
        (SWAP, (), {"a": 1}, "got an unexpected keyword argument 'a'"),
        (NOTHING, (1,), {}, "expected at most 0 arguments by position, got 1"),
        (BLOCK, (), {}, "missing argument 'number'"),
        (BLOCK, ("0x1", OMIT, Item(1)), {}, "argument 'full' cannot be left out before 'item'"),
        (BLOCK, ("0x1",), {"full": True}, "got an unexpected keyword argument 'full'"),
    ],
)
def test_wrong_call(
    arguments: Arguments, args: tuple[Any, ...], kwargs: dict[str, Any], error: str
) -> None:
    """A call that Python cannot bind raises TypeError, as it does locally."""
    with pytest.raises(TypeError) as caught:
        arguments.encode(args, kwargs)

    assert str(caught.value) == error


def test_some_may_be_text_already() -> None:
    """An argument that is JSON text already is sent beside the others."""
    assert BUY.write({"quantity": 2}, {"item": b"[1]", "dry": b"0"}) == (
        b'{"quantity":2,"item":[1],"dry":0}'
    )
    assert SWAP.write({}, {"a": b"null"}) == b'{"a":null}'
    assert BLOCK.write({"number": "0x1"}, {"full": b"[1]"}) == b'["0x1",[1]]'
    assert BLOCK.write({"full": True}, {"number": b"[1]"}) == b"[[1],true]"
    with pytest.raises(EncodeError, match=r"^expected int, got str @ params\.quantity$"):
        BUY.write({"quantity": "2"}, {"item": b"[1]"})


def test_wrong_value() -> None:
    """An argument that is not of its type is an EncodeError with its path."""
    with pytest.raises(EncodeError, match=r"^expected bool, got int @ params\.full$"):
        BLOCK.encode(("0x1", 1), {})
    with pytest.raises(EncodeError, match=r"^expected int, got str @ params\.item\.id$"):
        BUY.encode((Item("1"),), {"dry": True})  # type: ignore[arg-type]  # the mistake


@pytest.mark.parametrize(
    ("arguments", "text", "args", "kwargs"),
    [
        (BUY, '{"item":{"id":1},"dry":true}', [], {"item": Item(1), "dry": True}),
        (SWAP, "[1]", [1, 2, 3], {}),
        (SWAP, "[1,5,6,7]", [1, 5, 6, 7], {}),
        (SWAP, '{"a":1,"c":5}', [1, 2, 5], {}),
        (NOTHING, None, [], {}),
        (NOTHING, "[]", [], {}),
        (NOTHING, "{}", [], {}),
        (Arguments([Argument("a", int, default=1)]), None, [], {}),
        (Arguments([Argument("a", list[int])]), "[[1]]", [[1]], {}),
    ],
)
def test_decode(
    arguments: Arguments, text: str | None, args: list[Any], kwargs: dict[str, Any]
) -> None:
    """Arguments are read by position and by name; the function's own defaults do the rest."""
    params = None if text is None else text.encode()

    assert arguments.decode(params) == (args, kwargs)


@pytest.mark.parametrize(
    ("arguments", "text", "expected"),
    [
        (BUY, None, ["missing @ params.item", "missing @ params.dry"]),
        (BUY, '[{"id":1}]', ["missing @ params.dry"]),
        (
            BUY,
            '[{"id":"1"},"2"]',
            ["expected int @ params[0].id", "expected int @ params[1]", "missing @ params.dry"],
        ),
        (BUY, '[{"id":1},2,3]', ["unknown argument @ params[2]"]),
        (
            BUY,
            '{"item":{"id":1,"x":2},"dry":1,"y":3}',
            [
                "unknown field @ params.item.x",
                "expected bool @ params.dry",
                "unknown argument @ params.y",
            ],
        ),
        (BUY, "3", ["expected object or array @ params"]),
        (NOTHING, "[1]", ["unknown argument @ params[0]"]),
        (NOTHING, '{"a":1}', ["unknown argument @ params.a"]),
    ],
)
def test_refuses_to_read(arguments: Arguments, text: str | None, expected: list[str]) -> None:
    """All faults of the arguments are reported, with the paths that the caller sent."""
    with pytest.raises(Faults) as caught:
        arguments.decode(None if text is None else text.encode())

    assert list(map(str, caught.value.errors)) == expected


def test_unsupported() -> None:
    """A parameter whose type cannot cross is refused."""
    with pytest.raises(UnsupportedType):
        Arguments([Argument("a", complex)])
