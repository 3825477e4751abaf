"""Aligns two versions of a text and splits what differs into edits that can be reverted one by one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from engine.blame.segments import is_mark, text_of
from engine.detection.prompt_diff import ALIKE, LINE_PAIRS, Block, compare

SIDE_BY_SIDE = 40
"""The most pieces of a block that are paired by their likeness. A larger block is one edit."""


class Edit(NamedTuple):
    """``before[i:j]`` became ``after[k:m]``."""

    i: int
    j: int
    k: int
    m: int


def edits_of(before: Sequence[str], after: Sequence[str]) -> list[Edit]:
    """Returns the edits that lead from one list of tokens to the other, in order."""
    found: list[Edit] = []
    for block in compare(before, after, LINE_PAIRS):
        end = found[-1].j if found else 0
        found += _split(_slid(block, end, before, after), before, after)
    return found


def reverted(before: Sequence[str], after: Sequence[str], edits: Sequence[Edit], undo: Collection[Edit]) -> list[str]:
    """Returns ``after`` with some of its edits undone."""
    result: list[str] = []
    done = 0
    for edit in edits:
        result += after[done : edit.k]
        result += before[edit.i : edit.j] if edit in undo else after[edit.k : edit.m]
        done = edit.m
    return [*result, *after[done:]]


def _slid(block: Block, end: int, before: Sequence[str], after: Sequence[str]) -> Edit:
    """Returns the block, moved up so that it starts with a message if it can.

    "Message, text, message, text" may as well be read as "text, message, text, message", which no one would mean.
    """
    i, j, k, m = block
    if (i < j) == (k < m):
        return Edit(*block)
    side, start, stop = (before, i, j) if i < j else (after, k, m)
    for by in range(i - end + 1):
        if is_mark(side[start - by]):
            return Edit(i - by, j - by, k - by, m - by)
        if start - by == 0 or side[start - by - 1] != side[stop - by - 1]:
            break
    return Edit(*block)


def _split(block: Edit, before: Sequence[str], after: Sequence[str]) -> Iterator[Edit]:
    i, j, k, m = block
    # Text at the start of the block belongs to a message that both versions have.
    old_mark = next((n for n in range(i, j) if is_mark(before[n])), j)
    new_mark = next((n for n in range(k, m) if is_mark(after[n])), m)
    yield from _paired(Edit(i, old_mark, k, new_mark), before, after)
    if old_mark < j or new_mark < m:
        yield Edit(old_mark, j, new_mark, m)


def _paired(block: Edit, before: Sequence[str], after: Sequence[str]) -> Iterator[Edit]:
    """Yields an edit for each piece: changed pieces in pairs, and the removed and added ones between them."""
    i, j, k, m = block
    if max(j - i, m - k) > SIDE_BY_SIDE:
        yield block
        return
    for p, q in [*_alike(before[i:j], after[k:m]), (j - i, m - k)]:
        old, new = i + p, k + q
        yield from _between(Edit(block.i, old, block.k, new))
        if old < j and new < m:
            yield Edit(old, old + 1, new, new + 1)
        block = Edit(old + 1, j, new + 1, m)


def _between(gap: Edit) -> Iterator[Edit]:
    i, j, k, m = gap
    if i < j and k < m:
        yield gap
        return
    yield from (Edit(n, n + 1, k, k) for n in range(i, j))
    yield from (Edit(i, i, n, n + 1) for n in range(k, m))


def _alike(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Returns the pairs of pieces that were edited, in order: those with the largest likeness in total."""
    from rapidfuzz.fuzz import ratio  # 30 ms that most runs never need

    olds, news = ([text_of([token]) for token in tokens] for tokens in (old, new))
    best: list[list[tuple[float, tuple[tuple[int, int], ...]]]] = [
        [(0.0, ()) for _ in range(len(new) + 1)] for _ in range(len(old) + 1)
    ]
    for p in range(len(old) - 1, -1, -1):
        for q in range(len(new) - 1, -1, -1):
            likeness = ratio(olds[p], news[q]) / 100
            options = [best[p + 1][q], best[p][q + 1]]
            if likeness >= ALIKE:
                total, pairs = best[p + 1][q + 1]
                options.append((total + likeness, ((p, q), *pairs)))
            best[p][q] = max(options)
    return list(best[0][0][1])
