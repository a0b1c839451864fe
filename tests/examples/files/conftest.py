"""The fixture of the tests of the example `files`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import trio

from tests.examples.files.desk import Desk, open_desk
from tests.patience import PATIENCE


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncGenerator[Desk, None]:
    with trio.fail_after(PATIENCE):
        async with open_desk(tmp_path) as desk:
            yield desk
