"""Only a class can be registered."""

from farcall import register_type

register_type(str | None, str, encode=str, decode=str)  # type: ignore[arg-type]
