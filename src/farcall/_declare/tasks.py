"""The parameter ``task_status``, which makes a method a remote task."""

from __future__ import annotations

from inspect import Parameter
from typing import Any, get_args, get_origin

import trio

from farcall._declare.marks import Marks
from farcall._declare.rules import Rule
from farcall._declare.sites import Site

STATUS = "task_status"
"""The name under which `trio.Nursery.start` passes it."""

_SPELLING = f"`*, {STATUS}: trio.TaskStatus[None]`"


def is_status(declared: Parameter, annotation: object) -> bool:
    """Say whether a parameter is meant as ``task_status``; `read_status` checks it."""
    return declared.name == STATUS or _is_task_status(annotation)


def read_status(
    declared: Parameter, annotation: object, site: Site, marks: Marks, *, is_async: bool
) -> Any:
    """Return the type of the value that a remote task passes to ``started()``.

    Args:
        declared: The parameter.
        annotation: Its type.
        site: The place of the function.
        marks: The options of the function.
        is_async: Whether the function is async.

    Raises:
        DeclarationError: Trio could not pass the parameter, or the method cannot be a remote task.
    """
    fault = _fault(declared, annotation, marks, is_async=is_async)
    if fault is not None:
        raise site.error(Rule.BAD_TASK_STATUS, *fault)
    (value,) = get_args(annotation)
    return value


def _fault(
    declared: Parameter, annotation: object, marks: Marks, *, is_async: bool
) -> tuple[str, str] | None:
    """Return what is wrong and what to write instead; None if all is right."""
    if declared.name != STATUS:
        return (
            f"trio.Nursery.start passes the status as {STATUS}, not as {declared.name}",
            f"Rename it to {STATUS}",
        )
    if not _is_task_status(annotation):
        return (
            f"trio.Nursery.start passes {STATUS}, so it cannot be an ordinary argument",
            f"Write {_SPELLING}, or rename the parameter",
        )
    if not get_args(annotation):
        return (
            f"the annotation of {STATUS} lacks the type of the value that started() takes",
            f"Write {_SPELLING}, or the type of the value instead of None",
        )
    if declared.kind is not Parameter.KEYWORD_ONLY:
        return (
            f"trio.Nursery.start passes {STATUS} by keyword, but this parameter is positional",
            f"Put it after a star, as in {_SPELLING}",
        )
    if not any(declared.default is each for each in (Parameter.empty, trio.TASK_STATUS_IGNORED)):
        return (
            f"the default of {STATUS} has no method started()",
            "Write `= trio.TASK_STATUS_IGNORED`, or no default",
        )
    if marks.kind == "stream":
        return "a stream is started by `async with`, not by a nursery", f"Remove {STATUS}"
    if not is_async:
        return "a remote task must be async, but this is a plain def", "Write an async def"
    if marks.oneway:
        return (
            "a one-way method has no response, so it cannot report its start",
            "Remove oneway=True",
        )
    return None


def _is_task_status(annotation: object) -> bool:
    return (get_origin(annotation) or annotation) is trio.TaskStatus
