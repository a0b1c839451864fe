"""Text of a service that goes into the source of its stub never becomes code there.

Names of types, keys and the like may come from anywhere, such as a schema. Each is refused when it
is declared, or its stub is Python that defines what the service has, under its very name.
"""

from __future__ import annotations

import builtins
import dataclasses
import inspect
import types
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any, Generic, Literal, NamedTuple, NewType, TypedDict, TypeVar, cast

import attrs
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from typing_extensions import TypeAliasType

import farcall
from farcall import ApplicationError, DeclarationError, Signal, method, service, stubgen
from farcall._contract.definitions import Definitions
from farcall._contract.describe import describe
from farcall._contract.spec import Definition, NewTypeSpec, RecordSpec
from farcall._declare import method_of, service_of
from farcall.testing import open_pair
from tests.unit.stubgen.running import imported

PAYLOADS = (
    *("x: int = boom()", '"); boom(); ("', "'); boom(); ('", '"""\nboom()\n"""', "x\nboom()\n"),
    *("\\", '\\"', "\r", "\x00", "{0}", "%s", "#", "", " ", "a b", "a.b", "a/b", "../../x", "2fa"),
    *(
        "class",
        "None",
        "match",
        "_",
        "__",
        "_x",
        "__x",
        "__x__",
        "__debug__",
        "__all__",
        "__init__",
    ),
    *(
        "\ufb01",
        "\u2126",
        "\u00b5",
        "\u00aa",
        "e\u0301",
        "\u00e9",
        "日本",
        "\u200b",
        "\u00df",
        "x²",
    ),
    *("\ud800", "a\udfff", "self", "int", "list", "str", "farcall", "annotations", "property"),
    *(
        "Proxy",
        "SProxy",
        "Literal",
        "TypedDict",
        "builtins",
        "T",
        "name",
        "value",
        "mro",
        "a" * 300,
    ),
)

texts = st.sampled_from(PAYLOADS) | st.text(st.characters(), max_size=6)

Declare = Callable[[str], Any]

# To type checkers their arguments are constants.
make_enum: Any = Enum
make_new_type: Any = NewType
make_typed_dict: Any = TypedDict
make_named_tuple: Any = NamedTuple
make_variable: Any = TypeVar
make_alias: Any = TypeAliasType
literal: Any = Literal


async def get(self: Any) -> None: ...


def serving(annotation: Any, **decoration: Any) -> Any:
    """Make a service with a method that takes a type."""

    async def get(self: Any, value: Any) -> None: ...

    get.__annotations__ = {"value": annotation, "return": None}
    return service(type("S", (), {"get": method(**decoration)(get)}))


def error(name: str) -> Any:
    body = {"__annotations__": {"a": int}}
    return serving(int, raises=[attrs.define(type(name, (ApplicationError,), body))])


def generic(variable: str) -> Any:
    parameter, lists, base = make_variable(variable), cast("Any", list), cast("Any", Generic)
    body = {"__annotations__": {"items": lists[parameter]}}
    page: Any = types.new_class("Page", (base[parameter],), {}, lambda it: it.update(body))
    return serving(attrs.define(page)[int])


def default(text: str) -> Any:
    field = attrs.field(type=tuple[str, int], default=(text, 1))
    return serving(make_record(text=attrs.field(type=str, default=text), parts=field))


def documented(text: str) -> Any:
    enum, record = make_enum("Color", {"RED": 1}), make_record(a=attrs.field(type=int))
    made = serving(make_typed_dict("D", {"enum": enum, "record": record}))
    enum.__doc__ = record.__doc__ = made.get.__doc__ = made.__doc__ = text
    return service(made)


def make_record(name: str = "R", **fields: Any) -> Any:
    return attrs.make_class(name, fields)


def parameter(name: str) -> Any:
    async def get(self: Any, **values: Any) -> None: ...

    either = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(each, either, annotation=int) for each in ("self", name)]
    made: Any = get
    made.__signature__ = inspect.Signature(parameters, return_annotation=None)
    return service(type("S", (), {"get": made}))


def function(name: str) -> Any:
    async def get() -> None: ...

    get.__name__ = name
    return farcall.functions(get, name="calc")


async def check(a: int) -> None: ...


PLACES: Mapping[str, Declare] = {
    "the name of functions": lambda text: farcall.functions(check, name=text),
    "a function": function,
    "the name of a service": lambda text: service(name=text)(type("S", (), {"get": get})),
    "a class": lambda text: service(type(text, (), {"get": get})),
    "a method": lambda text: service(type("S", (), {text: get, "other": get})),
    "the wire name of a method": lambda text: serving(int, name=text),
    "a parameter": parameter,
    "a signal": lambda text: service(type("S", (), {text: Signal[int](), "get": get})),
    "the wire name of a signal": lambda text: service(
        type("S", (), {"it": Signal[int](name=text), "get": get})
    ),
    "a role": lambda text: serving(int, roles={text}),
    "a TypedDict": lambda text: serving(make_typed_dict(text, {"a": int})),
    "a key": lambda text: serving(make_typed_dict("D", {text: int, "other": str})),
    "an Enum": lambda text: serving(make_enum(text, {"A": 1})),
    "a member of an Enum": lambda text: serving(make_enum("E", {text: 1, "OTHER": 2})),
    "a value of an Enum": lambda text: serving(make_enum("E", {"A": text})),
    "a literal": lambda text: serving(literal[text]),
    "a literal member": lambda text: serving(literal[make_enum("E", {text: 1})[text]]),
    "a NewType": lambda text: serving(make_new_type(text, int)),
    "a type variable": generic,
    "a type alias": lambda text: serving(make_alias(text, list[int])),
    "an attrs class": lambda text: serving(make_record(text, a=attrs.field(type=int))),
    "an attrs field": lambda text: serving(make_record(**{text: attrs.field(type=int)})),
    "an alias": lambda text: serving(make_record(a=attrs.field(type=int, alias=text))),
    "a dataclass": lambda text: serving(dataclasses.make_dataclass(text, [("a", int)])),
    "a field of a dataclass": lambda text: serving(dataclasses.make_dataclass("R", [(text, int)])),
    "a NamedTuple": lambda text: serving(make_named_tuple(text, [("a", int)])),
    "a field of a NamedTuple": lambda text: serving(make_named_tuple("R", [(text, int)])),
    "an error": error,
    "a default": default,
    "a docstring": documented,
}
"""Where text of a service may stand."""


def declared(declare: Declare, text: str) -> Any:
    """Make a service; None where Python or farcall refuses the text."""
    try:
        return declare(text)
    except DeclarationError as refusal:
        line = str(refusal)
    except (TypeError, ValueError, SyntaxError, AttributeError, LookupError, RuntimeError):
        return None  # what makes the type does not take the text
    assert line.isprintable()
    assert line.encode()
    return None


def undocumented(spec: Definition) -> Definition:
    """Leave out the docstring, which may be put into other lines."""
    return spec if isinstance(spec, NewTypeSpec) else replace(spec, doc=None)


def stub_class(module: ModuleType) -> Any:
    found = [each for each in vars(module).values() if isinstance(each, type)]
    return next(each for each in found if issubclass(each, farcall.Proxy))


@pytest.fixture(autouse=True)
def boom(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where the text of a service is executed."""
    monkeypatch.setattr(builtins, "boom", lambda: pytest.fail("it was executed"), raising=False)


def with_payloads(test: Any) -> Any:
    for each in PAYLOADS:
        test = example(each)(test)
    return test


@pytest.mark.parametrize("place", PLACES)
@with_payloads
@given(text=texts)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_text_is_refused_or_its_stub_has_it(place: str, text: str) -> None:
    """Any text is refused, or the stub has the same names and values as the service."""
    made = declared(PLACES[place], text)
    if made is None:
        return
    spec = service_of(made).spec

    with imported(stubgen.render(made)) as module:
        definitions = Definitions()
        for each in spec.definitions:
            if not isinstance(each, RecordSpec) or not each.parameters:
                describe(getattr(module, each.name), definitions)
                assert undocumented(definitions[each.name]) == undocumented(each)
        proxy = stub_class(module)
        assert proxy._service_name == spec.name
        assert proxy._contract_digest == service_of(made).digest
        for method_ in spec.methods:
            function = getattr(proxy, method_.name).__wrapped__
            assert method_of(function, method_.wire_name).spec.arguments == method_.arguments
        for signal in spec.signals:
            assert vars(proxy)[signal.name]._wire_name == signal.wire_name


@with_payloads
@given(text=texts)
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_name_leads_out_of_the_directory(text: str) -> None:
    """No name of a class or service makes a path outside of the directory."""
    for place in ("a class", "the name of functions"):
        made = declared(PLACES[place], text)
        if made is None or len(text) > 200:  # longer than a file may be called
            continue
        with TemporaryDirectory() as folder:
            (path,) = stubgen.write([made], Path(folder))

            assert path.resolve().parent == Path(folder).resolve()
            assert path.stem.isidentifier()


async def add(__x: int, b: int) -> int:
    return __x + b


async def test_a_parameter_with_two_underscores_keeps_its_name() -> None:
    """A parameter __x of a function keeps its name on the wire."""
    calculator = farcall.functions(add, name="calc")

    with imported(stubgen.render(calculator)) as module:
        async with open_pair(calculator, stub_class(module)) as (calc, _):
            assert await calc.add(1, 2) == 3
            assert await calc.add(1, b=2) == 3


async def keep(_CalcProxy__x: int) -> int:  # noqa: N803
    return _CalcProxy__x


async def test_a_parameter_that_looks_renamed_keeps_its_name() -> None:
    """A parameter that looks like a mangled name keeps it: the proxy has another class name."""
    calculator = farcall.functions(keep, name="calc")

    with imported(stubgen.render(calculator)) as module:
        async with open_pair(calculator, stub_class(module)) as (calc, _):
            assert await calc.keep(_CalcProxy__x=1) == 1


@pytest.mark.parametrize("keys", [["\ufb01"], ["\ufb01", "fi"], ["\u2126", "x"], ["\u00b5"]])
async def test_a_key_keeps_its_letters(keys: list[str]) -> None:
    """The keys of a TypedDict keep letters that the Python parser would normalise."""
    table = make_typed_dict("Table", dict.fromkeys(keys, int))

    async def echo(self: Any, table: Any) -> Any:
        return table

    echo.__annotations__ = {"table": table, "return": table}
    made = service(type("S", (), {"echo": echo}))

    with imported(stubgen.render(made)) as module:
        async with open_pair(made(), stub_class(module)) as (proxy, _):
            assert await proxy.echo(dict.fromkeys(keys, 1)) == dict.fromkeys(keys, 1)


class __Color(Enum):
    RED = 1


async def paint(color: __Color = __Color.RED) -> __Color:
    return color


async def test_a_type_with_two_underscores_keeps_its_name() -> None:
    """A type called __X gets a second name for use inside of the proxy class."""
    painter = farcall.functions(paint, name="painter")

    with imported(stubgen.render(painter)) as module:
        async with open_pair(painter, stub_class(module)) as (proxy, _):
            color = vars(module)["__Color"]
            assert await proxy.paint() is color.RED


async def test_functions_may_have_any_name() -> None:
    """The class name of a functions() service is always a Python name."""
    calculator = farcall.functions(check, name="2fa")

    with imported(stubgen.render(calculator)) as module:
        assert stub_class(module).__name__ == "Functions2faProxy"
        async with open_pair(calculator, stub_class(module)) as (calc, _):
            assert await calc.check(1) is None
