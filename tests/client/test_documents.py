"""A document is taken whole or not at all."""

import json

import pytest

from promptverdict_client.document import DocumentError, parse
from tests.client.fake_hub import MODELS, document, entry


def read(value, repository="acme/shop", tag="production"):
    return parse(value if isinstance(value, bytes) else json.dumps(value).encode(), repository, tag)


def test_a_document_becomes_prompts():
    served = document(entry(), entry("b", name="b", at="2026-12-02T10:00:00+02:00", new_key=1), new_key=1)
    found = read(served)
    prompt = found.prompts["support-triage"]
    assert sorted(found.prompts) == ["b", "support-triage"]
    assert prompt.version == served["prompts"]["support-triage"]["digest"]
    assert [model.name for model in prompt.models] == ["fast", "large"]
    assert found.moved_at.isoformat() == "2026-12-02T10:00:00+02:00"


def test_the_case_of_a_repositorys_name_does_not_matter():
    assert read(document(entry()), "Acme/Shop").prompts["support-triage"].repository == "acme/shop"


ONE = {"role": "user", "content": "x"}
HOSTILE = {
    "no JSON": (b"<html>", "not a valid prompt set"),
    "no UTF-8": (b'{"hub_version": "\xff"}', "not a valid prompt set"),
    "a list": ([], "the document is a list"),
    "nested deeply": (b"[" * 100_000, "not a valid prompt set"),
    "a number without an end": (b'{"hub_version": ' + b"9" * 9_999 + b"}", "not a valid prompt set"),
    "no number": (document(entry(), extra=float("nan")), "NaN is not a JSON number"),
    "too large": (b" " * (16 * 2**20 + 1), "larger than 16 MiB"),
    "a newer version": (document(entry(), hub_version=2), "version 2, and this client reads 1: update"),
    "true as a version": (document(entry(), hub_version=True), "hub_version is a bool"),
    "another repository": (document(entry(), repository="acme/other"), "of 'acme/other', not"),
    "another tag": (document(entry(), tag="staging"), "it is the tag 'staging'"),
    "no prompts": ({"hub_version": 1, "repository": "acme/shop", "tag": "production"}, "has no prompts"),
    "a name that writes to a terminal": (document(prompts={"\x1b[2J": entry()}), "�.2J is named 'support-triage'"),
    "prompts as a list": (document(prompts=[]), "prompts is a list"),
    "a prompt as a text": (document(prompts={"a": "x"}), "a is a str"),
    "another name": (document(prompts={"b": entry()}), "b is named 'support-triage'"),
    "a changed text": (document({**entry(), "messages": [ONE]}), "doesn't have the digest that it states"),
    "half a surrogate pair": (document({**entry(), "defaults": {"a": "\ud800"}}), "not a valid prompt set"),
    "no messages": (document(entry([])), "no messages or no models"),
    "a message as a text": (document(entry(messages=["x"])), "support-triage is a str"),
    "an unknown role": (document(entry([("tool", "x")])), "a message of the role 'tool'"),
    "no content": (document(entry(messages=[{"role": "user"}])), "has no content"),
    "no models": (document(entry(models=[])), "no messages or no models"),
    "no parameters": (document(entry(models=[{**MODELS[0], "parameters": None}])), "parameters is a NoneType"),
    "an unknown dialect": (document(entry(dialect="php")), "'php' with None: update"),
    "roles as a list": (document(entry(roles=["prompty"])), "roles is a list"),
    "unknown roles": (document(entry(roles="xml")), "with 'xml': update"),
    "a partial of a number": (document(entry(included={"p": 1})), "p is a int"),
    "defaults as a list": (document(entry(defaults=[])), "defaults is a list"),
    "no time": (document(entry(at="yesterday")), "not a valid prompt set"),
    "no time zone": (document(entry(at="2026-12-01T10:00:00")), "has no time zone"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_malformed_document_is_refused(name):
    value, why = HOSTILE[name]
    if isinstance(value, dict):
        value = json.dumps(value).encode()
    with pytest.raises(DocumentError, match=why):
        read(value)


def test_an_error_is_one_short_line():
    with pytest.raises(DocumentError) as raised:
        read(document(tag="x\ny" * 1000))
    assert len(str(raised.value)) <= 300
    assert "\n" not in str(raised.value)
