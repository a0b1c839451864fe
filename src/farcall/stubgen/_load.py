"""Find the service that a command line names as ``module:Class``."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

from farcall._declare import Rule, service_of
from farcall.errors import DeclarationError
from farcall.stubgen._errors import StubError, in_one_line


def load(target: str) -> object:
    """Import the service that `target` names.

    The working directory comes first on ``sys.path`` from then on, as with ``python -m``.

    Args:
        target: Such as ``shop.service:Shop``: a decorated class, an object of one, or what
            `functions` has made.

    Returns:
        That class or object, for `service_of`, or to be served.

    Raises:
        StubError: there is no such service, or its module cannot be imported; it says in one line
            what is missing, or where the module fails.
        DeclarationError: the service is declared wrongly.
    """
    module, colon, attribute = target.partition(":")
    if not (colon and _is_dotted(module) and _is_dotted(attribute)):
        raise StubError(f"{target!r} is not module:Class, such as shop.service:Shop")
    return _checked(target, _attribute(_import(module), attribute))


def _is_dotted(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))


def _import(name: str) -> ModuleType:
    directory = str(Path.cwd())
    if sys.path[:1] != [directory]:
        sys.path.insert(0, directory)
    try:
        return importlib.import_module(name)
    except DeclarationError:
        raise
    except Exception as exc:  # a module is a program and may raise anything
        if isinstance(exc, ModuleNotFoundError) and f"{name}.".startswith(f"{exc.name}."):
            reason = f"there is no module {exc.name}, neither in {directory} nor installed"
        else:
            reason = f"{name} cannot be imported: {in_one_line(exc)}"
        raise StubError(reason) from exc


def _attribute(module: ModuleType, name: str) -> object:
    found: object = module
    for part in name.split("."):
        if not hasattr(found, part):
            raise StubError(f"{module.__name__} has no {name}")
        found = getattr(found, part)
    return found


def _checked(target: str, found: object) -> object:
    try:
        service_of(found)
    except DeclarationError as exc:
        if exc.number == Rule.NO_SERVICE:
            raise StubError(f"{target} is no service: decorate the class with @service") from exc
        raise
    return found
