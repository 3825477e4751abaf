"""What a hostile text must not achieve: a CommonMark/GFM renderer with GitHub's own extras, and the runner's log parsers."""

import re
from html.parser import HTMLParser

from hypothesis import strategies as st
from markdown_it import MarkdownIt

GFM = MarkdownIt("gfm-like", {"html": True, "linkify": True})
"""Raw HTML on and links recognized, so that nothing but our encoding stands between a text and the page."""

GITHUB_EXTRAS = {
    "mention": re.compile(r"(?<![A-Za-z0-9_`])@[A-Za-z0-9]"),
    "issue": re.compile(r"(?<!\w)#\d|\bGH-\d", re.IGNORECASE),
    "commit": re.compile(r"(?<!\w)[0-9a-f]{7,40}(?!\w)"),
    "address": re.compile(r"\bwww\.|\w+://|\w@\w+\.\w", re.IGNORECASE),
    "emoji": re.compile(r":[a-z0-9_+-]+:"),
    "math": re.compile(r"\$\S[^$]*\S\$(?!\d)"),
}
"""What GitHub turns into something else in text nodes outside ``<code>`` and ``<pre>``."""

FRAGMENTS = (
    "<", ">", "&", '"', "'", "`", "``", "```", "~~~", "|", "\\", "\\|", "[", "](", ")", "![x](http://a.b/c)", "http://evil.example/x", "www.evil.example",
    "@team", "@org/team", "#1", "GH-12", "o/r#3", "0123abcd" * 5, ":smile:", "<!-- prompt-verdict -->", "<!--", "-->", "</details>", "</code>", "</pre>",
    "</td></tr></table>", "<img src=x onerror=y>", "<script>", "javascript:x", "<a href=x>", "\n", "\n\n", "\r\n", "\r", "\t", " ", "    ", "# ", "> ", "- ", "1. ", "1)",
    "---", "===", "***", "**b**", "_i_", "~~s~~", "$x$", "$$", "&lt;", "&#60;", "&#x3c;", "&amp;lt;", "\x00", "\x1b[31m", "\u202e", "\u2066", "\u200b", "\u200d", "\ufeff",
    "\ufe0f", "\u2028", "\u2029", "\x85", "\u0301" * 9, "\u115f", "👩‍💻", "é", "日本", "::error::x", "::", ":", "##[", "##[error]x", "#", "[", "]", "::set-output name=a::b",
    "::stop-commands::x", "##[add-mask]", ":\u200d:", "#\u00ad#[", "<details open>", "<svg/onload=x>", "mailto:a@b.cd", "a@b.example", "%0A", "%3A", "[x]: http://a.b", "[^1]", "- [ ] ",
)  # fmt: skip

hostile_texts = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=4), max_size=12).map("".join)


class _Page(HTMLParser):
    """The structure of a page, and what GitHub would make of its texts."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.structure: list[str] = []
        self.extras: list[str] = []
        self.attributes: list[str] = []
        self.code_texts: list[str] = []
        self._quoted: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.attributes += [
            f"{tag} {name}={value}" for name, value in attrs if (tag, name) not in {("th", "style"), ("td", "style")}
        ]
        if tag in ("code", "pre"):
            self._quoted.append(tag)
            self.code_texts.append("")
        elif tag != "i":
            self.structure.append(tag)

    def handle_endtag(self, tag):
        if tag in ("code", "pre") and self._quoted and self._quoted[-1] == tag:
            self._quoted.pop()
        elif tag != "i":
            self.structure.append(f"/{tag}")

    def handle_data(self, data):
        if self._quoted:
            self.code_texts[-1] += data
        else:
            self.extras += [name for name, pattern in GITHUB_EXTRAS.items() if pattern.search(data)]

    def handle_comment(self, data):
        self.structure.append(f"comment {data}")

    def handle_decl(self, decl):
        self.structure.append(f"declaration {decl}")

    def handle_pi(self, data):
        self.structure.append(f"instruction {data}")

    def unknown_decl(self, data):
        self.structure.append(f"declaration {data}")


def page(markdown: str) -> _Page:
    """``markdown`` as GitHub would parse it."""
    parsed = _Page()
    parsed.feed(GFM.render(markdown))
    parsed.close()
    return parsed


def runner_commands(log: str) -> list[str]:
    """The commands that the Actions runner finds in ``log``: ``::name …::`` at the start of a line, ``##[name …]`` anywhere.

    Written after the documentation and the behavior of actions/runner. The runner compares by culture, which overlooks
    ignorable characters, so every line is looked at as it is and without what isn't ASCII. Any name counts.
    """
    found = []
    for line in re.split(r"[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]", log):
        for seen in (line, "".join(c for c in line if " " <= c <= "~")):
            start = seen.lstrip()
            if start.startswith("::") and "::" in start[2:]:
                found.append(start)
            at = seen.find("##[")
            if at >= 0 and "]" in seen[at:]:
                found.append(seen[at:])
    return found
