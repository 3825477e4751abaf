"""A patch on a page: what a person copies from it applies, whatever the file has."""

import html
import re
import subprocess

import pytest

from engine.improve.patch import unified
from engine.pages.render import page


@pytest.mark.parametrize("old", ["a\n\tb\nc", "a\r\nb\r\n", "a\n\u202eb\n", "a\n" * 3 + "x" * 70_000 + "\n"])
def test_a_patch_that_was_copied_from_a_page_applies(old, tmp_path):
    new = old.replace("a", "changed", 1)
    text = page(
        "playground_save", title="Save", site=_site(), crumbs=(), opened=None, unopened="", refusal="", may_open=False,
        commit="0" * 40, branch="main", address="/", back="/", github="", title_text="",
        patches=[("p.txt", unified("p.txt", old, new))],
    )  # fmt: skip
    blocks = [html.unescape(one) for one in re.findall(r'<pre class="patch"[^>]*>(.*?)</pre>', text, re.DOTALL)]
    (tmp_path / "p.txt").write_bytes(old.encode())
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    if len(blocks) > 1:
        subprocess.run(["sh", "-c", blocks[1]], cwd=tmp_path, check=True)
    else:
        subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=blocks[0].encode(), check=True)
    assert (tmp_path / "p.txt").read_bytes() == new.encode()


def _site():
    from bot.pages.context import Site

    return Site()
