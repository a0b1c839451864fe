"""JSON-RPC 2.0 as its specification has it: each example of section 7, and the ids of section 4.

https://www.jsonrpc.org/specification
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.protocol.calculator import Calculator


@pytest.fixture
def calculator() -> Calculator:
    return Calculator()


def result(value: Any, id: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "result": value, "id": id}


def error(code: int, message: str, id: Any = None) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "error": {"code": code, "message": message}, "id": id}


INVALID = error(-32600, "Invalid Request")
PARSE_ERROR = error(-32700, "Parse error")


def without_data(answer: Any) -> Any:
    """Leave out what the specification lets a server add to an error."""
    if isinstance(answer, list):
        return [without_data(each) for each in answer]
    if answer is not None and "error" in answer:
        return {**answer, "error": {k: answer["error"][k] for k in ("code", "message")}}
    return answer


EXAMPLES: list[tuple[str, str, Any]] = [
    (
        "positional parameters",
        '{"jsonrpc": "2.0", "method": "subtract", "params": [42, 23], "id": 1}',
        result(19, 1),
    ),
    (
        "positional parameters, the other way round",
        '{"jsonrpc": "2.0", "method": "subtract", "params": [23, 42], "id": 2}',
        result(-19, 2),
    ),
    (
        "named parameters",
        '{"jsonrpc": "2.0", "method": "subtract", '
        '"params": {"subtrahend": 23, "minuend": 42}, "id": 3}',
        result(19, 3),
    ),
    (
        "named parameters, the other way round",
        '{"jsonrpc": "2.0", "method": "subtract", '
        '"params": {"minuend": 42, "subtrahend": 23}, "id": 4}',
        result(19, 4),
    ),
    (
        "a notification with parameters",
        '{"jsonrpc": "2.0", "method": "update", "params": [1,2,3,4,5]}',
        None,
    ),
    ("a notification", '{"jsonrpc": "2.0", "method": "foobar"}', None),
    (
        "a method that is not there",
        '{"jsonrpc": "2.0", "method": "foobar", "id": "1"}',
        error(-32601, "Method not found", "1"),
    ),
    (
        "invalid JSON",
        '{"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz]',
        PARSE_ERROR,
    ),
    (
        "an invalid request object",
        '{"jsonrpc": "2.0", "method": 1, "params": "bar"}',
        INVALID,
    ),
    (
        "a batch with invalid JSON",
        """[
          {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
          {"jsonrpc": "2.0", "method"
        ]""",
        PARSE_ERROR,
    ),
    ("an empty array", "[]", INVALID),
    ("an invalid batch that is not empty", "[1]", [INVALID]),
    ("an invalid batch", "[1,2,3]", [INVALID, INVALID, INVALID]),
    (
        "a batch",
        """[
          {"jsonrpc": "2.0", "method": "sum", "params": [1,2,4], "id": "1"},
          {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]},
          {"jsonrpc": "2.0", "method": "subtract", "params": [42,23], "id": "2"},
          {"foo": "boo"},
          {"jsonrpc": "2.0", "method": "foo.get", "params": {"name": "myself"}, "id": "5"},
          {"jsonrpc": "2.0", "method": "get_data", "id": "9"}
        ]""",
        [
            result(7, "1"),
            result(19, "2"),
            INVALID,
            error(-32601, "Method not found", "5"),
            result(["hello", 5], "9"),
        ],
    ),
    (
        "a batch of notifications",
        """[
          {"jsonrpc": "2.0", "method": "notify_sum", "params": [1,2,4]},
          {"jsonrpc": "2.0", "method": "notify_hello", "params": [7]}
        ]""",
        None,
    ),
]


@pytest.mark.parametrize(
    ("said", "answer"),
    [(said, answer) for _, said, answer in EXAMPLES],
    ids=[name for name, _, _ in EXAMPLES],
)
@pytest.mark.parametrize("is_reversed", [False, True])
def test_an_example_of_the_specification(
    calculator: Calculator, said: str, answer: Any, is_reversed: bool
) -> None:
    """Each example of section 7 gets the reply shown, in whatever order the handlers end."""
    assert without_data(calculator.ask(said, is_reversed=is_reversed)) == answer


def test_notifications_are_heard(calculator: Calculator) -> None:
    """Notifications take effect, in a batch in its order."""
    for _, said, answer in EXAMPLES:
        if answer is None:
            calculator.ask(said)

    assert calculator.heard == ["update", "foobar", "notify_sum", "notify_hello"]


@pytest.mark.parametrize(
    "id", [0, -1, 1.5, 2**64, 1e300, "", "1", "a b", "\u00e9", "\0", "\U0001f600", None]
)
def test_an_id_comes_back(calculator: Calculator, id: Any) -> None:
    """An id is a string, a number or null, and its value is that of the request (section 5)."""
    said = {"jsonrpc": "2.0", "method": "echo", "params": [1], "id": id}

    assert calculator.ask(json.dumps(said)) == result([1], id)
    assert calculator.ask(json.dumps(said, ensure_ascii=False)) == result([1], id)


@pytest.mark.parametrize("id", [True, False, [], {}, [1], {"id": 1}])
def test_an_id_of_another_kind_is_answered_with_null(calculator: Calculator, id: Any) -> None:
    """A response to a request with an invalid id has the id null (section 5)."""
    said = {"jsonrpc": "2.0", "method": "echo", "id": id}

    assert without_data(calculator.ask(json.dumps(said))) == INVALID


@pytest.mark.parametrize("id", ["1", '"a"', "null", "0"])
def test_a_batch_may_repeat_an_id_that_is_settled(calculator: Calculator, id: str) -> None:
    """An id may be used again after its response."""
    said = f'[{{"jsonrpc":"2.0","method":"echo","id":{id}}}]'

    assert calculator.ask(said) == calculator.ask(said) == [result([], json.loads(id))]


def test_a_batch_is_answered_in_its_order(calculator: Calculator) -> None:
    """The largest batch gets its reply in order, though its handlers end in reverse."""
    said = [{"jsonrpc": "2.0", "method": "echo", "params": [n], "id": n} for n in range(1_000)]

    answers = calculator.ask(json.dumps(said), is_reversed=True)

    assert answers == [result([n], n) for n in range(1_000)]


@pytest.mark.parametrize("frame", [b'{"jsonrpc":"2.0","method":"echo","id":1}'])
def test_binary_is_answered_like_text(calculator: Calculator, frame: bytes) -> None:
    """JSON in a binary frame is read as in a text frame."""
    assert calculator.ask(frame) == calculator.ask(frame.decode()) == result([], 1)
