"""What a client can do beyond one call: each is one file in `features/`, loaded when first used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

if TYPE_CHECKING:
    from openrouter_resilient.client import Client
    from openrouter_resilient.features.embed import Embeddings
    from openrouter_resilient.features.models import Models
    from openrouter_resilient.features.parse import Parsed
    from openrouter_resilient.features.tools import OnError, ToolRun

Value = TypeVar("Value")


class Abilities:
    """The part of a client that is made of calls."""

    @overload
    def parse(
        self, prompt: Any, shape: type[Value], /, *, repairs: int = 1, **options: Any
    ) -> Parsed[Value]: ...
    @overload
    def parse(
        self, prompt: Any, shape: Any, /, *, repairs: int = 1, **options: Any
    ) -> Parsed[Any]: ...
    def parse(self, prompt: Any, shape: Any, /, *, repairs: int = 1, **options: Any) -> Parsed[Any]:
        """Ask for an answer of a form, and get an instance of it.

        Args:
            prompt: as in `complete`.
            shape: a pydantic model, any type that pydantic knows (`list[int]`, an enum, a union, a
                dataclass …), or a JSON Schema as a dict.
            repairs: how often an answer of another form is sent back with what is wrong with it,
                within the same deadline and by preference on another route.
            **options: as in `complete`.

        Returns:
            The completion; `.value` is the instance.

        Raises:
            InvalidStructuredOutput: no answer had the form; `.text` and `.error` say more.
            ResilientError, TypeError, ValueError: as `complete` does.

        Example:
            answer = client.parse("The first three primes?", list[int])
            print(answer.value, answer.served)
        """
        from openrouter_resilient.features.parse import parse  # noqa: PLC0415  when first used

        return parse(cast("Client", self), prompt, shape, repairs=repairs, options=options)

    def run_tools(
        self,
        prompt: Any,
        *,
        tools: Sequence[Callable[..., Any]],
        max_steps: int = 8,
        on_error: OnError = "tell",
        **options: Any,
    ) -> ToolRun:
        """Let the model call Python functions until it answers.

        Between two steps a call may fail over like any other: the conversation goes with it. A
        function is run once for each call of it, whatever happens to the providers.

        Args:
            prompt: as in `complete`.
            tools: typed functions; their docstrings tell the model what they are for.
            max_steps: how often the model is asked at most; in the last step it can only answer.
            on_error: "tell" gives a function's exception to the model, "raise" lets it through.
            **options: as in `complete`, for each step; `deadline` is a step's.

        Returns:
            The run: `str()` of it is the answer; `.steps` has each completion and what was called.

        Raises:
            ResilientError, TypeError, ValueError: as `complete` does.

        Example:
            def add(a: int, b: int) -> int:
                "Add two numbers."
                return a + b

            print(client.run_tools("What is 17 + 25?", tools=[add]))
        """
        from openrouter_resilient.features.tools import run_tools  # noqa: PLC0415  when first used

        return run_tools(
            cast("Client", self), prompt, tools, max_steps=max_steps, on_error=on_error,
            options=options,
        )  # fmt: skip

    def embed(
        self,
        texts: str | Sequence[str],
        *,
        model: str = "openai/text-embedding-3-small",
        fallbacks: Sequence[str] | None = None,
        batch_size: int = 256,
        deadline: float | None = None,
        **params: Any,
    ) -> Embeddings:
        """Turn texts into vectors. Fails over only to an endpoint that serves the same model.

        Args:
            texts: one or more, none empty.
            model: an OpenRouter id, or a route such as `openai:text-embedding-3-small`.
            fallbacks: routes to the same model elsewhere, such as `vllm:bge-m3`; None: every
                endpoint of the model's author whose key is set.
            batch_size: texts a request.
            deadline: seconds for all of them; None: the client's.
            **params: everything else of the body (dimensions, provider, …).

        Returns:
            N lists of D floats, in the order of the N texts; `.served` says who made them.

        Raises:
            ConfigurationError: a fallback serves another model, or no key is set.
            ResilientError, TypeError, ValueError: as `complete` does.

        Example:
            vectors = client.embed(["Danube", "Rhine"])
            print(len(vectors), len(vectors[0]), vectors.served)
        """
        from openrouter_resilient.features.embed import embed  # noqa: PLC0415  when first used

        return embed(
            cast("Client", self), texts, model=model, fallbacks=fallbacks, batch_size=batch_size,
            deadline=deadline, params=params,
        )  # fmt: skip

    def models(self, *, refresh: bool = False, deadline: float = 10.0) -> Models:
        """OpenRouter's models with price, context and abilities, kept for an hour.

        Once they are known, a model that cannot take a picture is not sent one.

        Args:
            refresh: ask again, even if the list is fresh.
            deadline: seconds to wait for it.

        Returns:
            The models; a table in a notebook. Where OpenRouter does not answer, the last list.

        Raises:
            RoutesExhausted: it does not answer, and there is no last list.
        """
        from openrouter_resilient.features.models import load  # noqa: PLC0415  when first used

        return load(cast("Client", self), refresh=refresh, deadline=deadline)
