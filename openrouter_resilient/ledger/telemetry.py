"""Calls as OpenTelemetry spans and metrics, by the GenAI semantic conventions (the `otel` extra).

    client = Client(on_call=Telemetry())

Spans are made when a call has ended, with the times it had; they are children of the span that is
current in the caller's thread. Neither prompt nor answer is ever in them.
Source: https://opentelemetry.io/docs/specs/semconv/gen-ai/.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from openrouter_resilient._version import __version__
from openrouter_resilient.errors import ConfigurationError
from openrouter_resilient.record import CallRecord
from openrouter_resilient.served import AttemptRecord

if TYPE_CHECKING:
    from opentelemetry.metrics import Histogram, MeterProvider
    from opentelemetry.trace import Span, TracerProvider

NAME = "openrouter_resilient"
OPERATIONS = {"complete": "chat", "stream": "chat", "embed": "embeddings"}
# The bucket boundaries that the conventions ask for.
SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
FIRST_TOKEN_SECONDS = [
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
]  # fmt: skip
TOKENS = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864]


class Telemetry:
    """Takes the records of finished calls; give it to `Client(on_call=…)`."""

    def __init__(
        self,
        tracer_provider: TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
    ) -> None:
        """Prepare the instruments.

        Args:
            tracer_provider, meter_provider: None: the process's own.

        Raises:
            ConfigurationError: OpenTelemetry is not installed.
        """
        try:
            from opentelemetry import metrics, trace  # noqa: PLC0415  an extra
        except ImportError as error:
            raise ConfigurationError(
                "telemetry needs OpenTelemetry: pip install 'openrouter_resilient[otel]'"
            ) from error
        self._trace = trace
        self._tracer = trace.get_tracer(NAME, __version__, tracer_provider)
        meter = metrics.get_meter(NAME, __version__, meter_provider)
        self._seconds = meter.create_histogram(
            "gen_ai.client.operation.duration",
            unit="s",
            description="GenAI operation duration.",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self._first_token = meter.create_histogram(
            "gen_ai.client.operation.time_to_first_chunk",
            unit="s",
            description="Time to receive the first chunk of a streamed answer.",
            explicit_bucket_boundaries_advisory=FIRST_TOKEN_SECONDS,
        )
        self._tokens = meter.create_histogram(
            "gen_ai.client.token.usage",
            unit="{token}",
            description="Number of input and output tokens used.",
            explicit_bucket_boundaries_advisory=TOKENS,
        )

    def __call__(self, record: CallRecord) -> None:
        """Make the spans of a call, and count it."""
        attributes = _attributes(record)
        self._span(record, attributes)
        if not record.cached:  # else nobody was asked, and nobody's latency or tokens were used
            self._count(record, attributes)

    def _span(self, record: CallRecord, attributes: dict[str, Any]) -> None:
        span = self._tracer.start_span(
            f"{OPERATIONS[record.kind]} {record.requested}",
            kind=self._trace.SpanKind.CLIENT,
            start_time=_nanoseconds(record.started_at),
            attributes=attributes | _details(record),
        )
        context = self._trace.set_span_in_context(span)
        for attempt in record.attempts:
            began = record.started_at + attempt.begun_seconds
            child = self._tracer.start_span(
                f"attempt {attempt.route}",
                context=context,
                kind=self._trace.SpanKind.CLIENT,
                start_time=_nanoseconds(began),
                attributes=_of_attempt(attempt, OPERATIONS[record.kind]),
            )
            self._close(child, attempt.fault, began + attempt.seconds)
        self._close(span, record.error, record.started_at + record.seconds)

    def _close(self, span: Span, error: str | None, at: float) -> None:
        if error is not None:
            span.set_status(self._trace.StatusCode.ERROR, error)
        span.end(_nanoseconds(at))

    def _count(self, record: CallRecord, attributes: dict[str, Any]) -> None:
        self._seconds.record(record.seconds, attributes)
        if record.first_token_seconds is not None:
            self._first_token.record(record.first_token_seconds, attributes)
        _count_tokens(self._tokens, "input", record.prompt_tokens, attributes)
        _count_tokens(self._tokens, "output", record.completion_tokens, attributes)


def _count_tokens(
    histogram: Histogram, kind: str, count: int | None, attributes: dict[str, Any]
) -> None:
    if count is not None:
        histogram.record(count, attributes | {"gen_ai.token.type": kind})


def _attributes(record: CallRecord) -> dict[str, Any]:
    """What tells calls apart in a metric: few values each."""
    return _known(
        {
            "gen_ai.operation.name": OPERATIONS[record.kind],
            "gen_ai.provider.name": record.endpoint or _first_asked(record),
            "gen_ai.request.model": record.requested,
            "gen_ai.response.model": record.model,
            "error.type": record.error,
        }
    )


def _details(record: CallRecord) -> dict[str, Any]:
    """What a span has beside it."""
    return _known(
        {
            "gen_ai.request.stream": record.kind == "stream",
            "gen_ai.response.id": record.generation_id,
            "gen_ai.response.time_to_first_chunk": record.first_token_seconds,
            "gen_ai.response.finish_reasons": record.finish_reason and [record.finish_reason],
            "gen_ai.usage.input_tokens": record.prompt_tokens,
            "gen_ai.usage.output_tokens": record.completion_tokens,
            "openrouter_resilient.call_id": record.id,
            "openrouter_resilient.ended": record.ended,
            "openrouter_resilient.upstream_provider": record.provider,
            "openrouter_resilient.substituted": record.substituted,
            "openrouter_resilient.cached": record.cached,
            "openrouter_resilient.attempts": len(record.attempts),
            "openrouter_resilient.cost_usd": record.cost,
            "openrouter_resilient.cost_source": record.cost_source,
        }
    )


def _of_attempt(attempt: AttemptRecord, operation: str) -> dict[str, Any]:
    return _known(
        {
            "gen_ai.operation.name": operation,
            "gen_ai.provider.name": attempt.endpoint,
            "gen_ai.request.model": attempt.models[0],
            "gen_ai.response.model": attempt.model,
            "gen_ai.response.id": attempt.generation_id,
            "http.response.status_code": attempt.status,
            "error.type": attempt.fault,
        }
    )


def _first_asked(record: CallRecord) -> str:
    """Whom to name where nobody answered; the conventions want a name."""
    return record.attempts[0].endpoint if record.attempts else NAME


def _known(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _nanoseconds(at: float) -> int:
    return int(at * 1e9)
