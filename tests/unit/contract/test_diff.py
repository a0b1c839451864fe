"""The changes between two contracts, and which of them break callers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from farcall._contract.diff import Change, diff
from farcall._contract.digest import digest
from farcall._contract.spec import (
    ArgumentSpec,
    ArrayOf,
    Definition,
    EnumSpec,
    FieldSpec,
    MethodSpec,
    NewTypeSpec,
    Ref,
    Scalar,
    ServiceSpec,
    SignalSpec,
    TypeSpec,
    UnionOf,
)
from tests.unit.contract.specs import (
    FLOAT,
    GIVEN,
    INT,
    NONE,
    STR,
    argument,
    market,
    method,
    record,
    releases,
    services,
    signal,
)

OPTIONAL_INT = UnionOf((INT, NONE))


def only_change(old: ServiceSpec, new: ServiceSpec) -> Change:
    (change,) = diff(old, new)
    return change


@given(services)
@settings(max_examples=30)
def test_nothing_changed(spec: ServiceSpec) -> None:
    """A contract does not differ from itself."""
    assert diff(spec, spec) == ()


@given(releases())
@settings(max_examples=100)
def test_changes_and_digest_agree(contracts: tuple[ServiceSpec, ServiceSpec]) -> None:
    """There are changes if and only if the digests differ, in both directions."""
    old, new = contracts
    is_same = digest(old) == digest(new)

    assert (diff(old, new) == ()) == is_same
    assert (diff(new, old) == ()) == is_same


def test_change_reads_well() -> None:
    """A change names its place, and says whether it breaks callers."""
    assert str(Change("Market.buy", "was removed", breaking=True)) == (
        "Market.buy was removed (breaks callers)"
    )
    assert str(Change("Market.buy", "was added", breaking=False)) == "Market.buy was added"


def test_service_is_renamed() -> None:
    """Another name of the service breaks callers."""
    assert only_change(market(), market(name="Shop")) == Change(
        "Market", "is called 'Shop' now", breaking=True
    )


BUY = method("buy", argument("symbol", STR))


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        ([], [BUY], Change("Market.buy", "was added", False)),
        ([BUY], [], Change("Market.buy", "was removed", True)),
        ([], [signal("ticked")], Change("Market.ticked", "was added", False)),
        ([signal("ticked")], [], Change("Market.ticked", "was removed", True)),
        ([], [record("Quote")], Change("Quote", "was added", False)),
        ([record("Quote")], [], Change("Quote", "was removed", False)),
    ],
)
def test_members(
    old: list[MethodSpec | SignalSpec | Definition],
    new: list[MethodSpec | SignalSpec | Definition],
    change: Change,
) -> None:
    """Removing a member breaks callers, adding one does not."""
    assert only_change(market(*old), market(*new)) == change


@pytest.mark.parametrize(
    ("changes", "message", "breaking"),
    [
        ({"result": INT}, "Market.buy -> result was None and is int now", True),
        ({"raises": ("Closed",)}, "Market.buy raises Closed now", False),
        ({"oneway": True}, "Market.buy is one-way now", True),
        ({"started": INT}, "Market.buy is a remote task now", True),
        ({"stream": True}, "Market.buy is a stream now", True),
    ],
)
def test_method(changes: dict[str, Any], message: str, breaking: bool) -> None:
    """Another result or kind of response breaks callers; another error does not."""
    change = only_change(market(BUY), market(replace(BUY, **changes)))

    assert f"{change.path} {change.message}" == message
    assert change.breaking is breaking


@pytest.mark.parametrize(
    ("old", "message"),
    [
        (replace(BUY, raises=("Closed",)), "Market.buy does not raise Closed now"),
        (replace(BUY, oneway=True), "Market.buy sends an answer now"),
    ],
)
def test_method_promises_more(old: MethodSpec, message: str) -> None:
    """Fewer errors, or a response to a former notification, do not break callers."""
    assert str(only_change(market(old), market(BUY))) == message


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (None, "Market.buy is no remote task now (breaks callers)"),
        (STR, "Market.buy -> started was int | str and is str now"),
        (FLOAT, "Market.buy -> started was int | str and is float now (breaks callers)"),
    ],
)
def test_what_a_task_tells_is_part_of_its_promise(new: TypeSpec | None, message: str) -> None:
    """The value with which a task starts can become more precise."""
    old = replace(BUY, started=UnionOf((INT, STR)))

    assert str(only_change(market(old), market(replace(BUY, started=new)))) == message


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ([], [argument("a")], "Market.f(a) was added and must be given (breaks callers)"),
        ([], [argument("a", default=GIVEN)], "Market.f(a) was added"),
        ([argument("a")], [], "Market.f(a) was removed (breaks callers)"),
        (
            [argument("a")],
            [argument("a", STR)],
            "Market.f(a) was int and is str now (breaks callers)",
        ),
        (
            [argument("a")],
            [argument("a", OPTIONAL_INT)],
            "Market.f(a) was int and is int | None now",
        ),
        (
            [argument("a", OPTIONAL_INT)],
            [argument("a")],
            "Market.f(a) was int | None and is int now (breaks callers)",
        ),
        (
            [argument("a", default=GIVEN)],
            [argument("a")],
            "Market.f(a) must be given now (breaks callers)",
        ),
        ([argument("a")], [argument("a", default=GIVEN)], "Market.f(a) may be left out now"),
        (
            [argument("a")],
            [argument("a", role="keyword")],
            "Market.f(a) is passed by name now (breaks callers)",
        ),
        (
            [argument("a")],
            [argument("a", role="positional")],
            "Market.f(a) is passed by position now (breaks callers)",
        ),
        (
            [argument("a", role="keyword")],
            [argument("a")],
            "Market.f(a) is passed either way now",
        ),
        (
            [argument("a")],
            [argument("a", upload=True)],
            "Market.f(a) is an upload now (breaks callers)",
        ),
        (
            [argument("a", upload=True)],
            [argument("a")],
            "Market.f(a) is no upload now (breaks callers)",
        ),
        (
            [argument("a", upload=True)],
            [argument("a", FLOAT, upload=True)],
            "Market.f(a) was int and is float now",
        ),
        (
            [argument("a"), argument("b")],
            [argument("b"), argument("a")],
            "Market.f takes its arguments in another order (breaks callers)",
        ),
    ],
)
def test_arguments(old: list[ArgumentSpec], new: list[ArgumentSpec], message: str) -> None:
    """An argument must accept the values of old callers, and can accept more."""
    assert str(only_change(market(method("f", *old)), market(method("f", *new)))) == message


def test_argument_in_front() -> None:
    """An argument added in front moves the others, and breaks callers."""
    old = market(method("f", argument("a")))
    new = market(method("f", argument("z", default=GIVEN), argument("a")))

    assert [str(change) for change in diff(old, new)] == [
        "Market.f(z) was added",
        "Market.f takes its arguments in another order (breaks callers)",
    ]


def test_argument_behind() -> None:
    """An argument added at the end moves no other."""
    old = market(method("f", argument("a")))
    new = market(method("f", argument("a"), argument("z", default=GIVEN)))

    assert [str(change) for change in diff(old, new)] == ["Market.f(z) was added"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (INT, OPTIONAL_INT, "was int and is int | None now (breaks callers)"),
        (OPTIONAL_INT, INT, "was int | None and is int now"),
        (ArrayOf("list", INT), ArrayOf("tuple", INT), "was list[int] and is tuple[int, ...] now"),
    ],
)
def test_result(old: TypeSpec, new: TypeSpec, message: str) -> None:
    """A result can become more precise, not less."""
    change = only_change(market(method("f", result=old)), market(method("f", result=new)))

    assert str(change) == f"Market.f -> result {message}"


def test_stream_before() -> None:
    """A stream that becomes a method with one result breaks callers, and the reverse."""
    old, new = method("f", result=INT, stream=True), method("f", result=INT)

    assert str(only_change(market(old), market(new))) == (
        "Market.f answers once now (breaks callers)"
    )


def test_items_of_a_stream() -> None:
    """An item can become more precise, as a result can."""
    old, new = (method("f", result=each, stream=True) for each in (OPTIONAL_INT, INT))

    assert str(only_change(market(old), market(new))) == (
        "Market.f -> item was int | None and is int now"
    )


TICKED = signal("ticked", Scalar("json"), key="symbol", key_type=STR)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value": INT}, "was Json and is int now"),
        ({"key": None, "key_type": None}, "has no key now (breaks callers)"),
        ({"key": "exchange"}, "has the key exchange (str) now (breaks callers)"),
        ({"key_type": INT}, "has the key symbol (int) now (breaks callers)"),
        ({"key_type": UnionOf((STR, INT))}, "has the key symbol (str | int) now"),
        ({"retain": True}, "is declared retain now"),
        ({"broadcast": True}, "is declared broadcast now"),
    ],
)
def test_signal(changes: dict[str, Any], message: str) -> None:
    """Another key breaks subscribers; values can become more precise."""
    change = only_change(market(TICKED), market(replace(TICKED, **changes)))

    assert str(change) == f"Market.ticked {message}"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"value": INT}, "was int and is Json now (breaks callers)"),
        ({"key": None, "key_type": None}, "has the key symbol (str) now"),
        ({"retain": True}, "is not declared retain now (breaks callers)"),
        ({"broadcast": True}, "is not declared broadcast now (breaks callers)"),
    ],
)
def test_signal_before(changes: dict[str, Any], message: str) -> None:
    """Subscribers must still get what they got before."""
    change = only_change(market(replace(TICKED, **changes)), market(TICKED))

    assert str(change) == f"Market.ticked {message}"


def sends(*definitions: Definition) -> ServiceSpec:
    name = definitions[0].name
    return market(method("f", argument("a", Ref(name))), *definitions)


def uploads(*definitions: Definition) -> ServiceSpec:
    name = definitions[0].name
    return market(method("f", argument("a", Ref(name), upload=True)), *definitions)


def receives(*definitions: Definition) -> ServiceSpec:
    return market(method("f", result=Ref(definitions[0].name)), *definitions)


def field(name: str, type_: TypeSpec = INT, *, optional: bool = False) -> FieldSpec:
    return FieldSpec(name, type_, GIVEN if optional else None)


def quote(*fields: FieldSpec) -> Definition:
    return record("Quote", *fields)


@pytest.mark.parametrize(
    ("old", "new", "message", "breaks_sent", "breaks_received"),
    [
        ([], [field("a")], "was added", True, False),
        ([], [field("a", optional=True)], "was added", False, False),
        ([field("a")], [], "was removed", True, True),
        ([field("a", optional=True)], [], "was removed", True, False),
        ([field("a")], [field("a", FLOAT)], "was int and is float now", False, True),
        ([field("a")], [field("a", STR)], "was int and is str now", True, True),
        ([field("a")], [field("a", optional=True)], "may be left out now", False, False),
        ([field("a", optional=True)], [field("a")], "must be given now", True, False),
    ],
)
def test_fields(
    old: list[FieldSpec],
    new: list[FieldSpec],
    message: str,
    breaks_sent: bool,
    breaks_received: bool,
) -> None:
    """The direction in which a record crosses decides whether a change of a field breaks."""
    sent = only_change(sends(quote(*old)), sends(quote(*new)))
    received = only_change(receives(quote(*old)), receives(quote(*new)))

    assert sent.path == received.path == "Quote.a"
    assert sent.message.removesuffix(" and must be given") == received.message == message
    assert (sent.breaking, received.breaking) == (breaks_sent, breaks_received)


@pytest.mark.parametrize(
    ("old", "new", "breaks"),
    [
        ([], [field("a")], True),
        ([field("a")], [], False),
        ([field("a")], [field("a", STR)], True),
        ([field("a")], [field("a", FLOAT)], False),
    ],
)
def test_fields_of_uploaded_items(old: list[FieldSpec], new: list[FieldSpec], breaks: bool) -> None:
    """A server needs all fields of an item, and ignores unknown ones."""
    assert only_change(uploads(quote(*old)), uploads(quote(*new))).breaking is breaks


def test_what_a_task_tells_is_received() -> None:
    """Records in the value with which a task starts count as received."""
    task = replace(BUY, started=Ref("Quote"))
    old, new = quote(field("a")), quote(field("a", FLOAT))

    assert only_change(market(task, old), market(task, new)).breaking


def test_field_of_a_dict_may_be_absent() -> None:
    """A key of a received TypedDict that is no longer required breaks callers."""
    old = record("Quote", field("a"), kind="typeddict")
    new = record("Quote", field("a", optional=True), kind="typeddict")

    assert only_change(receives(old), receives(new)).breaking


def test_unused_record_breaks_nobody() -> None:
    """A change of a record that does not cross breaks no caller."""
    assert not only_change(market(quote(field("a"))), market(quote(field("a", STR)))).breaking


def test_field_deep_inside() -> None:
    """A record inside another one crosses in the same direction."""
    outer = record("Book", field("quotes", ArrayOf("list", Ref("Quote"))))

    change = only_change(sends(outer, quote()), sends(outer, quote(field("a"))))

    assert str(change) == "Quote.a was added and must be given (breaks callers)"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "dataclass"}, "Quote is of kind dataclass now"),
        ({"parameters": ("T",)}, "Quote has other type parameters now (breaks callers)"),
        ({"code": 7}, "Quote has the code 7 now (breaks callers)"),
    ],
)
def test_record(changes: dict[str, Any], message: str) -> None:
    """The kind of a record does not break callers; another code or other parameters do."""
    change = only_change(market(record("Quote")), market(record("Quote", **changes)))

    assert str(change) == message


def test_error_is_received() -> None:
    """The fields of a declared error count as received."""
    failing = method("f", raises=("Quote",))
    old, new = market(failing, quote(field("a"))), market(failing, quote(field("a", STR)))

    assert only_change(old, new).breaking


SIDE = EnumSpec("Side", "Enum", (("BUY", "buy"), ("SELL", "sell")))


@pytest.mark.parametrize(
    ("members", "messages", "breaks_sent", "breaks_received"),
    [
        ((("BUY", "buy"),), ["Side.SELL was removed"], [True], [False]),
        ((*SIDE.members, ("HOLD", "hold")), ["Side.HOLD was added"], [False], [True]),
        (
            (("BUY", "buy"), ("SELL", "s")),
            ["Side.SELL was 'sell' and is 's' now"],
            [True],
            [True],
        ),
        (
            (("BUY", "buy"), ("SOLD", "sell")),
            ["Side.SELL was removed", "Side.SOLD was added"],
            [False, False],
            [False, False],
        ),
    ],
)
def test_enum(
    members: tuple[tuple[str, str], ...],
    messages: list[str],
    breaks_sent: list[bool],
    breaks_received: list[bool],
) -> None:
    """A change of the values of an enum breaks callers, one of its names does not."""
    new = replace(SIDE, members=members)
    sent, received = diff(sends(SIDE), sends(new)), diff(receives(SIDE), receives(new))

    assert [f"{change.path} {change.message}" for change in sent] == messages
    assert [change.breaking for change in sent] == breaks_sent
    assert [change.breaking for change in received] == breaks_received


def test_base_of_enum() -> None:
    """A change of the base of an enum breaks no caller."""
    change = only_change(sends(SIDE), sends(replace(SIDE, base="StrEnum")))

    assert str(change) == "Side is an StrEnum now"


@pytest.mark.parametrize(("spec", "breaks"), [(sends, False), (uploads, False), (receives, True)])
def test_new_type(spec: Callable[..., ServiceSpec], breaks: bool) -> None:
    """A new type is compared by its target."""
    change = only_change(spec(NewTypeSpec("Price", INT)), spec(NewTypeSpec("Price", FLOAT)))

    assert change == Change("Price", "was int and is float now", breaks)


def test_another_kind_of_type() -> None:
    """A record that becomes an enum of the same name breaks callers."""
    change = only_change(sends(record("Side")), sends(SIDE))

    assert str(change) == "Side is another kind of type now (breaks callers)"
