"""The endpoint table: name, URL, key, dialect, most models a request, default model.

A fact about one API stands here; an `if endpoint.name == …` anywhere is a defect.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydantic import SecretStr

from openrouter_resilient.errors import ConfigurationError
from openrouter_resilient.routing.plan import Route, in_groups
from openrouter_resilient.settings import Settings, checked_key, checked_url

DEFAULT_MODELS = (
    # Claude, then GPT, then Llama. The first two are aliases that OpenRouter resolves to the
    # newest of the family; there is none for Llama, whose id has been routable since 2024.
    "~anthropic/claude-sonnet-latest",
    "~openai/gpt-latest",
    "meta-llama/llama-3.3-70b-instruct",
)


AMONG_PROVIDERS = re.compile(r":(nitro|floor|exacto)$")  # variants that are no other model
HEADER = re.compile(r"[\w!#$%&'*+.^`|~-]+: [\t\x20-\x7e\xa0-\xff]*", re.ASCII)  # RFC 9110, 5.5
DIALECTS = ("openrouter", "openai", "groq", "anthropic", "anthropic-openai", "generic")


@dataclass(frozen=True)
class Endpoint:
    """One HTTP API that speaks chat completions.

    Attributes:
        name: what routes call it: `name:model`. Lower-case letters, digits, `_` and `-`.
        base_url: up to but without `/chat/completions`.
        key: what is sent as `Authorization: Bearer …`; None for a server that wants none.
        dialect: which column of the parameter table applies; "generic" sends all that OpenAI knows.
        private: whether a request that must not be stored (`data_collection: "deny"`, `zdr`) may
            go there, by your own judgement.
        default_model: the model that is asked where no route names one.
        most_models: how many models one request may list.
        author: whose models it serves under their OpenRouter name without the author.
        lacks: how the names of the author's models begin that it does not serve.
        dots: whether a version is spelled with dots there (`4.5`), as OpenRouter does.
        headers: sent with every request.
    """

    name: str
    base_url: str
    key: SecretStr | str | None = field(default=None, repr=False)
    dialect: str = "generic"
    private: bool = False
    default_model: str | None = None
    most_models: int = 1
    author: str | None = None
    lacks: tuple[str, ...] = ()
    dots: bool = True
    headers: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check what would go wrong with every call, and wrap the key.

        Raises:
            TypeError: the key is no text.
            ConfigurationError: name, URL, key or a header is malformed.
        """
        if self.dialect not in DIALECTS:
            raise ConfigurationError(
                f"no dialect is called {self.dialect!r}; use one of {', '.join(DIALECTS)}"
            )
        if not re.fullmatch(r"[a-z][a-z0-9_-]*", self.name):
            raise ConfigurationError(f"an endpoint cannot be called {self.name!r}; use a-z, 0-9, _")
        object.__setattr__(self, "base_url", checked_url(self.base_url, self.name))
        key = self.key.get_secret_value() if isinstance(self.key, SecretStr) else self.key
        if key is not None:
            object.__setattr__(self, "key", checked_key(key, f"the key of {self.name}"))
        for name, value in self.headers.items():  # the value may be a key, and is not shown
            if not HEADER.fullmatch(f"{name}: {value}"):
                raise ConfigurationError(
                    f"the header {name!r} of {self.name} holds characters that no header may, such "
                    "as a line end"
                )

    @property
    def key_variable(self) -> str:
        """The environment variable that holds its key."""
        return f"{_shouted(self.name)}_API_KEY"

    @property
    def url_variable(self) -> str:
        """The environment variable that replaces its base URL, if it is a built-in one."""
        return f"{_shouted(self.name)}_BASE_URL"


# fmt: off
OPENROUTER = Endpoint(
    "openrouter", "https://openrouter.ai/api/v1", dialect="openrouter", private=True, most_models=3,
    headers={"X-OpenRouter-Metadata": "enabled"},  # asks for its own attempts; they join the trail
)
OPENAI = Endpoint(
    # Not a "-chat-latest" alias, which takes no tools, nor a reasoning model, which refuses
    # sampling parameters: what answers in OpenRouter's place should take what OpenRouter took.
    "openai", "https://api.openai.com/v1", dialect="openai", author="openai",
    lacks=("gpt-oss",), default_model="gpt-4.1",  # open weights are served by others
)
GROQ = Endpoint(
    "groq", "https://api.groq.com/openai/v1", dialect="groq",
    default_model="llama-3.3-70b-versatile",
)
ANTHROPIC = Endpoint(
    "anthropic", "https://api.anthropic.com/v1", dialect="anthropic", author="anthropic",
    default_model="claude-sonnet-5", dots=False,
)
# fmt: on

ENDPOINTS: dict[str, Endpoint] = {
    row.name: row for row in (OPENROUTER, OPENAI, GROQ, ANTHROPIC)
}  # the order of the direct ones is the order in which they are asked by default


def resolve(settings: Settings, added: Iterable[Endpoint] = ()) -> dict[str, Endpoint]:
    """Every endpoint that can be asked, with its key and URL.

    Args:
        settings: where keys and URLs come from.
        added: the user's own endpoints; one of a built-in name replaces it. Their key and URL are
            arguments, which come before the environment.

    Raises:
        TypeError: one of them is no `Endpoint`.
    """
    added = tuple(added)
    for endpoint in added:
        if not isinstance(endpoint, Endpoint):
            raise TypeError(
                "endpoints must be a list of Endpoint(name, base_url), "
                f"not of {type(endpoint).__name__}"
            )
    own = {endpoint.name: endpoint for endpoint in added}
    return {
        name: _with_settings(row, settings, own=name in own)
        for name, row in {**ENDPOINTS, **own}.items()
    }


def parse_route(text: str, endpoints: Mapping[str, Endpoint]) -> Route:
    """Read a route as it is written: `openai:gpt-4o`, `openai`, or an OpenRouter id.

    Raises:
        ConfigurationError: no such endpoint, or no model is named and the endpoint has no default.
    """
    if not isinstance(text, str):
        raise ConfigurationError(
            f"a route is a text such as openai:gpt-4o, not {type(text).__name__}; str() of one of "
            "client.routes is"
        )
    prefix, colon, model = map(str.strip, text.partition(":"))
    if prefix == OPENROUTER.name and colon:
        return Route(prefix, (checked_model(model),))
    if prefix in endpoints:
        return Route(prefix, (model or _default_model(endpoints[prefix]),))
    if colon and "/" not in prefix:
        raise ConfigurationError(
            f"no endpoint is called {prefix!r} (in {text!r}); known: {', '.join(endpoints)}. "
            "Add your own with Client(endpoints=[Endpoint(name, base_url)])"
        )
    return Route(OPENROUTER.name, (checked_model(text),))


def checked_model(model: str) -> str:
    """An OpenRouter id, checked for its form.

    Raises:
        ConfigurationError: it is not of the form `author/model`.
    """
    name = model.strip()
    if re.fullmatch(r"(~?[\w.-]+/[\w.:@/-]+|@[\w-]+/[\w.-]+)", name):
        return name
    raise ConfigurationError(
        f"{model!r} is not an OpenRouter model id; write author/model (openai/gpt-4o), "
        "or endpoint:model to go straight to an endpoint (openai:gpt-4o)"
    )


def make_routes(
    models: Sequence[str], fallbacks: Sequence[str] | None, endpoints: Mapping[str, Endpoint]
) -> tuple[Route, ...]:
    """The routes of a client, in order: OpenRouter's models, then the fallbacks.

    Args:
        models: OpenRouter ids (or routes) in order; three ride in one request.
        fallbacks: routes in order; None for every direct endpoint whose key is set.
        endpoints: those that can be asked.

    Raises:
        ConfigurationError: nothing can be asked, or a fallback names an endpoint without a key; the
            message names every key that is missing.
    """
    routes = _grouped([parse_route(model, endpoints) for model in models], endpoints)
    if fallbacks is None:
        direct = (e for e in endpoints.values() if e.name in ENDPOINTS and e.most_models == 1)
        routes += [Route(e.name, (_nearest_model(e, models),)) for e in direct if e.key]
    else:
        routes += _grouped([parse_route(text, endpoints) for text in fallbacks], endpoints)
    return _with_keys(routes, endpoints, chosen=fallbacks or ())


def nearest_route(routes: Sequence[Route], endpoints: Mapping[str, Endpoint]) -> Route | None:
    """Straight to the maker of the first model: the nearest thing to it when OpenRouter is down.

    Args:
        routes: of a client or a call, in order.
        endpoints: those that can be asked.

    Returns:
        The route that should be the first of the fallbacks, such as `anthropic:claude-…` behind a
        Claude; None where it is, or where its key is not set.
    """
    first = routes[0]
    if first.endpoint != OPENROUTER.name:
        return None
    behind = next((route.endpoint for route in routes if route.endpoint != first.endpoint), None)
    for maker in endpoints.values():
        name = _made_by(maker, first.models[0]) if maker.key else None
        if name is not None:
            return None if behind == maker.name else Route(maker.name, (name,))
    return None


def own_name(endpoint: Endpoint, model: str) -> str | None:
    """What an endpoint calls an OpenRouter model that its author made; None if it has none such.

    OpenAI serves `openai/gpt-4o` as `gpt-4o`, Anthropic `anthropic/claude-haiku-4.5` as
    `claude-haiku-4-5`. What only chooses among providers (`:nitro`) changes no model; aliases,
    presets and other variants have no equal there.
    """
    author, _, name = AMONG_PROVIDERS.sub("", model).partition("/")
    if author != endpoint.author or ":" in name or "@" in name or name.startswith(endpoint.lacks):
        return None
    return name if endpoint.dots else name.replace(".", "-")


def _with_keys(
    routes: list[Route], endpoints: Mapping[str, Endpoint], chosen: Sequence[str]
) -> tuple[Route, ...]:
    """Leave out OpenRouter where only a direct key is set; a chosen fallback must have its key."""
    usable = [r for r in routes if r.endpoint not in ENDPOINTS or endpoints[r.endpoint].key]
    lacking = [route for route in routes if route not in usable]
    if usable:
        fallbacks = [parse_route(text, endpoints) for text in chosen]
        lacking = [route for route in lacking if route in fallbacks]
    if lacking:
        raise ConfigurationError(_keys_wanted(lacking, endpoints))
    return tuple(usable)


def _keys_wanted(lacking: Sequence[Route], endpoints: Mapping[str, Endpoint]) -> str:
    """All keys that are missing, in one message: whoever sets one is not told of the next then."""
    firsts: dict[str, Route] = {}
    for route in lacking:
        firsts.setdefault(route.endpoint, route)
    places = "the environment or in a .env file, or pass Client"
    if list(firsts) == [OPENROUTER.name]:
        return (
            "no key is set. Set OPENROUTER_API_KEY (from https://openrouter.ai/settings/keys) in "
            f"{places}(api_key=…). To see it work without one: openrouter-resilient drill"
        )
    wanted = (
        f"{route} needs a key: set {endpoints[name].key_variable}" for name, route in firsts.items()
    )
    return f"{'; '.join(wanted)}, in {places}(keys=…)"


def _grouped(routes: Sequence[Route], endpoints: Mapping[str, Endpoint]) -> list[Route]:
    """Join neighbours of one endpoint into as few requests as it allows."""
    grouped: list[Route] = []
    runs: list[tuple[str, list[str]]] = []
    for route in routes:
        if not runs or runs[-1][0] != route.endpoint:
            runs.append((route.endpoint, []))
        runs[-1][1].extend(route.models)
    for name, models in runs:
        most = endpoints[name].most_models
        grouped += [Route(name, group) for group in in_groups(list(dict.fromkeys(models)), most)]
    return grouped


def _nearest_model(endpoint: Endpoint, models: Sequence[str]) -> str:
    """The model to ask a direct endpoint for: the first of the list that it serves, or its own."""
    names = (own_name(endpoint, model) for model in models)
    return next(filter(None, names), None) or _default_model(endpoint)


def _made_by(endpoint: Endpoint, model: str) -> str | None:
    """The same for one model, or for an alias of the author's newest; None where there is none."""
    if endpoint.author and model.startswith(f"~{endpoint.author}/"):
        return _default_model(endpoint)
    return own_name(endpoint, model)


def _default_model(endpoint: Endpoint) -> str:
    if endpoint.default_model:
        return endpoint.default_model
    raise ConfigurationError(
        f"which model of {endpoint.name}? Write {endpoint.name}:model, or give it a default_model"
    )


def _with_settings(row: Endpoint, settings: Settings, *, own: bool) -> Endpoint:
    """The row with the key and URL that the settings hold for it."""
    key = row.key or settings.secret(row.key_variable)
    if own and settings.origin(row.url_variable) != "argument":
        return replace(row, key=key)  # else a variable would lead the key that was given elsewhere
    return replace(row, key=key, base_url=settings.read(row.url_variable) or row.base_url)


def _shouted(name: str) -> str:
    return name.upper().replace("-", "_")
