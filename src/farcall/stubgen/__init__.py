"""Write typed clients of services, and compare them with those on disk.

A contract goes one way through these files: `names` chooses what everything is called in the
module, `annotations` and `literals` write types and values, `records`, `definitions` and `proxy`
the classes, `layout` breaks their lines, `module` puts them together, `files` puts them on disk.
"""

from __future__ import annotations

from farcall.stubgen.errors import StubError, in_one_line
from farcall.stubgen.files import check, write
from farcall.stubgen.load import load
from farcall.stubgen.module import module_name, render

__all__ = ["StubError", "check", "in_one_line", "load", "module_name", "render", "write"]
