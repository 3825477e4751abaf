"""Prompts in other tools' formats: what a pull request changes about them is measured, held up, or an error."""

import pytest

from engine.planning.rendering import job_of
from schemas.prompts import Dialect, Role
from tests.detect.pullrequests import CONFIG, codes, detected, only
from tests.trees import MemoryTrees


@pytest.fixture
def repository():
    return MemoryTrees()


def lineage_on(path, **files):
    return {"promptverdict.yaml": CONFIG.replace("prompts/triage.md", path), "prompts/triage.md": None, **files}


SETTINGS = (
    '{"execution_settings": {"default": {"temperature": %s}}, "input_variables": [{"name": "tone", "default": "%s"}]}'
)
KERNEL = '{"execution_settings": {"default": {"function_choice_behavior": {"type": "%s"}}}}'
MEASURED = {
    "prompty": ("p.prompty", {"p.prompty": "---\nname: a\n---\nsystem:\nA\nuser:\n{{input}}\n"}, {"p.prompty": "---\nname: a\n---\nsystem:\nB\nuser:\n{{input}}\n"}),
    "a role line of prompty": ("p.prompty", {"p.prompty": "system:\nA\nuser:\n{{input}}\n"}, {"p.prompty": "user:\nA\nuser:\n{{input}}\n"}),
    "a sample of prompty": ("p.prompty", {"p.prompty": "---\nsample: {tone: a}\n---\nuser:\n{{tone}} {{input}}\n"}, {"p.prompty": "---\nsample: {tone: b}\n---\nuser:\n{{tone}} {{input}}\n"}),
    "a partial of dotprompt": ("d/p.prompt", {"d/p.prompt": "{{>tone}} {{input}}", "d/_tone.prompt": "A"}, {"d/_tone.prompt": "B"}),
    "a partial in a folder": ("d/p.prompt", {"d/p.prompt": "{{>tones/kind}} {{input}}", "d/tones/_kind.prompt": "A"}, {"d/tones/_kind.prompt": "B"}),
    "a partial in partials/": ("d/p.prompt", {"d/p.prompt": "{{>tone}} {{input}}", "d/partials/_tone.prompt": "A"}, {"d/partials/_tone.prompt": "B"}),
    "a partial of the folder above": ("d/e/p.prompt", {"d/e/p.prompt": "{{>tone}} {{input}}", "d/_tone.prompt": "A"}, {"d/_tone.prompt": "B"}),
    "the prompt of a kernel's folder": ("k", {"k/skprompt.txt": "A {{$input}}", "k/config.json": SETTINGS % (0, "x")}, {"k/skprompt.txt": "B {{$input}}"}),
    "the settings beside a kernel's prompt": ("k/skprompt.txt", {"k/skprompt.txt": "A {{$input}}", "k/config.json": SETTINGS % (0, "x")}, {"k/config.json": SETTINGS % (1, "x")}),
    "a default beside a kernel's prompt": ("k", {"k/skprompt.txt": "A {{$tone}} {{$input}}", "k/config.json": SETTINGS % (0, "x")}, {"k/config.json": SETTINGS % (0, "y")}),
    "a template that LangChain names": ("l/p.yaml", {"l/p.yaml": "_type: prompt\ntemplate_path: t.txt\n", "l/t.txt": "A {input}"}, {"l/t.txt": "B {input}"}),
    "the users part of a folder that had none": ("f", {"f/system.md": "A"}, {"f/user.md": "Say {{input}}"}),
}  # fmt: skip


HIDDEN = {
    "a template of another suffix": ("l/p.yaml", {"l/p.yaml": "_type: prompt\ntemplate_path: t.md\n", "l/t.md": "A {input}"}),
    "a key with an escape": ("l/p.json", {"l/p.json": '{"_type": "prompt", "template_p\\u0061th": "t.md"}', "l/t.md": "A {input}"}),
    "escaped quotes": ("l/p.py#P", {"l/p.py": 'P = "{% include \\"t.md\\" %} {{ input | trim }}"\n', "t.md": "A"}),
    "a name in another constant": ("l/p.py#P", {"l/p.py": "N = 't.md'\nP = \"{% include '\" + N + \"' %} {{ input | trim }}\"\n", "t.md": "A"}),
}  # fmt: skip


@pytest.mark.parametrize("kind", HIDDEN)
def test_a_partial_that_the_raw_text_does_not_name_is_watched_too(repository, kind):
    path, base = HIDDEN[kind]
    partial = list(base)[-1]
    change = only(detected(repository, {partial: base[partial].replace("A", "B")}, base=lineage_on(path, **base)))
    assert {ending.end.value for ending in change.endings} == {"measured"}


@pytest.mark.parametrize("kind", MEASURED)
def test_what_a_format_is_made_of_is_watched_and_measured(repository, kind):
    path, base, head = MEASURED[kind]
    change = only(detected(repository, head, base=lineage_on(path, **base)))
    assert {ending.end.value for ending in change.endings} == {"measured"}
    assert codes(change) == []


@pytest.mark.parametrize(
    ("path", "file", "base", "head"),
    [
        (
            "p.prompty",
            "p.prompty",
            "---\ntools: [a]\n---\nuser:\n{{input}}\n",
            "---\ntools: [b]\n---\nuser:\n{{input}}\n",
        ),
        (
            "p.prompt",
            "p.prompt",
            "---\noutput: {format: json}\n---\n{{input}}",
            "---\noutput: {format: text}\n---\n{{input}}",
        ),
        (
            "p.yaml",
            "p.yaml",
            "_type: prompt\ntemplate: '{input}'\nx: 1\n",
            "_type: prompt\ntemplate: '{input}'\nx: 2\n",
        ),
        ("k", "k/config.json", KERNEL % "none", KERNEL % "required"),
        ("f", "f/system.md", "A", "---\nrole: system\n---\nA"),
    ],
)
def test_what_of_a_format_is_not_read_needs_review(repository, path, file, base, head):
    files = {"k/skprompt.txt": "A {{$input}}", file: base}
    change = only(detected(repository, {file: head}, base=lineage_on(path, **files)))
    assert codes(change) == ["unmeasured: needs_review"]


def test_the_inputs_tell_the_dialect_of_both_versions_and_a_misspelt_variable_has_no_value(repository):
    base = lineage_on("p.txt", **{"p.txt": 'Answer {"label": 1} for {input}'})
    change = only(detected(repository, {"p.txt": 'Answer {"label": 1} for {inptu}'}, base=base))
    assert change.baseline.dialect is change.candidate.dialect is Dialect.BRACES
    assert change.candidate.asks is None


def test_the_configuration_says_the_dialect(repository):
    base = lineage_on("p.txt", **{"p.txt": "Sort [[input]]."})
    base["promptverdict.yaml"] = base["promptverdict.yaml"].replace("p.txt\n", "p.txt\n    template: brackets\n")
    change = only(detected(repository, {"p.txt": "Order [[input]]."}, base=base))
    assert change.candidate.dialect is Dialect.BRACKETS
    without = base["promptverdict.yaml"].replace("    template: brackets\n", "")
    loosened = detected(repository, {"promptverdict.yaml": without}, base=base)
    assert any(reason.status.value == "needs_review" for reason in (*loosened.reasons, *loosened.lineages[0].reasons))


def test_a_prompt_without_variables_asks_the_input(repository):
    base = lineage_on("p/system_prompt.txt", **{"p/system_prompt.txt": "Sort."})
    change = only(detected(repository, {"p/system_prompt.txt": "Order."}, base=base))
    assert [message.role for message in change.candidate.messages] == [Role.SYSTEM, Role.USER]
    assert job_of(change.candidate, change.tests.cases[0]).variables == {"input": "my bill"}


@pytest.mark.parametrize(
    "path", ["baml_src/a.baml", "p/a.prompty", "p/a.prompt", "k/skprompt.txt", "patterns/x/system.md"]
)
def test_a_changed_prompt_that_no_lineage_names_gives_a_warning(repository, path):
    found = detected(repository, {path: "function B() -> C {}"}, base={path: "function A() -> C {}"})
    assert any(path in warning.what for warning in found.warnings)


def test_a_baml_file_that_a_lineage_names_is_an_error_that_names_its_functions(repository):
    base = lineage_on("b.baml", **{"b.baml": "function A() -> C {}\n"})
    change = only(detected(repository, {"b.baml": "function B() -> C {}\n"}, base=base))
    assert codes(change) == ["unreadable: error"]
    assert "b.baml:1: BAML functions can't be filled in (B)" in change.reasons[0].sentence


def test_settings_beside_a_folder_that_is_no_kernels_are_not_the_prompts(repository):
    files = {"f/system.md": "A", "f/config.json": "{}"}
    found = detected(repository, {"f/config.json": '{"a": 1}'}, base=lineage_on("f", **files))
    assert codes(found) == ["nothing_changed: not_applicable"]
