"""The memory allocator of the process, set up for networks on a CPU."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # names of malloc.h
_LARGEST_MMAP_THRESHOLD = 32 << 20
_KEEP = 1 << 30


def keep_freed_memory() -> bool:
    """Let glibc keep up to 1 GiB of freed memory in place of giving every large tensor back to the system.

    Feature maps are megabytes, for which glibc asks the system anew each time: a step then spends up to half of its
    time in page faults (measured: 50,000 faults, 104 -> 66 ms in `between.synthesise` of crossmodal-fast at 640x384).

    Returns:
        True when it was done, False where the C library is another one.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_MMAP_THRESHOLD, _LARGEST_MMAP_THRESHOLD)) and bool(mallopt(_TRIM_THRESHOLD, _KEEP))
