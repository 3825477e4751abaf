"""Words around a label that rule it out, doubt it, revise it or explain it, in the languages that we read."""

from __future__ import annotations

import re

EXPLAINED = re.compile(
    r"[\s\"'*_`\])]*(?:$|[|]|\((?!or\b|and\b)|[—–]|-\s|(?:,\s*)?(?:because|since|as)\b|[,;]\s*(?:explanation|"
    r"reason(?:ing)?|rationale|confidence)\b)"
)
"""What may follow the label of a line that announces it."""
BECAUSE = re.compile(r"\b(?:because|since|due to|reason|weil|denn|car|parce qu|porque|ya que)\b")
"""Starts an explanation. Whatever follows doubts or denies something else than the label."""
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
    # Hedges.
    r"\b(?:possibl[ey]|perhaps|maybe|might|may be|could be|could also|unsure|uncertain|unclear|undecided whether|"
    r"(?<!no )(?<!without )doubt\w*|less likely|unlikely|probabl[ey]|presumabl[ey]|guess\w*|suspect|lean(?:s|ing)?|"
    r"i assume|not (?:sure|certain)|hard to|difficult to|ambiguous|tentative\w*|needs? (?:to be|more|(?:\w+ )?review)|"
    r"more information|"
    r"vielleicht|eventuell|möglicherweise|wahrscheinlich|vermutlich|unsicher|nicht sicher|könnte|dürfte|"
    r"pas sûre?|peut-être|probablement|pourrait|il se peut|quizás|tal vez|probablemente|podría|puede que|"
    r"no estoy segur[oa]"
    # Conditions and exceptions.
    r"|unless|if|whether|else|otherwise|provided|assuming|supposing|suppose|depend(?:s|ing)|in case|"
    r"as (?:long|soon) as|only (?:when|once|for|with)|once|subject to|pending|except|apart from|should the|"
    r"wenn|falls(?! (?:under|in|into|within|to)\b)|sofern|sobald|je nach\w*|vorausgesetzt|außer|si(?! tratta)|sauf|"
    r"selon|à condition|dès que|à moins|"
    r"siempre que|a menos que|salvo|en caso|depende|cuando|según"
    # Reports and histories.
    r"|before|previous\w*|formerly|initially|at first|according to|laut|d['’]après|reject(?:s|ed|ing)|rul(?:e[sd]?|"
    r"ing) out|"
    r"nothing|no mention|lack\w*|no longer|far from|anything but|little to do|errors?|unavailable|nobody|no one|"
    r"wrong to|instructions?|out of the question|no (?:evidence|sign|indication|trace|connection)|"
    r"i (?:can(?:no|['’])t|am (?:unable|not able) to) (?:answer|classify|decide|determine|help|assist|judge|say|"
    r"tell))\b"
)
"""Words of a sentence that names a label without choosing it."""
CONTRAST = re.compile(
    r"\b(?:but|although|though|however|or|yet|aber|obwohl|jedoch|oder|mais|bien que|pero|aunque|sin embargo|"
    r"i|we|ich|wir|je|nous)\b|\bj['’]"
)
"""Words of a sentence that goes on with something else than a reason."""
REVISED = re.compile(
    r"(?:^|[.!?…;,(\n]|\s[-–—])[\s*_#>]*(?:(?:no|hmm|oh|but|or|so)\b[\s,.…]*)*(?:actually|wait|hmm+|scratch that|"
    r"correction|"
    r"corrected|edit|update|oops|sorry|rather|on (?:second|closer|further|re)\w* ?\w*|in hindsight|revised|i was wrong|"
    r"strike that|(?:that|this)(?: i|['’])s (?:wrong|incorrect|not right)|make (?:that|it)|korrektur|eigentlich|moment|"
    r"halt|"
    r"nein|doch|en fait|finalement|plutôt|pardon|en realidad|más bien|mejor dicho|perdón|corrijo|corrección)\b"
    r"|\b(?:changed? my mind|correct myself|i meant|i misread|i take (?:that|it) back|reconsider\w*|should (?:actually|"
    r"rather|instead) be)\b"
)
"""Words by which an answer takes back what it said."""
ASKS = re.compile(
    r"\b(?:please|kindly|could you|can you) (?:\w+ )?(?:provide|paste|send|share|give|tell|upload|specify|clarify|"
    r"attach|add|"
    r"enter|include|supply|describe)\b|\blet me know\b|\b(?:bitte|merci de|por favor)\b.{0,40}\b(?:send\w*|schick\w*|"
    r"envoyer|fournir|envíe\w*|env[ií]a\w*)\b"
    r"|\b(?:not (?:entirely |quite |completely |really )?(?:sure|certain)|unsure|unclear|uncertain|hard to (?:say|"
    r"tell)|it depends|"
    r"(?:best|my|a|just a) guess|(?:somebody|someone|a person|a human) (?:should )?(?:check|verify))\b"
)
"""An answer that asks for something, or calls itself unsure, has not decided."""
EXAMPLE = re.compile(r"\b(?:examples?|e\.g|looks? like|such as|template|beispiel|exemple|ejemplo)\b")
"""Words before an answer that is only shown."""
CLOSING = re.compile(
    r"^\W*(?:(?:kind|best|warm|many)\b.{0,12}regards|regards|(?:yours )?sincerely|yours|mit \w+ gr(?:ü|u)ss?en|"
    r"\w+ grüsse|cordialement|"
    r"bien à vous|\w* ?saludos|atentamente)\b",
    re.MULTILINE,
)
"""Ends a letter. A signature follows."""
NO_ANSWER = re.compile(r"\W*(?:none|n/a|unknown|other|unclear|undecided|nothing|null)\b")
"""A value that states no label, whatever follows."""
UNTICKED = re.compile(r"\[ ?\]|!=|[☐❌✗✘🚫👎🤔🤷❓❔]")
"""A mark before a label that leaves it open or strikes it."""
STRUCK = re.compile(r"~~[^~]{0,200}~~|<(s|del|strike)>[^<]{0,200}</\1>")
SENTENCE_END = re.compile(r"\.(?=\W|$)(?!(?<=\bno\.) ?\d)|[!?;](?=\W|$)|[。！？]|\n")
REJECTED_KEY = re.compile(
    r"\b(?:considered|rejected|excluded|errors?|possible|previous|other|wrong|not|candidate|confidence|certainty|"
    r"probability|"
    r"second|secondary|third|alternative|available|valid|allowed|options|initial|old|first|example)\b"
)
"""Words of a key that announces something other than the answer."""
