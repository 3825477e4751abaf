"""Turns records into stored values: facts, decisions read from outputs, and sampled content of prompts that ask for it.

An output is read here and dropped here, unless the prompt's configuration asks for its content.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

from engine.production.content import content_of, output_of
from engine.production.decisions import DecisionReader, reader_of
from engine.production.dialects import Pricing, facts_of, own_attribute
from schemas.config import LineageConfig
from schemas.production import SpanContent, SpanFacts, SpanKey, SpanRecord

if TYPE_CHECKING:
    from bot.store.production_values import LineageSettings

MOST_READ = 20
"""Prompts whose contracts read an output that doesn't say which prompt it is of."""
MOST_EARLY = timedelta(days=1)
"""How far ahead of our clock a span may be."""


class Read(NamedTuple):
    """What a request brings."""

    spans: list[SpanFacts]
    contents: dict[SpanKey, tuple[SpanContent, date]]
    bytes: int
    """Of the contents."""
    rejected: int
    """Spans whose time is too old or in the future."""


@dataclass(frozen=True)
class RepositoryReader:
    """Reads the records of one repository by what its default branch says."""

    settings: Mapping[str, LineageSettings]
    price: Pricing
    keep: timedelta
    """How old a span may be: older ones would be deleted at once."""
    readers: Mapping[str, DecisionReader] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Sequence[LineageSettings], price: Pricing, keep: timedelta) -> RepositoryReader:
        """Returns the reader for these prompts."""
        readers = {}
        for one in settings:
            try:
                reader = reader_of(LineageConfig.model_validate_json(one.config))
            except ValidationError:  # written by another version
                continue
            if reader is not None:
                readers[one.lineage] = reader
        return cls({one.lineage: one for one in settings}, price, keep, readers)

    def read(self, records: Sequence[SpanRecord], now: datetime) -> Read:
        """Returns what is kept of the records."""
        read = Read([], {}, 0, 0)
        bytes_, rejected = 0, 0
        named = _named(records)
        for record in records:
            output = output_of(record)
            lineage = own_attribute(record.attributes, "lineage")
            try:
                facts = facts_of(record, self._decisions(output, lineage), self.price)
            except (ValueError, OverflowError):
                rejected += 1
                continue
            if facts is None:
                continue
            if facts.started_at < now - self.keep or facts.ended_at > now + MOST_EARLY:
                rejected += 1
                continue
            if not facts.is_log or facts.decisions:
                read.spans.append(facts)
            content = self._content(record, facts, named.get(facts.trace_id))
            if content is not None:
                settings = self.settings[content.lineage]
                read.contents[facts.key] = (content, now.date() + timedelta(days=settings.content_days))
                bytes_ += len(content.output or "") + sum(len(message.text) for message in content.input)
        return read._replace(bytes=bytes_, rejected=rejected)

    def _decisions(self, output: str | None, lineage: str | None) -> dict[str, str]:
        if output is None:
            return {}
        if lineage is not None:
            reader = self.readers.get(lineage)
            return {} if reader is None else {lineage: reader.read(output)}
        # The span that names the prompt may come later, and the output isn't kept until then.
        return {name: reader.read(output) for name, reader in list(self.readers.items())[:MOST_READ]}

    def _content(self, record: SpanRecord, facts: SpanFacts, named: str | None) -> SpanContent | None:
        settings = self.settings.get(facts.lineage or named or "")
        if settings is None or not is_sampled(facts.trace_id, settings.content_share):
            return None
        found = content_of(record)
        if not found.messages and found.output is None:
            return None
        return SpanContent(lineage=settings.lineage, input=found.messages, output=found.output)


def _named(records: Sequence[SpanRecord]) -> dict[str, str]:
    """Returns the prompt of each trace in which the records name one and no other.

    An application names it on its own span, while the content is on the request's span within. Both mostly come
    together.
    """
    found: dict[str, set[str]] = defaultdict(set)
    for record in records:
        lineage = own_attribute(record.attributes, "lineage")
        if lineage is not None:
            found[record.trace_id].add(lineage)
    return {trace: next(iter(names)) for trace, names in found.items() if len(names) == 1}


def is_sampled(trace_id: str, share: float) -> bool:
    """Whether a trace belongs to the share of sampled ones. All its spans agree, in every process."""
    digest = hashlib.sha256(trace_id.encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64
