"""Real exporters and instrumentations, with the providers' SDKs against a local model server: what arrives."""

import importlib
from contextlib import contextmanager
from decimal import Decimal

import anthropic
import openai
import pytest
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

pytestmark = pytest.mark.slow
SEMCONV = "OTEL_SEMCONV_STABILITY_OPT_IN"
CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
TICKET = "I was charged twice [[say Billing.]]"
DIGEST = "d" * 64


@contextmanager
def instrumented(town, name, monkeypatch, **environment):
    """An application with this instrumentation, which sends protobuf, gzipped."""
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    # Each reads its environment once in a process.
    stability = importlib.import_module(
        "opentelemetry.instrumentation._semconv"
    )._OpenTelemetrySemanticConventionStability
    monkeypatch.setattr(stability, "_initialized", False)
    tracing, logging = TracerProvider(), LoggerProvider()
    options = {"headers": town.headers, "compression": Compression.Gzip}
    tracing.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{town.address}/v1/traces", **options)))
    logging.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(f"{town.address}/v1/logs", **options)))
    module, kind = name.split(":")
    instrumentor = getattr(importlib.import_module(module), kind)()
    more = {} if "openinference" in module else {"logger_provider": logging}
    instrumentor.instrument(tracer_provider=tracing, **more)
    try:
        yield tracing
    finally:
        instrumentor.uninstrument()
        tracing.shutdown()
        logging.shutdown()


def ask(provider, url, text=TICKET):
    if provider == "openai":
        client = openai.OpenAI(api_key="k", base_url=f"{url}/v1", max_retries=0)
        messages = [{"role": "system", "content": "Sort."}, {"role": "user", "content": text}]
        client.chat.completions.create(model="gpt-5-mini", messages=messages)
    else:
        client = anthropic.Anthropic(api_key="k", base_url=url, max_retries=0)
        client.messages.create(
            model="claude-haiku-4-5", max_tokens=9, system="Sort.", messages=[{"role": "user", "content": text}]
        )
    client.close()


OPENAI_V2 = "opentelemetry.instrumentation.openai_v2:OpenAIInstrumentor"
LATEST = {SEMCONV: "gen_ai_latest_experimental"}
INSTRUMENTATIONS = [
    ("openai", OPENAI_V2, {CAPTURE: "true"}),
    ("openai", OPENAI_V2, {**LATEST, CAPTURE: "EVENT_ONLY"}),
    ("openai", OPENAI_V2, {**LATEST, CAPTURE: "SPAN_AND_EVENT"}),
    ("openai", "openinference.instrumentation.openai:OpenAIInstrumentor", {}),
    ("anthropic", "opentelemetry.instrumentation.anthropic:AnthropicInstrumentor", {}),
]


@pytest.mark.parametrize(("provider", "name", "environment"), INSTRUMENTATIONS)
def test_what_matters_arrives_from_each_instrumentation(town, llm, monkeypatch, provider, name, environment):
    town.configure("production: {content: 1}")
    with instrumented(town, name, monkeypatch, **environment) as tracing:
        # As the hub's client gives them. The application names them on its own span.
        attributes = {"prompt_verdict.lineage": "triage", "prompt_verdict.version": DIGEST}
        with tracing.get_tracer("shop").start_as_current_span("sort a ticket", attributes=attributes) as span:
            ask(provider, llm)
            span.set_attribute("prompt_verdict.confidence", 0.75)
            trace_id = f"{span.get_span_context().trace_id:032x}"
    key, figures = town.call()
    model = "gpt-5-mini" if provider == "openai" else "claude-haiku-4-5"
    assert (key.lineage, key.digest, key.model, key.decision, key.error) == ("triage", DIGEST, model, "billing", "")
    assert figures.input_tokens > 0
    assert figures.output_tokens > 0
    assert figures.cost_usd > Decimal(0)
    assert (figures.priced, figures.confidence) == (1, 750_000)
    trace = town.records.production_trace(70, trace_id)
    (call,) = trace.calls
    assert (call.requests, call.finish_reason) == (1, "stop")


@pytest.mark.parametrize(("provider", "name", "environment"), INSTRUMENTATIONS)
def test_an_error_arrives_as_its_type(town, llm, monkeypatch, provider, name, environment):
    with instrumented(town, name, monkeypatch, **environment), pytest.raises(Exception, match="500"):
        ask(provider, llm, "[[500]]")
    key, _ = town.call()
    assert (key.lineage, key.decision) == ("", "")
    assert key.error.rpartition(".")[2] == "InternalServerError"
