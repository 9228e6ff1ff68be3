"""The fault table from its other side: what each kind must mean, and how each one comes about."""

from __future__ import annotations

import json
import pickle
import socket
import ssl

import pytest
from requests.exceptions import ConnectTimeout

from openrouter_resilient.errors import ContentBlocked, ContextTooLong, InvalidRequest
from openrouter_resilient.routing.deadline import Deadline
from openrouter_resilient.routing.faults import FAULTS, Broken, Fault, Kind, Quick, Scope
from openrouter_resilient.routing.recognition import classify_exception, classify_reply
from openrouter_resilient.wire.clock import VirtualClock, monotonic
from openrouter_resilient.wire.exchange import Exchange
from openrouter_resilient.wire.sse import SSEDecoder
from openrouter_resilient.wire.transport import RequestsTransport

from .building import attempt

REQUEST, MODEL, ACCOUNT, ENDPOINT = Scope.REQUEST, Scope.MODEL, Scope.ACCOUNT, Scope.ENDPOINT
NO, SOON, AT_ONCE = Quick.NO, Quick.SOON, Quick.AT_ONCE

# fmt: off
MEANT = {
    # kind                  scope     retry    against the breaker, raises
    Kind.REFUSED:           (ENDPOINT, NO,      True,  None),
    Kind.UNRESOLVED:        (ENDPOINT, NO,      True,  None),
    Kind.TLS:               (ENDPOINT, NO,      True,  None),
    Kind.CONNECT_TIMEOUT:   (ENDPOINT, NO,      True,  None),
    Kind.RESET:             (ENDPOINT, SOON,    True,  None),
    Kind.STALE_CONNECTION:  (ENDPOINT, AT_ONCE, False, None),
    Kind.SILENT:            (ENDPOINT, NO,      True,  None),
    Kind.STALLED:           (ENDPOINT, NO,      True,  None),
    Kind.INVALID_REQUEST:   (REQUEST,  NO,      False, InvalidRequest),
    Kind.CONTEXT_TOO_LONG:  (MODEL,    NO,      False, ContextTooLong),
    Kind.BLOCKED:           (REQUEST,  NO,      False, ContentBlocked),
    Kind.UNKNOWN_MODEL:     (MODEL,    NO,      False, None),
    Kind.NO_PROVIDER:       (MODEL,    NO,      False, None),
    Kind.FREE_QUOTA:        (MODEL,    NO,      False, None),
    Kind.UNAUTHORIZED:      (ACCOUNT,  NO,      True,  None),
    Kind.FORBIDDEN:         (ACCOUNT,  NO,      True,  None),
    Kind.NO_CREDIT:         (ACCOUNT,  NO,      True,  None),
    Kind.QUOTA:             (ACCOUNT,  NO,      True,  None),
    Kind.RATE_LIMITED:      (ENDPOINT, SOON,    True,  None),
    Kind.UPSTREAM_TIMEOUT:  (ENDPOINT, SOON,    True,  None),
    Kind.SERVER_ERROR:      (ENDPOINT, SOON,    True,  None),
    Kind.UNAVAILABLE:       (ENDPOINT, SOON,    True,  None),
    Kind.OVERLOADED:        (ENDPOINT, SOON,    True,  None),
    Kind.REDIRECTED:        (ENDPOINT, NO,      True,  None),
    Kind.UNEXPECTED_STATUS: (ENDPOINT, NO,      True,  None),
    Kind.UNREADABLE:        (ENDPOINT, SOON,    True,  None),
    Kind.TRUNCATED:         (ENDPOINT, SOON,    True,  None),
    Kind.EMPTY:             (ENDPOINT, SOON,    True,  None),
    Kind.TOO_BIG:           (ENDPOINT, NO,      True,  None),
    Kind.ABANDONED:         (Scope.NOBODY, NO,  False, None),
}
# fmt: on
ALL = sorted(Kind, key=str)


class Canned:
    """A reply that hands over what it was given, piece by piece, and then a fault or its end."""

    def __init__(self, *pieces, status=200, then=None, headers=None):
        self.status, self.headers = status, headers or {}
        self._pieces, self._then = list(pieces), then

    def read(self, until):
        if self._pieces:
            return self._pieces.pop(0)
        if self._then is not None:
            raise Broken(Fault(self._then))
        return b""

    def close(self, *, keep):
        pass


def chunk(text, finish=None):
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return f"data: {json.dumps({'id': 'gen-1', 'choices': [choice]})}\n\n".encode()


def read(*pieces, **options):
    """The fault that reading this reply ends in."""
    exchange = Exchange(
        Canned(*pieces, **options), attempt(), Deadline.after(60.0, 1_000.0), VirtualClock()
    )
    exchange.begin()
    with pytest.raises(Broken) as broken:
        exchange.drain()
    return broken.value.fault


def replied(status, body=None, **headers):
    return classify_reply(status, body, headers, wall_now=0.0)


def stale_connection(simulator):
    """The fault of a request on a connection that the server had closed while it was idle."""
    transport, url = RequestsTransport(), f"{simulator.url('openrouter')}/chat/completions"
    headers = {"Authorization": f"Bearer {simulator.key('openrouter')}"}
    body = json.dumps({"model": "openai/gpt-4o", "messages": [{"role": "user", "content": "hi"}]})
    simulator.play("openrouter", "stale_connection")

    def post():
        until = monotonic() + 10.0
        reply = transport.post(url, headers, body.encode(), until=until)
        while reply.read(until):
            pass
        reply.close(keep=True)

    post()  # which leaves its connection open for the next
    with pytest.raises(Broken) as broken:
        post()
    transport.close()
    return broken.value.fault


def too_big():
    """The fault of an event that is larger than allowed."""
    decoder = SSEDecoder(max_event_bytes=10)
    decoder.feed(b"data: " + b"x" * 10)
    return decoder.fault


EXAMPLES = {
    # how each kind comes about, by the code that names it
    Kind.REFUSED: lambda: classify_exception(ConnectionRefusedError()),
    Kind.UNRESOLVED: lambda: classify_exception(socket.gaierror()),
    Kind.TLS: lambda: classify_exception(ssl.SSLCertVerificationError()),
    Kind.CONNECT_TIMEOUT: lambda: classify_exception(ConnectTimeout()),
    Kind.RESET: lambda: classify_exception(ConnectionResetError()),
    Kind.SILENT: lambda: classify_exception(TimeoutError()),
    Kind.STALLED: lambda: read(chunk("Hel"), then=Kind.SILENT),
    Kind.INVALID_REQUEST: lambda: replied(422),
    Kind.CONTEXT_TOO_LONG: lambda: replied(400, {"error": {"message": "prompt is too long"}}),
    Kind.BLOCKED: lambda: replied(403, {"error": {"metadata": {"reasons": ["violence"]}}}),
    Kind.UNKNOWN_MODEL: lambda: replied(404),
    Kind.NO_PROVIDER: lambda: replied(404, {"error": {"message": "No endpoints found for it."}}),
    Kind.UNAUTHORIZED: lambda: replied(401),
    Kind.FORBIDDEN: lambda: replied(403),
    Kind.NO_CREDIT: lambda: replied(402),
    Kind.FREE_QUOTA: lambda: replied(429, {"error": {"message": "free-models-per-day"}}),
    Kind.QUOTA: lambda: replied(429, {"error": {"message": "spend limit reached"}}),
    Kind.RATE_LIMITED: lambda: replied(429),
    Kind.UPSTREAM_TIMEOUT: lambda: replied(504),
    Kind.SERVER_ERROR: lambda: replied(500),
    Kind.UNAVAILABLE: lambda: replied(502),
    Kind.OVERLOADED: lambda: replied(529),
    Kind.REDIRECTED: lambda: replied(302),
    Kind.UNEXPECTED_STATUS: lambda: replied(418),
    Kind.UNREADABLE: lambda: read(b"<html>Sorry</html>"),
    Kind.TRUNCATED: lambda: read(chunk("Hel")),
    Kind.EMPTY: lambda: read(b" \n \n"),
    Kind.TOO_BIG: too_big,
}


def test_every_kind_has_a_row_and_every_row_was_meant():
    assert set(Kind) == set(FAULTS) == set(MEANT)


@pytest.mark.parametrize("kind", ALL)
def test_a_row_says_what_was_meant(kind):
    row = FAULTS[kind]

    assert MEANT[kind] == (row.scope, row.quick, row.counts, row.raises)
    assert row.why


def test_every_request_scope_row_raises_and_no_endpoint_row_does():
    raising = {kind for kind, row in FAULTS.items() if row.raises}

    assert {k for k, row in FAULTS.items() if row.scope is REQUEST} <= raising
    assert not {k for k, row in FAULTS.items() if row.scope in (ENDPOINT, ACCOUNT)} & raising


@pytest.mark.parametrize("kind", sorted(EXAMPLES, key=str))
def test_an_example_ends_in(kind):
    assert kind is EXAMPLES[kind]().kind


def test_an_idle_connection_that_was_closed_is_told_from_a_reset(simulator):
    assert Kind.STALE_CONNECTION is stale_connection(simulator).kind


def test_a_route_that_another_outran_is_abandoned(simulator, make_client):
    simulator.play("openrouter", "no_headers")

    first, _ = make_client(hedge_after=0.05).complete("hi").served.attempts

    assert Kind.ABANDONED.value == first.fault


def test_every_row_is_reached_by_an_example():
    assert set(FAULTS) == {*EXAMPLES, Kind.STALE_CONNECTION, Kind.ABANDONED}


@pytest.mark.parametrize("kind", ALL)
def test_without_its_row_nothing_is_known_of(kind, monkeypatch):
    fault = Fault(kind)
    monkeypatch.delitem(FAULTS, kind)

    with pytest.raises(KeyError):
        _ = fault.row
    with pytest.raises(KeyError):
        _ = fault.scope
    with pytest.raises(KeyError):
        str(fault)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault(Kind.SILENT), "silent: no token came in time"),
        (Fault(Kind.NO_CREDIT, "Add some", 402), "no_credit (402): Add some"),
        (Fault(Kind.FORBIDDEN, status=403), "forbidden (403): the key may not do this"),
    ],
)  # fmt: skip
def test_a_fault_is_said_in_one_line(fault, expected):
    assert expected == str(fault)
    assert expected == str(Broken(fault))


def test_a_fault_can_be_pickled():
    fault = Fault(Kind.RATE_LIMITED, "slow down", 429, "429", None, 3.0, True, "req-1")

    assert fault == pickle.loads(pickle.dumps(fault))
