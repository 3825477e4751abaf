"""Answers from a recording of the operator, for demos and CI without a key. An unrecorded request is an error."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from adapters.providers.connection import Connection
from adapters.providers.open_provider import RECORDINGS
from schemas.config import ModelConfig
from schemas.errors import ConfigError
from schemas.outcomes import Completion, CompletionError, ErrorKind, StoredCompletion
from schemas.ports import CallKey
from schemas.prompts import Request
from schemas.providers import PROVIDERS


def opened(model: ModelConfig, connection: Connection) -> ReplayProvider:
    """Opens a recording. Raises ConfigError."""
    return ReplayProvider(recording_of(model, connection.recordings), model)


def recording_of(model: ModelConfig, folder: str) -> Path:
    """Returns the file of a replayed model in the operator's ``folder``. Raises ConfigError.

    With a recording in the repository, a pull request could write its own answers.
    """
    name = model.recording or ""
    if not folder:
        raise ConfigError(
            "the folder of recordings is not set", where=f"models: {model.model}", hint=f"set {RECORDINGS}"
        )
    if name in ("", "..") or name != Path(name).name:
        raise ConfigError(
            f"recording must be the bare name of a file in {RECORDINGS}: {name!r}", where=f"models: {model.model}"
        )
    return Path(folder) / name


class ReplayProvider:
    """``ModelProvider`` on a file that ``promptverdict store export`` wrote."""

    def __init__(self, file: Path, model: ModelConfig) -> None:
        self._answers: dict[CallKey, Completion] = {}
        providers: set[str] = set()
        number = 0
        try:
            with file.open(encoding="utf-8") as lines:
                for line in lines:
                    number += 1
                    row = StoredCompletion.model_validate_json(line)
                    self._answers[row.request_digest, row.repetition] = row.completion
                    providers.add(row.provider)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the recording can't be read: {error}", where=str(file)) from error
        except (ValidationError, ValueError) as error:
            raise ConfigError(
                "this is not a row of a recording",
                where=f"{file}:{number}",
                hint="make it with: promptverdict store export",
            ) from error
        self._sources = [(provider, model.base_url or PROVIDERS[provider].origin) for provider in sorted(providers)]

    async def complete(
        self,
        request: Request,
        *,
        repetition: int,
        timeout_s: float,  # noqa: ARG002 - the port's word
    ) -> Completion | CompletionError:
        """Returns the recorded answer to the same model, messages and parameters, whatever its origin."""
        for provider, origin in self._sources:
            # The recording may have been made through either API.
            for api in (None, "responses"):
                asked = request.model_copy(update={"provider": provider, "origin": origin, "api": api})
                answer = self._answers.get((asked.digest, repetition))
                if answer is not None:
                    return answer
        return CompletionError(kind=ErrorKind.BAD_REQUEST, message="this request is not in the recording")

    async def aclose(self) -> None:
        """Does nothing."""
