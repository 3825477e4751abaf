"""How every difference ends: measured, harmless by a named rule, or held for a person. There is no fourth way."""

import json

import pytest

from schemas.detection import End
from tests.detect.pullrequests import CONFIG, FILES, PROMPT, codes, detected, only
from tests.repositories import Link, Submodule

INCLUDING = PROMPT + "{% include 'shared/rules.md' %}\n"
RULES = {"shared/rules.md": "Be kind.\n"}


def lineage_on(path):
    return {"promptverdict.yaml": CONFIG.replace("prompts/triage.md", path), "prompts/triage.md": None}


def ends(change):
    return {(ending.what, ending.path, ending.end.value) for ending in change.endings}


UNREADABLE = {
    "a role that is not read": ("p.json", '[{"role": "narrator", "content": "A {{input}}"}]', "A ", "B "),
    "a picture": ("p.json", '[{"role": "user", "content": [{"type": "image_url", "text": "A {{input}}"}]}]', "A ", "B "),
    "YAML that does not parse": ("p.prompt.yml", "messages:\n - role: user\n   content: 'A {{input}}\n", "A ", "B "),
    "a Git LFS pointer": ("p.md", "version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 1\n", "aa", "bb"),
    "UTF-16": ("p.md", "A {{input}}".encode("utf-16"), "A".encode("utf-16-le"), "B".encode("utf-16-le")),
    "a format that is not read": ("p.poml", "<poml>A {{input}}</poml>\n", "A ", "B "),
    "a computed include": ("p.j2", "A {% include name %} {{ input }}", "A ", "B "),
    "an include that is chosen": ("p.j2", "A {% include 'x.md' if input else 'y.md' %}", "x.md", "z.md"),
    "an include that is not there": ("p.j2", "A {% include 'x.md' %} {{ input }}", "A ", "B "),
}  # fmt: skip


@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_can_be_read_on_neither_side_and_differs_is_an_error(repository, kind):
    path, content, old, new = UNREADABLE[kind]
    base = {**lineage_on(path), path: content}
    change = only(detected(repository, {path: content.replace(old, new)}, base=base))
    assert codes(change) == ["unreadable: error"]
    assert {end for _, _, end in ends(change)} == {"needs_review"}
    # and without a difference nothing is said about it
    assert detected(repository, {"src/main.py": "x"}, base={**base, "src/main.py": "y"}).lineages == ()


@pytest.mark.parametrize(
    ("base", "head"),
    [
        ({"p.md": Link("shared/rules.md"), **RULES}, {"shared/rules.md": "Be rude. {{ input }}\n"}),
        ({"p.md": Link("q.md"), "q.md": Link("shared/rules.md"), **RULES}, {"shared/rules.md": "Rude.\n"}),
        ({"p": Link("shared"), "shared/system.md": "A", "shared/user.md": "{{ input }}"}, {"shared/system.md": "B"}),
        ({"p.j2": "{% include 'a.md' %}", "a.md": "{% include 'no.md' %}"}, {"a.md": "{% include 'no.md' %} B"}),
        ({"p.j2": "{% include n %}", "parts/a.md": "A"}, {"parts/a.md": "B"}),
        ({"p/a.j2": "{% include 'q/' ~ n ~ '.md' %}", "q/a.md": "A"}, {"q/a.md": "B"}),
        ({"p/a.j2": "{% set n = '../q/r/' ~ x %}{% include n %}", "q/r/a.md": "A"}, {"q/r/a.md": "B"}),
        ({"p/a.md": None, "p": Link("q"), "q/a.md": "A {{ input }}"}, {"q/a.md": "B {{ input }}"}),
        ({"p/q/a.md": None, "p": Link("r"), "r/q": Link("../s"), "s/a.md": "A {{ input }}"}, {"s/a.md": "B"}),
        ({"p/a.md": None, "p": Submodule("a" * 40)}, {"p": Submodule("b" * 40)}),
        ({"p/q/a.md": None, "p/q": Submodule("a" * 40)}, {"p/q": Submodule("b" * 40)}),
    ],
)
def test_what_a_prompt_that_cant_be_read_is_made_of_is_watched_too(repository, base, head):
    prompt = next(path for path in base if path.startswith("p"))
    assert codes(only(detected(repository, head, base={**lineage_on(prompt), **base}))) == ["unreadable: error"]


BLANKS = ("{%" + " " * 90 + "include 'shared/rules.md' %}", "{% include 'shared/rules.md'" + " " * 2_000 + "%}")


@pytest.mark.parametrize("include", BLANKS, ids=["before", "after"])
def test_an_include_is_read_however_many_blanks_it_has(repository, include):
    base = {"prompts/triage.md": PROMPT + include, **RULES}
    change = only(detected(repository, {"shared/rules.md": "Be rude.\n"}, base=base))
    assert [(one.kind, one.detail) for one in change.changes] == [("partial", "shared/rules.md")]


def test_a_lineage_whose_prompt_is_nowhere_is_an_error_where_prompts_change(repository):
    base = {"promptverdict.yaml": CONFIG.replace("prompts/triage.md", "prompts/typo.md")}
    found = detected(repository, {"prompts/triage.md": "Other. {{ input }}\n"}, base=base)
    assert codes(found) == ["unreadable: error"]
    assert "the prompt prompts/typo.md exists neither" in found.reasons[0].sentence
    found = detected(repository, {"src/main.py": "x"}, base=base)
    assert codes(found) == ["nothing_changed: not_applicable"]
    assert [warning.what for warning in found.warnings] == [
        "triage: the prompt prompts/typo.md exists neither before nor after, so nothing is gated"
    ]


UNREAD = {
    "tools of the prompt file": ("p.prompt.yml", "messages: [{role: user, content: '{{input}}'}]\ntools: []\n", "[]\n", "[{type: mcp}]\n"),
    "reasoningEffort of modelParameters": ("p.prompt.yml", "messages: [{role: user, content: '{{input}}'}]\nmodelParameters: {reasoningEffort: low}\n", "low", "high"),
    "maxTokens of modelParameters": ("p.prompt.yml", "messages: [{role: user, content: '{{input}}'}]\nmodelParameters: {maxCompletionTokens: 9, maxTokens: 1}\n", "maxTokens: 1", "maxTokens: 2"),
    "jsonSchema of the prompt file": ("p.prompt.yml", "messages: [{role: user, content: '{{input}}'}]\njsonSchema: '{}'\n", "'{}'", "'{\"x\": 1}'"),
    "cache of message 1": ("p.json", '[{"role": "user", "content": "{{input}}", "cache": 1}]', "1}", "2}"),
    "mode of the front matter": ("p.md", "---\nmode: json\n---\n{{input}}\n", "json", "text"),
    "effort of model_params": ("p.yaml", "user_template: '{input}'\nmodel_params: {effort: low}\n", "low", "high"),
    "tone of the front matter (p/user.md)": ("p", {"p/system.md": "A", "p/user.md": "---\ntone: a\n---\n{{input}}\n"}, "tone: a", "tone: b"),
}  # fmt: skip


@pytest.mark.parametrize("place", UNREAD)
def test_a_key_that_is_not_read_needs_review_when_it_changes_appears_or_goes(repository, place):
    prompt, content, old, new = UNREAD[place]
    files = content if isinstance(content, dict) else {prompt: content}
    head = {path: text.replace(old, new) for path, text in files.items() if old in text}
    assert head
    change = only(detected(repository, head, base={**lineage_on(prompt), **files}))
    assert codes(change) == ["unmeasured: needs_review"]
    assert place in change.reasons[0].sentence


HARMLESS = {
    "line ends": ({}, {"prompts/triage.md": PROMPT.replace("\n", "\r\n")}, "only line ends"),
    "a byte order mark": ({}, {"prompts/triage.md": "\ufeff" + PROMPT}, "only line ends"),
    "blank lines around": ({}, {"prompts/triage.md": "\n\n" + PROMPT + "\n"}, "only blank lines"),
    "a partial's line ends": ({"prompts/triage.md": INCLUDING, **RULES}, {"shared/rules.md": "Be kind.\r\n"}, "only line ends"),
    "a template's comment": ({"prompts/triage.md": INCLUDING, **RULES}, {"shared/rules.md": "Be {# x #}kind.\n"}, "only comments"),
    "a YAML comment": ({**lineage_on("p.prompt.yml"), "p.prompt.yml": "messages: [{role: user, content: '{{input}}'}]\n"}, {"p.prompt.yml": "# ours\nmessages:\n- content: \"{{input}}\"\n  role: user\n"}, "only comments or layout"),
    "a description": ({**lineage_on("p.md"), "p.md": "---\ndescription: a\n---\n{{input}}\n"}, {"p.md": "---\ndescription: b\n---\n{{input}}\n"}, "only its name or description"),
    "the test set's layout": ({}, {"tests/triage.jsonl": FILES["tests/triage.jsonl"].replace('": "', '":  "')}, "no case of the test set differs"),
}  # fmt: skip


@pytest.mark.parametrize("kind", HARMLESS)
def test_harmless_differences_are_named_and_nothing_is_evaluated(repository, kind):
    base, head, rule = HARMLESS[kind]
    found = detected(repository, head, base=base)
    assert (found.lineages, codes(found)) == ((), ["nothing_changed: not_applicable"])
    assert [ending.end for ending in found.harmless] == [End.HARMLESS]
    assert rule in found.harmless[0].why
    assert rule in found.reasons[0].sentence


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{#- x #}{{ input }}", "{{ input }}"),
        ("{% raw %}{# x #}{% endraw %}{{ input }}", "{% raw %}{# y #}{% endraw %}{{ input }}"),
        ("{{ '{# x #}' }}{{ input }}", "{{ '{# y #}' }}{{ input }}"),
    ],
)
def test_what_only_looks_like_a_comment_is_measured(repository, before, after):
    change = only(detected(repository, {"p.j2": after}, base={**lineage_on("p.j2"), "p.j2": before}))
    assert ends(change) == {("prompt", "p.j2", "measured")}


LEFTOVERS = {
    "a tag in YAML": ("p.prompt.yml", "Sort. {% if vip %}Pay.{% endif %}", "{% if vip %}"),
    "a condition in YAML": ("p.prompt.yml", "Sort. {{ rules if vip }}", "{{ rules if vip }}"),
    "a text under a condition in YAML": ("p.prompt.yml", "Sort. {{ 'x' if vip }}", "{{ 'x' if vip }}"),
    "a section of Handlebars": ("p.md", "Sort. {{#if vip}}Pay.{{/if}}", "{{#if vip}}"),
    "a partial of Mustache": ("p.md", "Sort. {{> rules}}", "{{> rules}}"),
    "a variable of a shell": ("p.md", "Sort. ${policy}", "${policy}"),
    "a variable of Python": ("p.j2", "Sort. %(policy)s", "%(policy)s"),
    "text in a comment that is sent": ("p.md", "{# Sort. #}", "{# Sort. #}"),
}


@pytest.mark.parametrize("kind", LEFTOVERS)
def test_what_another_template_language_would_fill_in_needs_review_when_it_is_new(repository, kind):
    path, text, named = LEFTOVERS[kind]

    def written(body):
        message = json.dumps(body + " {{ input }}")
        return f"messages: [{{role: user, content: {message}}}]\n" if path.endswith(".yml") else body + " {{ input }}\n"

    base = {**lineage_on(path), path: written("Sort.")}
    change = only(detected(repository, {path: written(text)}, base=base))
    assert codes(change) == ["unmeasured: needs_review"]
    assert f"now sends `{named}`" in change.reasons[0].sentence
    kept = {**base, path: written(f"{text} Sort.")}  # what was there before is nothing new
    assert codes(only(detected(repository, {path: written(f"{text} Sort. Please.")}, base=kept))) == []


@pytest.mark.parametrize(
    "text", ['{"label": {"a": 1}}', "{{label}}", "100% of {them} for $5", "{# new words #} {#id}", '{{"a": 1}}']
)
def test_braces_that_are_filled_in_or_mean_nothing_elsewhere_are_text(repository, text):
    change = only(detected(repository, {"prompts/triage.md": f"{PROMPT}{text}\n"}))
    assert codes(change) == []


def test_several_differences_of_one_prompt_end_each_in_its_own_way(repository):
    base = {
        **lineage_on("p.prompt.yml"),
        "p.prompt.yml": "name: a\nmessages: [{role: user, content: '{{input}}'}]\ntools: []\n",
    }
    head = {"p.prompt.yml": "name: b\nmessages: [{role: user, content: 'Sort {{input}}'}]\ntools: [x]\n"}
    change = only(detected(repository, head, base=base))
    assert sorted(ending.end.value for ending in change.endings) == ["harmless", "measured", "needs_review"]
    assert codes(change) == ["unmeasured: needs_review"]


def test_a_key_of_a_case_that_is_not_read_needs_review(repository):
    rows = [json.loads(line) for line in FILES["tests/triage.jsonl"].splitlines()]
    base = "".join(
        json.dumps({"id": row["id"], "inputs": {"input": row["input"]}, "expected": row["expected"], "weight": 1})
        + "\n"
        for row in rows
    )
    change = only(detected(repository, {"tests/triage.jsonl": base.replace('"weight": 1', '"weight": 9', 1)}, base={"tests/triage.jsonl": base}))  # fmt: skip
    assert codes(change) == ["tests_changed: needs_review"]
    assert "keys that are not read: weight" in change.reasons[0].sentence


@pytest.mark.parametrize(
    "rubric", ["# ours\ndimensions: {kind: {description: Kind.}}\n", "dimensions:\n  kind:\n    description: Kind.\n"]
)
def test_a_rubric_that_is_only_laid_out_otherwise_is_harmless(repository, rubric):
    config = "version: 1\nmodels: {m: {provider: openai, model: m}}\ndefaults: {model: m}\nlineages:\n  triage: {use_case: generation, prompt: prompts/triage.md, tests: tests/triage.jsonl, rubric: r.yaml, judge: {model: m}}\n"
    base = {"promptverdict.yaml": config, "r.yaml": "dimensions: {kind: {description: Kind.}}\n"}
    assert detected(repository, {"r.yaml": rubric}, base=base).lineages == ()
    change = only(detected(repository, {"r.yaml": rubric.replace("Kind.", "Rude.")}, base=base))
    assert codes(change) == ["rubric_changed: needs_review"]


UNCOVERED = [
    "prompts/a.prompty",
    "prompts/a.prompt",
    "src/prompts.py",
    "web/systemPrompt.prompt.ts",
    "plugins/x/skprompt.txt",
    "patterns/sum/system.md",
    "a/llm_prompts.toml",
]


@pytest.mark.parametrize("path", UNCOVERED)
def test_a_changed_prompt_that_no_lineage_covers_is_named(repository, path):
    for base, head in (
        ({path: "Be brief."}, {path: "Be rude."}),
        ({}, {path: "Be rude."}),
        ({path: "Be brief."}, {path: None}),
    ):
        (warning,) = detected(repository, head, base=base).warnings
        assert warning.what == f"{path} looks like a prompt, but no lineage names it: not gated"


def test_a_reference_is_covered_only_by_a_lineage_of_its_own(repository):
    named = CONFIG.replace("    labels:", "    reference: prompts/old.md\n    labels:")
    base = {"promptverdict.yaml": named, "prompts/old.md": "Old. {{ input }}"}
    (warning,) = detected(repository, {"prompts/old.md": "New. {{ input }}"}, base=base).warnings
    assert warning.what == "prompts/old.md looks like a prompt, but no lineage names it: not gated"
    named += "  old: {use_case: generation, prompt: prompts/old.md, tests: tests/triage.jsonl}\n"
    found = detected(repository, {"prompts/old.md": "New. {{ input }}"}, base={**base, "promptverdict.yaml": named})
    assert (found.warnings, [change.name for change in found.lineages]) == ((), ["old"])


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ("drafts/a.md", "prompts/a.md", ["prompts/a.md"]),
        ("prompts/a.md", "old/a.md", ["prompts/a.md"]),
        ("prompts/a.md", "prompts/b.md", []),
    ],
)
def test_a_file_that_becomes_a_prompt_by_its_place_is_named(repository, before, after, named):
    found = detected(repository, {before: None, after: "Be rude."}, base={before: "Be rude."})
    assert [warning.what for warning in found.warnings] == [
        f"{path} looks like a prompt, but no lineage names it: not gated" for path in named
    ]


def test_the_configuration_says_what_an_uncovered_prompt_means(repository):
    head = {"prompts/a.prompty": "Be rude."}
    strict = {"promptverdict.yaml": CONFIG + "uncovered: needs_review\n"}
    found = detected(repository, head, base=strict)
    assert (codes(found), found.warnings) == (["uncovered: needs_review"], ())
    found = detected(repository, head, base={"promptverdict.yaml": CONFIG + "uncovered: ignore\n"})
    assert (codes(found), found.warnings) == (["nothing_changed: not_applicable"], ())
    found = detected(repository, {**head, "promptverdict.yaml": CONFIG + "uncovered: ignore\n"}, base=strict)
    assert codes(found) == ["policy_changed: needs_review", "uncovered: needs_review"]
