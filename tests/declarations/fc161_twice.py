"""A class is registered once."""

from farcall import register_type


class Color:
    def __init__(self, text: str) -> None:
        self.text = text


register_type(Color, str, encode=lambda color: color.text, decode=Color)
register_type(Color, list[str], encode=lambda color: [color.text], decode=lambda c: Color(c[0]))
