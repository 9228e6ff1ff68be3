"""OpenRouter's list of models: price, context, abilities. Kept for an hour."""

from __future__ import annotations

import html
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, overload

from cachetools import LRUCache, TTLCache

from openrouter_resilient.endpoints.table import OPENROUTER
from openrouter_resilient.errors import NotRecorded, ResilientError, RoutesExhausted
from openrouter_resilient.routing.faults import Broken, Fault, Kind
from openrouter_resilient.routing.recognition import classify_reply
from openrouter_resilient.wire.clock import monotonic

if TYPE_CHECKING:
    from openrouter_resilient.client import Client
    from openrouter_resilient.routing.plan import Route
    from openrouter_resilient.shapes import Request
    from openrouter_resilient.wire.exchange import Reply

KEPT_S = 3600.0  # prices and models change by the day
MAX_BYTES = 64 * 1024 * 1024  # the list has a few megabytes
PARTS = {"image_url": "image", "input_audio": "audio", "video_url": "video"}
COLUMNS = ("model", "context", "$/M prompt", "$/M completion", "takes", "abilities")
SHOWN_ABILITIES = ("tools", "structured_outputs", "reasoning")
SHOWN_ROWS = 400  # of a table

_LOCK = threading.Lock()
_FRESH: TTLCache[str, Models] = TTLCache(maxsize=16, ttl=KEPT_S, timer=monotonic)
_LAST: LRUCache[str, Models] = LRUCache(maxsize=16)


@dataclass(frozen=True)
class Model:
    """One model at OpenRouter.

    Attributes:
        id: what a call asks for.
        name: for people.
        context_tokens: what prompt and answer may have together; None if unknown.
        prompt_usd, completion_usd: for a million tokens; None if unknown.
        takes, gives: what may go in and come out: "text", "image", "file", "audio" …
        abilities: the parameters that some provider of it knows, such as "tools".
        slug: what replies name; None if unknown.
        expires: when it will be gone, as a date; None if that is not planned.
        fields: the whole entry as it came.
    """

    id: str
    name: str
    context_tokens: int | None = None
    prompt_usd: float | None = None
    completion_usd: float | None = None
    takes: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    abilities: tuple[str, ...] = ()
    slug: str | None = None
    expires: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def can(self, ability: str) -> bool:
        """Whether it has an ability: a parameter that some provider knows, or what it takes."""
        return ability in self.abilities or ability in self.takes


@dataclass(frozen=True)
class Models(Sequence[Model]):
    """Models, by place or by id: `models["openai/gpt-4o"]`. A table in a notebook.

    Attributes:
        listed: all of them.
        stale: OpenRouter did not answer, and this is the last list that came.
    """

    listed: tuple[Model, ...] = field(repr=False)
    stale: bool = False

    def __len__(self) -> int:
        """How many there are."""
        return len(self.listed)

    @overload
    def __getitem__(self, key: int | str) -> Model: ...
    @overload
    def __getitem__(self, key: slice) -> Models: ...
    def __getitem__(self, key: int | str | slice) -> Model | Models:
        """One by its place or id (KeyError if there is none), or some."""
        if isinstance(key, str):
            return self._by_id()[key]
        return (
            replace(self, listed=self.listed[key]) if isinstance(key, slice) else self.listed[key]
        )

    def __iter__(self) -> Iterator[Model]:
        """One after the other."""
        return iter(self.listed)

    def __contains__(self, key: object) -> bool:
        """Whether there is one of this id, or this one."""
        return key in self._by_id() if isinstance(key, str) else key in self.listed

    def search(self, text: str = "", *abilities: str) -> Models:
        """Those with a text in their id or name, and all of the abilities.

        Args:
            text: in letters of any case; empty for all.
            *abilities: as `Model.can` takes them, such as "tools", "reasoning" or "image".
        """
        wanted = text.lower()
        found = (
            model
            for model in self.listed
            if (wanted in model.id.lower() or wanted in model.name.lower())
            and all(map(model.can, abilities))
        )
        return replace(self, listed=tuple(found))

    def objection(self, request: Request, route: Route) -> str | None:
        """Why none of a route's models can take a request's parts; None if one may."""
        if route.endpoint != OPENROUTER.name:
            return None
        known = self._by_id()
        models = [known.get(model) for model in route.models]
        for kind in sorted(_modalities(request)):
            if all(
                model is not None and model.takes and kind not in model.takes for model in models
            ):
                return f"none of its models takes parts of the kind {kind}"
        return None

    def __repr__(self) -> str:
        """Say how many there are; print them for a table."""
        return f"<{len(self):,} models{', of the last list that came' * self.stale}>"

    def __str__(self) -> str:
        """A table for a terminal."""
        rows = [COLUMNS, *map(_row, self.listed[:SHOWN_ROWS])]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """A table for a notebook."""
        head = "".join(f"<th>{html.escape(name)}</th>" for name in COLUMNS)
        rows = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in _row(model)) + "</tr>"
            for model in self.listed[:SHOWN_ROWS]
        )
        note = "<p>OpenRouter does not answer; this is the last list.</p>" if self.stale else ""
        return f"{note}<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"

    def _by_id(self) -> dict[str, Model]:
        return {model.id: model for model in self.listed}


def load(client: Client, *, refresh: bool, deadline: float) -> Models:
    """See `Abilities.models`."""
    url = f"{client.endpoints[OPENROUTER.name].base_url}/models"
    with _LOCK:
        known = None if refresh else _FRESH.get(url)
    if known is None:
        known = _fetched(client, url, deadline)
    client._catalogue = known
    return known


def _fetched(client: Client, url: str, deadline: float) -> Models:
    """The list as it comes; the last one where it does not."""
    try:
        fresh = _fetch(client, url, deadline)
    except (Broken, NotRecorded) as trouble:
        with _LOCK:
            last = _LAST.get(url)
        if last is None:
            raise _told(trouble) from None
        return replace(last, stale=True)
    with _LOCK:
        _FRESH[url] = _LAST[url] = fresh
    return fresh


def _told(trouble: Broken | NotRecorded) -> ResilientError:
    if isinstance(trouble, NotRecorded):
        return trouble
    return RoutesExhausted(
        f"OpenRouter's list of models did not come: {trouble.fault}. Ask again later"
    )


def _fetch(client: Client, url: str, deadline: float) -> Models:
    carrier = client._carrier
    until = carrier.clock.now() + deadline
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}  # it asks for no key
    reply = carrier.get(url, headers, until=until)
    try:
        body = _read(reply, until)
    finally:
        reply.close(keep=True)
    parsed = _parsed(body)
    if reply.status != 200:
        raise Broken(
            classify_reply(reply.status, parsed, reply.headers, wall_now=carrier.clock.wall())
        )
    entries = parsed.get("data") if isinstance(parsed, dict) else None
    if not isinstance(entries, list):
        raise Broken(Fault(Kind.UNREADABLE, "it is no list of models"))
    made = (_model(entry) for entry in entries if isinstance(entry, dict))
    return Models(tuple(model for model in made if model is not None))


def _read(reply: Reply, until: float) -> bytes:
    body = bytearray()
    while data := reply.read(until):
        body += data
        if len(body) > MAX_BYTES:
            raise Broken(Fault(Kind.TOO_BIG))
    return bytes(body)


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body[:4096].decode(errors="replace")


def _model(entry: Mapping[str, Any]) -> Model | None:
    """An entry, read with patience: OpenRouter adds and widens fields without notice."""
    if not isinstance(entry.get("id"), str):
        return None
    about = _mapping(entry.get("architecture"))
    pricing = _mapping(entry.get("pricing"))
    context = entry.get("context_length")
    return Model(
        id=entry["id"],
        name=str(entry.get("name") or entry["id"]),
        context_tokens=int(context) if isinstance(context, int | float) else None,
        prompt_usd=_a_million(pricing.get("prompt")),
        completion_usd=_a_million(pricing.get("completion")),
        takes=_texts(about.get("input_modalities")),
        gives=_texts(about.get("output_modalities")),
        abilities=_texts(entry.get("supported_parameters")),
        slug=entry.get("canonical_slug"),
        expires=entry.get("expiration_date"),
        fields=entry,
    )


def _a_million(price: object) -> float | None:
    """USD for a million tokens; prices come as texts, for one. A router's is -1: unknown."""
    try:
        each = float(price)  # type: ignore[arg-type]  # what is no number is caught
    except (TypeError, ValueError):
        return None
    return round(each * 1e6, 6) if each >= 0 else None


def _texts(value: object) -> tuple[str, ...]:
    return tuple(text for text in value if isinstance(text, str)) if isinstance(value, list) else ()


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _modalities(request: Request) -> set[str]:
    contents = (message.get("content") for message in request.messages)
    parts = (part for content in contents if isinstance(content, list) for part in content)
    return {PARTS[part["type"]] for part in parts if part["type"] in PARTS}


def _row(model: Model) -> tuple[str, ...]:
    context = f"{model.context_tokens:,}" if model.context_tokens else ""
    prices = ("" if usd is None else f"{usd:g}" for usd in (model.prompt_usd, model.completion_usd))
    able = ", ".join(name for name in SHOWN_ABILITIES if name in model.abilities)
    return (model.id, context, *prices, ", ".join(model.takes), able)
