"""The bytes of a response that wait on disk instead of in memory.

The rule: the file has no name and lies in the system's folder for such files (`TMPDIR`), so the system frees
it with the process at the latest. What it may take is bounded, for each response and for the process, and a
write that fails adds nothing.
"""

from __future__ import annotations

import tempfile
from typing import IO, Final

PIECE: Final = 64 * 1024
"""Bytes that are read back at once."""


class SpillRoom:
    """The bytes that all spilled responses of a server may still take on disk.

    Args:
        most: bytes.
    """

    __slots__ = ("left",)

    def __init__(self, most: int) -> None:
        self.left: int = most


class Spill:
    """A file of one response: first in, first out.

    It is opened by the first write. Bytes that were read back keep their room until all have been.

    Args:
        most: bytes that the file may take.
        room: what all files may take together.

    Attributes:
        size: bytes that wait.
        refusal: why the last write failed, as a phrase for the log; `None` if it did not fail.
    """

    __slots__ = ("_end", "_file", "_most", "_room", "_start", "refusal", "size")

    def __init__(self, most: int, room: SpillRoom) -> None:
        self._most = most
        self._room = room
        self._file: IO[bytes] | None = None
        self._start = self._end = 0
        self.size: int = 0
        self.refusal: str | None = None

    def write(self, data: list[bytes]) -> bool:
        """Add all of these byte strings, or none.

        Returns: whether they were added; if not, `refusal` says why.
        """
        size = sum(map(len, data))
        self.refusal = self._refuses(size)
        if self.refusal is None:
            try:
                self._append(data)
            except OSError as error:
                self.refusal = f"the temporary file failed: {error.strerror}"
        if self.refusal is not None:
            return False
        self._room.left -= size
        self._end += size
        self.size += size
        return True

    def _refuses(self, size: int) -> str | None:
        if self._end + size > self._most:
            return f"spill_size is reached, {self._most} bytes on disk for one response"
        if size > self._room.left:
            return "spill_total is reached, the bytes on disk for all responses"
        return None

    def _append(self, data: list[bytes]) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(buffering=0)
        self._file.seek(self._end)
        rest = memoryview(b"".join(data))
        while rest:
            rest = rest[self._file.write(rest) :]

    def read(self, most: int = PIECE) -> bytes:
        """Take the next bytes, from 1 to `most`; `b""` if none wait.

        Raises: OSError: the file cannot be read.
        """
        if not self.size or self._file is None:
            return b""
        self._file.seek(self._start)
        piece = self._file.read(min(most, self.size))
        if not piece:
            raise OSError("the temporary file of a response has lost bytes")
        self._start += len(piece)
        self.size -= len(piece)
        return piece

    def close(self) -> None:
        """Free the file; bytes that wait are dropped."""
        if self._file is not None:
            self._file.close()
            self._file = None
        self._room.left += self._end
        self._start = self._end = self.size = 0
