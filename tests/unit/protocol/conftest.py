from __future__ import annotations

import pytest

from tests.unit.protocol.pair import ProtocolPair


@pytest.fixture
def pair() -> ProtocolPair:
    """Two peers that have said hello."""
    return ProtocolPair.greeted()


@pytest.fixture
def plain() -> ProtocolPair:
    """Two peers that have not."""
    return ProtocolPair()
