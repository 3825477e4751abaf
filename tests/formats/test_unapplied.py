"""What would be read and never applied is a mistake of the configuration."""

import pytest

from engine.readers.config import read_config
from evaluators.extraction import Extraction, unexpected
from evaluators.registry import evaluator_for
from schemas.config import LineageConfig
from schemas.errors import ConfigError
from schemas.field_config import FieldRule
from schemas.testsets import TestCase
from schemas.use_cases import UseCase

EXTRACTION = "use_case: extraction, prompt: p.md"
GENERATION = "use_case: generation, prompt: p.md"
CLASSIFICATION = "use_case: classification, prompt: p.md, labels: [a, b]"


def read(lineage, model="{provider: offline, model: o}", more=""):
    text = f"version: 1\nmodels:\n  m: {model}\n{more}lineages:\n  l: {{{lineage}}}\n"
    return read_config("promptverdict.yaml", text.encode())


def mistake(*arguments, **more):
    with pytest.raises(ConfigError) as caught:
        read(*arguments, **more)
    assert caught.value.where.startswith("promptverdict.yaml:")
    assert caught.value.hint
    return str(caught.value)


def checked(rule):
    return f"{GENERATION}, checks: [{{name: c, {rule}}}]"


BILL = (
    "{type: object, additionalProperties: false, properties: {total: {type: number}, paid: {type: [boolean, 'null']}, "
    "city: {$ref: '#/$defs/city'}, lines: {type: array, items: {type: object, properties: {n: {type: object}}}}, "
    "any: {anyOf: [{type: string}]}}, $defs: {city: {type: object, properties: {name: {type: string}}, "
    "additionalProperties: false}}}"
)


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ("{total: {kind: number}, city.name: {kind: fuzzy}, any: {kind: list}, city.zip: {kind: absent}}", None),
        ("{lines: {kind: objects, fields: {m: {kind: number}}}, total: {kind: exact}}", None),
        ("{sum: {kind: number}}", "the field sum is forbidden by output.schema"),
        ("{city.zip: {}}", "the field city.zip is forbidden by output.schema"),
        ("{total: {kind: set}}", "the field total is set, but output.schema makes it number"),
        ("{paid: {kind: date}}", "the field paid is date, but output.schema makes it boolean"),
        ("{lines: {kind: objects, fields: {n: {kind: number}}}}", "the field n is number, but output.schema makes it object"),
    ],
)  # fmt: skip
def test_a_field_that_the_schema_contradicts_is_a_mistake(fields, what):
    lineage = f"{EXTRACTION}, fields: {fields}, output: {{schema: {BILL}}}"
    if what is None:
        read(lineage)
    else:
        assert what in mistake(lineage)


@pytest.mark.parametrize(
    ("schema", "what"),
    [
        ("{properties: {due: {type: string, format: dat}}}", "format “dat” is not checked at /properties/due"),
        ("{items: {format: idn-email}}", "format “idn-email” is not checked at /items"),
        ("{allOf: [{$ref: '#/$defs/n'}], $defs: {n: {format: 7}}}", "7 is not of type 'string'"),
        ("{type: integer, format: date}", "`format` is for a value of type string, but `type` is integer"),
        ("{patternProperties: {a: {requird: [b]}}}", "checks nothing at /patternProperties/a"),
        ("{type: string, contentEncoding: base64}", "`contentEncoding` is not checked"),
        ("{type: object, requird: [a]}", "`requird` is not a keyword of its draft"),
        ('{type: object, "\\u202Erequired": [a]}', "`\ufffdrequired` is not a keyword of its draft"),
        ("{type: object, requird: [a]}", "did you mean required?"),
        ("{properties: {a: {type: string, nullable: true}}}", "`nullable` is not a keyword"),
        ("{properties: {a: {dependencies: {b: [c]}}}}", "`dependencies` is not a keyword"),
        ("{type: integer, minLength: 3}", "`minLength` is for a value of type string, but `type` is integer"),
        ("{type: [string, 'null'], minimum: 3}", "`minimum` is for a value of type number"),
        ("{then: {required: [a]}}", "`then` does nothing without `if`"),
        ("{type: array, minContains: 2}", "`minContains` does nothing without `contains`"),
        ("{const: '{expected}'}", "looks for the literal text {expected}"),
        ("{enum: [a, '{{label | upper}}']}", "looks for the literal text {{label | upper}}"),
        (
            "{$schema: 'http://json-schema.org/draft-07/schema#', properties: {a: {$ref: '#/definitions/b', maxLength: 3}}, definitions: {b: {}}}",
            "this draft ignores the schema's `maxLength` beside `$ref`",
        ),
        ("{patternProperties: {'(?=a)': {}}}", "invalid perl operator"),
        ("{patternProperties: {a: {}}, allOf: [{unevaluatedProperties: false}]}", "uses both `patternProperties` and"),
    ],
)
def test_a_keyword_that_checks_nothing(schema, what):
    assert what in mistake(checked(f"json_schema_valid: {schema}"))


@pytest.mark.parametrize(
    "schema",
    [
        "{type: object, properties: {format: {type: string}, requird: {}}, required: [format]}",
        "{title: t, description: d, $comment: c, x-order: 1, default: {format: date}, examples: [{nullable: 1}]}",
        "{const: {format: date}}",
        "{type: [integer, 'null'], minimum: 3, enum: [3, null]}",
        "{type: string, minLength: 1, pattern: '^V'}",
        "{$ref: '#/$defs/a', maxLength: 3, $defs: {a: {type: string}}}",
        "{if: {required: [a]}, then: {required: [b]}}",
        "{$schema: 'http://json-schema.org/draft-07/schema#', dependencies: {b: [c]}, items: [{type: string}], additionalItems: false}",
        "{properties: {a: true, b: {not: false}}}",
    ],
)
def test_what_a_schema_may_hold(schema):
    assert read(checked(f"json_schema_valid: {schema}"))


def test_the_schema_of_a_request_is_the_providers_business():
    model = "{provider: openai, model: o, parameters: {response_format: json_schema, json_schema: {name: n, schema: {type: object, properties: {d: {type: string, format: date}}}}}}"
    assert read(CLASSIFICATION, model)


@pytest.mark.parametrize(
    ("rule", "what"),
    [
        ("exact_match: '{{expected | upper}}'", "looks for the literal text {{expected | upper}}"),
        ("contains: 'Dear {{ customer[0] }},'", "looks for the literal text {{ customer[0] }}"),
        ("contains: '${expected}'", "looks for the literal text ${expected}"),
        ("exact_match: '{expected}'", "looks for the literal text {expected}"),
        ("exact_match: '$expected'", "looks for the literal text $expected"),
        ("contains_any: [a, '<expected>']", "looks for the literal text <expected>"),
        ("contains_all: []", "the `contains_all` of check “c” is empty"),
        ("required_fields_present: [a, '']", "the `required_fields_present` of check “c” is blank"),
        ("numeric_range: {field: a}", "has no bound"),
        ("rouge_l: {text: '?!', min: 0.5}", "has a text without words"),
        ("numeric_range: {min: 2, max: 1}", "has a min above its max"),
        ("not_regex_match: 'a*'", "matches every answer, so none passes"),
        ("contains: ' '", "the `contains` of check “c” is blank"),
        ('not_contains: "\\u200b"', "the `not_contains` of check “c” is blank"),
        ("exact_match: ''", "the `exact_match` of check “c” is blank"),
        (r"regex_match: '\S'", "matches every answer"),
        ("regex_match: '.'", "matches every answer"),
        ("regex_match: '(?s).*'", "matches every answer"),
        ("regex_match: '^'", "matches every answer"),
        ("regex_match: '[^a]|a'", "matches every answer"),
    ],
)
def test_a_check_that_compares_with_nothing(rule, what):
    assert what in mistake(checked(rule))


@pytest.mark.parametrize(
    "rule",
    [
        "not_contains: '{{'",
        "not_contains: '{{name}}'",
        "contains: '{\"a\": 1}'",
        "contains: '<answer>'",
        r"regex_match: '\{\{\w+\}\}'",
        r"regex_match: '^\d{3}$'",
        r"regex_match: '^\w+$'",
        "exact_match: expected",
        "exact_match: '{{expected}}'",
        "exact_match: 42",
        "contains_all: '{{expected}}'",
        "regex_match: '^{{ label }}$'",
        "json_schema_valid: {const: '{{expected.a}}'}",
        "numeric_range: {min: '{{least}}', max: 7}",
        "max_words: '{{inputs.limit}}'",
    ],
)
def test_a_check_that_compares_with_something(rule):
    assert read(checked(rule))


@pytest.mark.parametrize(
    ("lineage", "what"),
    [
        (f"{EXTRACTION}, fields: {{a: {{kind: exact, tolerance: 1}}}}", "tolerance is for number and date, but the field a is exact"),
        (f"{EXTRACTION}, fields: {{a: {{tolerance: 1}}}}", "tolerance is for number and date, but the field a is normalised"),
        (f"{EXTRACTION}, fields: {{a: {{kind: number, threshold: 0.5}}}}", "threshold is for fuzzy and set, but the field a is number"),
        (f"{EXTRACTION}, fields: {{a: {{kind: fuzzy, match: exact}}}}", "match is for set and list, but the field a is fuzzy"),
        (f"{EXTRACTION}, fields: {{a: {{kind: set, threshold: 0.5}}}}", "threshold is for a fuzzy match"),
        (f"{EXTRACTION}, fields: {{a: {{kind: enum}}}}", "the field a is enum and has no values"),
        (f"{EXTRACTION}, fields: {{a: {{kind: objects}}}}", "the field a is objects and has no fields"),
        (f"{EXTRACTION}, fields: {{a: {{kind: regex, pattern: '('}}}}", "RE2 refuses the pattern"),
        (f"{EXTRACTION}, fields: {{a: {{kind: present, any_of: true}}}}", "any_of is for fields with an expected value, but the field a is present"),
        (f"{EXTRACTION}, fields: {{a: {{kind: number, locale: xx}}}}", "the locale xx isn't known"),
        (f"{EXTRACTION}, fields: {{a: {{kind: date, formats: ['%m/%Y']}}}}", "doesn't name one day"),
        (f"{EXTRACTION}, fields: {{a: {{kind: list, match: fuzzy}}}}", "can't be matched fuzzily"),
        (f"{EXTRACTION}, fields: {{a: {{kind: regex, pattern: '.*'}}}}", "every text matches the pattern of a"),
        (f"{EXTRACTION}, fields: {{a: {{kind: objects, fields: {{b: {{in_input: true}}}}}}}}", "in_input is for a whole list of objects"),
        (f"{EXTRACTION}, fields: {{a: {{kind: fuzzy, threshold: 0}}}}", "every text reaches the threshold of a"),
        (f"{EXTRACTION}, fields: {{a: {{kind: number, unit: EUR}}}}", "EUR is never read as a unit"),
        (f"{EXTRACTION}, fields: {{a: {{kind: number, unit: '%'}}}}", "% is never read as a unit"),
        (f"{EXTRACTION}, fields: {{a: {{kind: boolean, in_input: true}}}}", "but the field a is boolean"),
        (f"{EXTRACTION}, fields: {{a: {{kind: date, formats: ['%d.%m.%y'], locale: de}}}}", "formats alone say how a"),
        (f"{EXTRACTION}, fields: {{a: {{kind: objects, fields: {{b: {{kind: number, match: exact}}}}}}}}", "but the field b is number"),
        (f"{EXTRACTION}, fields: {{a: {{kind: objects, fields: {{b: {{kind: objects}}}}}}}}", "objects inside objects"),
        (f"{GENERATION}, labels: [a, b]", "labels is for classification, but l is generation"),
        (f"{EXTRACTION}, multi_label: true", "multi_label is for classification, but l is extraction"),
        (f"{EXTRACTION}, tools: t.json", "tools is for agent, but l is extraction"),
        (f"{GENERATION}, max_steps: 5", "max_steps is for agent, but l is generation"),
        (f"{CLASSIFICATION}, judge: {{model: m}}", "l has a judge but no rubric"),
        (f"{GENERATION}, judge: {{model: m, labels: g.jsonl}}", "people's grades need the rubric"),
        (f"{GENERATION}, judge: {{model: m, mode: pairwise}}", "compares answers in pairs but has no rubric"),
        (f"{GENERATION}, rubric: r.yaml, judge: {{model: [m, m]}}", "a model is named twice"),
        (f"{GENERATION}, rubric: r.yaml, judge: {{model: []}}", "the list of models is empty"),
        (f"{GENERATION}, rubric: r.yaml, judge: {{model: m, mode: pairwise}}, gate: {{floor: 0.8}}", "which have no score of their own"),
        (f"{CLASSIFICATION}, rubric: r.yaml, judge: {{model: m, mode: pairwise}}", "pairwise is for generation"),
        (f"{CLASSIFICATION}, gate: {{repetitions: 3}}", "repetitions are for mode: fixed"),
        (f"{CLASSIFICATION}, gate: {{margin: {{classes: {{A: 0.1}}}}}}", "the margin of the class A has no such"),
        (f"{EXTRACTION}, fields: {{a: {{}}}}, gate: {{margin: {{fields: {{b: 0.1}}}}}}", "the margin of the field b has no such"),
    ],
)  # fmt: skip
def test_an_option_of_another_kind(lineage, what):
    assert what in mistake(lineage)


def test_options_of_a_model_and_of_the_whole_file():
    assert "a recording is for the provider replay" in mistake(
        CLASSIFICATION, "{provider: offline, model: o, recording: r}"
    )
    assert "anthropic has no api responses" in mistake(
        CLASSIFICATION, "{provider: anthropic, model: o, api: responses}"
    )
    assert "repetitions are for mode: fixed" in mistake(CLASSIFICATION, more="gate: {repetitions: 3}\n")
    assert "class c has no such" in mistake(CLASSIFICATION, more="gate: {margin: {classes: {c: 0.1}}}\n")
    assert read(
        f"{CLASSIFICATION}, gate: {{mode: fixed}}", more="gate: {repetitions: 3, margin: {classes: {a: 0.1}}}\n"
    )
    assert read(f"{CLASSIFICATION}, gate: {{repetitions: 3}}", more="gate: {mode: fixed}\n")


def fields(names, *expected, kind="normalised"):
    rules = {name: FieldRule(kind=kind) for name in names}
    lineage = LineageConfig(use_case=UseCase.EXTRACTION, prompt="p", fields=rules)
    cases = [TestCase(id=f"c{n}", inputs={}, expected=one) for n, one in enumerate(expected)]
    return evaluator_for(lineage, None, None, None, cases=cases)


@pytest.mark.parametrize(
    ("names", "expected", "what"),
    [
        (["totl", "vendor"], {"total": 1, "vendor": "x"}, "“totl”, so every answer would be right (did you mean total?)"),
        (["vendor.nam"], {"vendor": {"name": "x"}}, "“vendor.nam”"),
        (["lines[].price", "total"], {"lines": [{"price": 1}], "total": 2}, "“lines[].price”"),
        (["Total"], {"total": 1}, "did you mean total?"),
    ],
)  # fmt: skip
def test_a_field_that_no_case_expects_stops_the_plan(names, expected, what):
    with pytest.raises(ConfigError) as caught:
        fields(names, expected, expected)
    assert what in str(caught.value)


def test_a_field_that_one_case_expects_or_expects_to_be_absent_is_fine():
    assert fields(["a", "b.c"], {"a": 1}, {"b": {"c": None}}, {})
    assert fields(["a"], {}, kind="absent")
    rules = {"a": FieldRule(kind="absent"), "b": FieldRule()}
    assert unexpected(rules, [{"x": 1}, None, "y"]) == ("b",)


def test_a_case_whose_fields_must_all_be_absent_is_scored():
    part = Extraction({"total": FieldRule(kind="number"), "due": FieldRule(kind="date")})
    assert part.problem(TestCase(id="c", inputs={}, expected={"total": None, "due": None})) is None
    assert part.problem(TestCase(id="c", inputs={}, expected={"ttl": None})) is not None
