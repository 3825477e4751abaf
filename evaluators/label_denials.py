"""Words around a label that rule it out, doubt it or explain it, in the languages that we read."""

from __future__ import annotations

import re

EXPLAINED = re.compile(
    r"[\s\"'*_`\])]*(?:$|\((?!or\b|and\b)|[—–]|-\s|(?:,\s*)?(?:because|since|as)\b|[,;]\s*(?:explanation|reason(?:ing)?|"
    r"rationale|confidence)\b)"
)
NEGATED = re.compile(
    r"(?:\b(?:not|never|neither|nor|cannot|unlike|than|instead of|except|excluding|without|hardly|barely|scarcely|"
    r"nicht|kein\w*|weder|pas|jamais|nunca|ohne|sans|sin)\b|n['’]t\b|不是|并非|不属于)[^.!?;:\n]{0,24}$"
    r"|\b(?:no|non|не|нет)\s+(?:es\s+|è\s+)?$"
    r"|\b(?:not applicable|inapplicable|n/a|false|incorrect|wrong|rejected|excluded|ruled out)\s*[:=]\s*$"
    r"|(?:\[ ?\]|[☐❌✗✘🚫])\s*$"
)
"""Text before a label that rules it out."""
DENIED = re.compile(
    r"[\"'*_`)\]»”’]*(?:"
    r"\s+(?:label\s+|category\s+|class\s+|team\s+|option\s+)?(?:(?:is|was|are|seems|looks|would be)\s+(?:\w+\s+)?"
    r"(?:not|never|no|incorrect|wrong|false|unlikely|inapplicable|irrelevant|excluded)\b"
    r"|(?:is|was|does|do|did|would|could|can|are)n['’]t\b|(?:does|do|did|would|will|can|could)\s+not\b|cannot\b"
    r"|(?:ist|wäre|passt|trifft)\s+(?:\w+\s+)?(?:nicht|falsch|kein\w*)\b|n['’]est\s+pas\b|no\s+(?:es|aplica)\b)"
    r"|,?\s*which\b[^.!?;\n]{0,24}\bnot\b|\s*(?:[:=]|\s[-–—]\s)\s*(?:false|none|null|n/a|no|nein|non|0|✗|❌|"
    r"not applicable|trifft nicht zu|rejected|unlikely)(?!\w)|\s*[?？]|\s+(?:or|oder|ou)\s+\S|\s*不适用)"
)
"""Text after a label that rules it out."""
DOUBTFUL = re.compile(
    r"\b(?:possibly|perhaps|maybe|might|unsure|uncertain|unclear|(?<!no )(?<!without )doubt\w*|unless|if|else|before|"
    r"previous\w*|formerly|reject\w*|rul(?:e[sd]?|ing) out|nothing|no mention|lack\w*|no longer|less likely|unlikely|"
    r"errors?|unavailable|more information|not sure|nobody|no one|wrong to|instructions?|"
    r"i (?:can(?:no|['’])t|am (?:unable|not able) to) (?:answer|classify|decide|determine|help|assist|judge|say|tell)|"
    r"no (?:evidence|sign|indication|trace)|out of the question|vielleicht|eventuell|"
    r"möglicherweise|unsicher|pas sûre?|no estoy segur[oa]|peut-être|quizás|tal vez)\b"
)
"""Words of a sentence that names a label without choosing it."""
NO_ANSWER = re.compile(r"\W*(?:none|n/a|unknown|other|unclear|undecided|nothing|null)\b")
"""A value that states no label, whatever follows."""
UNTICKED = re.compile(r"\[ ?\]|[☐❌✗✘🚫]")
"""A mark before a label that leaves it open or strikes it."""
STRUCK = re.compile(r"~~[^~]{0,200}~~|<(s|del|strike)>[^<]{0,200}</\1>")
SENTENCE = re.compile(r"[^.!?;。！？\n]+[?？]?")
REJECTED_KEY = re.compile(
    r"\b(?:considered|rejected|excluded|errors?|possible|previous|other|wrong|not|candidate|confidence|certainty|probability|"
    r"second|third|alternative)\b"
)
"""Words of a key that announces something other than the answer."""
