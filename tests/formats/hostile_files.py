"""Files that nobody would write, made from files that somebody did: for the tests and benchmarks/fuzz_parsers.py."""

import json
from collections.abc import Callable
from random import Random

from adapters.sandbox import MAX_OUTPUT
from engine.commands.promptfoo_config import import_cases, import_config
from engine.commands.promptfoo_import import imported
from engine.readers.assertions import Given, read_assertions
from engine.readers.bounded import source_of
from engine.readers.config import read_config
from engine.readers.dialects import PATTERNS, fill_in, variables_of
from engine.readers.guess import settled
from engine.readers.json_nodes import read_json
from engine.readers.nodes import plain
from engine.readers.promptfoo_tests import promptfoo_paths
from engine.readers.prompts import read_prompt
from engine.readers.prompts.role_marks import shielded, split
from engine.readers.rubrics import read_rubric
from engine.readers.test_files import read_tests
from engine.readers.test_source import GivenFiles
from engine.readers.testsets import inline_test_set, read_test_set
from evaluators.assertions import result_of
from schemas.errors import ConfigError, SourceError
from schemas.ports import RenderFailure, RenderJob
from schemas.prompts import Message, Role, RoleSyntax

TOKENS = [
    "[", "]", "{", "}", "[[[[[[[[", "]]]]", "{{", "}}", "{%", "%}", ":", ": ", ",", "- ", "? ", "\n", "\n  ", "\r\n", "\r", "\t", "---\n", "...\n", "#", "|", ">", "|2\n",
    "&a ", "*a ", "*a", "<<: *a\n", "!!python/object:os.system ", "! ", "!!int ", "%YAML 1.2\n", "'", '"', "''", '"""', "\\", "\\u", "\\ud800", "\\x00",
    "null", "~", "true", "no", "NaN", ".nan", ".inf", "-.INF", "Infinity", "1e999", "0x", "0o9", "017", "1_0", "12:30", "2024-01-02", "9" * 30, "-", "+", ".",
    "messages", "role", "content", "user", "name", "id", "input", "inputs", "expected", "slices", "protected", "must_not", "version", "models", "lineages", "gate", "regex", "(?=", "(a+)+$",
    "$ref", "http://x", "../", "/etc/passwd", "{% include '../x' %}", "{{ 9**9 }}", "{{a}}", "{a}", "responseFormat: json_schema\n", "jsonSchema: |\n  {}\n", "__expected", "javascript:x",
    "\x00", "\x07", "\x1b", "\x85", "\u2028", "\u202e", "\ufeff", "é", "😀", "\udcff",
]  # fmt: skip

SAMPLES: dict[str, list[str]] = {
    "config": [(
        "version: 1\nmodels:\n  m: {provider: openai, model: x, base_url: 'https://a.example', api_key_env: K, price: {input: 1, output: 2}}\ndefaults: {model: m}\n"
        "lineages:\n  a:\n    use_case: classification\n    prompt: a.md\n    labels: [x, y]\n    checks: [{name: c, regex_match: 'a+'}, {name: d, json_schema_valid: {type: object}}]\n    gate: {margin: {overall: 0.05}, floor: 0.5}\n"
    )],
    "rubric": ["dimensions:\n  tone:\n    description: kind\n    anchors: {1: cold, 5: warm}\n    weight: 2\n"],
    "github": [(
        "name: a\nmodel: openai/x\nmodelParameters: {maxTokens: 5, temperature: 0.5}\nresponseFormat: json_schema\njsonSchema: |\n  {\"name\": \"x\", \"schema\": {\"type\": \"object\"}}\n"
        "messages:\n  - role: user\n    content: 'x {{input}}'\ntestData:\n  - {input: a, expected: b}\nevaluators:\n  - name: e\n    string: {contains: '{{expected}}'}\n  - name: f\n    uses: github/similarity\n"
    )],
    "studio": ["name: a\nmodel_params: {temperature: 0.1}\nsystem_prompt: |\n  Be {kind}.\nuser_template: 'x {input}'\n", "- role: user\n  content: a\n"],
    "plain": ["---\nname: a\nmodel: m\nparameters: {temperature: 0}\nrole: system\n---\nSort {{ ticket }}.\n", "{% for x in xs %}{{ x|upper }}{% endfor %}{% include 'b.md' %}"],
    "chat": ['[{"role": "system", "content": "a"},\n {"role": "user", "content": "{{ b }}"}]'],
    "prompty": [
        "---\nname: a\nmodel:\n  api: chat\n  configuration: {azure_deployment: x}\n  parameters: {max_tokens: 3}\ninputs: {a: {type: string, default: 1}}\nsample: {b: x}\n---\nsystem:\nBe {{a}}.\n{% for x in b %}\n# user:\n{{x}}\n{% endfor %}\n",
        "---\nmodel: {id: m, options: {topP: 0.5}}\ninputs: [{name: a, default: 1}]\ntemplate: {format: {kind: mustache}, parser: prompty}\n---\nuser:\n{{#a}}{{b}}{{/a}}\n",
    ],
    "dotprompt": ["# x\n\n---\nmodel: m\nconfig: {temperature: 0}\ninput: {default: {a: 1}, schema: {a: string}}\noutput: {format: json}\n---\n{{role \"system\"}}{{#if a}}x{{else if b}}y{{/if}}{{#each c as |d e|}}{{d.f}} {{../g}} {{@index}}{{/each}}{{>b}}{{json a indent=2}}{{!-- x --}}\n"],
    "promptflow": ["{# x #}\n{% set y = 1 %}\n# system:\nBe {{a}}.\n{% for x in b %}\nuser:\n{{x}}\n{% endfor %}\n"],
    "kernel": ["Be {{$a}}.\n<message role=\"system\">x {{ $b }}</message>\n<message role='user'>{{'c'}} {{d.e}}</message>\n"],
    "kernel config": ['{"schema": 1, "template_format": "handlebars", "execution_settings": {"default": {"max_tokens": 5, "model_id": "m"}}, "input_variables": [{"name": "a", "default": "b"}]}'],
    "langchain": [
        "_type: few_shot\ninput_variables: [a]\nprefix: x\nexample_prompt: {_type: prompt, template: '{b} {{c}}'}\nexamples: [{b: 1}]\nsuffix: '{a}'\n",
        "_type: prompt\ntemplate_format: jinja2\ntemplate: '{{a}}'\npartial_variables: {a: 1}\n",
    ],
    "langchain object": ['{"lc": 1, "type": "constructor", "id": ["ChatPromptTemplate"], "kwargs": {"messages": [{"lc": 1, "type": "constructor", "id": ["HumanMessagePromptTemplate"], "kwargs": {"prompt": {"lc": 1, "type": "constructor", "id": ["PromptTemplate"], "kwargs": {"template": "{a}", "template_format": "f-string"}}}}]}}'],
    "baml": ["class A { x string }\nfunction B(x: string) -> A {\n  prompt #\"{{ x }}\"#\n}\n"],
    "roles": ["system:\na\n# user:\nb <<<dotprompt:role:model>>> <<<dotprompt:history>>> c\nassistant :\n"],
    "jsonl": ['{"id": "a", "input": "x", "expected": "y", "slices": ["s"], "protected": true}\n{"inputs": {"a": [1, 2.5, null]}, "must_not": ["z"]}\n'],
    "csv": ['id,input.a,input.b,expected.x,slices,protected\nc,1,"two\nlines",3,a;b,true\n', "q,__expected,__metadata:slice\nhi,equals: x,edge\n"],
    "yaml tests": ["- id: a\n  input: x\n  expected: {a: [1, 2]}\n- &b {inputs: {q: 1}, slice: s}\n- {<<: *b, id: c}\n"],
    "promptfoo": [
        ("prompts: [file://a.txt, 'x {{q}}']\nproviders: [openai:gpt-4o, {id: 'anthropic:messages:c', config: {temperature: 0}}]\nassertionTemplates: {t: {type: regex, value: 'a+'}}\n"
        "defaultTest: {vars: {l: [a, b]}, assert: [{type: not-contains, value: '{{q}}'}], options: {disableVarExpansion: false}}\n"
        "tests:\n  - {vars: {q: [x, 'y {{l}}']}, assert: [{$ref: '#/assertionTemplates/t'}, {type: assert-set, threshold: 0.5, assert: [{type: is-json, value: 'type: object'}]}], threshold: 1}\n"
        "  - vars: {q: file://a*.txt}\n    metadata: {slice: s}\n  - file://t.csv\n  - t.jsonl\nscenarios: [{config: [{vars: {q: 1}}], tests: [{vars: {r: 2}}]}]\n"),
    ],
    "promptfoo rows": ['q,__expected,__expected2,__threshold,__metadata:tags[],__config:__expected2:threshold\nx,"contains-any: a, ""b, c""",levenshtein(3): y,0.5,"a,b",2\n'],
    "promptfoo lines": ['{"vars": {"q": ["a", "b"], "r": {"s": 1}}, "assert": [{"type": "equals", "value": "{{q}} {{ r.s }}", "weight": 2}], "options": {"transform": "x"}}\n'],
    "assertions": [
        '[{"type": "regex", "value": "^(?:a|[^\\\\s-]+)\\\\d{2,}$"}, {"type": "contains-all", "value": "a, \\"b\\" , c"}, {"type": "word-count", "value": {"min": 1}}]',
        '[{"type": "is-json", "value": {"type": "object", "required": ["a"]}}, {"type": "contains-json"}, {"type": "not-levenshtein", "value": "x", "threshold": 2.5}, {"type": "equals", "value": [1, null]}]',
    ],
    "fill in": ["{{a}} {{ b.c }} {a} {b} {{{a}}} {\"x\": {a}}"],
}  # fmt: skip


def _prompt(path: str) -> Callable[[bytes], object]:
    def read(data: bytes) -> object:
        prompt = read_prompt(path, {path: data, "b.md": b"{{ c }}"})
        variables_of(prompt)
        prompt.digest  # noqa: B018 - what was read can be hashed
        return inline_test_set(prompt)

    return read


def _beside(path: str, *others: tuple[str, bytes]) -> Callable[[bytes], object]:
    """Reads a prompt that other files, or this one beside another, make up; and settles and splits it."""

    def read(data: bytes) -> object:
        prompt = read_prompt(path, {path: data, **dict(others)})
        return settled([prompt, prompt], {"a", "input"})

    return read


def _kernel_config(data: bytes) -> object:
    return read_prompt("p", {"p/skprompt.txt": b"{{$a}}", "p/config.json": data})


def _roles(data: bytes) -> object:
    text = data.decode("utf-8", "ignore")
    for roles in RoleSyntax:
        said = split(str(shielded(text, roles)), roles)
        assert isinstance(said, RenderFailure) or len(said) == 1, "an input never splits"
        split(text, roles)
    return text


def _tests(path: str) -> Callable[[bytes], object]:
    def read(data: bytes) -> object:
        tests = read_test_set(path, data)
        return json.dumps([case.model_dump(mode="json") for case in tests.cases], allow_nan=False).encode()

    return read


BESIDE = {"a.txt": b"x\n", "ab.txt": b"{{l}}", "t.csv": b"q,__expected\na,b\n", "t.jsonl": b'{"vars": {"q": 1}}\n'}


class _Files(GivenFiles, dict):  # type: ignore[type-arg]
    """Files in memory, for readers of prompts too."""

    def __init__(self, blobs: dict[str, bytes]) -> None:
        GivenFiles.__init__(self, blobs)
        dict.__init__(self, blobs)


def _promptfoo(path: str) -> Callable[[bytes], object]:
    """Reads a promptfoo configuration, one of whose files is hostile; finds what it names, and evaluates it."""

    def read(data: bytes) -> object:
        config = SAMPLES["promptfoo"][0].encode()
        files = _Files({"promptfooconfig.yaml": config, **BESIDE, path: data})
        promptfoo_paths("promptfooconfig.yaml", files)
        found = imported("promptfooconfig.yaml", files)
        read_config("c.yaml", import_config(found, "t.jsonl", "r.yaml", ["provider: offline", "model: x"]).encode())
        if found.cases:
            read_tests(["t.jsonl"], GivenFiles({"t.jsonl": import_cases(found).encode()}))
        tests = read_tests(["promptfooconfig.yaml"], files)
        assert all(warning.where for warning in tests.warnings)
        for case in tests.cases[:50]:
            result_of(case.assertions, case.threshold, str(case.inputs))
        return json.dumps([case.model_dump(mode="json") for case in tests.cases], allow_nan=False).encode()

    return read


def _assertions(data: bytes) -> object:
    """Reads assertions from a document and evaluates them on the document itself."""
    source = source_of("t.json", data)
    root = plain(read_json(source))
    given = [Given(one, source, 1) for one in (root if isinstance(root, list) else [root])]
    found = read_assertions(source, given, {"a": "{{b}}", "b": 1})
    return result_of(found.assertions, 0.5, source.text[:5_000])


def _fill_in(data: bytes) -> object:
    text = data.decode("utf-8", "ignore")
    results = [
        fill_in(
            RenderJob(
                dialect=dialect,
                messages=(Message(role=Role.USER, content=text),),
                variables={"a": text[:50], "b": 1, "b.c": [None, 1.5]},
            )
        )
        for dialect in PATTERNS
    ]
    assert all(len(result[0].content) <= MAX_OUTPUT for result in results if isinstance(result, tuple))
    return results


PARSERS: dict[str, Callable[[bytes], object]] = {
    "config": lambda data: read_config("promptverdict.yaml", data).model_dump_json(),
    "rubric": lambda data: read_rubric("r.yaml", data),
    "github": _prompt("a.prompt.yml"),
    "studio": _prompt("a.yaml"),
    "plain": _prompt("a.md"),
    "chat": _prompt("a.json"),
    "prompty": _beside("a.prompty", ("b.md", b"{{ c }}")),
    "dotprompt": _beside("a.prompt", ("_b.prompt", b"{{c}}")),
    "promptflow": _beside("a.jinja2"),
    "kernel": _beside("p/skprompt.txt"),
    "kernel config": _kernel_config,
    "langchain": _beside("a.yaml"),
    "langchain object": _beside("a.json"),
    "baml": _beside("a.baml"),
    "roles": _roles,
    "jsonl": _tests("t.jsonl"),
    "csv": _tests("t.csv"),
    "yaml tests": _tests("t.yaml"),
    "promptfoo": _promptfoo("promptfooconfig.yaml"),
    "promptfoo rows": _promptfoo("t.csv"),
    "promptfoo lines": _promptfoo("t.jsonl"),
    "assertions": _assertions,
    "fill in": _fill_in,
}


def hostile_file(random: Random, samples: list[str], tokens: list[str] = TOKENS) -> bytes:
    """A sample with a few things done to it; now and then very long, very deep, or no UTF-8."""
    text = random.choice(samples) if random.random() < 0.8 else "".join(random.choices(tokens, k=random.randint(0, 30)))
    for _ in range(random.choice((1, 1, 1, 2, 3, 6))):
        at, to = sorted((random.randint(0, len(text)), random.randint(0, len(text))))
        match random.randint(0, 6):
            case 0 | 1 | 2:
                text = text[:at] + random.choice(tokens) + text[at:]
            case 3:
                text = text[:at] + text[min(to, at + 20) :]
            case 4:
                text = text[:to] + text[at:to] + text[to:]
            case 5:
                text = text[:at] + "".join(random.choices(tokens, k=5)) + text[min(to, at + 5) :]
            case _:
                many = random.choice((2, 50, 1_000, 100_000)) if random.random() < 0.05 else 3
                unit = random.choice(tokens)
                text = text[:at] + (unit * many)[:1_100_000] + text[at:]
    data = text.encode("utf-8", "surrogateescape")
    if random.random() < 0.05:
        at = random.randint(0, len(data))
        data = data[:at] + random.randbytes(3) + data[at:]
    return data


def survives(read: Callable[[bytes], object], data: bytes) -> bool:
    """Whether ``data`` was read; a refusal is one line. Any other exception is a defect and comes through."""
    try:
        read(data)
    except (ConfigError, SourceError) as error:
        said, where = str(error), error.where
    else:
        return True
    assert said.isprintable(), said
    assert where, said
    assert len(said) < 5_000
    return False
