"""Everything that is sent to the runner: log, masks, outputs, job summary. Untrusted text is encoded."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TextIO

from adapters.masking import encodings
from engine.render.encode import log_line

LARGEST_OUTPUT = 65_536


class Runner:
    """The runner, reached by stdout and its command files."""

    def __init__(self, stream: TextIO, output_path: str | None, summary_path: str | None) -> None:
        self._stream = stream
        self._output_path = output_path
        self._summary_path = summary_path

    def mask(self, values: Iterable[str]) -> None:
        """Makes the runner mask these values, in every encoding, in all later lines of the log."""
        for form in dict.fromkeys(form for value in values for form in encodings(value)):
            # A mask command is one line. The lines of a longer secret are forms of their own.
            if "\n" not in form and "\r" not in form:
                self.command(f"::add-mask::{form.replace('%', '%25')}")

    def say(self, text: str) -> None:
        """Logs one line. It is encoded, so the runner recognizes no command in it."""
        print(log_line(text), file=self._stream, flush=True)

    def command(self, line: str) -> None:
        """Writes a workflow command of ours, which is already encoded."""
        if "\n" in line or "\r" in line:
            raise ValueError("a workflow command is one line")
        print(line, file=self._stream, flush=True)

    def fail(self, text: str) -> None:
        """Shows an error. People read this line first in a failed job."""
        encoded = log_line(text).replace("%", "%25")
        self.command(f"::error title=Prompt Verdict::{encoded}")

    def warn(self, text: str) -> None:
        """Shows a warning."""
        encoded = log_line(text).replace("%", "%25")
        self.command(f"::warning title=Prompt Verdict::{encoded}")

    def outputs(self, values: Mapping[str, str]) -> None:
        """Writes the step's outputs between random delimiters, so that no value can start another output."""
        text = ""
        for name, value in values.items():
            fence = f"end-{secrets.token_hex(16)}"
            if fence in value or len(value) > LARGEST_OUTPUT:
                raise ValueError(f"the output {name} can't be written")
            text += f"{name}<<{fence}\n{value}\n{fence}\n"
        self._append(self._output_path, text, "the outputs")

    def summarize(self, markdown: str) -> None:
        """Appends to the job summary."""
        self._append(self._summary_path, markdown, "the job summary")

    def _append(self, path: str | None, text: str, what: str) -> None:
        """Appends to a command file. A full disk loses this text, never the verdict."""
        if path is None:
            return
        try:
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            self.warn(f"{what} can't be written: {error.strerror}")
