"""The difference of two versions of a prompt as a model sees it: lines of messages, marked words, settings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain, islice, repeat

from pydantic import JsonValue

from schemas.diffs import DiffHunk, DiffLine, PromptDiff
from schemas.prompts import PromptFile
from schemas.values import canonical_json

CONTEXT = 3
"""Unchanged lines shown around a change."""
LINES_SHOWN = 2_000
"""The most lines in all hunks together. The counts stay exact beyond it."""
LINE_PAIRS = 100_000_000
"""The largest product of lines before and after that is aligned; beyond it, everything that differs is one block.
10,000 × 10,000 lines take 30 ms."""
WORD_PAIRS = 1_000_000
"""The same limit for the words of one line."""
ALIKE = 0.4
"""Share of common text from which a removed and an added line count as one edited line."""
NOT_SET = "not set"

Block = tuple[int, int, int, int]
"""A range ``before[i:j]`` that became ``after[k:m]``."""
Marks = tuple[tuple[int, int], ...]
"""Ranges of characters."""


def diff_prompts(before: PromptFile | None, after: PromptFile | None) -> PromptDiff:
    """Returns the difference of two versions. ``None`` is a version that doesn't exist. The caller adds token counts.

    Lines are numbered within the prompt as shown: each message below a line with its role. Time and size are bounded
    for any prompt. ``omitted`` counts the changed lines beyond the bound.
    """
    old, new = shown_lines(before), shown_lines(after)
    blocks = compare(old, new, LINE_PAIRS)
    hunks = _hunks(islice(_diff_lines(blocks, old, new), LINES_SHOWN))
    added = sum(m - k for _, _, k, m in blocks)
    removed = sum(j - i for i, j, _, _ in blocks)
    return PromptDiff(
        path_before=before.path if before else None,
        path_after=after.path if after else None,
        added=added,
        removed=removed,
        hunks=hunks,
        omitted=added + removed - sum(line.kind != "same" for hunk in hunks for line in hunk.lines),
        settings=_settings(before, after) if before and after else (),
    )


def changed_lines(before: str, after: str) -> tuple[tuple[int, int], ...]:
    """Returns the first and last line (1-based) of every range of ``after`` that differs from ``before``.

    If lines were only removed, the range is the line after the gap, or the last line.
    """
    old, new = before.split("\n"), after.split("\n")
    stretches = [(min(k + 1, len(new)), m) for _, _, k, m in compare(old, new, LINE_PAIRS)]
    return tuple((first, max(first, last)) for first, last in stretches)


def shown_lines(prompt: PromptFile | None) -> list[str]:
    """Returns the messages as lines, each below ``role:`` unless the text itself names its roles."""
    if prompt is None:
        return []
    if prompt.roles is not None:
        return prompt.messages[0].content.split("\n")
    return [line for message in prompt.messages for line in (f"{message.role}:", *message.content.split("\n"))]


def compare(before: Sequence[str], after: Sequence[str], pairs: int) -> list[Block]:
    """Returns the ranges that differ, in order, around a longest common subsequence.

    If more than ``pairs`` pairs of items would have to be compared, everything between the first and the last
    difference is one range.
    """
    head, tail = ends_in_common(before, after)
    old, new = before[head : len(before) - tail], after[head : len(after) - tail]
    # Beyond the limit, alignment would take seconds.
    if not old or not new or len(old) * len(new) > pairs:
        return [(head, head + len(old), head, head + len(new))] if old or new else []
    return _aligned(old, new, head)


def ends_in_common(before: Sequence[str], after: Sequence[str]) -> tuple[int, int]:
    """Returns how many items are the same at the start and, behind those, at the end."""
    shorter = min(len(before), len(after))
    head = next((n for n in range(shorter) if before[n] != after[n]), shorter)
    # Counted only behind the common start, so that a repeated line isn't counted twice.
    tail = next((n for n in range(shorter - head) if before[-1 - n] != after[-1 - n]), shorter - head)
    return head, tail


def _aligned(old: Sequence[str], new: Sequence[str], head: int) -> list[Block]:
    """Returns what differs beside a longest common subsequence. Both start at index ``head``."""
    from rapidfuzz.distance import LCSseq  # 30 ms that most runs never need

    numbers: dict[str, int] = {}  # numbers are equal exactly for equal items; hashes may collide
    coded = [[numbers.setdefault(item, len(numbers)) for item in items] for items in (old, new)]
    blocks: list[Block] = []
    for step in LCSseq.opcodes(*coded):
        if step.tag == "equal":
            continue
        block = (head + step.src_start, head + step.src_end, head + step.dest_start, head + step.dest_end)
        # A removal directly followed by an insertion is shown as one changed block.
        if blocks and blocks[-1][1] == block[0] and blocks[-1][3] == block[2]:
            block = (blocks[-1][0], block[1], blocks.pop()[2], block[3])
        blocks.append(block)
    return blocks


def _diff_lines(blocks: Sequence[Block], old: Sequence[str], new: Sequence[str]) -> Iterator[DiffLine]:
    """Yields the changed lines and their context, in order."""
    unmarked: repeat[tuple[Marks, Marks]] = repeat(((), ()))
    shift = done = 0
    following = [*(block[0] for block in blocks[1:]), len(old)]
    for (i, j, k, m), next_change in zip(blocks, following, strict=False):
        for n in range(max(done, i - CONTEXT), i):
            yield DiffLine(kind="same", text=old[n], before=n + 1, after=n + shift + 1)
        # A huge block is cut here already: its lines would be compared word by word only to be dropped.
        removed, added = old[i : min(j, i + LINES_SHOWN)], new[k : min(m, k + LINES_SHOWN)]
        # The first removed line is compared with the first added one, and so on.
        marks = [changed_words(*pair) for pair in zip(removed, added, strict=False)]
        for n, (line, (mark, _)) in enumerate(zip(removed, chain(marks, unmarked), strict=False), start=i + 1):
            yield DiffLine(kind="removed", text=line, before=n, after=None, marks=mark)
        for n, (line, (_, mark)) in enumerate(zip(added, chain(marks, unmarked), strict=False), start=k + 1):
            yield DiffLine(kind="added", text=line, before=None, after=n, marks=mark)
        shift, done = m - j, j
        for n in range(j, min(j + CONTEXT, next_change)):
            yield DiffLine(kind="same", text=old[n], before=n + 1, after=n + shift + 1)
            done = n + 1


def changed_words(before: str, after: str) -> tuple[Marks, Marks]:
    """Returns the character ranges of the changed words in both lines, or none if the lines have little in common."""
    old, new = (re.findall(r"\s*\w+|\s*[^\w\s]|\s+", line) for line in (before, after))
    blocks = compare(old, new, WORD_PAIRS)
    differing = sum(len("".join(old[i:j])) + len("".join(new[k:m])) for i, j, k, m in blocks)
    # Marking every word of an unrelated line would highlight the whole line.
    if differing > (1 - ALIKE) * (len(before) + len(after)):
        return (), ()
    return _ranges(old, [(i, j) for i, j, _, _ in blocks]), _ranges(new, [(k, m) for _, _, k, m in blocks])


def _ranges(words: Sequence[str], stretches: Sequence[tuple[int, int]]) -> Marks:
    ends = [0]
    for word in words:
        ends.append(ends[-1] + len(word))
    blank = [len(word) - len(word.lstrip()) if word.strip() else 0 for word in words]
    # Where only the other line has words, an empty range says where they would be.
    return tuple(
        (ends[start] + blank[start], ends[stop]) if start < stop else (ends[start], ends[start])
        for start, stop in stretches
    )


def _hunks(lines: Iterator[DiffLine]) -> tuple[DiffHunk, ...]:
    """Groups consecutive lines into hunks."""
    hunks: list[list[DiffLine]] = []
    before = after = 0
    for line in lines:
        gap = (line.before is not None and line.before > before + 1) or (
            line.after is not None and line.after > after + 1
        )
        if gap or not hunks:
            hunks.append([])
        hunks[-1].append(line)
        before, after = line.before or before, line.after or after
    return tuple(DiffHunk(lines=tuple(hunk)) for hunk in hunks)


def _settings(before: PromptFile, after: PromptFile) -> tuple[tuple[str, str, str], ...]:
    def flat(prompt: PromptFile) -> dict[str, JsonValue]:
        return {"model": prompt.model, "template": prompt.dialect, **prompt.parameters.model_dump(mode="json")}

    old, new = flat(before), flat(after)
    return tuple((name, _shown(old[name]), _shown(new[name])) for name in old if old[name] != new[name])


def _shown(value: JsonValue) -> str:
    if value is None or value == []:
        return NOT_SET
    return value if isinstance(value, str) else canonical_json(value).decode()
