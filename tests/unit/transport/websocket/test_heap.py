"""Memory of large messages, in a process of its own."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource
from farcall._transport.websocket.heap import keep_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

size = 1_000_000
keep_memory(size)
for number in range(20):
    if number == 10:
        before = faults()
    copies = [b"x" * size for _ in range(6)]
    del copies
print((faults() - before) // 10)
"""


def faults_of_copies() -> int:
    """Count the pages that the system gives for six copies of a megabyte."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    command = [sys.executable, "-c", PROGRAM]
    done = subprocess.run(command, capture_output=True, check=True, env=ours, text=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators have other rules")
def test_the_memory_of_large_messages_is_kept() -> None:
    """The second time, six copies of a megabyte take no page from the system."""
    assert faults_of_copies() < 100
