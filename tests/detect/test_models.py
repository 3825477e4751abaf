"""Which models the arms run on: the head chooses among base's, and a swap is measured."""

import pytest

from tests.detect.pullrequests import CONFIG, PROMPT, codes, detected, kinds, only

PROMPT_FILE = "model: {}\nmessages:\n  - {{role: user, content: 'Sort {{{{input}}}}'}}\n"
BY_FILE = {
    "promptverdict.yaml": CONFIG.replace("triage.md", "triage.prompt.yml"),
    "prompts/triage.prompt.yml": PROMPT_FILE.format("openai/gpt-small"),
}


def pairs(change):
    return [(pair.baseline_name, pair.name, pair.candidate.model, pair.swapped) for pair in change.models]


def test_a_default_that_is_swapped_is_an_experiment_of_two_models(repository):
    found = detected(repository, {"promptverdict.yaml": CONFIG.replace("model: small", "model: large")})
    change = only(found)
    assert pairs(change) == [("small", "large", "gpt-large", True)]
    assert kinds(change) == ["model"]
    assert change.changes[0].detail == "small → large"
    assert (change.reasons, found.reasons) == ((), ())


def test_a_model_swapped_in_the_prompt_file_is_measured_on_bases_models(repository):
    head = {"prompts/triage.prompt.yml": PROMPT_FILE.format("openai/gpt-large")}
    change = only(detected(repository, head, base=BY_FILE))
    assert pairs(change) == [("openai/gpt-small", "openai/gpt-large", "gpt-large", True)]
    assert change.diff.settings == (("model", "openai/gpt-small", "openai/gpt-large"),)


def test_the_lineages_own_model_goes_before_the_files_and_that_is_said(repository):
    config = BY_FILE["promptverdict.yaml"] + "    model: small\n"
    head = {"prompts/triage.prompt.yml": PROMPT_FILE.format("openai/gpt-large")}
    found = detected(repository, head, base={**BY_FILE, "promptverdict.yaml": config})
    assert codes(only(found)) == ["unmeasured: needs_review"]
    head = {"prompts/triage.prompt.yml": PROMPT_FILE.format("openai/gpt-large").replace("Sort", "Order")}
    change = only(detected(repository, head, base={**BY_FILE, "promptverdict.yaml": config}))
    assert pairs(change) == [("small", "small", "gpt-small", False)]
    assert "the configuration's model is used" in change.warnings[0].what


def test_several_models_are_an_experiment_each_and_pair_with_what_they_replace(repository):
    models = "  large: {provider: openai, model: gpt-large}\n  huge: {provider: openai, model: gpt-huge}\n"
    config = CONFIG.replace("  large: {provider: openai, model: gpt-large}\n", models)
    base = config.replace("model: small", "model: [small, large]")
    head = config.replace("model: small", "model: [small, huge]")
    change = only(detected(repository, {"promptverdict.yaml": head}, base={"promptverdict.yaml": base}))
    assert pairs(change) == [("small", "small", "gpt-small", False), ("large", "huge", "gpt-huge", True)]
    more = config.replace("model: small", "model: [small, large, huge]")
    change = only(
        detected(
            repository,
            {"promptverdict.yaml": more, "prompts/triage.md": "{{ input }}"},
            base={"promptverdict.yaml": base},
        )
    )
    assert pairs(change)[2] == ("huge", "huge", "gpt-huge", False)


def test_parameters_of_a_model_are_the_heads_and_everything_else_is_bases(repository):
    base = CONFIG.replace("model: gpt-small}", "model: gpt-small, price: {input: 1, output: 2}}")
    head = CONFIG.replace(
        "model: gpt-small}", "model: gpt-small, price: {input: 0, output: 0}, parameters: {temperature: 1}}"
    )
    found = detected(repository, {"promptverdict.yaml": head}, base={"promptverdict.yaml": base})
    (pair,) = only(found).models
    assert (pair.candidate.parameters.temperature, pair.baseline.parameters.temperature) == (1, None)
    assert pair.candidate.price == pair.baseline.price
    assert pair.candidate.price.output == 2
    assert kinds(only(found)) == ["parameters"]
    assert codes(found) == ["policy_changed: needs_review"]


ELSEWHERE = "base_url: https://elsewhere.example, api_key_env: MY_KEY"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("small: {provider: openai, model: gpt-small}", "small: {provider: openai, model: gpt-cheap}"),
        ("small: {provider: openai, model: gpt-small}", f"small: {{provider: openai, model: gpt-small, {ELSEWHERE}}}"),
        ("defaults: {model: small}", f"  new: {{provider: openai, model: x, {ELSEWHERE}}}\ndefaults: {{model: new}}"),
    ],
)
def test_a_model_that_base_does_not_list_is_never_called(repository, before, after):
    found = detected(repository, {"promptverdict.yaml": CONFIG.replace(before, after)})
    change = only(found)
    assert pairs(change) == [("small", "small", "gpt-small", False)]
    assert all(pair.candidate.base_url is None for pair in change.models)
    assert "policy_changed: needs_review" in codes(change)
    assert "in the base configuration" in change.reasons[0].sentence


def test_a_file_may_not_name_a_model_that_base_does_not_list(repository):
    for name, words in (("openai/gpt-9", "not in the base configuration"), ("meta/llama", "the provider of model")):
        change = only(detected(repository, {"prompts/triage.prompt.yml": PROMPT_FILE.format(name)}, base=BY_FILE))
        assert codes(change) == ["policy_changed: needs_review"]
        assert words in change.reasons[0].sentence


def test_without_any_configured_model_the_providers_own_are_used(repository):
    config = "version: 1\nlineages:\n" + CONFIG.partition("lineages:\n")[2].replace("triage.md", "triage.prompt.yml")
    base = {"promptverdict.yaml": config, "prompts/triage.prompt.yml": PROMPT_FILE.format("gpt-4o")}
    change = only(
        detected(repository, {"prompts/triage.prompt.yml": PROMPT_FILE.format("claude-haiku-4-5")}, base=base)
    )
    (pair,) = change.models
    assert (pair.baseline.provider, pair.candidate.provider) == ("openai", "anthropic")


def test_a_lineage_without_any_model_says_how_to_name_one(repository):
    config = "version: 1\nlineages:\n" + CONFIG.partition("lineages:\n")[2]
    change = only(detected(repository, {"prompts/triage.md": PROMPT + "!"}, base={"promptverdict.yaml": config}))
    assert change.models == ()
    assert "no model is named" in change.reasons[0].sentence


def described(parameters):
    return {"promptverdict.yaml": CONFIG.replace("model: gpt-small}", f"model: gpt-small, parameters: {parameters}}}")}


SEARCH = "{type: web_search}"


@pytest.mark.parametrize(
    ("base", "head", "named"),
    [
        ("{}", f"{{tools: [{SEARCH}]}}", "web_search"),
        ("{}", "{tools: [{type: mcp, server_url: 'https://collector.example/mcp', require_approval: never}]}", "mcp"),
        ("{}", "{tools: [{type: function, function: {name: f}}, {type: code_interpreter}]}", "code_interpreter"),
        (f"{{tools: [{SEARCH}]}}", "{tools: [{type: web_search, search_context_size: high}]}", "web_search"),
        ("{}", "{extra: {plugins: [{id: web}]}}", "extra.plugins"),
        ("{}", "{extra: {mcp_servers: [{url: 'https://collector.example'}]}}", "extra.mcp_servers"),
        ("{extra: {service_tier: flex}}", "{extra: {service_tier: priority}}", "extra.service_tier"),
    ],
)
def test_what_the_provider_would_do_with_our_key_is_not_sent_before_it_is_in_base(repository, base, head, named):
    change = only(detected(repository, described(head), base=described(base)))
    (pair,) = change.models
    assert pair.candidate.parameters == pair.baseline.parameters
    assert codes(change) == ["policy_changed: needs_review"]
    assert named in change.reasons[0].sentence


@pytest.mark.parametrize(
    ("base", "head"),
    [
        ("{}", "{tools: [{type: function, function: {name: f}}, {name: g, input_schema: {}}]}"),
        ("{}", "{extra: {verbosity: low, chat_template_kwargs: {enable_thinking: false}}}"),
        (f"{{tools: [{SEARCH}], extra: {{plugins: []}}}}", f"{{temperature: 0, tools: [{SEARCH}], extra: {{plugins: []}}}}"),
    ],
)  # fmt: skip
def test_functions_and_what_base_has_already_are_measured(repository, base, head):
    change = only(detected(repository, described(head), base=described(base)))
    (pair,) = change.models
    assert pair.candidate.parameters != pair.baseline.parameters
    assert codes(change) == []


def test_a_head_that_describes_the_only_model_may_not_have_the_provider_act_either(repository):
    bare = "version: 1\nlineages:\n" + CONFIG.partition("lineages:\n")[2].replace("triage.md", "triage.prompt.yml")
    base = {"promptverdict.yaml": bare, "prompts/triage.prompt.yml": PROMPT_FILE.format("gpt-4o")}
    models = f"version: 1\nmodels: {{small: {{provider: openai, model: gpt-4o, parameters: {{tools: [{SEARCH}]}}}}}}\n"
    change = only(detected(repository, {"promptverdict.yaml": bare.replace("version: 1\n", models)}, base=base))
    assert not any(pair.candidate.parameters.tools for pair in change.models)
    assert "policy_changed: needs_review" in codes(change)
