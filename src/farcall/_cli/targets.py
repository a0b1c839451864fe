"""Import the service that an argument of the command names as ``module:Class``."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from farcall._declare import Rule, service_of
from farcall.errors import DeclarationError
from farcall.stubgen._errors import StubError, in_one_line


def load(target: str, also: Callable[[object], bool] = lambda _: False) -> object:
    """Import the service that `target` names.

    The working directory is first on ``sys.path`` from then on, as with ``python -m``.

    Args:
        target: Such as ``shop.service:Shop``: a service class, an object of one, or the result of
            `functions`.
        also: Tells of an object that is no service whether it is taken all the same.

    Returns:
        That class or object.

    Raises:
        StubError: there is no such service, or its module cannot be imported; the message says in
            one line what is missing, or where the module fails.
        DeclarationError: the declaration of the service has a mistake.
    """
    name, colon, attribute = target.partition(":")
    if not (colon and _is_dotted(name) and _is_dotted(attribute)):
        raise StubError(f"{target!r} is not module:Class, such as shop.service:Shop")
    with _named_if_hidden(name):
        found = _attribute(_import(name), attribute)
        return found if also(found) else _checked(target, found)


def load_module(name: str) -> ModuleType:
    """Import the module that `name` names, as `load` does.

    Raises:
        StubError: there is no such module, or it cannot be imported.
    """
    if not _is_dotted(name):
        raise StubError(f"{name!r} is not the name of a module, such as shop.models")
    with _named_if_hidden(name):
        return _import(name)


@contextmanager
def _named_if_hidden(name: str) -> Iterator[None]:
    """If a block fails because another module hides one of the working directory, say so."""
    try:
        yield
    except StubError as exc:
        hidden = _hidden(name)
        if hidden is None:
            raise
        raise StubError(hidden) from exc


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
    except Exception as exc:  # the module may raise anything
        if isinstance(exc, ModuleNotFoundError) and f"{name}.".startswith(f"{exc.name}."):
            reason = f"there is no module {exc.name}, neither in {directory} nor installed"
        else:
            reason = f"{name} cannot be imported: {in_one_line(exc)}"
        raise StubError(reason) from exc


def _hidden(name: str) -> str | None:
    """Name the module that hides one of the working directory, if there is one."""
    *packages, last = name.split(".")
    folder, top = Path.cwd().joinpath(*packages), name.partition(".")[0]
    candidates = (folder / f"{last}.py", folder / last / "__init__.py")
    local = next((each for each in candidates if each.is_file()), None)
    loaded = sys.modules.get(top)
    if local is None or loaded is None or _is_local(loaded, top):
        return None
    place = getattr(loaded, "__file__", None) or "built into Python"
    return f"{local} is hidden by another module called {top} ({place}): rename yours"


def _is_local(module: ModuleType, name: str) -> bool:
    directory = Path.cwd()
    mine = (directory / f"{name}.py", directory / name / "__init__.py", directory / name)
    places = [*getattr(module, "__path__", []), getattr(module, "__file__", None) or ""]
    return any(Path(place).resolve() == each.resolve() for place in places for each in mine)


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
