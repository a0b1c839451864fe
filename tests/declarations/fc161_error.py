"""An error crosses with its fields."""

from farcall import register_type


class SoldOut(Exception):
    pass


register_type(SoldOut, str, encode=str, decode=SoldOut)
