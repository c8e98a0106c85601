"""What the system's allocator does with memory that is free for a moment.

The rule: memory that one piece of an upload has left is there for the next. glibc gives the end of its heap
back to the system once more than 128 KiB are free there, and each piece would ask for its pages again.
"""

from __future__ import annotations

from typing import Final

_BLOCK: Final = 4 * 1024 * 1024
"""Bytes: more than all pieces of a busy connection that are freed at once. Twice as much may stay free at the
end of the heap."""


def keep_freed_pages() -> None:
    """Let glibc keep some free memory at the end of its heap.

    glibc adapts: a freed block of its own mapping raises the threshold for such blocks to its size, and the
    one for giving memory back to twice that (mallopt(3), M_MMAP_THRESHOLD). The pages of this block are never
    touched. Other allocators are not changed by it.
    """
    block = bytes(_BLOCK)
    del block
