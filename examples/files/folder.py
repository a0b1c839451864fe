"""Resolve the paths of peers; no path may lead out of the folder.

Links are resolved before the check. A peer cannot create links. Local programs that write to the
folder are trusted: they could change a link between the check and its use.
"""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import attrs

from examples.files.errors import IsFolder, NotFolder, PathRefused
from examples.files.partfile import is_part


@attrs.frozen
class Entry:
    """A file or folder. The path is relative to the folder that is served."""

    path: str
    size: int
    modified: datetime
    is_folder: bool


class Folder:
    """A folder that is served; nothing outside of it can be reached.

    Args:
        root: The path of the folder.

    Raises:
        OSError: it does not exist, or is not a folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve(strict=True)
        if not self.root.is_dir():
            raise NotADirectoryError(f"{root} is not a folder")

    def entries(self, path: str) -> list[Entry]:
        """List a folder by name, without parts and without paths that are refused.

        Raises:
            PathRefused, NotFolder, OSError: the path is not a folder here.
        """
        place = self._place(path)
        try:
            names = sorted(os.listdir(place))
        except NotADirectoryError:
            raise NotFolder(path) from None
        base = PurePosixPath(path)
        return [entry for name in names if (entry := self._entry(str(base / name)))]

    def file(self, path: str) -> Path:
        """Return the local path of a file to read.

        Raises:
            PathRefused, IsFolder, OSError: the path is not a file here.
        """
        place = self._place(path)
        mode = place.stat().st_mode
        if stat.S_ISDIR(mode):
            raise IsFolder(path)
        if not stat.S_ISREG(mode):  # opening a pipe would block
            raise PathRefused(path)
        return place

    def target(self, path: str) -> Path:
        """Return the local path of a file to write, which may not exist yet.

        Raises:
            PathRefused, IsFolder, OSError: the path cannot be a file here.
        """
        try:
            return self.file(path)
        except FileNotFoundError:
            return self._place(path)

    def entry(self, path: str) -> Entry:
        """Describe a file or folder.

        Raises:
            PathRefused, OSError: the path is neither.
        """
        found = self._place(path).stat()
        is_folder = stat.S_ISDIR(found.st_mode)
        if not is_folder and not stat.S_ISREG(found.st_mode):
            raise PathRefused(path)
        modified = datetime.fromtimestamp(found.st_mtime, UTC)
        return Entry(path, 0 if is_folder else found.st_size, modified, is_folder)

    def _entry(self, path: str) -> Entry | None:
        try:
            path.encode()  # a name that is not valid UTF-8 cannot be sent
            return self.entry(path)
        except (PathRefused, OSError, UnicodeEncodeError):
            return None

    def _place(self, path: str) -> Path:
        parts = PurePosixPath(path)
        if "\0" in path or parts.is_absolute() or ".." in parts.parts:
            raise PathRefused(path)
        try:
            place = Path(os.path.realpath(self.root / parts))
        except ValueError:  # the file system cannot encode this name
            raise PathRefused(path) from None
        if not place.is_relative_to(self.root):
            raise PathRefused(path)
        if any(is_part(name) for name in place.relative_to(self.root).parts):
            raise PathRefused(path)
        return place
