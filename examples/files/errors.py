"""What the service refuses, and why; each crosses the wire as itself."""

from __future__ import annotations

import attrs

from farcall import ApplicationError


@attrs.define
class PathRefused(ApplicationError):
    """The path leads out of the folder, or is no name for a file in it."""

    path: str


@attrs.define
class NotFound(ApplicationError):
    """There is no such file, or no such folder."""

    path: str


@attrs.define
class IsFolder(ApplicationError):
    """A file was asked for, and the path is that of a folder."""

    path: str


@attrs.define
class NotFolder(ApplicationError):
    """A folder was asked for, and the path is that of a file."""

    path: str


@attrs.define
class OffsetOutOfRange(ApplicationError):
    """The offset is negative, or behind the end of what is there."""

    path: str
    offset: int
    size: int


@attrs.define
class ChecksumMismatch(ApplicationError):
    """What came is not of the size, or not of the checksum, that was announced."""

    path: str


@attrs.define
class BeingWritten(ApplicationError):
    """Another copy to the same path is under way."""

    path: str


@attrs.define
class StorageFailed(ApplicationError):
    """The system of the server refuses: no space left, say, or no permission."""

    path: str
    reason: str
