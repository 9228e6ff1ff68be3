"""Endpoints, and the routes that are made of models and fallbacks."""

from __future__ import annotations

import pickle
import re

import pytest
from pydantic import SecretStr

from openrouter_resilient.endpoints.dialects import COLUMNS
from openrouter_resilient.endpoints.table import (
    DEFAULT_MODELS,
    ENDPOINTS,
    Endpoint,
    checked_model,
    make_routes,
    nearest_route,
    parse_route,
    resolve,
)
from openrouter_resilient.errors import ConfigurationError
from openrouter_resilient.routing.plan import Route
from openrouter_resilient.settings import Settings

KEYS = {"OPENROUTER_API_KEY": "k-or", "OPENAI_API_KEY": "k-oa", "ANTHROPIC_API_KEY": "k-an"}
VLLM = Endpoint("vllm", "http://localhost:8000/v1")


def endpoints(*added, arguments=None, **environment):
    """The endpoints as these variables set them up, with no `.env` in reach."""
    return resolve(Settings(arguments, environment=environment or KEYS), added)


def route(text):
    """`openai:gpt-4o` as a route; several models are set off by commas."""
    name, _, models = text.partition(":")
    return Route(name, tuple(models.split(",")))


class TestTheTable:
    @pytest.mark.parametrize(
        ("name", "url", "dialect", "most", "private", "default"),
        [
            ("openrouter", "https://openrouter.ai/api/v1", "openrouter", 3, True, None),
            ("openai", "https://api.openai.com/v1", "openai", 1, False, "gpt-4.1"),
            ("groq", "https://api.groq.com/openai/v1", "groq", 1, False, "llama-3.3-70b-versatile"),
            ("anthropic", "https://api.anthropic.com/v1", "anthropic", 1, False, "claude-sonnet-5"),
        ],
    )
    def test_says_what_each_api_is_like(self, name, url, dialect, most, private, default):
        row = ENDPOINTS[name]

        assert (url, dialect, most, private, default) == (
            row.base_url, row.dialect, row.most_models, row.private, row.default_model
        )  # fmt: skip
        assert f"{name.upper()}_API_KEY" == row.key_variable
        assert f"{name.upper()}_BASE_URL" == row.url_variable

    def test_has_four_rows_of_which_openrouter_is_asked_first_and_groq_after_openai(self):
        assert ["openrouter", "openai", "groq", "anthropic"] == list(ENDPOINTS)

    def test_names_dialects_that_exist(self):
        assert {"openrouter"} == {row.dialect for row in ENDPOINTS.values()} - set(COLUMNS)

    def test_asks_for_claude_then_gpt_then_llama(self):
        families = ("claude", "gpt", "llama")

        assert all(family in model for family, model in zip(families, DEFAULT_MODELS, strict=True))
        assert all(checked_model(model) == model for model in DEFAULT_MODELS)

    def test_asks_openrouter_for_its_own_attempts(self):
        assert {"X-OpenRouter-Metadata": "enabled"} == ENDPOINTS["openrouter"].headers


class TestAnEndpoint:
    @pytest.mark.parametrize("name", ["", "2fast", "My-proxy", "a b", "a:b", "_a", "é"])
    def test_has_a_name_that_a_route_can_hold(self, name):
        with pytest.raises(ConfigurationError, match="an endpoint cannot be called"):
            Endpoint(name, "http://localhost")

    def test_has_a_url_with_a_scheme_and_a_host(self):
        with pytest.raises(ConfigurationError, match="the base URL of vllm needs"):
            Endpoint("vllm", "localhost:8000")

    @pytest.mark.parametrize(
        "headers", [{"api-key": "k-secret\n"}, {"x": "→"}, {"x\r\ny": "z"}, {"": "z"}]
    )
    def test_has_headers_that_can_be_sent(self, headers):
        with pytest.raises(ConfigurationError, match="of vllm holds characters") as caught:
            Endpoint("vllm", "http://localhost", headers=headers)

        assert "k-secret" not in str(caught.value)

    @pytest.mark.parametrize("key", ["k-secret\nx", "k-secret x", "k-secret→"])
    def test_has_a_key_that_can_be_sent(self, key):
        with pytest.raises(ConfigurationError, match="the key of vllm holds spaces") as caught:
            Endpoint("vllm", "http://localhost", key)

        assert "k-secret" not in str(caught.value)

    def test_takes_a_key_as_it_is_read_from_a_file(self):
        assert SecretStr("k") == Endpoint("vllm", "http://localhost", "k\n").key

    def test_never_shows_its_key(self):
        endpoint = Endpoint("vllm", "http://localhost", "k-secret")

        assert "k-secret" == endpoint.key.get_secret_value()
        assert "k-secret" not in f"{endpoint!r} {endpoint}"

    def test_keeps_a_key_that_is_a_secret_already(self):
        assert SecretStr("k") == Endpoint("vllm", "http://localhost", SecretStr("k")).key

    @pytest.mark.parametrize(
        ("given", "kept"), [("k\n", "k"), (SecretStr(" k\r\n"), "k"), ("\n", None), ("", None)]
    )
    def test_takes_a_key_without_the_line_end_that_a_file_brings_along(self, given, kept):
        key = Endpoint("vllm", "http://localhost", given).key

        assert kept == (key and key.get_secret_value())

    @pytest.mark.parametrize("key", ["k secret", "k\nsecret", "schlüssel", SecretStr("k secret")])
    def test_refuses_a_key_that_no_call_could_send(self, key):
        with pytest.raises(ConfigurationError, match="the key of vllm holds spaces") as raised:
            Endpoint("vllm", "http://localhost", key)

        assert "secret" not in str(raised.value)

    def test_refuses_a_key_that_is_no_text(self):
        with pytest.raises(TypeError, match="the key of vllm must be a text, not int"):
            Endpoint("vllm", "http://localhost", 5)

    @pytest.mark.parametrize("headers", [{"X": "a\nsecret"}, {"X": "→"}, {"Ä": "a"}, {"X Y": "a"}])
    def test_refuses_a_header_that_no_call_could_send(self, headers):
        with pytest.raises(ConfigurationError, match="of vllm holds characters") as raised:
            Endpoint("vllm", "http://localhost", headers=headers)

        assert "secret" not in str(raised.value)

    def test_may_have_headers_of_any_printable_latin_text(self):
        headers = {"X-Title": "Zürich: a, b", "HTTP-Referer": "https://example.org/?a=b"}

        assert headers == Endpoint("vllm", "http://localhost", headers=headers).headers

    def test_has_variables_of_its_own(self):
        endpoint = Endpoint("my-proxy", "http://localhost")

        assert "MY_PROXY_API_KEY" == endpoint.key_variable
        assert "MY_PROXY_BASE_URL" == endpoint.url_variable

    def test_can_be_pickled(self):
        assert VLLM == pickle.loads(pickle.dumps(VLLM))


class TestResolving:
    def test_takes_keys_and_urls_from_the_settings(self):
        known = endpoints(OPENAI_API_KEY="k", OPENAI_BASE_URL="https://eu.example.org/v1/")

        assert SecretStr("k") == known["openai"].key
        assert "https://eu.example.org/v1" == known["openai"].base_url
        assert known["groq"].key is None
        assert "https://api.groq.com/openai/v1" == known["groq"].base_url

    def test_adds_the_users_own_endpoints_and_lets_them_replace_a_built_in_one(self):
        mine = Endpoint("groq", "http://localhost:1", "mine")
        known = endpoints(VLLM, mine, GROQ_API_KEY="other")

        assert "vllm" in known
        assert ("http://localhost:1", SecretStr("mine")) == (
            known["groq"].base_url,
            known["groq"].key,
        )

    @pytest.mark.parametrize("name", ["custom", "openai"])
    def test_lets_no_variable_lead_the_key_of_a_users_own_endpoint_elsewhere(self, name):
        mine = Endpoint(name, "http://localhost:1", "mine")
        elsewhere = {f"{name.upper()}_BASE_URL": "http://elsewhere.example"}

        assert "http://localhost:1" == endpoints(mine, **elsewhere)[name].base_url

    @pytest.mark.parametrize("added", [(), (Endpoint("openai", "http://localhost:1"),)])
    def test_takes_a_url_given_by_name_before_any_other(self, added):
        url, elsewhere = "http://localhost:2", "http://elsewhere.example"
        known = endpoints(*added, arguments={"OPENAI_BASE_URL": url}, OPENAI_BASE_URL=elsewhere)

        assert url == known["openai"].base_url

    def test_leaves_the_table_as_it_was(self):
        endpoints(OPENAI_API_KEY="k")

        assert all(row.key is None for row in ENDPOINTS.values())


class TestReadingARoute:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("openai:gpt-4o", "openai:gpt-4o"),
            ("openai: gpt-4o ", "openai:gpt-4o"),
            ("openai", "openai:gpt-4.1"),
            ("openai:", "openai:gpt-4.1"),
            ("groq:openai/gpt-oss-120b", "groq:openai/gpt-oss-120b"),
            ("vllm:org/model:tag", "vllm:org/model:tag"),
            ("openai/gpt-4o", "openrouter:openai/gpt-4o"),
            (" openai/gpt-4o ", "openrouter:openai/gpt-4o"),
            ("meta-llama/llama-3.3-70b:free", "openrouter:meta-llama/llama-3.3-70b:free"),
            ("openrouter:openai/gpt-4o", "openrouter:openai/gpt-4o"),
            ("~openai/gpt-latest", "openrouter:~openai/gpt-latest"),
            ("@preset/terse", "openrouter:@preset/terse"),
            ("openai/gpt-4o@preset/terse", "openrouter:openai/gpt-4o@preset/terse"),
        ],
    )
    def test_takes_the_ways_it_may_be_written(self, text, expected):
        assert route(expected) == parse_route(text, endpoints(VLLM))

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("gpt-4o", "is not an OpenRouter model id"),
            ("", "is not an OpenRouter model id"),
            ("openai/", "is not an OpenRouter model id"),
            ("openai/gpt 4o", "is not an OpenRouter model id"),
            ("openrouter:gpt-4o", "is not an OpenRouter model id"),
            ("openia:gpt-4o", "no endpoint is called 'openia'"),
            ("vllm", "which model of vllm"),
            ("openrouter", "which model of openrouter"),
        ],
    )
    def test_says_what_is_wrong_with_the_others(self, text, message):
        with pytest.raises(ConfigurationError, match=message):
            parse_route(text, endpoints(VLLM))


class TestTheRoutesOfAClient:
    @pytest.mark.parametrize(
        ("models", "fallbacks", "expected"),
        [
            (["openai/gpt-4o"], [], ["openrouter:openai/gpt-4o"]),
            # three ride in one request, a fourth in the next
            (["a/1", "a/2", "a/3"], [], ["openrouter:a/1,a/2,a/3"]),
            (["a/1", "a/2", "a/3", "a/4"], [], ["openrouter:a/1,a/2,a/3", "openrouter:a/4"]),
            (["a/1", "a/1", "a/2"], [], ["openrouter:a/1,a/2"]),
            (["a/1", "openai:x", "a/2"], [], ["openrouter:a/1", "openai:x", "openrouter:a/2"]),
            # fallbacks as they are chosen
            (["a/1"], ["anthropic:y", "openai:x"], ["openrouter:a/1", "anthropic:y", "openai:x"]),
            (["a/1"], ["openai:x", "openai:z"], ["openrouter:a/1", "openai:x", "openai:z"]),
            (["a/1"], ["vllm:m"], ["openrouter:a/1", "vllm:m"]),
            # or every direct endpoint whose key is set, with the nearest model it has
            (["a/1"], None, ["openrouter:a/1", "openai:gpt-4.1", "anthropic:claude-sonnet-5"]),
            (
                ["anthropic/claude-sonnet-4.5", "openai/gpt-4o"],
                None,
                ["openrouter:anthropic/claude-sonnet-4.5,openai/gpt-4o", "openai:gpt-4o",
                 "anthropic:claude-sonnet-4-5"],
            ),
            (
                ["openai/gpt-4o:free", "openai/gpt-5@preset/x", "~anthropic/claude-latest"],
                None,
                ["openrouter:openai/gpt-4o:free,openai/gpt-5@preset/x,~anthropic/claude-latest",
                 "openai:gpt-4.1", "anthropic:claude-sonnet-5"],
            ),
            (
                ["openai/gpt-oss-120b", "openai/gpt-4o:nitro"],
                None,
                ["openrouter:openai/gpt-oss-120b,openai/gpt-4o:nitro", "openai:gpt-4o",
                 "anthropic:claude-sonnet-5"],
            ),
        ],
    )  # fmt: skip
    def test_are_its_models_and_then_its_fallbacks(self, models, fallbacks, expected):
        wanted = tuple(
            Route(text.partition(":")[0], tuple(text.partition(":")[2].split(",")))
            for text in expected
        )

        assert wanted == make_routes(models, fallbacks, endpoints(VLLM))

    def test_are_the_direct_ones_where_only_their_key_is_set(self):
        only = endpoints(GROQ_API_KEY="k")

        assert (route("groq:llama-3.3-70b-versatile"),) == make_routes(["a/1"], None, only)

    def test_are_none_without_any_key(self):
        with pytest.raises(ConfigurationError, match=r"no key is set. Set OPENROUTER_API_KEY"):
            make_routes(["a/1"], None, endpoints(NOTHING="1"))

    def test_may_be_an_endpoint_that_wants_no_key(self):
        assert (route("vllm:m"),) == make_routes(["vllm:m"], [], endpoints(VLLM, NOTHING="1"))

    def test_name_the_key_that_a_chosen_fallback_lacks(self):
        with pytest.raises(ConfigurationError, match="groq:x needs a key: set GROQ_API_KEY"):
            make_routes(["a/1"], ["groq:x"], endpoints())

    def test_name_the_key_that_a_direct_route_lacks_and_not_one_that_is_set(self):
        with pytest.raises(ConfigurationError, match=r"^groq:x needs a key: set GROQ_API_KEY,"):
            make_routes(["groq:x"], [], endpoints())

    @pytest.mark.parametrize(
        ("models", "fallbacks", "settings", "missing"),
        [
            (["a/1"], ["groq:x", "openai:y"], {"OPENROUTER_API_KEY": "k"}, ["groq", "openai"]),
            (["a/1"], ["groq:x", "groq:z"], {"OPENROUTER_API_KEY": "k"}, ["groq"]),
            (["a/1"], ["groq:x", "openai:y"], {"NONE": "k"}, ["openrouter", "groq", "openai"]),
            (["groq:x", "openai:y"], [], {"OPENROUTER_API_KEY": "k"}, ["groq", "openai"]),
            # OpenRouter's is no must where a fallback can be asked
            (["a/1"], ["groq:x", "openai:y"], {"OPENAI_API_KEY": "k"}, ["groq"]),
        ],
    )
    def test_name_all_keys_that_are_missing_at_once(self, models, fallbacks, settings, missing):
        with pytest.raises(ConfigurationError) as caught:
            make_routes(models, fallbacks, endpoints(**settings))

        named = re.findall(r"set (\w+)_API_KEY", str(caught.value))
        assert missing == [name.lower() for name in named]


class TestTheMakerOfTheFirstModel:
    @pytest.mark.parametrize(
        ("routes", "nearest"),
        [
            (["openrouter:anthropic/claude-sonnet-5"], "anthropic:claude-sonnet-5"),
            (["openrouter:anthropic/claude-opus-4.5", "openai:x"], "anthropic:claude-opus-4-5"),
            (["openrouter:~anthropic/claude-x-latest", "openai:x"], "anthropic:claude-sonnet-5"),
            (["openrouter:anthropic/y", "openai:x", "anthropic:y"], "anthropic:y"),
            (["openrouter:openai/gpt-4o", "anthropic:y"], "openai:gpt-4o"),
            # it is asked next already
            (["openrouter:anthropic/y", "anthropic:z", "openai:x"], None),
            (["openrouter:anthropic/y", "openrouter:a/4", "anthropic:z"], None),
            # nobody here makes it, or its key is not set
            (["openrouter:meta-llama/llama-3.3-70b-instruct", "openai:x"], None),
            (["openrouter:groq/x"], None),
            (["openrouter:openai/gpt-oss-120b", "anthropic:y"], None),
            # it is asked straight from somebody already
            (["anthropic:y", "openai:x"], None),
            (["groq:openai/gpt-oss-120b", "anthropic:y"], None),
        ],
    )
    def test_should_be_the_first_fallback_where_its_key_is_set(self, routes, nearest):
        expected = route(nearest) if nearest else None

        assert expected == nearest_route(list(map(route, routes)), endpoints(VLLM))

    def test_is_not_named_without_its_key(self):
        only = endpoints(OPENROUTER_API_KEY="k", OPENAI_API_KEY="k")

        assert nearest_route([route("openrouter:anthropic/y"), route("openai:x")], only) is None
