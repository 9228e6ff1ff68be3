"""The head of a reply is read as the standard library reads it, only faster."""

from __future__ import annotations

import io
from http.client import HTTPException, HTTPResponse, parse_headers

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openrouter_resilient.wire.head import MOST_LINES, FinalResponse, read_header

NAMES = st.sampled_from(
    ["Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "X-Request-Id", "from"]
)
VALUES = st.sampled_from(
    ["", "0", "12", "-1", "+7", "1_0", "12, 12", "chunked", "Chunked", "gzip, chunked", "close",
     "Keep-Alive, Upgrade", "timeout=5", "\t\xfcber \x85\x0b all ", "a: b"]
)  # fmt: skip
FIELDS = st.builds("{}:{}{}{}".format, NAMES, st.sampled_from(["", " ", " \t"]), VALUES,
                   st.sampled_from(["\r\n", "\n"]))  # fmt: skip
ODD = st.sampled_from(
    [" folded\r\n", "\tfolded, too\n", "no colon\r\n", ": no name\r\n", "a space: b\r\n",
     "From a mailbox\r\n", "X: a\rY: b\r\n", "\x7f: c\r\n", "M\xfcll: d\r\n", "\r\r\n", "Cut: of"]
)  # fmt: skip
LINES = st.one_of(FIELDS, FIELDS, FIELDS, ODD, st.text("aZ:; \t\r\n\x00\x85\xe9", max_size=9))
STATUS_LINES = st.builds(
    "{} {} {}\r\n".format,
    st.sampled_from(["HTTP/1.1", "HTTP/1.0", "HTTP/0.9", "HTTP/1.7", "HTTP/2", "ICY", "HTTP/0.8"]),
    st.sampled_from([101, 200, 204, 206, 302, 304, 418, 500, 999, 20, "OK"]),
    st.sampled_from(["OK", "", " Odd  words "]),
)


class Sock:
    def __init__(self, sent):
        self.makefile = lambda _mode: io.BytesIO(sent)


def begun(response_class, sent):
    """What a response knows of itself once it has begun, or how it failed to."""
    response = response_class(Sock(sent), method="POST")
    try:
        response.begin()
    except HTTPException as error:
        return type(error)
    rest = response.fp.read()
    return (
        response.version, response.status, response.reason, response.msg.items(), response.chunked,
        response.length, response.will_close, rest,
    )  # fmt: skip


@given(st.lists(LINES, max_size=8).map("".join))
def test_a_header_has_the_fields_that_the_standard_library_finds(header):
    sent = (header + "\r\nrest").encode("iso-8859-1")
    ours, theirs = io.BytesIO(sent), io.BytesIO(sent)

    assert parse_headers(theirs).items() == read_header(ours).items()
    assert theirs.read() == ours.read()


@given(STATUS_LINES, st.lists(LINES, max_size=8).map("".join))
def test_a_reply_begins_as_in_the_standard_library(status_line, header):
    sent = f"{status_line}{header}\r\nrest".encode("iso-8859-1")

    assert begun(HTTPResponse, sent) == begun(FinalResponse, sent)


@pytest.mark.parametrize("space", [" ", "\t", " \t "])
def test_white_space_behind_a_value_is_none_of_it(space):
    """The standard library takes `chunked ` for another coding, and waits for the connection's end.

    RFC 9112, 5: a field line's value does not include the white space around it.
    """
    head = "HTTP/1.1 200 OK\r\n{}: {}" + space + "\r\n\r\nrest"

    chunked = begun(FinalResponse, head.format("Transfer-Encoding", "Chunked").encode())
    counted = begun(FinalResponse, head.format("Content-Length", "4").encode())

    assert (True, None, False) == chunked[4:7]
    assert (False, 4, False) == counted[4:7]


@pytest.mark.parametrize("status", [100, 102, 103, 199])
def test_interim_replies_are_passed_over(status):
    interim = f"HTTP/1.1 {status} Wait\r\nLink: </a>\r\n\r\n".encode()

    seen = begun(FinalResponse, interim * 3 + b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

    assert (200, [("Content-Length", "2")], b"hi") == (seen[1], seen[3], seen[-1])


def test_a_header_without_end_is_left_soon():
    line = b"X: y\r\n"

    assert HTTPException is begun(FinalResponse, b"HTTP/1.1 200 OK\r\n" + line * 10_000)
    file = io.BytesIO(line * 10_000)
    with pytest.raises(HTTPException, match="headers"):
        read_header(file)
    assert file.tell() == (MOST_LINES + 1) * len(line)


def test_a_line_without_end_is_left_soon():
    file = io.BytesIO(b"X: " + b"y" * 10_000_000)

    with pytest.raises(HTTPException, match="header line"):
        read_header(file)

    assert file.tell() < 70_000
