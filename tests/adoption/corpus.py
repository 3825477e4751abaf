"""Small repositories in the shapes that teams have: what ``init`` finds in each, and what a bad edit then gets."""

import json
from typing import NamedTuple

LABELS = ("billing", "refunds")
TICKETS = [(f"Please help me with case {n * 7919 % 1009} about {('a charge', 'money back')[n % 2]}", LABELS[n % 2]) for n in range(12)]  # fmt: skip
ASK = "Sort this ticket into billing or refunds"


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def rows(text="ticket", label="expected", wrap=lambda row: row, values=None):
    return [wrap({text: ticket, label: (values or {}).get(team, team)}) for ticket, team in TICKETS]


def table(text, label, delimiter=",", before=""):
    return before + "".join(delimiter.join(row) + "\n" for row in [(text, label), *TICKETS])


JSONL = {"evals/tickets.jsonl": lines(*rows())}
CSV = {"evals/tickets.csv": table("ticket", "label")}


class Repository(NamedTuple):
    files: dict[str, str]
    found: list[tuple[str, str | None]]
    """Each prompt with its test set."""
    verdict: str = "blocked"
    """Of a pull request that makes the model answer otherwise. ``warned``: the prompt gates nothing, which is said."""
    models: tuple[str, ...] = ("offline-small",)


def one(prompt, path, text, tests=JSONL, **more):
    return Repository({path: text, **tests}, [(prompt, next(iter(tests)) if tests else None)], **more)


def with_tests(path, content):
    return one("prompts/triage.j2", "prompts/triage.j2", f"{ASK}: {{{{ ticket }}}}\n", {path: content})


GITHUB = f"messages:\n  - {{role: user, content: '{ASK} {{{{ticket}}}}'}}\n"
OWN_CASES = "testData:\n" + "".join(f"  - {{ticket: '{text}', expected: {team}}}\n" for text, team in TICKETS)
LANGCHAIN = "from langchain_core.prompts import ChatPromptTemplate\n"

PROMPTS = {
    "a class of prompts": one("src/prompts.py#Prompts.TRIAGE", "src/prompts.py", f'class Prompts:\n    LIMIT = 3\n    TRIAGE = """{ASK}: {{ticket}}"""\n'),
    "an enumeration": one("app/prompts.py#Prompt.TRIAGE", "app/prompts.py", f'from enum import StrEnum\nclass Prompt(StrEnum):\n    TRIAGE = "{ASK}: {{ticket}}"\n'),
    "a dict of prompts": one("bot/llm.py#PROMPTS.triage", "bot/llm.py", f'PROMPTS = {{"triage": "{ASK}: {{ticket}}", "retries": 3}}\n'),
    "a dict of roles": one("system: app/prompts.py#PROMPTS.triage.system, user: app/prompts.py#PROMPTS.triage.user", "app/prompts.py", f'PROMPTS = {{"triage": {{"system": "{ASK}.", "user": "Ticket: {{ticket}}"}}}}\n'),
    "an attribute of an agent": one("app/agent.py#Agent.SYSTEM_PROMPT", "app/agent.py", f'class Agent:\n    name = "the sorter of all tickets"\n    SYSTEM_PROMPT = "{ASK}."\n', {"evals/tickets.jsonl": lines(*rows("input"))}),
    "an f-string in a function": one("src/prompts.py#triage_prompt", "src/prompts.py", f'def triage_prompt(ticket: str) -> str:\n    return f"{ASK}: {{ticket}}"\n'),
    "messages in code": one("src/prompts.py#MESSAGES", "src/prompts.py", f'MESSAGES = [{{"role": "system", "content": "{ASK}."}}, {{"role": "user", "content": "{{ticket}}"}}]\n'),
    "a template of LangChain": one("src/prompts.py#PROMPT", "src/prompts.py", f'{LANGCHAIN}PROMPT = ChatPromptTemplate.from_messages([("system", "{ASK}."), ("human", "{{ticket}}")])\n'),
    "an object of functions": one("src/prompts.ts#prompts.triage", "src/prompts.ts", f"export const prompts = {{ triage: (ticket: string) => `{ASK}: ${{ticket}}` }};\n"),
    "an enumeration of TypeScript": one("lib/prompts.ts#Prompts.Triage", "lib/prompts.ts", f"export enum Prompts {{ Triage = '{ASK}: {{ticket}}' }}\n"),
    "JavaScript": one("lib/prompts.mjs#triagePrompt", "lib/prompts.mjs", f"export const triagePrompt = '{ASK}: {{ticket}}';\n"),
    "a key of YAML": one("prompts.yaml#triage", "prompts.yaml", f"triage: |\n  {ASK}: {{ticket}}\nretries: 3\n"),
    "a key of JSON": one("config/prompts.json#triage", "config/prompts.json", json.dumps({"triage": f"{ASK}: {{ticket}}"}) + "\n"),
    "a key of TOML": one("prompts.toml#triage.text", "prompts.toml", f'[triage]\ntext = "{ASK}: {{ticket}}"\n'),
    "a system prompt": one("prompts/system_prompt.txt", "prompts/system_prompt.txt", f"{ASK}.\n", {"evals/tickets.jsonl": lines(*rows("input"))}),
    "a folder": Repository({"prompts/triage/system.md": f"{ASK}.\n", "prompts/triage/user.md": "{{ticket}}\n", **CSV}, [("prompts/triage", "evals/tickets.csv")]),
    "a pattern with an empty user part": Repository({"patterns/triage/system.md": f"{ASK}.\n", "patterns/triage/user.md": "", "evals/tickets.csv": table("input", "expected")}, [("patterns/triage", "evals/tickets.csv")]),
    "GitHub's format": one("prompts/a.prompt.yml", "prompts/a.prompt.yml", GITHUB, CSV),
    "GitHub's format with its own cases": one("prompts/a.prompt.yml", "prompts/a.prompt.yml", GITHUB + OWN_CASES, {}),
    "messages under another name": one("app/triage_prompt.yaml", "app/triage_prompt.yaml", GITHUB),
    "prompty": one("triage.prompty", "triage.prompty", f"---\nname: triage\n---\nsystem:\n{ASK}.\n\nuser:\n{{{{ticket}}}}\n"),
    "dotprompt with a partial": Repository({"prompts/triage.prompt": "{{>ask}} {{ticket}}", "prompts/partials/_ask.prompt": ASK, **JSONL}, [("prompts/triage.prompt", "evals/tickets.jsonl")]),
    "promptflow": one("flow/triage.jinja2", "flow/triage.jinja2", f"# system:\n{ASK}.\n\n# user:\n{{{{ticket}}}}\n"),
    "Semantic Kernel": Repository({"plugins/Triage/skprompt.txt": f"{ASK}: {{{{$ticket}}}}\n", "plugins/Triage/config.json": '{"schema": 1}', **JSONL}, [("plugins/Triage/skprompt.txt", "evals/tickets.jsonl")]),
    "a prompt file of LangChain": one("prompts/triage.yaml", "prompts/triage.yaml", f"_type: prompt\ninput_variables: [ticket]\ntemplate: '{ASK}: {{ticket}}'\n"),
    "messages in JSON": one("prompts/chat.json", "prompts/chat.json", json.dumps({"messages": [{"role": "developer", "content": ASK}, {"role": "user", "content": "{{ticket}}"}]})),
    "$ticket": one("prompts/triage.txt", "prompts/triage.txt", f"{ASK}: $ticket\n"),
    "${ticket}": one("prompts/triage.txt", "prompts/triage.txt", f"{ASK}: ${{ticket}}\n"),
    "{{.ticket}}": one("prompts/triage.txt", "prompts/triage.txt", f"{ASK}: {{{{.ticket}}}}\n"),
    "a Jinja template that includes another": Repository({"prompts/triage.j2": "{% include 'prompts/ask.j2' %} {{ ticket }}", "prompts/ask.j2": ASK, **JSONL}, [("prompts/triage.j2", "evals/tickets.jsonl")]),
    "two packages": Repository(
        {"a/prompts/triage.j2": f"{ASK} {{{{ ticket }}}}", "a/evals/tickets.csv": table("ticket", "label"), "b/prompts/mood.j2": f"{ASK} {{{{ letter }}}}", "b/evals/moods.csv": table("letter", "label")},
        [("a/prompts/triage.j2", "a/evals/tickets.csv"), ("b/prompts/mood.j2", "b/evals/moods.csv")],
    ),
    "prompts that name their models": Repository(
        {"prompts/a.prompt.yml": f"model: openai/gpt-4o\n{GITHUB}{OWN_CASES}", "prompts/b.prompt.yml": f"model: anthropic/claude-haiku-4-5\n{GITHUB}{OWN_CASES}"},
        [("prompts/a.prompt.yml", None), ("prompts/b.prompt.yml", None)], models=("gpt-4o", "claude-haiku-4-5"),
    ),
    "a model beside a key": one("config/prompts.yaml#triage.user", "config/prompts.yaml", f"triage:\n  model: gpt-4o-mini\n  user: '{ASK} {{ticket}}'\n".replace("user:", "prompt:"), models=("gpt-4o-mini",))._replace(found=[("config/prompts.yaml#triage.prompt", "evals/tickets.jsonl")]),
    "a prompt that promptfoo names beside a table": Repository(
        {
            "prompts/triage.txt": f"{ASK}: {{{{ticket}}}}\n", **CSV,
            "promptfooconfig.yaml": "prompts: [file://prompts/tri*.txt]\ntests:\n" + "".join(f"  - {{vars: {{ticket: '{text}'}}, assert: [{{type: equals, value: {team}}}]}}\n" for text, team in TICKETS),
        },
        [("prompts/triage.txt", "promptfooconfig.yaml")],
    ),
    "a common name beside just any table": Repository({"prompts/triage.md": f"{ASK}: {{{{text}}}}\n", "data/towns.csv": "name,text\nRome,big\nBern,small\nOslo,cold\nLima,dry\n"}, [("prompts/triage.md", None)], "warned"),
    "a common name beside its table": Repository({"triage/prompt.md": f"{ASK}: {{{{text}}}}\n", "triage/rows.csv": table("text", "label")}, [("triage/prompt.md", "triage/rows.csv")]),
    "a common name and labeled cases": Repository({"prompts/ask.md": f"{ASK}: {{{{text}}}}\n", "evals/cases.csv": table("text", "label")}, [("prompts/ask.md", "evals/cases.csv")]),
    "a prompt without cases": Repository({"prompts/letter.j2": "Write a letter to {{ customer }} about {{ topic }}.\n"}, [("prompts/letter.j2", None)], "warned"),
    "BAML": Repository({"baml_src/a.baml": "function Triage(ticket: string) -> string {\n  client GPT\n}\n"}, [], "warned"),
}  # fmt: skip

TESTS = {
    "LangSmith": with_tests("evals/tickets.jsonl", lines(*({"inputs": {"ticket": t}, "outputs": {"label": q}} for t, q in TICKETS))),
    "Langfuse": with_tests("evals/tickets.json", json.dumps([{"id": str(n), "input": {"ticket": t}, "expectedOutput": q, "metadata": {"a": 1}} for n, (t, q) in enumerate(TICKETS)])),
    "Braintrust": with_tests("evals/tickets.jsonl", lines(*({"input": {"ticket": t}, "expected": q, "tags": ["a"]} for t, q in TICKETS))),
    "wrapped": with_tests("evals/tickets.json", json.dumps({"version": 1, "test_cases": rows()})),
    "a first line about the file": with_tests("evals/tickets.jsonl", lines({"_meta": {"version": 2}}, *rows())),
    "a column of row numbers": with_tests("evals/tickets.csv", ",ticket,label\n" + "".join(f"{n},{t},{q}\n" for n, (t, q) in enumerate(TICKETS))),
    "semicolons and a byte order mark": with_tests("evals/tickets.csv", table("ticket", "expected", ";", "\ufeff")),
    "tabs": with_tests("evals/tickets.tsv", table("ticket", "expected", "\t")),
    "a column of another name": with_tests("evals/tickets.csv", table("body", "label")),
    "YAML": with_tests("evals/tickets.yaml", "".join(f"- ticket: '{t}'\n  expected: {q}\n" for t, q in TICKETS)),
    "completions": with_tests("evals/tickets.jsonl", lines(*({"ticket": t, "completion": q} for t, q in TICKETS))),
    "an expected output": with_tests("evals/tickets.csv", table("ticket", "expected_output")),
}  # fmt: skip
