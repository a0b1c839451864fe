"""Build the documentation: ``sphinx-build -W docs docs/_build``."""

from __future__ import annotations

import re
from importlib.metadata import version as version_of

from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer

project = "farcall"
author = "farcall authors"
project_copyright = f"2026, {author}"
release = version = version_of("farcall")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "farcall"

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
# In docstrings `name` is a piece of code, in the way of trio and attrs.
default_role = "code"

# An overload has its keywords as a TypedDict; the signature of the function itself shows each.
for module, function in (("farcall._client.connect", "connect"), ("farcall.testing", "open_pair")):
    analyzer = ModuleAnalyzer.for_module(module)
    analyzer.analyze()
    del analyzer.overloads[function]


def keep_colons(
    _app: Sphinx, what: str, _name: str, _object: object, _options: object, lines: list[str]
) -> None:
    """Hide the first line from napoleon, which takes the text before a colon in it for a type."""
    if what in ("attribute", "property", "data"):
        lines[:0] = ["..", ""]  # an empty comment


def shorten_limits(
    _app: Sphinx,
    _what: str,
    _name: str,
    _object: object,
    _options: object,
    signature: str | None,
    returns: str | None,
) -> tuple[str, str | None] | None:
    """Leave the fields out of limits that are a default; the page of limits lists them."""
    if signature is None:
        return None
    return re.sub(r"Limits\(message=[^()]*\)", "Limits()", signature), returns


def setup(app: Sphinx) -> None:
    """Change docstrings before napoleon reads them, and signatures."""
    app.connect("autodoc-process-docstring", keep_colons, priority=400)
    app.connect("autodoc-process-signature", shorten_limits)
