"""The tests of this folder need the npm packages that they talk to."""

from __future__ import annotations

import os

import pytest

from tests.interop.peers import HERE


@pytest.fixture(autouse=True)
def _need_packages() -> None:
    """Skip without ``npm ci``; fail if node is required."""
    if (HERE / "node_modules").is_dir():
        return
    hint = "npm ci --prefix tests/interop installs the peers"
    if "node" in os.environ.get("FARCALL_REQUIRE", "").split(","):
        pytest.fail(hint)
    pytest.skip(hint)
