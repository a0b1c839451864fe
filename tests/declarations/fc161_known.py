"""A class for which farcall has a form cannot be registered."""

from decimal import Decimal

from farcall import register_type

register_type(Decimal, float, encode=float, decode=Decimal)
