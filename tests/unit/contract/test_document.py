"""Contracts as documents: written completely, and read from any text."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from examples.chat.service import Chat
from examples.files.service import Files
from examples.market.service import Market
from farcall._contract.digest import digest
from farcall._contract.document import (
    MAX_BYTES,
    document_of,
    parse_document,
    read_document,
)
from farcall._contract.form_reading import MAX_LEVELS, MAX_PARTS, BadDocument, read_form
from farcall._contract.forms import form_of
from farcall._contract.spec import (
    Access,
    ArgumentSpec,
    ArrayOf,
    Default,
    EnumMember,
    EnumSpec,
    FieldSpec,
    LiteralOf,
    MapOf,
    MethodSpec,
    NewTypeSpec,
    Parameter,
    RecordSpec,
    Ref,
    Scalar,
    ServiceSpec,
    SignalSpec,
    TupleOf,
    UnionOf,
)
from farcall._declare import documented, service_of
from farcall._demo.service import Monitor
from farcall.stubgen._module import render_module
from tests.unit.contract import specs
from tests.unit.contract.specs import INT, NONE, STR
from tests.unit.stubgen import strategies
from tests.unit.stubgen.bazaar import Bazaar

SOME = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])

SIDE = EnumSpec("Side", "StrEnum", (("BUY", "buy"), ("SELL", "sell")), aliases=(("B", "BUY"),))
SYMBOL = NewTypeSpec("Symbol", STR)
QUOTE = RecordSpec(
    "Quote",
    "attrs",
    (
        FieldSpec("symbol", Ref("Symbol")),
        FieldSpec("price", Scalar("float"), Default("1.5"), keyword_only=True, attribute="_price"),
    ),
    frozen=True,
    doc="What a symbol costs.",
)
PAGE = RecordSpec(
    "Page", "dataclass", (FieldSpec("items", ArrayOf("list", Parameter("T"))),), parameters=("T",)
)
TABLE = RecordSpec("Table", "typeddict", (FieldSpec("a b", INT), FieldSpec("__x", INT)))
TROUBLE = RecordSpec("Trouble", "error", (), code=7)
CLOSED = RecordSpec("Closed", "error", (FieldSpec("why", STR),), code=1, base="Trouble")
MARKET = ServiceSpec(
    "Market",
    "Market",
    (
        MethodSpec(
            "quote",
            "Market.quote",
            (
                ArgumentSpec("symbol", Ref("Symbol"), "positional"),
                ArgumentSpec(
                    "side", LiteralOf((EnumMember("Side", "BUY"), 1, True, None)), "either"
                ),
                ArgumentSpec("limit", UnionOf((INT, NONE)), "keyword", Default("None")),
            ),
            Ref("Page", (Ref("Quote"),)),
            raises=("Closed",),
            access=Access(protected=True, roles=frozenset({"trader", "admin"})),
        ),
        MethodSpec(
            "place",
            "Market.place",
            (ArgumentSpec("orders", Ref("Quote"), "either", upload=True),),
            TupleOf((INT, STR)),
            stream=True,
        ),
    ),
    (SignalSpec("ticked", "Market.ticked", Ref("Quote"), "symbol", Ref("Symbol"), retain=True),),
    (CLOSED, PAGE, QUOTE, SIDE, SYMBOL, TABLE, TROUBLE),
)


def through_json(document: object) -> Any:
    return json.loads(json.dumps(document))


def document(spec: ServiceSpec = MARKET) -> Any:
    """Write a contract, without the digest that a mutation would miss."""
    written = through_json(document_of([spec]))
    del written["services"][0]["digest"]
    return written


def test_form() -> None:
    """Members that have their default are left out, and types begin with their kind."""
    form = form_of(MARKET)
    assert isinstance(form, dict)
    quote, place = through_json(form["methods"])

    assert quote == {
        "name": "quote",
        "wire_name": "Market.quote",
        "arguments": [
            {"name": "symbol", "type": ["ref", "Symbol"], "role": "positional"},
            {
                "name": "side",
                "type": [
                    "literal",
                    ["member", "Side", "BUY"],
                    ["int", 1],
                    ["bool", True],
                    ["NoneType", None],
                ],
                "role": "either",
            },
            {
                "name": "limit",
                "type": ["union", "int", "none"],
                "role": "keyword",
                "default": {"source": "None"},
            },
        ],
        "result": ["ref", "Page", ["ref", "Quote"]],
        "raises": ["Closed"],
        "access": {"protected": True, "roles": ["admin", "trader"]},
    }
    assert place["result"] == ["items", "int", "str"]
    assert place["arguments"][0]["upload"]


def test_document() -> None:
    """A document has a version, and the digest of each contract."""
    written = document_of([MARKET, MARKET])

    assert written["v"] == 1
    assert [each["digest"] for each in through_json(written)["services"]] == [digest(MARKET)] * 2
    assert read_document(through_json(written)) == (MARKET, MARKET)
    assert parse_document(json.dumps(written)) == (MARKET, MARKET)


@SOME
@given(specs.services)
def test_every_contract_has_a_form(spec: ServiceSpec) -> None:
    """Any contract is read back as it was written."""
    assert read_form(ServiceSpec, through_json(form_of(spec)), "it") == spec


@SOME
@given(st.lists(strategies.services(), max_size=2))
def test_every_service_has_a_document(services: list[ServiceSpec]) -> None:
    """The contracts of any services are read back as they were written."""
    assert read_document(through_json(document_of(services))) == tuple(services)


@pytest.mark.parametrize("service", [Bazaar, Chat, Files, Market, Monitor])
def test_a_stub_of_a_document_is_the_stub_of_the_class(service: type[Any]) -> None:
    """A stub made from a document is the same byte for byte, with docstrings and defaults."""
    spec = documented(service_of(service))

    (read,) = read_document(through_json(document_of([spec])))

    assert render_module(read, digest(read)) == render_module(spec, digest(spec))


@SOME
@given(strategies.services())
def test_every_stub_can_be_made_of_a_document(spec: ServiceSpec) -> None:
    """A stub made from the document of any service is the same byte for byte."""
    (read,) = read_document(through_json(document_of([spec])))

    assert render_module(read, digest(read)) == render_module(spec, digest(spec))


def test_what_is_unknown_is_ignored() -> None:
    """Unknown members are ignored: a later version can add some."""
    written = document()
    written["new"] = 1
    written["services"][0]["new"] = written["services"][0]["methods"][0]["new"] = {"a": 1}

    assert read_document(written) == (MARKET,)


def test_docstring_with_half_of_a_pair() -> None:
    """A lone surrogate in a docstring is written as an escape."""
    odd = replace(MARKET, doc="half \ud83d of it")

    (read,) = read_document(through_json(document_of([odd])))

    assert read == replace(odd, doc=r"half \ud83d of it")


def change(path: str, value: object) -> Callable[[Any], None]:
    """Put a value into a document; the path is Python source."""

    def apply(it: Any) -> None:
        exec(f"it{path} = value", {"it": it, "value": value})

    return apply


SERVICE = "['services'][0]"
METHOD = f"{SERVICE}['methods'][0]"
DEFINITIONS = f"{SERVICE}['definitions']"
LONG = "x" * 257


@pytest.mark.parametrize(
    ("path", "value", "error"),
    [
        ("['v']", 2, "the document has version 2, and this farcall reads 1 @ v"),
        ("['v']", True, "expected the version of the document, an integer from 1 @ v"),
        ("['services']", {}, "expected a list of at most 4096 services @ services"),
        (SERVICE, [], "expected an object @ services[0]"),
        (f"{SERVICE}['digest']", "0" * 32, "this is not the digest of the contract"),
        (f"{SERVICE}['class_name']", "import os", "services[0].class_name"),
        (f"{SERVICE}['class_name']", "class", "services[0].class_name"),
        (f"{SERVICE}['class_name']", "__Market", "services[0].class_name"),
        (f"{SERVICE}['class_name']", LONG, "at most 256 characters @ services[0].class_name"),
        (f"{SERVICE}['class_name']", "ﬁ", "services[0].class_name"),
        (f"{SERVICE}['name']", LONG, "at most 256 characters @ services[0].name"),
        (f"{SERVICE}['doc']", 1, "expected str @ services[0].doc"),
        (f"{METHOD}['name']", "a\nb", "services[0].methods[0].name"),
        (f"{METHOD}['name']", "_caller", "cannot begin with an underscore"),
        (f"{METHOD}['name']", "place", "'place' is there 2 times @ services[0].methods"),
        (f"{METHOD}['name']", "ticked", "'ticked' is there 2 times @ services[0].methods"),
        (f"{METHOD}['wire_name']", "Market.ticked", "'Market.ticked' is there 2 times"),
        (f"{METHOD}['wire_name']", "\ud83d", "without lone surrogates"),
        (f"{METHOD}['oneway']", 1, "expected bool @ services[0].methods[0].oneway"),
        (f"{METHOD}['raises']", ["Quote"], "'Quote' is not a declared error"),
        (
            f"{METHOD}['access']",
            {"roles": [1]},
            "expected str @ services[0].methods[0].access.roles",
        ),
        (f"{METHOD}['arguments'][0]['name']", "__x", "services[0].methods[0].arguments[0].name"),
        (f"{METHOD}['arguments'][0]['name']", "side", "'side' is there 2 times"),
        (f"{METHOD}['arguments'][0]['role']", "keyword", "expected positional ones first"),
        (f"{METHOD}['arguments'][0]['role']", "both", "expected positional | either | keyword"),
        (
            f"{METHOD}['arguments'][0]['default']",
            {"source": "1"},
            "one without a default stands after",
        ),
        (f"{METHOD}['arguments'][2]['default']", {"source": "f()"}, "expected a literal"),
        (f"{METHOD}['arguments'][2]['default']", {}, "missing @ services[0].methods[0]"),
        (f"{METHOD}['result']", ["ref", "Page"], "Page takes another number of arguments"),
        (
            f"{METHOD}['result']",
            ["ref", "Side", "int"],
            "Side takes another number of arguments",
        ),
        (f"{METHOD}['result']", ["ref", "Nothing"], "'Nothing' is not defined"),
        (f"{METHOD}['result']", ["list", ["ref", "Nothing"]], "'Nothing' is not defined"),
        (f"{METHOD}['result']", ["dict", "str", ["ref", "No"]], "'No' is not defined"),
        (f"{METHOD}['result']", ["ref"], "expected str @ services[0].methods[0].result[1]"),
        (f"{METHOD}['result']", ["parameter", "T"], "'T' is not a type variable of this record"),
        (f"{METHOD}['result']", ["list"], "expected list with 1 parts"),
        (f"{METHOD}['result']", ["union"], "expected a union of at least one type"),
        (f"{METHOD}['result']", ["literal"], "expected a literal of at least one value"),
        (f"{METHOD}['result']", ["literal", ["float", 1.5]], "expected a value with its type"),
        (f"{METHOD}['result']", ["literal", ["int", True]], "expected a value with its type"),
        (f"{METHOD}['result']", ["literal", ["bytes", "xx"]], "expected hexadecimal digits"),
        (f"{METHOD}['result']", ["literal", ["bytes", "AA"]], "expected hexadecimal digits"),
        (f"{METHOD}['result']", ["literal", ["member", "Side", "NO"]], "Side.NO is not a member"),
        (f"{METHOD}['result']", ["literal", ["member", "No", "NO"]], "No.NO is not a member"),
        (f"{METHOD}['result']", "number", "expected a type"),
        (f"{METHOD}['result']", ["sock", "int"], "expected a type"),
        (f"{METHOD}['result']", [], "expected a type"),
        (f"{METHOD}['stream']", True, None),
        (f"{METHOD}['started']", ["ref", "No"], "'No' is not defined"),
        (f"{METHOD}['max_seconds']", 0, "expected a number above 0"),
        (f"{METHOD}['max_seconds']", "2", "expected"),
        (f"{METHOD}['max_concurrent']", 0, "expected a number from 1 up"),
        (
            f"{SERVICE}['methods'][1]['oneway']",
            True,
            "a stream cannot be one-way, nor a remote task",
        ),
        (
            f"{SERVICE}['methods'][1]['arguments'][0]['default']",
            {"source": None},
            "an upload has no default",
        ),
        (f"{SERVICE}['signals'][0]['key']", None, "expected together with key"),
        (f"{SERVICE}['signals'][0]['key_type']", ["ref", "No"], "'No' is not defined"),
        (f"{DEFINITIONS}[0]['sort']", "class", "expected record | enum | newtype"),
        (f"{DEFINITIONS}[0]['name']", "Page", "'Page' is there 2 times @ services[0].definitions"),
        (f"{DEFINITIONS}[0]['code']", None, "expected for errors, and for no other record"),
        (f"{DEFINITIONS}[0]['code']", 2, "the code is reserved"),
        (f"{DEFINITIONS}[0]['code']", -32601, "the code is reserved"),
        (f"{DEFINITIONS}[0]['base']", "Quote", "'Quote' is not a declared error"),
        (f"{DEFINITIONS}[0]['fields'][0]['name']", "args", "args has another meaning"),
        (f"{DEFINITIONS}[6]['base']", "Closed", "derives from itself"),
        (f"{DEFINITIONS}[1]['parameters']", ["T", "T"], "'T' is there 2 times"),
        (f"{DEFINITIONS}[1]['parameters']", ["a b"], "services[0].definitions[1].parameters"),
        (f"{DEFINITIONS}[2]['kind']", "pydantic", "expected attrs | dataclass"),
        (f"{DEFINITIONS}[2]['fields'][0]['name']", "x = 1", "definitions[2].fields[0].name"),
        (f"{DEFINITIONS}[2]['fields'][0]['name']", "self", "self has another meaning"),
        (f"{DEFINITIONS}[2]['fields'][1]['name']", "symbol", "'symbol' is there 2 times"),
        (f"{DEFINITIONS}[2]['fields'][1]['attribute']", "symbol", "'symbol' is there 2 times"),
        (
            f"{DEFINITIONS}[2]['fields'][1]['attribute']",
            "x: int",
            "definitions[2].fields[1].attribute",
        ),
        (f"{DEFINITIONS}[2]['fields'][0]['default']", {"source": "1"}, None),
        (f"{DEFINITIONS}[3]['members']", [], "expected at least one, with values that StrEnum has"),
        (
            f"{DEFINITIONS}[3]['members']",
            [["A", 1]],
            "expected at least one, with values that StrEnum has",
        ),
        (f"{DEFINITIONS}[3]['members']", [["A", "a", 1]], "expected 2 items"),
        (f"{DEFINITIONS}[3]['members']", [["A", "a"], ["C", "a"]], "'str a' is there 2 times"),
        (f"{DEFINITIONS}[3]['aliases']", [["BUY", "BUY"]], "'BUY' is there 2 times"),
        (f"{DEFINITIONS}[3]['aliases']", [["B", "NO"]], "expected names of members"),
        (f"{DEFINITIONS}[4]['target']", ["ref", "Symbol"], "Symbol contains itself"),
        (f"{DEFINITIONS}[4]['target']", ["list", ["ref", "Symbol"]], "Symbol contains itself"),
    ],
)
def test_what_makes_no_sense_is_refused(path: str, value: object, error: str | None) -> None:
    """Bad names, undefined references and code in place of a literal are refused."""
    written = document()
    change(path, value)(written)

    if error is None:
        read_document(written)
        return
    with pytest.raises(BadDocument) as caught:
        read_document(written)
    assert error in str(caught.value)


@pytest.mark.parametrize("value", [None, [], "x", 1, {}, {"v": 1}, {"v": 1, "services": [None]}])
def test_what_is_no_document(value: object) -> None:
    """Any other JSON is refused."""
    with pytest.raises(BadDocument):
        read_document(value)


def test_new_types_may_not_stand_for_each_other() -> None:
    """A type that contains itself other than in a record has no values."""
    written = document()
    definitions = written["services"][0]["definitions"]
    definitions[4]["target"] = ["list", ["ref", "Other"]]
    definitions.append({"sort": "newtype", "name": "Other", "target": ["union", ["ref", "Symbol"]]})

    with pytest.raises(BadDocument, match="contains itself"):
        read_document(written)


def test_a_record_may_contain_itself() -> None:
    """A new type that contains itself through another one is refused."""
    tree = RecordSpec("Tree", "attrs", (FieldSpec("left", Ref("Left")),))
    left = NewTypeSpec("Left", MapOf("dict", STR, Ref("Tree")))
    spec = replace(MARKET, definitions=(left, *MARKET.definitions, tree))

    assert read_document(document(spec)) == (spec,)


def test_limits() -> None:
    """Lists, types and texts have a largest size."""
    deep: Any = "int"
    for _ in range(MAX_LEVELS - 1):
        deep = ["list", deep]
    fits, beyond = document(), document()
    change(f"{METHOD}['result']", deep)(fits)
    change(f"{METHOD}['result']", ["list", deep])(beyond)
    assert read_document(fits)
    with pytest.raises(BadDocument, match="nests deeper than 64 levels"):
        read_document(beyond)

    many = document()
    change(f"{METHOD}['raises']", ["Closed"] * (MAX_PARTS + 1))(many)
    with pytest.raises(BadDocument, match="expected at most 4096 items"):
        read_document(many)

    with pytest.raises(BadDocument, match="more than 16777216 bytes"):
        parse_document(b" " * (MAX_BYTES + 1))


@pytest.mark.parametrize("text", ["", "[", "[" * 100_000, '{"v": 1', "9" * 5000, b"\xff"])
def test_texts_that_are_no_json(text: str | bytes) -> None:
    """Any text is read, or raises `BadDocument` and nothing else."""
    with pytest.raises(BadDocument):
        parse_document(text)


@pytest.mark.parametrize(
    "source",
    [
        "None",
        "-1.5",
        "1e+16",
        '"a"',
        'b"a"',
        "(1, 2)",
        "[]",
        '{"a": [1]}',
        "{1, 2}",
        "set()",
        "frozenset({1})",
        "Side.BUY",
        "Side.B",
        'decimal.Decimal("1.5")',
        "datetime.timedelta(days=1)",
        "datetime.date(2024, 1, 2)",
        "fractions.Fraction(1, -3)",
        'ipaddress.IPv4Address("10.0.0.1")',
        'pathlib.PurePosixPath("a b")',
        'uuid.UUID("00000000-0000-0000-0000-000000000000")',
        'Quote(symbol="a")',
        "[Quote(symbol=Side.BUY)]",
    ],
)
def test_literals_are_taken(source: str) -> None:
    """A default is a literal, or a call that makes a plain value of literals."""
    written = document()
    change(f"{METHOD}['arguments'][2]['default']", {"source": source})(written)

    assert read_document(written)


@pytest.mark.parametrize(
    "source",
    [
        "",
        " 1",
        "1\n2",
        "x",
        "print()",
        "__import__('os')",
        "1 + 1",
        "-True",
        "1j",
        "...",
        "f'{1}'",
        "[*x]",
        "{**x}",
        "[x for x in y]",
        "lambda: 1",
        "Side.NO",
        "No.BUY",
        "Side.BUY.value",
        "os.system('x')",
        "decimal.Decimal(open('x'))",
        "decimal.Decimal",
        "uuid.UUID(**x)",
        "Quote(1)",
        "Quote(nothing=1)",
        "Quote(symbol=print())",
        "Side('buy')",
        "set(x)",
        "set([1], [2])",
        "(" * 1000 + ")" * 1000,
        "1" * 5000,
        "'" + "x" * 70_000 + "'",
        r"'\d'",
        "'\x00'",
        "1 if 2 else 3",
        "(yield)",
        "x := 1",
    ],
)
def test_code_is_refused(source: str) -> None:
    """Any other source of a default is refused."""
    written = document()
    change(f"{METHOD}['arguments'][2]['default']", {"source": source})(written)

    with pytest.raises(BadDocument, match="expected a literal"):
        read_document(written)


NASTY = st.sampled_from(
    [
        "import os",
        "x: int",
        "class",
        "__x",
        "__init__",
        "self",
        "ﬁ",
        "a\nb",
        '"""',
        "\\",
        "\x00",
        "T",
        "int",
        "attrs",
        "Quote",
        LONG,
        "",
        0,
        -1,
        True,
        None,
        1.5,
        [],
        {},
        ["ref", "Quote"],
        ["list", "int"],
        ["parameter", "T"],
        {"source": "f()"},
        {"source": "[]"},
    ]
)


def mutated(form: Any, data: st.DataObject) -> Any:
    """Exchange one part, somewhere: for a nasty one, or for one that stands elsewhere."""
    if isinstance(form, list) and form and data.draw(st.integers(0, 9)):
        place = data.draw(st.integers(0, len(form) - 1))
        return [*form[:place], mutated(form[place], data), *form[place + 1 :]]
    if isinstance(form, dict) and form and data.draw(st.integers(0, 9)):
        name = data.draw(st.sampled_from(sorted(form)))
        if data.draw(st.integers(0, 9)) == 0:
            return {key: each for key, each in form.items() if key != name}
        return form | {name: mutated(form[name], data)}
    return data.draw(NASTY)


@settings(SOME, max_examples=300)
@given(st.just(MARKET) | strategies.services(), st.data())
def test_mutated_documents(spec: ServiceSpec, data: st.DataObject) -> None:
    """Any document gives a stub that is valid Python, or is refused."""
    written = document(spec)
    for _ in range(data.draw(st.integers(1, 3))):
        written = mutated(written, data)

    try:
        read = read_document(written)
    except BadDocument:
        return
    assert read_document(through_json(document_of(read))) == read
    for each in read:
        check_stub(render_module(each, digest(each)))


def check_stub(source: str) -> None:
    """Check that importing a stub defines things, and does nothing else."""
    allowed = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.Assign, ast.AnnAssign, ast.Expr)
    for statement in ast.parse(source).body:
        assert isinstance(statement, allowed)
        if isinstance(statement, ast.Expr):
            assert isinstance(statement.value, ast.Constant)
    called = {
        ast.unparse(node.func).partition(".")[0]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
    }
    assert not called & {"exec", "eval", "open", "print", "__import__", "os"}
