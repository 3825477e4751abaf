"""``engine.detection.policy``: what a changed configuration loosens, tightens or leaves as it is."""

import pytest

from engine.detection import policy
from engine.detection.policy import compare_policies, policy_reasons
from schemas.config import Config, Explain, LineageConfig, RunConfig, Suggest, TagsConfig
from schemas.field_config import FieldRule
from schemas.gate_config import GateConfig

MODELS = {"small": {"provider": "openai", "model": "gpt-small"}, "judge": {"provider": "openai", "model": "gpt-judge"}}
LINEAGE = {"use_case": "extraction", "prompt": "a.md", "tests": "a.jsonl"}


def config(lineage=None, **settings):
    return Config.model_validate(
        {"version": 1, "models": MODELS, "lineages": {"a": {**LINEAGE, **(lineage or {})}}, **settings}
    )


def directions(base, head, **options):
    return {change.key: change.direction.value for change in compare_policies(base, head, **options)}


@pytest.mark.parametrize(
    ("before", "after", "there", "back"),
    [
        ({"max_cost_increase": 0.2}, {"max_cost_increase": 0.5}, "looser", "tighter"),
        ({"max_cost_increase": 0.2}, {"max_cost_increase": None}, "looser", "tighter"),
        ({"margin": {"overall": 0.02}}, {"margin": {"overall": 0.04}}, "looser", "tighter"),
        ({"margin": {"overall": 0.02}}, {}, "looser", "tighter"),
        ({"margin": {"overall": 0.20}}, {}, "not comparable", "not comparable"),
        ({"margin": {"slice": 0.10}}, {}, "looser", "tighter"),
        ({"margin": {"slices": {"edge": 0.1}}}, {"margin": {"slices": {"edge": 0.3}}}, "looser", "tighter"),
        ({"margin": {"slice": 0.02}}, {"margin": {"slice": 0.02, "slices": {"edge": 0.08}}}, "looser", "tighter"),
        ({"margin": {"metrics": {"f": 0.02}}}, {}, "looser", "tighter"),
        ({"margin": {"overall": 0.01}}, {"margin": {"overall": 0.01, "fields": {"f": 0.04}}}, "looser", "tighter"),
        ({"adversarial": "guard"}, {"adversarial": "watch"}, "looser", "tighter"),
        ({"adversarial": "must_pass"}, {}, "looser", "tighter"),
        ({"adversarial": "must_pass"}, {"adversarial": "guard"}, "looser", "tighter"),
        ({}, {"adversarial": "watch"}, "looser", "tighter"),
        ({"adversarial": "average"}, {}, "not comparable", "not comparable"),
        ({"slices": {"edge": "average"}}, {"slices": {"edge": "watch"}}, "looser", "tighter"),
        ({"slices": {"edge": "average"}}, {"slices": {"edge": "must_pass"}}, "not comparable", "not comparable"),
        ({"slices": {"edge": "must_pass"}}, {}, "not comparable", "not comparable"),
        ({"floor": 0.8}, {"floor": 0.7}, "looser", "tighter"),
        ({"floor": 0.8}, {}, "looser", "tighter"),
        ({"floor": {"slices": {"edge": 0.5}}}, {}, "looser", "tighter"),
        ({"inconclusive": "block"}, {}, "looser", "tighter"),
        ({"latency": "gate"}, {}, "looser", "tighter"),
        ({"max_latency_increase": 0.2}, {"max_latency_increase": 0.3}, "looser", "tighter"),
        ({"mode": "fixed"}, {}, "not comparable", "not comparable"),
        ({"mode": "fixed", "repetitions": 5}, {"mode": "fixed", "repetitions": 2}, "looser", "tighter"),
    ],
)
def test_each_setting_of_the_gate_has_its_direction(before, after, there, back):
    for old, new in (
        (config(gate=before), config(gate=after)),
        (config({"gate": before}), config({"gate": after})),
    ):
        assert list(directions(old, new).values()) == [there]
        assert list(directions(new, old).values()) == [back]


@pytest.mark.parametrize(
    ("before", "after", "key", "there", "back"),
    [
        ({"mode": "enforce"}, {"mode": "inform"}, "mode", "looser", "tighter"),
        ({"comment": "always"}, {"comment": "off"}, "comment", "neutral", "neutral"),
        ({"budget": {"per_run_usd": 2}}, {"budget": {"per_run_usd": 9}}, "budget.per_run_usd", "looser", "tighter"),
        ({"run": {"max_age": "2d"}}, {"run": {"max_age": "49h"}}, "run.max_age", "looser", "tighter"),
        ({"run": {"max_age": "2d"}}, {"run": {"max_age": "48h"}}, "run.max_age", "neutral", "neutral"),
        ({"run": {"timeout_s": 5}}, {"run": {"timeout_s": 50}}, "run.timeout_s", "neutral", "neutral"),
        ({"defaults": {"model": "small"}}, {"defaults": {"model": "judge"}}, "defaults.model", "neutral", "neutral"),
        (
            {"defaults": {"model": ["small", "judge"]}},
            {"defaults": {"model": "judge"}},
            "defaults.model",
            "looser",
            "neutral",
        ),
    ],
)
def test_settings_of_the_whole_have_their_direction(before, after, key, there, back):
    assert directions(config(**before), config(**after)) == {key: there}
    assert directions(config(**after), config(**before)) == {key: back}


@pytest.mark.parametrize(
    ("before", "after", "key", "there", "back"),
    [
        ({}, {"use_case": "generation"}, "use_case", "not comparable", "not comparable"),
        ({}, {"prompt": "b.md"}, "prompt", "not comparable", "not comparable"),
        ({}, {"tests": "b.jsonl"}, "tests", "neutral", "neutral"),
        ({}, {"labels": ["x", "y"]}, "labels", "not comparable", "not comparable"),
        ({}, {"reference": "r.md"}, "reference", "not comparable", "not comparable"),
        ({"rubric": "r.yaml"}, {}, "rubric", "looser", "tighter"),
        ({"rubric": "r.yaml"}, {"rubric": "s.yaml"}, "rubric", "not comparable", "not comparable"),
        ({}, {"scorer": "s.py"}, "scorer", "not comparable", "not comparable"),
        ({"scorer": "s.py"}, {"scorer": {"file": "s.py", "kind": "check"}}, "scorer", "not comparable", "not comparable"),
        ({}, {"judge": {"model": "judge"}}, "judge", "not comparable", "not comparable"),
        ({}, {"model": "judge"}, "model", "neutral", "neutral"),
        ({"model": ["small", "judge"]}, {"model": ["small"]}, "model", "looser", "neutral"),
        ({"fields": {"f": {}}}, {}, "fields.f", "looser", "tighter"),
        ({"fields": {"f": {"tolerance": 1}}}, {"fields": {"f": {"tolerance": 5}}}, "fields.f.tolerance", "looser", "tighter"),
        ({"fields": {"f": {"kind": "set"}}}, {"fields": {"f": {}}}, "fields.f.kind", "not comparable", "not comparable"),
        ({"fields": {"f": {"threshold": 0.9}}}, {"fields": {"f": {"threshold": 0.5}}}, "fields.f.threshold", "looser", "tighter"),
        ({"fields": {"f": {"match": "exact"}}}, {"fields": {"f": {"match": "fuzzy"}}}, "fields.f.match", "looser", "tighter"),
        ({"checks": [{"name": "c", "max_words": 9}]}, {}, "checks.c", "looser", "tighter"),
        (
            {"checks": [{"name": "c", "max_words": 9}]},
            {"checks": [{"name": "c", "max_words": 8}]},
            "checks.c",
            "not comparable",
            "not comparable",
        ),
        ({"budget": {"per_run_usd": 1}}, {}, "budget.per_run_usd", "looser", "tighter"),
    ],
)  # fmt: skip
def test_settings_of_a_lineage_have_their_direction(before, after, key, there, back):
    assert directions(config(before), config(after)) == {f"lineages.a.{key}": there}
    assert directions(config(after), config(before)) == {f"lineages.a.{key}": back}


def models(**changed):
    return config(models={**MODELS, **changed})


def test_a_model_may_be_swapped_or_tuned_since_that_is_measured_and_nothing_else():
    small = MODELS["small"]
    for change, direction in [
        ({"model": "gpt-large"}, "neutral"),
        ({"parameters": {"temperature": 1}}, "neutral"),
        ({"price": {"input": 1, "output": 1}}, "not comparable"),
        ({"base_url": "https://elsewhere.example", "api_key_env": "KEY"}, "not comparable"),
        ({"provider": "anthropic"}, "not comparable"),
    ]:
        assert set(directions(models(), models(small={**small, **change})).values()) == {direction}


def test_the_judges_model_is_part_of_the_gate():
    judged = {"judge": {"model": "judge"}}
    better = {**MODELS, "judge": {**MODELS["judge"], "parameters": {"temperature": 1}}}
    assert directions(config(judged), config(judged, models=better)) == {"models.judge.parameters": "not comparable"}


def test_a_new_model_is_harmless_unless_it_brings_an_address_or_a_key():
    new = {"provider": "openai", "model": "x"}
    assert directions(models(), models(new=new)) == {"models.new": "neutral"}
    assert directions(models(new=new), models()) == {"models.new": "neutral"}
    elsewhere = {**new, "base_url": "https://elsewhere.example", "api_key_env": "OPENAI_API_KEY"}
    assert directions(models(), models(new=elsewhere)) == {"models.new": "not comparable"}


def test_lineages_that_go_or_come_or_change_their_name():
    base = config()
    gone = base.model_copy(update={"lineages": {}})
    renamed = base.model_copy(update={"lineages": {"b": base.lineages["a"]}})
    assert directions(base, gone) == {"lineages.a": "looser"}
    assert directions(gone, base) == {"lineages.a": "tighter"}
    assert directions(base, renamed) == {"lineages.a": "neutral"}


def test_a_setting_that_follows_a_renamed_file_is_neutral():
    assert directions(config(), config({"prompt": "b.md"}), moved={"a.md": "b.md"}) == {"lineages.a.prompt": "neutral"}


def test_a_default_that_changes_is_reported_once_and_a_lineage_that_escapes_it_is_reported_too():
    strict, lax = {"max_cost_increase": 0.1}, {"max_cost_increase": 0.9}
    assert directions(config(gate=strict), config(gate=lax)) == {"gate.max_cost_increase": "looser"}
    assert directions(config(gate=strict), config({"gate": strict}, gate=lax)) == {"gate.max_cost_increase": "looser"}
    assert directions(config(gate=strict), config({"gate": lax}, gate=strict)) == {
        "lineages.a.gate.max_cost_increase": "looser"
    }
    assert directions(config({"gate": strict}), config({"gate": {}})) == {"lineages.a.gate.max_cost_increase": "looser"}


def test_reasons_are_sentences_for_what_a_person_has_to_accept():
    base = config(gate={"floor": 0.5, "adversarial": "must_pass"})
    head = config(gate={"floor": 0.6, "adversarial": "watch"})
    (reason,) = policy_reasons(compare_policies(base, head), "promptverdict.yaml")
    assert (
        reason.sentence
        == "This pull request loosens its own gate in `promptverdict.yaml`: gate.adversarial: must_pass → watch."
    )
    assert (reason.code.value, reason.status.value) == ("policy_changed", "needs_review")


def test_keys_that_are_not_set_are_not_shown():
    checks = {"checks": [{"name": "c", "max_words": 9}]}
    (change,) = compare_policies(config(checks), config())
    assert (change.before, change.after) == ('{"max_words":9,"name":"c"}', "not set")
    (change,) = compare_policies(config(), config({"output": {"format": "label"}}))
    assert "null" not in change.after


def test_what_a_head_writes_is_shown_clipped_and_on_one_line():
    (change,) = compare_policies(config(), config({"labels": ["x\ny" * 100]}))
    assert "\n" not in change.sentence
    assert len(change.sentence) < 200


def test_an_immutable_tag_may_not_become_movable_unseen():
    one, two = {"immutable": ["v*"]}, {"immutable": ["v*", "release"]}
    assert directions(config(tags=one), config(tags=two)) == {"tags.immutable": "tighter"}
    assert directions(config(tags=two), config(tags=one)) == {"tags.immutable": "looser"}
    assert directions(config(tags=one), config(tags={"immutable": ["w*"]})) == {"tags.immutable": "not comparable"}
    assert directions(config(), config(tags={"follow": "tags.yaml"})) == {"tags.follow": "not comparable"}


def test_equal_configurations_differ_in_nothing():
    assert compare_policies(config(), config()) == ()


@pytest.mark.parametrize(
    ("settings", "table", "elsewhere"),
    [
        (GateConfig, policy.GATE, set()),
        (RunConfig, policy.RUN, set()),
        (FieldRule, policy.FIELD, set()),
        (LineageConfig, policy.LINEAGE, {"model", "fields", "checks", "budget", "run", "gate"}),
        (
            Config,
            policy.GENERAL_SETTINGS,
            {"version", "models", "defaults", "run", "budget", "explain", "suggest", "gate", "lineages", "tags"},
        ),
        (TagsConfig, policy.TAGS, set()),
        (Explain, policy.EXPLAIN, set()),
        (Suggest, policy.SUGGEST, set()),
    ],
)
def test_whoever_adds_a_setting_says_which_way_it_moves_the_gate(settings, table, elsewhere):
    assert settings.model_fields.keys() - elsewhere <= table.keys()
    assert elsewhere <= settings.model_fields.keys()
