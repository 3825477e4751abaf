"""What we tell the runner: log, masks, the step's outputs, the job summary. Nothing untrusted goes there unencoded."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TextIO

from adapters.masking import encodings
from engine.render.encode import log_line

LARGEST_OUTPUT = 65_536


class Runner:
    """The runner at the other end of stdout and of its command files."""

    def __init__(self, stream: TextIO, output_path: str | None, summary_path: str | None) -> None:
        self._stream = stream
        self._output_path = output_path
        self._summary_path = summary_path

    def mask(self, values: Iterable[str]) -> None:
        """Has the runner replace these values, in every encoding, in everything that is logged from now on."""
        for form in dict.fromkeys(form for value in values for form in encodings(value)):
            if "\n" not in form and "\r" not in form:
                self.command(f"::add-mask::{form.replace('%', '%25')}")

    def say(self, text: str) -> None:
        """One line of log, encoded: no command in it is recognised."""
        print(log_line(text), file=self._stream, flush=True)

    def command(self, line: str) -> None:
        """A workflow command of ours, already encoded, on a line of its own."""
        if "\n" in line or "\r" in line:
            raise ValueError("a workflow command is one line")
        print(line, file=self._stream, flush=True)

    def fail(self, text: str) -> None:
        """The line that a person reads first in a red job."""
        encoded = log_line(text).replace("%", "%25")
        self.command(f"::error title=Prompt Verdict::{encoded}")

    def warn(self, text: str) -> None:
        """Something that a person should fix."""
        encoded = log_line(text).replace("%", "%25")
        self.command(f"::warning title=Prompt Verdict::{encoded}")

    def outputs(self, values: Mapping[str, str]) -> None:
        """The step's outputs, each between random delimiters, so that no value can start another output."""
        text = ""
        for name, value in values.items():
            fence = f"end-{secrets.token_hex(16)}"
            if fence in value or len(value) > LARGEST_OUTPUT:
                raise ValueError(f"the output {name} can't be written")
            text += f"{name}<<{fence}\n{value}\n{fence}\n"
        self._append(self._output_path, text, "the outputs")

    def summarise(self, markdown: str) -> None:
        """Appends to the job summary."""
        self._append(self._summary_path, markdown, "the job summary")

    def _append(self, path: str | None, text: str, what: str) -> None:
        """A full disk costs what was to be written, never the verdict."""
        if path is None:
            return
        try:
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            self.warn(f"{what} can't be written: {error.strerror}")
