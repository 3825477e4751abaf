"""The requests of one arm, made when they are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

from engine.planning.call_cost import Size, size_of
from schemas.prompts import Message, Request


class Requests(Sequence[Request]):
    """One request for each case. They differ in their messages only, so these and the digests are all that is kept."""

    def __init__(self, like: Request, messages: Sequence[tuple[Message, ...]]) -> None:
        self._like = like
        # Role and content in turn: as objects, short messages take three times as much memory.
        self._texts = [sum(((one.role, one.content) for one in each), ()) for each in messages]
        self.digests = like.digests(messages)
        """By case."""

    def __len__(self) -> int:
        return len(self._texts)

    @overload
    def __getitem__(self, at: int) -> Request: ...
    @overload
    def __getitem__(self, at: slice) -> list[Request]: ...
    def __getitem__(self, at: int | slice) -> Request | list[Request]:
        if isinstance(at, slice):
            return [self[one] for one in range(*at.indices(len(self)))]
        texts = self._texts[at]
        messages = tuple(Message(role=role, content=text) for role, text in zip(texts[::2], texts[1::2], strict=True))
        return self._like.sending(messages, self.digests[at])

    def sizes(self) -> Iterator[Size]:
        """Yields the size of each request, without making it."""
        like = size_of(self._like.sending(()))
        for texts in self._texts:
            read = sum(len(text.encode()) for text in texts[1::2])
            yield like._replace(read=like.read + read, turns=like.turns + len(texts) // 2)


def sizes_of(requests: Sequence[Request | None]) -> Iterator[Size | None]:
    """Yields the size of each request."""
    if isinstance(requests, Requests):
        yield from requests.sizes()
    else:
        yield from (None if request is None else size_of(request) for request in requests)


def digest_at(requests: Sequence[Request | None], case: int) -> str | None:
    """Returns the digest of a case's request, without making the request if the digest is known."""
    if isinstance(requests, Requests):
        return requests.digests[case]
    request = requests[case]
    return None if request is None else request.digest


def digests_of(requests: Sequence[Request | None]) -> Sequence[str | None]:
    """Returns the digest of each request, without making those that are known."""
    if isinstance(requests, Requests):
        return requests.digests
    return [None if request is None else request.digest for request in requests]
