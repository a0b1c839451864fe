"""Checks of arguments that users pass, so that a mistake raises at the call that makes it.

Each message names the parameter and says what it takes, what it got and what to write instead.
A bool is not a number here, and a str is not a list of texts, although Python would accept both.
"""

from __future__ import annotations

import inspect
import math
import os
import ssl
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from types import FunctionType
from typing import Any, Final, TypeAlias, cast

import attrs

MAX_NUMBER: Final = sys.float_info.max

MAX_SHOWN: Final = 60
"""Characters of a value in a message; a longer one is cut."""

Check: TypeAlias = Callable[[str, object], None]
"""Gets a parameter's name and value, and raises `TypeError` or `ValueError` for a wrong value."""

Validator: TypeAlias = Callable[[object, "attrs.Attribute[Any]", object], None]
"""What attrs calls with an instance, a field and its value."""


def wrong_type(name: str, takes: str, got: object, write: str = "") -> TypeError:
    """Make the error for a value of the wrong type."""
    return TypeError(_sentence(name, takes, shown(got), write))


def wrong_value(name: str, takes: str, got: object, write: str = "") -> ValueError:
    """Make the error for a wrong value of the right type."""
    return ValueError(_sentence(name, takes, shown(got), write))


def _sentence(name: str, takes: str, got: str, write: str) -> str:
    return f"{name} takes {takes}, not {got}" + (f"; write {write}" if write else "")


def shown(value: object) -> str:
    """Show a short and simple value itself, and any other one by its kind.

    Containers and objects are not shown: they may contain secrets.
    """
    match value:
        case int() if abs(value) > sys.maxsize:
            return "an int of more than 64 bits"
        case None | bool() | int() | float() | str() | bytes():
            text = repr(value)
            return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."
        case type():
            return f"the class {value.__name__}"
        case FunctionType():
            return f"the function {value.__name__}"
        case _:
            return kind_of(value)


def kind_of(value: object) -> str:
    """Name the type of a value that may be a secret."""
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def validator(check: Callable[..., None], **how: Any) -> Validator:
    """Turn the check of a keyword argument into the validator of a field."""

    def validate(_: object, field: attrs.Attribute[Any], value: object) -> None:
        check(f"{field.alias}=", value, **how)

    return validate


def optional(check: Callable[..., None]) -> Callable[..., None]:
    """Make a check accept None as well."""

    def check_unless_none(name: str, value: object, **how: Any) -> None:
        if value is not None:
            check(name, value, **how)

    return check_unless_none


# Numbers, texts, objects


def check_flag(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise wrong_type(name, "True or False", value)


def check_int(
    name: str, value: object, *, least: int, most: int = sys.maxsize, write: str = ""
) -> None:
    """Check for an int between two bounds, both included."""
    takes = f"an int from {least} to {most}" if most < sys.maxsize else f"an int from {least} up"
    if not isinstance(value, int) or isinstance(value, bool):
        is_digits = isinstance(value, str) and value.isascii() and value.isdigit()
        raise wrong_type(name, takes, value, f"{value}" if is_digits else write)
    if not least <= value <= most:
        raise wrong_value(name, takes, value, write)


def check_number(
    name: str,
    value: object,
    *,
    takes: str = "a number",
    may_be_zero: bool = False,
    may_be_infinite: bool = True,
    write: str = "",
) -> None:
    """Check for a float or an int above 0, and not nan."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise wrong_type(name, takes, value, write)
    is_low = value < 0 if may_be_zero else value <= 0
    is_infinite = not value <= MAX_NUMBER  # or nan
    if is_low or (is_infinite and not (may_be_infinite and value == math.inf)):
        least = ", 0 or more" if may_be_zero else " above 0"
        finite = "" if may_be_infinite else ", and a finite one"
        raise wrong_value(name, f"{takes}{least}{finite}", value, write)


def check_share(
    name: str, value: object, *, may_be_zero: bool = False, write: str = "0.8 for 80 percent"
) -> None:
    check_number(name, value, takes="a share", may_be_zero=may_be_zero, write=write)
    if isinstance(value, int | float) and value >= 1:
        raise wrong_value(name, "a share below 1", value, write)


check_seconds = partial(check_number, takes="a number of seconds")


def check_text(name: str, value: object, *, write: str = "", may_be_empty: bool = False) -> None:
    if not isinstance(value, str):
        raise wrong_type(name, "a str", value, write)
    if not value and not may_be_empty:
        raise wrong_value(name, "a str that is not empty", value, write)


def check_path(name: str, value: object, write: str) -> str:
    """Check for the path of a file, a str or `os.PathLike`, and return it as a str."""
    if not isinstance(value, str | os.PathLike):
        raise wrong_type(name, "a path", value, write)
    path: object = os.fspath(cast("str | os.PathLike[str]", value))
    check_text(name, path, write=write)
    assert isinstance(path, str)
    if "\0" in path:
        raise wrong_value(name, "a path without a NUL character", path, write)
    return path


def check_instance(
    name: str, value: object, kind: type | tuple[type, ...], takes: str, write: str = ""
) -> None:
    if not isinstance(value, kind):
        if isinstance(value, type) and issubclass(value, kind):
            write = f"{value.__name__}(...)"
        raise wrong_type(name, takes, value, write)


def check_word(name: str, value: object, words: Sequence[str]) -> None:
    """Check for one of a few words."""
    if not (isinstance(value, str) and value in words):
        *some, last = map(repr, words)
        choice = f"{', '.join(some)} or {last}" if some else last
        make = wrong_value if isinstance(value, str) else wrong_type
        raise make(name, choice, value)


# Several


def check_several(name: str, value: object, takes: str, write: str) -> None:
    """Check for a list, a tuple or another sequence, but a str or bytes."""
    if isinstance(value, str | bytes | bytearray) or not isinstance(value, Sequence):
        raise wrong_type(name, takes, value, write)


def check_texts(name: str, value: object, takes: str, write: str, *, brackets: str = "[]") -> None:
    """Check for a collection of str; a single str would be read letter by letter."""
    if not _is_several(value):
        one = repr(value).join(brackets)
        raise wrong_type(name, takes, value, one if isinstance(value, str) else write)
    for each in cast("Collection[object]", value):
        if not isinstance(each, str):
            raise wrong_type(f"each element of {name}", "a str", each, write)


def _is_several(value: object) -> bool:
    return isinstance(value, Collection) and not isinstance(value, str | bytes | Mapping)


def check_text_mapping(name: str, value: object, write: str) -> None:
    """Check for a mapping from str to str; the values may be secrets."""
    if not isinstance(value, Mapping):
        raise TypeError(_sentence(name, "a mapping from str to str", kind_of(value), write))
    for key, each in cast("Mapping[object, object]", value).items():
        if not isinstance(key, str):
            raise wrong_type(f"each key of {name}", "a str", key, write)
        if not isinstance(each, str):
            raise TypeError(_sentence(f"{name}[{key!r}]", "a str", kind_of(each), write))


# TLS


def check_tls(name: str, context: object, *, in_server: bool) -> None:
    """Check for an `ssl.SSLContext` of the right side: with the other, no handshake succeeds."""
    purpose = "CLIENT_AUTH" if in_server else "SERVER_AUTH"
    write = f"ssl.create_default_context(ssl.Purpose.{purpose})"
    check_instance(name, context, ssl.SSLContext, "an ssl.SSLContext", write)
    other = ssl.PROTOCOL_TLS_CLIENT if in_server else ssl.PROTOCOL_TLS_SERVER
    if cast("ssl.SSLContext", context).protocol == other:
        side, got = ("server", "client") if in_server else ("client", "server")
        raise ValueError(_sentence(name, f"the context of a {side}", f"that of a {got}", write))


# Functions


def check_function(name: str, value: object, *, write: str = "") -> None:
    if not callable(value):
        raise wrong_type(name, "a function", value, write)


def check_async(name: str, value: object, parameters: Sequence[str], write: str) -> None:
    """Check for an async function with these parameters.

    A callable that `inspect` cannot look into, such as one written in C, passes.
    """
    takes = f"an async function of ({', '.join(parameters)})"
    if isinstance(value, type):
        raise wrong_type(name, takes, value, f"{value.__name__}(...), or {write}")
    if not callable(value):
        raise wrong_type(name, takes, value, write)
    if _is_plain(value):
        got = f"{shown(value)}, which is a plain def"
        hint = f"{write}; to pass more arguments, functools.partial of an async def"
        raise TypeError(_sentence(name, takes, got, hint))
    check_arity(name, value, parameters, takes, write)


def check_arity(
    name: str, value: Callable[..., Any], parameters: Sequence[str], takes: str, write: str
) -> None:
    """Check that a function can be called with these positional arguments."""
    try:
        inspect.signature(value).bind(*parameters)
    except TypeError as error:
        got = f"{shown(value)}, which cannot be called like that ({error})"
        raise TypeError(_sentence(name, takes, got, write)) from None
    except ValueError:  # some callables written in C have no signature
        return


def _is_plain(function: object) -> bool:
    """Say whether this is known to be a plain function, or an object whose call is one."""
    while isinstance(function, partial):
        function = function.func
    if inspect.iscoroutinefunction(function):
        return False
    inner = getattr(function, "__func__", function)  # of a bound method
    if not isinstance(inner, FunctionType):
        inner = inspect.getattr_static(type(function), "__call__", None)
    if not isinstance(inner, FunctionType) or inspect.iscoroutinefunction(inner):
        return False
    # A plain wrapper may return the awaitable of an async function that it wraps.
    wrapped = getattr(function, "__wrapped__", None)
    return wrapped is None or _is_plain(wrapped)
