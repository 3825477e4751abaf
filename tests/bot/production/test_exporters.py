"""Real exporters and instrumentations, with the providers' SDKs against a local model server: what arrives."""

import argparse
import importlib
import threading
import time
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

from benchmarks import intake as benchmark
from bot.production import intake

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
        messages = [{"role": "system", "content": "Sort."}, {"role": "user", "content": text}]
        with openai.OpenAI(api_key="k", base_url=f"{url}/v1", max_retries=0) as client:
            client.chat.completions.create(model="gpt-5-mini", messages=messages)
    else:
        messages = [{"role": "user", "content": text}]
        with anthropic.Anthropic(api_key="k", base_url=url, max_retries=0) as client:
            client.messages.create(model="claude-haiku-4-5", max_tokens=9, system="Sort.", messages=messages)


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


def test_a_real_exporter_keeps_its_batch_while_it_is_told_to_wait(town, monkeypatch):
    monkeypatch.setattr(intake, "RETRY_AFTER_S", 1)
    town.intake.queue.spans += 30_000
    tracing = TracerProvider()
    exporter = OTLPSpanExporter(f"{town.address}/v1/traces", headers=town.headers)
    tracing.add_span_processor(SimpleSpanProcessor(exporter))
    told = threading.Thread(target=_told, args=(town,))
    told.start()
    with tracing.get_tracer("shop").start_as_current_span("x", attributes={"prompt_verdict.lineage": "triage"}):
        pass
    told.join(10)
    tracing.shutdown()
    key, _ = town.call()
    assert (key.lineage, key.decision) == ("triage", "")


def _told(town):
    """Makes room once the exporter was refused."""
    while 'refused_exports_total{status="429"}' not in town.metrics.text().decode():
        time.sleep(0.02)
    town.intake.queue.spans -= 30_000


def test_one_thousandth_of_the_benchmark_with_postgres_stopped_in_the_middle():
    figures = benchmark.run(argparse.Namespace(rate=300.0, seconds=6.0, away=2.0))
    assert figures["passed"], figures
    assert (figures["lost"], figures["never_acknowledged"]) == (0, 0)
    assert figures["stored"] == figures["counted"] == figures["acknowledged"] > 0
