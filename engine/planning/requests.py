"""The requests of one arm, made when they are read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import overload

from schemas.prompts import Message, Request


class Requests(Sequence[Request]):
    """One request for each case. They differ in their messages only, so these and the digests are all that is kept."""

    def __init__(self, like: Request, messages: Sequence[tuple[Message, ...]]) -> None:
        self._like, self._messages = like, messages
        self._digests = [like.sending(each).digest for each in messages]

    def __len__(self) -> int:
        return len(self._messages)

    @overload
    def __getitem__(self, at: int) -> Request: ...
    @overload
    def __getitem__(self, at: slice) -> list[Request]: ...
    def __getitem__(self, at: int | slice) -> Request | list[Request]:
        if isinstance(at, slice):
            return [self[one] for one in range(*at.indices(len(self)))]
        return self._like.sending(self._messages[at], self._digests[at])
