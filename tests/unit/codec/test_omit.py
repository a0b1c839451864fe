"""The value that stands for leaving out."""

from __future__ import annotations

import copy
import pickle

from farcall import OMIT


def test_is_one() -> None:
    """Copies of it are itself, so that it is known by identity."""
    assert copy.deepcopy([OMIT])[0] is OMIT
    assert pickle.loads(pickle.dumps(OMIT)) is OMIT


def test_repr() -> None:
    """It shows by the name users write."""
    assert repr(OMIT) == "farcall.OMIT"
