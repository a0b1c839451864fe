"""``python -m farcall`` is the `farcall` command."""

from __future__ import annotations

from farcall._cli import main

main()
