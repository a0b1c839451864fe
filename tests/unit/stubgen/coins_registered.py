"""Registers a class of another module."""

from __future__ import annotations

from farcall import register_type
from tests.unit.stubgen.coins import Coin

register_type(Coin, int, encode=lambda coin: coin.cents, decode=Coin)

REGISTERED = [Coin]
"""The classes that this module registers."""
