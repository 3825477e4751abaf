"""Says whether a sentence chooses the label that it names. Most sentences with a label don't: they quote, tell,
doubt, or use it as a word, in any language. So only known ways of choosing count, and they must fill the sentence."""

from __future__ import annotations

import re

from evaluators.label_words import BECAUSE, CONTRAST, DOUBTFUL, EXAMPLE, REJECTED_KEY, SENTENCE_END, UNTICKED

_SPAN = 200
"""Characters before and after a label that are looked at."""
_MARKS = " \t\"'*_`~()[]{}<>|«»“”„‘’‹›#•-–—>"
_BULLET = re.compile(r"^\W*(?:\(?(?:[a-z]|\d{1,3})[.)]\s*)+$")
_SO = re.compile(
    r"(?:^|[,;:.!–—-]|\b(?:and|und|et|y))\s*(?:so|therefore|thus|hence|overall|clearly|in (?:conclusion|short|sum|"
    r"summary)|which means|"
    r"i am sure|also|daher|deshalb|somit|insgesamt|donc|ainsi|por (?:lo )?tanto|así que)(?: that)?\s*[,:]?\s+"
    r"|^\W*(?:sure|okay|ok|of course|no problem)[,:!]\s+|^based on [^,;:.]{1,100},\s+"
    r"|^\W*after (?:reading|reviewing|considering)\b[^,;:.]{1,60}?(?:[,:]\s+|\s(?=i\b))"
)
"""Starts a conclusion, which is read like a sentence of its own."""
_WORD = (
    r"(?!(?:the|this|that|these|it|a|an|who|which|if|not|no|says?|said|asks?|may|might|could|would|should|can|must|"
    r"will|does|do|"
    r"subject|title|headline|word|sign|betreff|titel|asunto|título|objet|titre|der|die|das|dass|que|qui)\b)[\w'’#-]+"
)
_NAME = rf"(?:\s{_WORD}){{1,3}}"
_SUBJECT = (
    rf"(?:(?:this|it|that|these|das|dies|es|esto|ce|il|lo|\w+ (?:no\. ?|#)?\d+)|"
    rf"(?:this|the|that|my|our|these|die|der|das|dies\w*|mein\w*|le|la|l['’]|ce|cet|cette|mon|ma|el|est[ae]|mi|il|"
    rf"questo){_NAME}"
    rf"(?:\s(?:of|for|in|between|des|der|du|de la|de l['’]|del|de|para)(?:\s(?:the|this|these|your|la|"
    rf"el))?{_NAME}){{0,2}})"
)
_HOW = (
    r"(?:\s(?:very|quite|clearly|definitely|certainly|best|really|simply|most|likely|about|under|in|for|to|a|an|the|of|"
    r"case|one|eindeutig|klar|ein|eine|une?|una?|clairement|claramente))*"
)
_AS = r"(?:classif\w+|label\w*|categor\w+|tag\w*|treat\w*|mark\w*|rate\w*|score\w*|consider\w*)"
_CHOICE = re.compile(
    r"(?:"
    rf"{_SUBJECT}(?:['’]s|\s(?:is|are|should be|must be|becomes?|remains?|has been)(?:\s{_AS}\sas|\s(?:assigned|"
    rf"routed) to)?"
    rf"){_HOW}"
    rf"|{_SUBJECT}\s(?:should|can|must)\sbe\s(?:{_AS}(?:\sas)?|(?:filed|put|placed|sorted)\s(?:under|in|into)|"
    r"(?:routed|assigned|sent|referred)\sto)(?:\sthe|\san?)?"
    rf"|{_SUBJECT}(?:\sclearly)?\s(?:belongs?|goes|should go|falls?|fits(?:\sbest)?)\s(?:to|in|into|under|within|"
    rf"with)(?:\sthe|\san?)?"
    rf"|{_SUBJECT}(?:\sclearly)?\s(?:matches|fits|indicates|means|expresses|concerns|describes)(?:\sthe|\san?)?"
    rf"|i(?:['’]d|['’]ll| would| will| have)?\s{_AS}\s(?:it|this|that|the{_NAME}|this{_NAME})\s(?:as|under)(?:\san?)?"
    rf"|(?:i(?:['’]d|['’]ll| would| will)?|let['’]s|please)\s?(?:file|put|place|sort|route|assign)\s"
    rf"(?:it|this|that|the{_NAME}|this{_NAME})\s(?:under|in|into|to)(?:\sthe)?"
    rf"|(?:file|put|place|sort|route|assign)\s(?:it|this|that|this{_NAME})\s(?:under|in|into|to)(?:\sthe)?"
    r"|i(?:['’]d|['’]ll| would| will| have)?\s(?:choose|chose|pick|picked|select|selected|assign|say|answer|go with)"
    rf"|{_SUBJECT}\s(?:ist|gehört zu[mr]?(?: kategorie| klasse)?|geht an|fällt unter){_HOW}|zuständig ist"
    r"|es (?:geht|handelt sich) um(?: ein\w*)?"
    rf"|c['’]est{_HOW}|{_SUBJECT}\s(?:est|relève de(?: la catégorie)?|concerne|appartient à){_HOW}|il s['’]agit d(?:e|"
    rf"['’]une?)"
    rf"|es{_HOW}|{_SUBJECT}\s(?:es|pertenece a){_HOW}|se trata de|(?:{_SUBJECT}\s)?[èé]{_HOW}|si tratta di|het gaat om"
    rf"|the (?:most )?(?:correct|right|best|appropriate|suitable|fitting){_NAME} would be"
    r"|\\boxed|very|definitely|certainly|eindeutig|set to)"
)
_CHOICE_SPACELESS = re.compile(r"(?:这|這|应该|應該|答案|类别|類別|分类|标签)?(?:是|属于|屬於|为|為)")
_STARTS = (
    r"(?:the|this|that|it|its|they|he|she|there|der|die|das|es|sie|er|le|la|les|il|elle|elles|ce|cette|el|los|las|esto|"
    r"ella|este|esta|im)\b|(?:l|c|n|d|qu)['’]"
)
_AFTER = re.compile(
    r"[\"'*_`)\]}»”’>~|】」]*\s*(?:"
    r"(?:category|label|class|team|queue|topic|priority|sentiment|intent|option|risk|in tone|overall|(?P<thing>issue|"
    r"problem|"
    r"ticket|request|question|case|matter))?\W??(?:(?P<alone>[.!。！✅✓✔]*\s*(?:$|\n))|[.!。！])"
    r"|,?\s*(?:because|since|as (?:it|the|this|they)|due to|weil|da|car|parce qu|porque|ya que)\b"
    rf"|,?\s*(?:no doubt|it is)\W*$|(?P<told>,\s*(?:{_STARTS}))|[;:(–—]|-\s)"
)
_EXPLAINED_BY = re.compile(r"[\"'*_`)\]]*\s*(?:[(:—–]|-\s)(?:\W*\w+){0,3}")
"""The start of an explanation: a mark after the label, and three words."""
_QUOTES = re.compile(r"[\"“”„«»]")
_KEY = re.compile(
    r"\W*(?:(?:the|my|final|primary|main|overall|predicted|detected|suggested|recommended|dominant|general|haupt)\s)*"
    r"(?![\w'’-]*(?:ly|weise|(?:ble|lle|ne|ve)ment|mente)\b)[\w'’-]+(?:\s(?:level|type|name|status|group|stufe|"
    r"#?\d+))?\W*"
)
"""A key of one word that is no adverb, with adjectives: “dominant emotion”."""
_OTHER_KEY = re.compile(
    r"\b(?:input|question|subject|todo|warning|system|user|customer|note|quote|reminder|from|to|cc|re|title|headline|"
    r"text|false|"
    r"message|e ?mail|review|author|sender|source|name|summary|context|contents?|hint|tip|fact|see|not|no|except|if|"
    r"when|"
    r"tentative|betreff|überschrift|hinweis|absender|von|an|kunde|frage|bei|nicht|objet|remarque|expéditeur|de|à|"
    r"client|question|"
    r"asunto|nota|remitente|para|cliente|pregunta)\b|^\W*ticket\W*$"
)
"""Keys that announce something other than an answer."""


def chooses(words: str, start: int, end: int) -> bool:
    """Returns whether folded ``words`` choose the label at ``words[start:end]``."""
    after = _AFTER.match(words, end)
    if after is None or doubts(words, start, end):
        return False
    above, _, line = words[max(0, start - _SPAN) : start].rpartition("\n")
    if _only_mentions(above, line) or (after["told"] and CONTRAST.search(_sentence_after(words, end))):
        return False
    before = line[max((stop.end() for stop in SENTENCE_END.finditer(line)), default=0) :]
    if not any(sign.isalnum() for sign in before) or _BULLET.match(before):
        # "billing issue" chooses, but "no problem" doesn't. A label that starts a later sentence must be all of it.
        first = not any(sign.isalpha() for sign in words[max(0, start - _SPAN) : start])
        return after["thing"] is None and (first or after["alone"] is not None)
    return after["told"] is None and _concludes(before)


def _only_mentions(above: str, line: str) -> bool:
    """Returns whether a label after ``line`` signs a letter, stands in a quotation, is struck, or is an example."""
    # "Kind regards,\nBilling" signs a letter.
    signs = not line.strip(_MARKS) and above.rstrip().endswith(",")
    quoted = len(_QUOTES.findall(line.rstrip(_MARKS))) % 2 > 0
    return signs or quoted or any(found.search(line) for found in (UNTICKED, EXAMPLE))


def _concludes(before: str) -> bool:
    """Returns whether a sentence chooses what follows ``before``, which is its start."""
    conclusion = max((so.end() for so in _SO.finditer(before)), default=0)
    clause = before[conclusion:].strip(_MARKS)
    if not clause:
        return conclusion > 0
    return _CHOICE.fullmatch(clause) is not None or _CHOICE_SPACELESS.fullmatch(clause) is not None


def announces(key: str) -> bool:
    """Returns whether an unknown key, as in “mood: x”, may announce an answer."""
    unlike = (REJECTED_KEY, _OTHER_KEY, DOUBTFUL, EXAMPLE)
    return _KEY.fullmatch(key) is not None and not any(words.search(key) for words in unlike)


def _sentence_after(words: str, end: int) -> str:
    return SENTENCE_END.split(words[end : end + _SPAN], maxsplit=1)[0]


def doubts(words: str, start: int, end: int) -> bool:
    """Returns whether the sentence around ``words[start:end]`` doubts, asks, or states a condition."""
    before = SENTENCE_END.split(words[max(0, start - _SPAN) : start])[-1]
    if DOUBTFUL.search(before):
        return True
    rest = words[end : end + _SPAN]
    # "billing - they ask if …" explains, while "billing (if …)" doubts.
    if (explained := _EXPLAINED_BY.match(rest)) is not None:
        return DOUBTFUL.search(explained[0]) is not None or CONTRAST.search(explained[0]) is not None
    stop = SENTENCE_END.search(rest)
    sentence = BECAUSE.split(rest[: stop.start()] if stop else rest, maxsplit=1)[0]
    return (stop is not None and stop[0] in "?？") or DOUBTFUL.search(sentence) is not None
