"""Ctrl-C while the command ``farcall`` imports its parts: it ends without a traceback.

The package imports this module first. It acts in the command alone; in another program signals
belong to that program.
"""

from __future__ import annotations

import os
import signal
import sys


def _is_command() -> bool:
    """Tell whether this process is ``farcall ...`` or ``python -m farcall ...``."""
    program = os.path.basename(sys.argv[0]) if getattr(sys, "argv", None) else ""
    if program == "-m":  # its name until Python has found the module
        options = " ".join(sys.orig_argv)
        return " -m farcall" in options or " -mfarcall" in options
    return program in ("farcall", "farcall.exe")


def _let_interrupts_end_it() -> None:
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def has_started() -> None:
    """Have Ctrl-C raise `KeyboardInterrupt` again, which the command catches from now on."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


if _is_command():
    _let_interrupts_end_it()
