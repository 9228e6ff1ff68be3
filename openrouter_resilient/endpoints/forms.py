"""The table of dialects: where each form of request goes, how it is written, how its reply is read.

One row a dialect. `call.py` and `client.py` read it; nothing else knows how two APIs differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from openrouter_resilient.endpoints import anthropic, dialects, embeddings
from openrouter_resilient.endpoints.anthropic_reply import MessagesReader
from openrouter_resilient.endpoints.table import Endpoint
from openrouter_resilient.endpoints.verdicts import Untranslatable
from openrouter_resilient.errors import ConfigurationError
from openrouter_resilient.routing.plan import Route
from openrouter_resilient.shapes import CHAT, EMBEDDINGS, Request

Body = dict[str, Any]


class Reader(Protocol):
    """Reads one reply as a chat completion."""

    @property
    def ended(self) -> bool:
        """The stream has said in its own way that it is over."""

    def whole(self, body: Body) -> Body:
        """A whole body as that of a chat completion."""

    def chunks(self, event: Body) -> list[Body]:
        """An event as chunks of a chat completion."""


class PlainReader:
    """Reads what is a chat completion already.

    Attributes:
        ended: never; the sentinel `[DONE]` is the exchange's.
    """

    ended = False

    def whole(self, body: Body) -> Body:
        """The same."""
        return body

    def chunks(self, event: Body) -> list[Body]:
        """The same."""
        return [event]


PLAIN = PlainReader()  # it remembers nothing, so one is enough


class Write(Protocol):
    """Writes a request."""

    def __call__(
        self, request: Request, route: Route, dialect: str, *, stream: bool
    ) -> tuple[Body, tuple[str, ...]]:
        """The JSON body, and what was left out of it."""


@dataclass(frozen=True)
class Form:
    """One kind of request in one dialect.

    Attributes:
        path: what is added to the base URL.
        write: makes the body.
        objection: why a request cannot be said; None if it can.
        read: makes the reader of one reply.
    """

    path: str
    write: Write
    objection: Callable[[Request, Route, str], str | None]
    read: Callable[[Request, Route], Reader] = lambda _request, _route: PLAIN


@dataclass(frozen=True)
class Dialect:
    """How one API is spoken to.

    Attributes:
        forms: by kind of request.
        sign: the headers that carry a key.
        headers: sent with every request; an endpoint's own win.
    """

    forms: Mapping[str, Form]
    sign: Callable[[str], dict[str, str]] = lambda key: {"Authorization": f"Bearer {key}"}
    headers: Mapping[str, str] = field(default_factory=dict)


def _messages_objection(request: Request, route: Route, dialect: str) -> str | None:
    why = dialects.objection(request, route, dialect)
    if why is not None:
        return why
    try:
        _to_messages(request, route, dialect, stream=True)
    except Untranslatable as reason:
        return str(reason)
    return None


def _to_messages(
    request: Request, route: Route, dialect: str, *, stream: bool
) -> tuple[Body, tuple[str, ...]]:
    verdicts = dialects.judged(request.parameters, dialect, route.models[0])
    messages = dialects.with_words(request.messages, verdicts)
    body, warnings = anthropic.to_wire(messages, verdicts, route.models[0], stream=stream)
    return body, (*dialects.dropped(verdicts), *warnings)


COMPLETIONS = Form("/chat/completions", dialects.to_wire, dialects.objection)
VECTORS = Form("/embeddings", embeddings.to_wire, embeddings.objection, embeddings.VectorsReader)

# fmt: off
DIALECTS: dict[str, Dialect] = {
    "openrouter": Dialect({
        CHAT:       Form("/chat/completions", dialects.to_openrouter, dialects.no_objection),
        EMBEDDINGS: Form("/embeddings", embeddings.to_openrouter, dialects.no_objection, embeddings.VectorsReader),
    }),
    "openai":     Dialect({CHAT: COMPLETIONS, EMBEDDINGS: VECTORS}),
    "groq":       Dialect({CHAT: COMPLETIONS}),
    "anthropic":  Dialect(
        {CHAT: Form("/messages", _to_messages, _messages_objection, lambda _request, _route: MessagesReader())},
        sign=lambda key: {"x-api-key": key},
        headers={"anthropic-version": anthropic.VERSION},
    ),
    "anthropic-openai": Dialect({CHAT: COMPLETIONS}),  # Anthropic's own imitation of OpenAI's API
    "generic":    Dialect({CHAT: COMPLETIONS, EMBEDDINGS: VECTORS}),
}
# fmt: on


def dialect_of(endpoint: Endpoint) -> Dialect:
    """The dialect that an endpoint speaks.

    Raises:
        ConfigurationError: there is none of that name.
    """
    dialect = DIALECTS.get(endpoint.dialect)
    if dialect is None:
        raise ConfigurationError(
            f"no dialect is called {endpoint.dialect!r} (of the endpoint {endpoint.name}); "
            f"known: {', '.join(DIALECTS)}"
        )
    return dialect


def form_of(request: Request, endpoint: Endpoint) -> Form:
    """The form that this request takes there; `objection` has seen that there is one."""
    return DIALECTS[endpoint.dialect].forms[request.operation]


def to_wire(
    request: Request, endpoint: Endpoint, route: Route, *, stream: bool
) -> tuple[Body, tuple[str, ...]]:
    """The JSON body for this endpoint, and what was left out of it.

    Args:
        request: as the caller made it.
        endpoint: whom it goes to.
        route: with the models to ask for.
        stream: whether the answer should come as events.
    """
    return form_of(request, endpoint).write(request, route, endpoint.dialect, stream=stream)


def objection(request: Request, endpoint: Endpoint, route: Route) -> str | None:
    """Why this request may not go to this route; None if it may."""
    if not endpoint.private and _must_stay_private(request.parameters):
        return (
            "the request forbids data collection, and this endpoint is not declared private "
            "(Endpoint(…, private=True) says that it may see such requests)"
        )
    form = dialect_of(endpoint).forms.get(request.operation)
    if form is None:
        return f"it has no {request.operation}"
    return form.objection(request, route, endpoint.dialect)


def _must_stay_private(parameters: Mapping[str, Any]) -> bool:
    provider = parameters.get("provider")
    if not isinstance(provider, Mapping):
        return False
    return provider.get("data_collection") == "deny" or provider.get("zdr") is True
