"""Spans and metrics, as the SDK's own in-memory exporters receive them."""

from __future__ import annotations

import builtins

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from openrouter_resilient import ConfigurationError, RoutesExhausted
from openrouter_resilient.ledger.telemetry import Telemetry


class Exported:
    """A telemetry whose exports can be looked at."""

    def __init__(self):
        self._spans, self._reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.tracers = TracerProvider()
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        self.telemetry = Telemetry(self.tracers, MeterProvider([self._reader]))

    def spans(self):
        return self._spans.get_finished_spans()

    def call(self):
        return next(span for span in self.spans() if span.name.startswith("chat "))

    def points(self, name):
        data = self._reader.get_metrics_data()
        return [
            point
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]


@pytest.fixture
def exported():
    return Exported()


def test_a_call_is_a_span_by_the_genai_conventions(simulator, make_client, exported):
    answer = make_client(on_call=exported.telemetry).complete("a secret prompt")

    span = exported.call()
    wanted = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openrouter",
        "gen_ai.request.model": "anthropic/claude-sonnet-5",
        "gen_ai.response.model": simulator.requests[0].answered.model,
        "gen_ai.response.id": answer.served.generation_id,
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": answer.usage.prompt_tokens,
        "gen_ai.usage.output_tokens": answer.usage.completion_tokens,
    }
    assert "chat anthropic/claude-sonnet-5" == span.name
    assert trace.SpanKind.CLIENT is span.kind
    assert wanted.items() <= dict(span.attributes).items()
    assert "error.type" not in span.attributes
    assert "secret" not in "".join(span.to_json() for span in exported.spans())


def test_it_lasts_as_long_as_the_call_did(make_client, exported):
    client = make_client(on_call=exported.telemetry)
    client.complete("hi")

    (record,) = client.ledger.calls
    span = exported.call()
    assert record.seconds == pytest.approx((span.end_time - span.start_time) / 1e9, abs=1e-3)
    assert record.started_at == pytest.approx(span.start_time / 1e9)


def test_each_attempt_is_a_child_and_a_fault_is_its_error(simulator, make_client, exported):
    simulator.outage("openrouter")
    make_client(on_call=exported.telemetry).complete("hi")

    parent = exported.call()
    first, second = (span for span in exported.spans() if span is not parent)
    assert "refused" == first.attributes["error.type"]
    assert trace.StatusCode.ERROR is first.status.status_code
    assert "openai" == second.attributes["gen_ai.provider.name"]
    assert parent.context.span_id == first.parent.span_id == second.parent.span_id
    assert parent.status.is_ok


def test_it_is_a_child_of_the_callers_span(make_client, exported):
    client = make_client(on_call=exported.telemetry)

    with exported.tracers.get_tracer("app").start_as_current_span("request") as outer:
        client.complete("hi")

    assert outer.get_span_context().span_id == exported.call().parent.span_id


def test_a_call_that_failed_says_why(simulator, make_client, exported):
    simulator.play("openrouter", "status_500")
    client = make_client(fallbacks=(), rounds=1, on_call=exported.telemetry)

    with pytest.raises(RoutesExhausted):
        client.complete("hi")

    span = exported.call()
    assert "RoutesExhausted" == span.attributes["error.type"]
    assert trace.StatusCode.ERROR is span.status.status_code
    assert "openrouter" == span.attributes["gen_ai.provider.name"]


def test_durations_and_tokens_are_counted(make_client, exported):
    client = make_client(on_call=exported.telemetry)
    answer = client.complete("hi")
    list(client.stream("hi"))

    (point,) = exported.points("gen_ai.client.operation.duration")
    tokens = exported.points("gen_ai.client.token.usage")
    by_kind = {point.attributes["gen_ai.token.type"]: point.sum for point in tokens}
    assert 2 == point.count
    assert 81.92 == point.explicit_bounds[-1]
    assert {
        "input": 2 * answer.usage.prompt_tokens,
        "output": 2 * answer.usage.completion_tokens,
    } == by_kind
    assert exported.points("gen_ai.client.operation.time_to_first_chunk")


def test_without_the_extra_it_says_how_to_get_it(monkeypatch):
    whole = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("opentelemetry"):
            raise ImportError(name)
        return whole(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)

    with pytest.raises(ConfigurationError, match=r"openrouter_resilient\[otel\]"):
        Telemetry()
