"""Undo a Content-Encoding that was not asked for, a little at a time. No I/O."""

from __future__ import annotations

import zlib

BOMB_BYTES, BOMB_RATIO = 4 * 1024 * 1024, 200  # text packs ten to one, a bomb a thousand to one
ENCODINGS = frozenset({"gzip", "x-gzip", "deflate"})
READS_EITHER = zlib.MAX_WBITS | 32  # tells gzip from zlib by the first bytes


class Inflater:
    """Packed bytes in; unpacked ones out, at most so many at once, lest a few become very many.

    Gzip members may follow one another (RFC 1952, 2.2). What follows the last and is none is
    ignored, as every client does.
    """

    def __init__(self) -> None:
        """Begin before the first byte."""
        self._member = zlib.decompressobj(READS_EITHER)
        self._packed = b""
        self._whole = True
        self._put, self._taken = 0, 0

    @property
    def bomb(self) -> bool:
        """Whether so much has come of so little that no more of it should be unpacked."""
        return self._taken > max(BOMB_BYTES, BOMB_RATIO * self._put)

    @property
    def whole(self) -> bool:
        """Whether the bytes so far end where a member ends."""
        return self._whole

    def put(self, data: bytes) -> None:
        """Take packed bytes as they came."""
        self._packed += data
        self._put += len(data)

    def take(self, most: int) -> bytes:
        """At most so many unpacked bytes; b"" when more packed ones are needed.

        Raises:
            zlib.error: they are not what the encoding says.
        """
        unpacked = b""
        while self._packed and not unpacked:
            unpacked = self._unpack(most)
        self._taken += len(unpacked)
        return unpacked

    def _unpack(self, most: int) -> bytes:
        following = self._member.eof
        if following:
            self._member = zlib.decompressobj(READS_EITHER)
        try:
            unpacked = self._member.decompress(self._packed, most)
        except zlib.error:
            if not following:
                raise
            self._packed, self._whole = b"", True
            return b""
        self._packed = self._member.unconsumed_tail or self._member.unused_data
        self._whole = self._member.eof
        return unpacked
