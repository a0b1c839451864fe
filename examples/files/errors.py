"""The errors that the service declares."""

from __future__ import annotations

import attrs

from farcall import ApplicationError


@attrs.define
class PathRefused(ApplicationError):
    """The path leads out of the folder, or cannot be the name of a file."""

    path: str


@attrs.define
class NotFound(ApplicationError):
    """The file or folder does not exist."""

    path: str


@attrs.define
class IsFolder(ApplicationError):
    """The path is a folder, not a file."""

    path: str


@attrs.define
class NotFolder(ApplicationError):
    """The path is a file, not a folder."""

    path: str


@attrs.define
class OffsetOutOfRange(ApplicationError):
    """The offset is negative, or beyond the end of the file or part."""

    path: str
    offset: int
    size: int


@attrs.define
class ChecksumMismatch(ApplicationError):
    """The bytes received do not have the announced size or checksum."""

    path: str


@attrs.define
class BeingWritten(ApplicationError):
    """Another copy to the same path is running."""

    path: str


@attrs.define
class StorageFailed(ApplicationError):
    """The server cannot read or write: for example no space left, or no permission."""

    path: str
    reason: str
