"""The example of the pages, run as it stands."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.client.fake_hub import TOKEN, document, entry

ROOT = Path(__file__).parents[2]
HEADINGS = {"docs/hub.md": "## Read prompts in an application", "client/README.md": "# promptverdict-client"}


@pytest.mark.parametrize("page", HEADINGS)
def test_an_application_reads_production_in_five_lines(hub, monkeypatch, tmp_path, page):
    monkeypatch.setenv("PROMPTVERDICT_HUB", hub.url)
    monkeypatch.setenv("PROMPTVERDICT_TOKEN", TOKEN)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    hub.put(document(entry(name="triage")))
    calls = []
    completions = SimpleNamespace(create=lambda **call: calls.append(call))
    client = SimpleNamespace(chat=SimpleNamespace(completions=completions))
    shown = (ROOT / page).read_text().partition(HEADINGS[page])[2]
    example = re.search(r"```python\n(.*?)```", shown, re.DOTALL)[1]
    assert len([line for line in example.splitlines() if line]) <= 5
    names = {"client": client, "text": "Refund?"}
    exec(example, names)
    names["prompts"].close()
    sent = {"messages": [{"role": "user", "content": "Sort Refund?"}], "model": "gpt-5-mini", "temperature": 0.2}
    assert calls == [sent]
    assert [file.suffix for file in (tmp_path / "promptverdict").iterdir()] == [".json"]
