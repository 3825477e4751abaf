"""Records of experiments as compressed JSON: a file of ``check --output``, and the form in which a run keeps them."""

from __future__ import annotations

import gzip
import zlib
from typing import NamedTuple

from schemas.errors import SourceError
from schemas.experiments import ExperimentRecord

MAGIC = b"\x1f\x8b"
LARGEST = 512 * 2**20
"""Most bytes of a record as JSON. One of 20,000 cases with ten runs of each has 80 MB."""


class KeptRecord(NamedTuple):
    """The record of one experiment, in a fiftieth of its memory."""

    lineage: str
    model: str
    data: bytes
    """Its JSON, compressed with gzip. The same record has the same bytes."""

    @staticmethod
    def of(record: ExperimentRecord) -> KeptRecord:
        """Returns the compressed record."""
        text = record.__pydantic_serializer__.to_json(record)
        return KeptRecord(record.lineage, record.model, gzip.compress(text, 6, mtime=0))

    def record(self) -> ExperimentRecord:
        """Returns the record."""
        return ExperimentRecord.model_validate_json(record_json(self.data))


def record_json(data: bytes) -> bytes:
    """Returns the JSON of a record's file. Earlier versions wrote it uncompressed.

    Raises SourceError if the file is damaged, or larger than 512 MiB as JSON.
    """
    if not data.startswith(MAGIC):
        return data
    reading = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        # Bounded while it is unpacked: a small file may contain a huge one.
        text = reading.decompress(data, LARGEST)
    except zlib.error as error:
        raise SourceError(f"the compressed file is damaged ({error})") from error
    if not reading.eof:
        too_large = bool(reading.unconsumed_tail)
        raise SourceError("the record has more than 512 MiB" if too_large else "the compressed file is cut off")
    return text
