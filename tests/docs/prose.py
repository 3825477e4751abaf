"""Sentences of a Markdown page, without code blocks, tables and pictures."""

import re
from xml.etree import ElementTree as ET

import markdown

ENDS = re.compile(r"(?<=[.!?])[)”’]?\s+(?=[A-Z0-9`“(*])|\n{2,}")
ABBREVIATED = re.compile(r"\b(e\.g|i\.e|vs|cf|p|Fig|No)\.$")
BLOCKS = {"p", "li", "td", "th", "h1", "h2", "h3", "h4"}


def blocks(text):
    """The texts of a page, one a block. Inline code counts as one word."""
    text = re.sub(r"(?ms)^(```|~~~).*?^\1\s*$", "", text)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"(?s)<(picture|details|table).*?</\1>", "", text)
    tree = ET.fromstring(f"<page>{markdown.markdown(text, extensions=['tables'], output_format='xhtml')}</page>")
    for element in tree.iter():
        if element.tag in BLOCKS and not (element.tag == "li" and element.find("p") is not None):
            yield element.tag, "".join(spoken(element)).strip()


def spoken(element):
    yield element.text or ""
    for child in element:
        if child.tag in ("ul", "ol", "table", "pre"):
            pass
        elif child.tag == "code":
            yield "`code`"
        else:
            yield from spoken(child)
        yield child.tail or ""


def sentences(text):
    """Every sentence of the paragraphs and list items. A colon or semicolon ends none."""
    for tag, block in blocks(text):
        if tag in ("p", "li"):
            yield from (found for found in split(block) if len(words(found)) > 2)


def split(block):
    parts = [part.strip() for part in ENDS.split(block) if part and part.strip()]
    joined = []
    for part in parts:
        if joined and ABBREVIATED.search(joined[-1]):
            joined[-1] += f" {part}"
        else:
            joined.append(part)
    return joined


def words(text):
    return [word for word in re.split(r"[\s/]+", text) if re.search(r"\w", word)]


def report(text):
    """Words, mean sentence length, and the share of sentences with more than 30 words."""
    lengths = [len(words(sentence)) for sentence in sentences(text)]
    long = sum(length > 30 for length in lengths)
    return len(text.split()), sum(lengths) / len(lengths), long / len(lengths)
