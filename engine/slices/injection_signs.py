"""Recognizes inputs that try to give a model instructions, in several languages. Word patterns only."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 20_000
"""Characters of an input that are searched."""
_GAP = r"(?:\W{1,5}\w{1,30}){0,5}?\W{1,5}"
"""Up to five words between a verb and its object. Bounded, so that no input takes long."""
_IGNORING = {
    "en": (
        "ignore|disregard|forget|skip|override|bypass|overlook|neglect",
        "instructions?|rules?|prompts?|guidelines?|directives?|definitions|above|told|instructed",
    ),
    "de": ("ignorier\\w*|vergiss|vergesse\\w*|missacht\\w*", "anweisung\\w*|instruktion\\w*|regeln|vorgaben|prompts?"),
    "fr": ("ignore[zr]?|oublie[zr]?|pas compte", "instructions?|consignes?|règles|directives|dit"),
    "es": ("ignor[ae]\\w*|olv[ií]d\\w*|omit[ae]", "instrucciones|reglas|indicaciones|órdenes"),
    "it": ("ignora\\w*|dimentica\\w*", "istruzioni|regole|indicazioni|direttive|detto"),
    "pt": ("ignor[ea]\\w*|esqueç\\w*|desconsider\\w*", "instruções|regras|diretrizes|ordens"),
    "nl": ("negeer|vergeet", "instructies|regels|aanwijzingen"),
    "pl": ("zignoruj|ignoruj|zapomnij|pomiń", "instrukcj\\w*|polece\\w*|zasad\\w*"),
    "ru": ("игнориру\\w*|игнорировать|проигнориру\\w*|забудь\\w*", "инструкци\\w*|указани\\w*|правил\\w*|говорили"),
    "el": ("αγνο[ήέ]\\w*|ξέχασ\\w*", "οδηγίες|κανόνες|εντολές"),
    "id": ("abaikan|lupakan", "instruksi|perintah|aturan"),
    "ar": ("تجاهل|انس", "التعليمات|الأوامر|القواعد|تعليمات"),
}
"""By language: verbs, and what they tell a model to ignore."""
_SIGNS = (
    *(rf"\b(?:{verbs}){_GAP}(?:{objects})\b" for verbs, objects in _IGNORING.values()),
    r"(?:忽略|无视|忽視|忘记|忘掉)[^。\n]{0,12}(?:指令|指示|规则|規則|提示|要求)",
    r"(?:以前|これまで|上記|前の|すべて|全て)[^。\n]{0,12}(?:指示|命令|ルール)[^。\n]{0,6}(?:無視|忘れ)",
    r"(?:निर्देश|नियम)[^।\n]{0,12}(?:अनदेख|नज़रअंदाज़|भूल)",
    r"(?:talimat|kural|komut)\w*\W[^.\n]{0,12}(?:yok say|unut|dikkate alma)",
    r"(?:이전|위의|모든)[^.\n]{0,12}(?:지시|명령|규칙|지침)[^.\n]{0,6}(?:무시|잊)",
    r"\b(?:new|real|actual) (?:instructions?|rules|task)\b(?: for \w{1,30} \w{1,30})?\s{0,5}(?::|say|are|is)",
    (
        r"\b(?:neue anweisung(?:en)?|nouvelles? (?:instructions?|consignes?)|nuevas? instrucci(?:ones|ón)"
        r"|nuove istruzioni|novas instruções|nieuwe instructies|nowe instrukcje|новые инструкции)\s{0,5}:"
    ),
    r"\b(?:previous|prior|earlier|above) (?:\w{1,30} )?(?:rules|instructions|prompts?|guidelines) (?:are|is)\b",
    (
        r"\byou (?:must|shall|have to) (?:now )?(?:only |always )?"
        r"(?:answer|reply|respond|output|write|say|set|return|classify|label|rate)\b"
    ),
    r"\byou are now (?:in|a|an|the|my|acting|free|dan)\b",
    (
        r"\b(?:du bist jetzt|tu es (?:maintenant|désormais)|ahora eres|ora sei|agora você é|je bent nu|jesteś teraz"
        r"|теперь ты|你现在是)"
    ),
    r"\b(?:reply|respond|answer|output|print|write|say|return)\W{1,5}(?:only|exactly|nothing but)\b",
    r"\b(?:antworte nur|réponde?z? (?:uniquement|seulement)|responde s[oó]lo|rispondi solo|responda apenas)\b",
    r"\b(?:classify|label|tag|mark|file|categori[sz]e) (?:this|it|everything|all)\b(?: \w{1,30}){0,2} (?:as|under)\b",
    r"\bset (?:the )?(?:label|score|category|rating|grade|\w+_\w+) to\b",
    r"(?:^|[.!?\n\[#]|<!--)\s{0,5}(?:system|assistant|developer)(?: message| note| prompt)?\s{0,5}[:\]#]",
    r"<(?:system|god|developer|debug|admin) mode>|<\|\w+\|>|\[/?inst\]|<</?sys>>",
    r"</(?:ticket|input|message|user|prompt|instructions?|task|document|system|query)>",
    r"\b(?:note|message|instructions?) (?:to|for) (?:the )?(?:ai|model|llm|assistant|classifier|bot)\b|\bfor the ai\b",
    rf"\b(?:reveal|show|print|repeat|tell|display){_GAP}(?:system prompt|your (?:instructions|prompt))\b",
    r"\bend of (?:ticket|input|document|message|prompt|instructions)\b",
    r"\b(?:jailbreak|developer mode|do anything now|authori[sz]ed override)\b|\bpretend (?:to be|you are|that you)\b",
)
_SIGN = re.compile("|".join(f"(?:{sign})" for sign in _SIGNS), re.IGNORECASE)


def injection_sign(text: str) -> str | None:
    """Returns the part of the text that tries to instruct a model; ``None`` if there is none."""
    plain = unicodedata.normalize("NFKC", text[:LONGEST])
    # Format characters between letters would hide a word.
    plain = "".join(sign for sign in plain if unicodedata.category(sign) != "Cf")
    found = _SIGN.search(plain)
    return None if found is None else " ".join(found[0].split()).strip(".!?[# ")
