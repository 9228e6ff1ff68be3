"""What a client can do beyond one call: each is one file in `features/`, loaded when first used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast, overload

from openrouter_resilient.sheet import Sheet

if TYPE_CHECKING:
    from openrouter_resilient.client import Client
    from openrouter_resilient.features.embed import Embeddings
    from openrouter_resilient.features.models import Models
    from openrouter_resilient.features.parse import Parsed
    from openrouter_resilient.features.tools import OnError, ToolRun
    from openrouter_resilient.shapes import Completion

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
            **options: as in `complete`; `deadline` and `max_cost` hold for all that is asked.

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
            **options: as in `complete`; `deadline` is a step's, `max_cost` the run's.

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
        max_cost: float | None = None,
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
            max_cost: USD, as reported, after which no further batch is sent.
            **params: everything else of the body (dimensions, provider, …).

        Returns:
            N lists of D floats, in the order of the N texts; `.served` says who made each batch,
            which is a call of its own for whoever keeps a record.

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
            deadline=deadline, max_cost=max_cost, params=params,
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
            NotRecorded: the client replays a recording, and there is no last list.
        """
        from openrouter_resilient.features.models import load  # noqa: PLC0415  when first used

        return load(cast("Client", self), refresh=refresh, deadline=deadline)

    def map(
        self,
        prompts: Iterable[Any],
        *,
        workers: int = 8,
        checkpoint: Path | str | None = None,
        executor: Executor | None = None,
        progress: bool = True,
        max_cost: float | None = None,
        **params: Any,
    ) -> list[Completion | Exception]:
        """Ask many prompts at once, and keep their order.

        Too many requests (429) slow all workers down together, and prompts that nobody answered
        because of it are asked again after a pause.

        Args:
            prompts: each as `complete` takes it.
            workers: how many are asked at once.
            checkpoint: a file for the answers (their texts are in it, keys never). A run that was
                stopped, even by `kill -9`, goes on where it was when it is started again with it.
            executor: who asks, in place of threads: a process pool, or the executor of a Dask or
                MPI cluster. The client travels to it without keys; each worker reads them from its
                own environment.
            progress: show a bar (in a notebook, or with tqdm installed), or a line now and then
                on stderr.
            max_cost: USD, as reported, after which no further prompt is asked; what is under way
                by then is still answered and paid.
            **params: as for `complete`, the same for every prompt.

        Returns:
            For each prompt its completion, or the exception that `complete` raised.

        Raises:
            ConfigurationError: a setting is malformed, or another run holds the checkpoint.
            BatchInterrupted: Ctrl-C; a KeyboardInterrupt with what came in `.results`.
            OSError: the checkpoint cannot be written.

        Example:
            answers = client.map(["Name a river.", "Name a lake."], checkpoint="run.jsonl")
            print([str(answer) for answer in answers])
        """
        from openrouter_resilient.features.batch import Way, ask_all  # noqa: PLC0415

        way = Way(workers, checkpoint, executor, progress, max_cost)
        return ask_all(cast("Client", self), prompts, params, way=way)

    def explain(self, prompt: Any, **params: Any) -> Sheet:
        """Tell what a call would do, and send nothing.

        Args:
            prompt, **params: as for `complete`.

        Returns:
            The routes in the order in which they would be asked, the limits of each attempt, who
            would be skipped and why. Print it, or let a notebook show it.

        Raises:
            ConfigurationError: no route can carry this request; the message says why not.
        """
        from openrouter_resilient.features.explain import explain  # noqa: PLC0415

        return explain(cast("Client", self), prompt, params)
