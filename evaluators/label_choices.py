"""Says whether a sentence chooses the label that it names. Most sentences with a label don't: they quote, tell, doubt,
or use it as a word, in any language. So only known ways of choosing count."""

from __future__ import annotations

import re

from evaluators.label_denials import REJECTED_KEY, UNTICKED

_SPAN = 120
"""Characters before a label that are looked at."""
_NO_ANSWER_KEY = re.compile(
    r"\b(?:example|e\.g|alternative|runner up|input|question|subject|todo|warning|error|system|user|customer|note)\b"
)
_REJECTED = re.compile(r"[❌✗✘🚫👎☐]")
_MARKS = " \t\"'*_`~()[]{}<>|«»“”„‘’‹›#•-–—>"
_CLAUSE = re.compile(r"[.!?;,:=。！？，；：、\n]|->|→|=>")
_KEY = re.compile(r"(?P<key>[^.!?;,\n。！？，；]{1,60}?)\s*(?:[:=：]|->|→|=>|\s[-–—])[\s\"'*_`(\[{«“„‘]*$")
_BULLET = re.compile(r"^\s*(?:\(?[a-z0-9]{1,3}[.)]\s*)+$")
_NEVER = re.compile(
    r"n['’]t\b|\b(?:not|never|cannot|no|neither|nor|without|hardly|whether|if|could|might|may|than|except|but|unless|wrong|"
    r"was|were|used to|says|told|asked|instruct\w*|nicht|kein\w*|weder|ohne|wenn|pas|ne|jamais|nunca|non|não|niet|"
    r"geen)\b|\bn['’]"
    r"|\b(?:they|he|she|people|someone|customers?|users?)\b.{0,20}\b(?:say|says|said|think|thinks|thought|claims?|wants?)\b"
)
"""Words of a clause that doesn't choose, whatever follows."""
_HOW = (
    r"(?:\s(?:very|quite|rather|clearly|definitely|certainly|most|likely|best|really|simply|about|under|in|for|to|a|an|"
    r"the|of|case|one))*"
)
_CHOICE = re.compile(
    r"(?:^|.*\W)(?:"
    rf"(?:is|are|be|becomes?|remains?){_HOW}"
    r"|(?:classif\w+|label\w*|categor\w+|tag\w*|treat\w*|mark\w*|rate\w*|score\w*)\b.*\bas"
    r"|(?:file\w*|put|place|sort|route|assign)\b.*\b(?:under|in|into|to)(?:\sthe)?"
    r"|i(?:['’]d|['’]ll| would| will| have)?(?: \w+)?\s"
    r"(?:choose|chose|pick|picked|select|selected|assign|say|answer|go with)"
    r"|(?:belongs?|goes|go|falls?|route[sd]?|assigned)\s(?:\w+\s)?(?:to|in|into|under|within|with)(?:\sthe)?"
    r"|(?:matches|fits|indicates|means|answer|label|category|class)(?:\sthe)?"
    r"|\\boxed|so|therefore|thus|hence|clearly|definitely|sure|very|quite|rather|set to"
    r"|(?:es geht|es handelt sich) um(?: ein\w*)?|(?:das|es|kategorie|klasse) ist(?: ein\w*)?|gehört zu[mr]?"
    r"|il s['’]agit d(?:e|['’]une?)|c['’]est|est|es|se trata de|è|é|si tratta di|het gaat om"
    rf")$|.*\w['’]s{_HOW}$"
)
_CHOICE_SPACELESS = re.compile(r"(?:这|這|应该|應該|答案|类别|類別|分类|标签)?(?:是|属于|屬於|为|為)$")
_AFTER = re.compile(
    r"[\"'*_`)\]}»”’>~|】」]*\s*(?:$|[.!,;:\n。！，；✅✓✔]|[-–—(]|(?:because|since|as|due to|given that)\b|it is\b|"
    r"(?:category|label|class|team|queue|topic|priority|sentiment|intent|option|(?P<thing>issue|problem|ticket|request|"
    r"question|case|matter))\W*(?:$|[.!,;:\n]|because\b))"
)


def chooses(words: str, start: int, end: int) -> bool:
    """Returns whether folded ``words`` choose the label at ``words[start:end]``."""
    after = _AFTER.match(words, end)
    if after is None:
        return False
    before = words[max(0, start - _SPAN) : start].rpartition("\n")[2]
    if _REJECTED.search(before):
        return False
    if not before.strip(_MARKS) or _BULLET.match(before) or not any(sign.isalnum() for sign in before):
        # "billing issue" chooses, but "no problem" doesn't.
        return after["thing"] is None and UNTICKED.search(before) is None
    if (key := _KEY.search(before)) is not None:
        return not any(unlike.search(key["key"]) for unlike in (REJECTED_KEY, _NO_ANSWER_KEY, _NEVER))
    clause = _CLAUSE.split(before)[-1].rstrip(_MARKS)
    if not clause.strip(_MARKS):
        return True
    return _NEVER.search(clause) is None and bool(
        _CHOICE.match(clause) or _CHOICE_SPACELESS.match(clause.strip(_MARKS))
    )
