"""The npm packages that the tests of this folder talk to must be installed."""

from __future__ import annotations

import os

import pytest

from tests.interop.peers import HERE


@pytest.fixture(autouse=True)
def _need_packages() -> None:
    """Skip where ``npm ci`` was not run here; fail where node is asked for."""
    if (HERE / "node_modules").is_dir():
        return
    hint = "npm ci --prefix tests/interop installs the peers"
    if "node" in os.environ.get("FARCALL_REQUIRE", "").split(","):
        pytest.fail(hint)
    pytest.skip(hint)
