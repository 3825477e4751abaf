"""Git attributes that make git write other content into a checkout than what was measured."""

from __future__ import annotations

from benchmarks.adversarial_cases.attack import Attack, harmless

KIND = "what git writes"

ATTACKS = (
    Attack("a filter for prompts", {".gitattributes": "prompts/** filter=redact\n"}),
    Attack("another encoding for one folder", {"prompts/.gitattributes": "* working-tree-encoding=UTF-16LE\n"}),
    Attack("prompts are left out of archives", {".gitattributes": "*.md export-ignore\n"}),
    harmless("line ends and languages", {".gitattributes": "*.md text eol=lf linguist-documentation\n"}),
)
