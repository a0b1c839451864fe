"""Where a path of a peer's leads: to a place inside of one folder, or nowhere.

Links are followed first, and what counts is where they lead. A peer cannot make links; whoever
else writes to the folder, and changes one between the look at it and the use of it, is trusted.
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
    """A file of `size` bytes, or a folder, and its path from the folder that is served."""

    path: str
    size: int
    modified: datetime
    is_folder: bool


class Folder:
    """A folder, of which nothing outside can be reached.

    Args:
        root: Its path.

    Raises:
        OSError: it is not there, or no folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve(strict=True)
        if not self.root.is_dir():
            raise NotADirectoryError(f"{root} is no folder")

    def entries(self, path: str) -> list[Entry]:
        """List a folder by name, without what may not be reached and what is in the making.

        Raises:
            PathRefused, NotFolder, OSError: that is no folder here.
        """
        place = self._place(path)
        try:
            names = sorted(os.listdir(place))
        except NotADirectoryError:
            raise NotFolder(path) from None
        base = PurePosixPath(path)
        return [entry for name in names if (entry := self._entry(str(base / name)))]

    def file(self, path: str) -> Path:
        """Find a file to read.

        Raises:
            PathRefused, IsFolder, OSError: that is no file here.
        """
        place = self._place(path)
        mode = place.stat().st_mode
        if stat.S_ISDIR(mode):
            raise IsFolder(path)
        if not stat.S_ISREG(mode):  # whoever opens a pipe waits for its other end
            raise PathRefused(path)
        return place

    def target(self, path: str) -> Path:
        """Find the place of a file to write, which need not be there yet.

        Raises:
            PathRefused, IsFolder, OSError: no file can be here.
        """
        try:
            return self.file(path)
        except FileNotFoundError:
            return self._place(path)

    def entry(self, path: str) -> Entry:
        """Look at a file or a folder.

        Raises:
            PathRefused, OSError: that is neither.
        """
        found = self._place(path).stat()
        is_folder = stat.S_ISDIR(found.st_mode)
        if not is_folder and not stat.S_ISREG(found.st_mode):
            raise PathRefused(path)
        modified = datetime.fromtimestamp(found.st_mtime, UTC)
        return Entry(path, 0 if is_folder else found.st_size, modified, is_folder)

    def _entry(self, path: str) -> Entry | None:
        try:
            path.encode()  # a name that is no UTF-8 cannot be told
            return self.entry(path)
        except (PathRefused, OSError, UnicodeEncodeError):
            return None

    def _place(self, path: str) -> Path:
        parts = PurePosixPath(path)
        if "\0" in path or parts.is_absolute() or ".." in parts.parts:
            raise PathRefused(path)
        try:
            place = Path(os.path.realpath(self.root / parts))
        except ValueError:  # it cannot be encoded as a name of this file system
            raise PathRefused(path) from None
        if not place.is_relative_to(self.root):
            raise PathRefused(path)
        if any(is_part(name) for name in place.relative_to(self.root).parts):
            raise PathRefused(path)
        return place
