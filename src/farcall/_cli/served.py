"""What ``farcall serve`` serves: an app, what a factory makes, or services."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import cast

from farcall import App
from farcall._cli.errors import CommandError, WrongUse
from farcall._cli.targets import load
from farcall._declare import is_service
from farcall._server.host import Services
from farcall._serving.endpoints import Endpoints, some_of
from farcall._usage.options import kind_of
from farcall.stubgen._errors import in_one_line


def prepare(targets: Sequence[str]) -> Sequence[object]:
    """Import each target, and call a class or a factory.

    Returns:
        For each an app, a service object, or an awaitable of one of an async factory.

    Raises:
        CommandError: a class or a factory needs arguments, or fails.
        StubError: there is no such target, or its module cannot be imported.
        DeclarationError: the declaration of a service has a mistake.
    """
    return [_prepared(target) for target in targets]


def _prepared(target: str) -> object:
    found = load(target, also=_is_app_or_factory)
    if found is App:
        raise CommandError(
            f"{target} is the class farcall.App; name an object of it, such as app = App(Shop())"
        )
    if isinstance(found, App) or (is_service(found) and not isinstance(found, type)):
        return found
    assert callable(found)
    try:
        inspect.signature(found).bind()
    except TypeError as error:
        raise CommandError(
            f"{target} needs arguments ({error}); name {_instead(found)} instead"
        ) from error
    try:
        made: object = found()
    except Exception as error:  # the user's code may raise anything
        raise _failed(target, error) from error
    return made


def _is_app_or_factory(found: object) -> bool:
    is_factory = callable(found) and not isinstance(found, type) and not is_service(found)
    return isinstance(found, App) or found is App or is_factory


def _instead(found: Callable[..., object]) -> str:
    return "an object of the class" if isinstance(found, type) else "a factory without parameters"


def _failed(target: str, error: Exception) -> CommandError:
    return CommandError(f"{target}() failed: {in_one_line(error)}")


async def finish(targets: Sequence[str], prepared: Sequence[object]) -> App | Services:
    """Await what async factories make, and check that it can be served together.

    Raises:
        CommandError: a factory fails or makes something else, or every member needs a login.
        DeclarationError: two services offer the same name.
        WrongUse: an app is not alone.
    """
    made = [await _made(*each) for each in zip(targets, prepared, strict=True)]
    apps = [each for each in made if isinstance(each, App)]
    if not apps:
        _check_can_be_called(made)
        return made
    if len(made) > 1:
        raise WrongUse("an app is served alone; write App([Shop(), News()]) for several services")
    return apps[0]


async def _made(target: str, prepared: object) -> object:
    made = prepared
    if inspect.isawaitable(prepared):
        try:
            made = await cast("Awaitable[object]", prepared)
        except Exception as error:  # the user's code may raise anything
            raise _failed(target, error) from error
    if isinstance(made, App) or (is_service(made) and not isinstance(made, type)):
        return made
    kind = f"the class {made.__name__}" if isinstance(made, type) else kind_of(made)
    raise CommandError(f"{target}() returned {kind}; return farcall.App(...) or a service object")


def _check_can_be_called(services: Sequence[object]) -> None:
    """Refuse services that no peer could use, because they have no logins.

    Raises:
        CommandError: every member needs a login.
        DeclarationError: two services offer the same name.
    """
    endpoints = Endpoints.of(services)
    if len(endpoints.protected) == len(endpoints.members):
        raise CommandError(
            f"every member needs a login ({some_of(endpoints.protected)}), and a service alone has"
            " none; serve farcall.App(..., authenticate=...)"
        )
