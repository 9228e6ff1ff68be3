"""The head of a reply: its final status, and its header.

http.client has the standard library's parser for mail read every header, which takes a tenth of a
whole call. A header whose lines are all plain is read here, with the same result; any other is
left to that parser.
"""

from __future__ import annotations

import re
from email.parser import Parser
from http.client import HTTPException, HTTPMessage, HTTPResponse, LineTooLong, UnknownProtocol
from typing import Any, BinaryIO

LONGEST_LINE = 65_536  # bytes; this and the next as http.client has them
MOST_LINES = 100
PLAIN = re.compile(r"([!-9;-~]+):[ \t]*([^\r\n]*)\r?\n")  # RFC 9112, 5: a field on a line
WITHOUT_BODY = (204, 304)  # RFC 9112, 6.3


class FinalResponse(HTTPResponse):
    """The final response; interim ones are skipped.

    RFC 9110, 15.2: a client must be able to read any number of 1xx before it. http.client skips 100
    only. 101 ends the talk of HTTP, and is no interim response.
    """

    def begin(self: Any) -> None:
        """Read the head, and tell from it how the body ends (RFC 9112, 6.3).

        Raises:
            HTTPException: it is no head of HTTP, or a long one.
        """
        if self.headers is not None:
            return
        version, status, reason = self._read_status()
        self.code = self.status = status
        self.reason = reason.strip()
        if not version.startswith(("HTTP/1.", "HTTP/0.9")):
            raise UnknownProtocol(version)
        self.version = 10 if version in ("HTTP/1.0", "HTTP/0.9") else 11
        header = self.headers = self.msg = read_header(self.fp)
        coding = header.get("transfer-encoding", "").strip(" \t")  # RFC 9112, 5: none of the value
        self.chunked = coding.lower() == "chunked"
        if self.chunked:
            self.chunk_left = None
        self.length = None if self.chunked else _length(header.get("content-length", ""))
        if status in WITHOUT_BODY or status < 200 or self._method == "HEAD":
            self.length = 0
        self.will_close = self._check_close() or (self.length is None and not self.chunked)

    def _read_status(self: Any) -> tuple[str, int, str]:
        try:
            return self._final_status()  # type: ignore[no-any-return]  # untyped in typeshed
        except BaseException:
            self.close()  # Python 3.10 leaves a proxy's reply open where it does not come
            raise

    def _final_status(self: Any) -> tuple[str, int, str]:
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]  # not in typeshed
            if status == 101 or status >= 200:
                return version, status, reason
            read_header(self.fp)


def read_header(file: BinaryIO) -> HTTPMessage:
    """A header, with the empty line that ends it.

    Raises:
        HTTPException: it is too long.
    """
    lines = _lines(file)
    header = HTTPMessage()
    for line in lines:
        field = PLAIN.fullmatch(line)
        if field is None:  # a folded line, or none of HTTP
            return Parser(_class=HTTPMessage).parsestr("".join([*lines, "\r\n"]))
        header.set_raw(*field.groups())
    return header


def _lines(file: BinaryIO) -> list[str]:
    lines: list[str] = []
    while (line := file.readline(LONGEST_LINE + 1)) not in (b"\r\n", b"\n", b""):
        if len(line) > LONGEST_LINE:
            raise LineTooLong("header line")
        if len(lines) == MOST_LINES:
            raise HTTPException(f"got more than {MOST_LINES} headers")
        lines.append(line.decode("iso-8859-1"))
    return lines


def _length(text: str) -> int | None:
    try:
        length = int(text)
    except ValueError:
        return None
    return length if length >= 0 else None
