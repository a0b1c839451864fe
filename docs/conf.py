"""Build the documentation: ``sphinx-build -W docs docs/_build``."""

from __future__ import annotations

from importlib.metadata import version as version_of

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
