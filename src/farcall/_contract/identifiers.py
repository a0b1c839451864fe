"""Names that Python code can use as they are.

The names of types, members and parameters come from a service and go into the source of its stub.
Most are written by hand; a name that a program has made can be any text.
"""

from __future__ import annotations

import re
import unicodedata
from keyword import iskeyword


def is_python_name(text: str) -> bool:
    """Tell whether Python code can define a name and finds it again.

    The parser normalises names, so two spellings can be one name to it. Names with two underscores
    at both ends are reserved for Python.
    """
    is_special = text.startswith("__") and text.endswith("__")
    is_written = text.isidentifier() and not iskeyword(text)
    return is_written and not is_special and unicodedata.normalize("NFKC", text) == text


def is_attribute_name(text: str) -> bool:
    """Tell whether a name can stand after a dot, and in the body of any class."""
    return is_python_name(text) and not text.startswith("__")


def python_name(text: str) -> str:
    """Make a name for Python code that resembles a text."""
    words = re.findall(r"\w+", unicodedata.normalize("NFKC", text))
    name = "_".join(words).strip("_") or "name"
    candidates = (name, f"{name}_", f"_{name}")
    return next((each for each in candidates if is_python_name(each)), "name")


def has_lone_surrogate(text: str) -> bool:
    """Tell whether a text contains a lone surrogate, which UTF-8 cannot encode."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
