"""Giving large pieces of memory back to the system as soon as they are not needed."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_LARGE_BYTES: Final = 256 * 1024


def give_back_large_pieces() -> None:
    """Let glibc keep pieces of 256 KiB and more apart; elsewhere do nothing.

    By itself it takes each larger one that was given back for a reason to keep the next ones: after some uploads of
    10 MB it holds 200 MB that nobody uses.
    """
    if sys.platform == "linux":
        adjust = getattr(ctypes.CDLL(None), "mallopt", None)
        if adjust is not None:
            adjust(_MMAP_THRESHOLD, _LARGE_BYTES)
            adjust(_TRIM_THRESHOLD, 4 * _LARGE_BYTES)
