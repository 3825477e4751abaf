"""The settings page shows the whole gate, and where each value comes from."""

import re
from decimal import Decimal

import pytest

from bot.pages.views.gate_rows import SETTINGS, gate_rows
from bot.site import facts_of
from bot.store.model_records import gate_of
from schemas.experiments import ExperimentRecord
from schemas.gate_config import Floor, GateConfig, Margins, SlicePolicy
from tests.bot.served import settings_for


def leaves(kind, start=""):
    """The names of all settings of a model."""
    for name, field in kind.model_fields.items():
        inner = {Margins: Margins, Floor: Floor}.get(field.annotation)
        yield from leaves(inner, f"{name}.") if inner else [start + name]


def test_every_setting_of_the_gate_has_a_row():
    assert [key for key, _, _ in SETTINGS] == list(leaves(GateConfig))


def test_a_row_says_the_value_and_its_source():
    gate = GateConfig(
        margin=Margins(overall=0.03, slices={"edge": 0.2}), floor=0.8, max_cost_increase=None,
        slices={"german": SlicePolicy.MUST_PASS}, latency="gate",
    )  # fmt: skip
    rows = {name: (value, source) for name, value, source in gate_rows(gate)}
    assert rows["Largest drop of all cases"] == ("3 points", "promptverdict.yaml: gate.margin.overall")
    assert rows["Largest drop of a slice"] == ("automatic: what the cases can rule out, at most 25 points", "default")
    assert rows["Largest drop of slice edge"] == ("20 points", "promptverdict.yaml: gate.margin.slices.edge")
    assert rows["Slice german"] == ("must-pass", "promptverdict.yaml: gate.slices.german")
    assert rows["Slice adversarial"] == ("guard", "default")
    assert rows["Cost may rise by"] == ("not limited", "promptverdict.yaml: gate.max_cost_increase")
    assert rows["Latency"] == ("gate", "promptverdict.yaml: gate.latency")
    assert rows["Least score of all cases"] == ("80 points", "promptverdict.yaml: gate.floor.overall")
    assert rows["An inconclusive verdict"] == ("pass", "default")


def test_the_policy_is_read_from_the_start_of_a_record():
    gate = GateConfig(max_cost_increase=Decimal("0.35"), slices={'x,"gate":{': SlicePolicy.WATCH})
    record = ExperimentRecord(lineage=',"gate":{"', content_digest="f" * 64, gate=gate, metrics=(), cases=())
    text = record.model_dump_json()
    assert gate_of(text) == gate_of(text[: text.index('"metrics":[]') + 3]) == gate
    assert gate_of(text[:60]) is gate_of("") is gate_of('{"a":1,"gate":[]}') is None


@pytest.mark.parametrize("staged", ["sqlite"], indirect=True)
def test_the_page_shows_gate_and_policy_of_the_newest_verdict(web):
    text = web.signed_in("ada").get("/repositories/11/settings").text
    rows = dict(re.findall(r'<th scope="row">([^<]+)</th><td data-name="value">([^<]+)', text))
    assert rows["Cost may rise by"] == "35%"
    assert rows["Slice edge"] == "watch"
    assert rows["Largest drop of all cases"].startswith("automatic")


def test_the_operators_settings_say_what_is_default(tmp_path):
    facts = facts_of(settings_for(tmp_path, PROMPTVERDICT_MAX_USD_PER_RUN="3"))
    sources = {name: (value, source) for name, value, source in facts.rows}
    assert sources["Cap of a run"] == ("$3.00", "PROMPTVERDICT_MAX_USD_PER_RUN")
    assert sources["Cap of a day"] == ("$500.00", "PROMPTVERDICT_MAX_USD_PER_DAY, default")
    assert sources["Texts are kept for"] == ("365 days", "PROMPTVERDICT_KEEP_TEXTS_DAYS, default")
    assert facts.run_usd == 3
