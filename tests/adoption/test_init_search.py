"""What ``init`` finds in small repositories with the shapes that teams have, and what it reads to find it."""

import json
from typing import NamedTuple

import pytest

from engine.commands.init_pairing import propose
from engine.commands.init_search import MOST_BYTES, MOST_FILES, Search, candidates
from engine.readers.testsets import read_test_set


def lines(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def table(header, *rows, delimiter=","):
    return "".join(delimiter.join(row) + "\n" for row in (header.split(","), *rows))


TEAMS = [(f"Please help me with number {n}", ("billing", "refunds")[n % 2]) for n in range(8)]
FACTS = [{"cv": f"Ann is {n}", "expected": {"name": "Ann", "age": n}} for n in range(6)]
QUESTIONS = [(f"Where is town {n}?", f"In country {n}") for n in range(6)]
PYTHON = 'TRIAGE_PROMPT = """Sort this ticket into billing or refunds: {ticket}"""\n'
SCRIPT = "export const triagePrompt = (ticket: string) => `Sort this ticket: ${ticket}`;\n"
JINJA = "Sort this ticket into a queue:\n{{ ticket }}\n"


class Shape(NamedTuple):
    """A small repository, and what is proposed: prompt, test set, use case, and whether it gates."""

    files: dict[str, str]
    proposed: list[tuple[str, str | None, str, bool]]


SHAPES = {
    "a constant and a table with other column names": Shape(
        {"src/prompts.py": PYTHON, "data/tickets.csv": table("text,label", *TEAMS)},
        [("src/prompts.py#TRIAGE_PROMPT", "data/tickets.csv", "classification", True)],
    ),
    "a constant and a table whose label column only the prompt explains": Shape(
        {"src/prompts.py": PYTHON, "data/rows.csv": table("ticket,team", *TEAMS)},
        [("src/prompts.py#TRIAGE_PROMPT", "data/rows.csv", "classification", True)],
    ),
    "a label column, and an input of another name": Shape(
        {"src/prompts.py": PYTHON, "evals/tickets.tsv": table("body,team", *TEAMS, delimiter="\t")},
        [("src/prompts.py#TRIAGE_PROMPT", "evals/tickets.tsv", "classification", True)],
    ),
    "TypeScript and semicolons": Shape(
        {"src/prompts.ts": SCRIPT, "evals/triage.csv": table("ticket,expected", *TEAMS, delimiter=";")},
        [("src/prompts.ts#triagePrompt", "evals/triage.csv", "classification", True)],
    ),
    "a constant in a module of another name": Shape(
        {
            "app/support/agent.py": f"import os\nPROMPT_DIR = os.sep\nLIMIT = 3\n{PYTHON}",
            "evals/triage.jsonl": lines(*({"inputs": {"ticket": t}, "expected": q} for t, q in TEAMS)),
        },
        [("app/support/agent.py#TRIAGE_PROMPT", "evals/triage.jsonl", "classification", True)],
    ),
    "system and user as keys of one file": Shape(
        {
            "config/prompts.yaml": "triage:\n  system: You sort tickets.\n  user: 'Ticket: {{ticket}}'\nretries: 3\n",
            "evals/cases.yaml": "".join(f"- {{ticket: '{t}', expected: {q}}}\n" for t, q in TEAMS),
        },
        [
            (
                "system: config/prompts.yaml#triage.system, user: config/prompts.yaml#triage.user",
                "evals/cases.yaml",
                "classification",
                True,
            )
        ],
    ),
    "a map of messages": Shape(
        {
            "app/triage_prompt.yml": "messages:\n  - {role: user, content: 'Sort {{ticket}}'}\n",
            "tests/triage.json": json.dumps({"examples": [{"ticket": t, "label": q} for t, q in TEAMS]}),
        },
        [("app/triage_prompt.yml", "tests/triage.json", "classification", True)],
    ),
    "a system prompt without variables, and conversations": Shape(
        {
            "prompts/system.md": "You answer travel questions in one sentence.\n",
            "evals/chats.jsonl": lines(
                *(
                    {"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": a}]}
                    for q, a in QUESTIONS
                )
            ),
        },
        [("prompts/system.md", "evals/chats.jsonl", "generation", False)],
    ),
    "a static constant and questions with labels": Shape(
        {
            "bot/llm.py": 'SYSTEM_PROMPT = "You name the queue of a ticket."\n',
            "evals/queue.csv": table("message,label", *TEAMS),
        },
        [("bot/llm.py#SYSTEM_PROMPT", "evals/queue.csv", "classification", True)],
    ),
    "messages with roles in files of any name": Shape(
        {
            "flows/support/route.jinja2": "system:\nYou sort tickets.\n\nuser:\n{{ ticket }}\n",
            "app/models.yaml": "messages:\n  - role: user\n    content: Sort {{ticket}}\n",
            "deploy/app.yaml": "user:\n  name: root\n",
            "deploy/site.j2": "server {{ ticket }};\n",
            "evals/route.csv": table("ticket,label", *TEAMS),
        },
        [
            ("app/models.yaml", "evals/route.csv", "classification", True),
            ("flows/support/route.jinja2", "evals/route.csv", "classification", True),
        ],
    ),
    "fields to extract": Shape(
        {"prompts/person.j2": "Find the person in {{ cv }}.\n", "data/people.jsonl": lines(*FACTS)},
        [("prompts/person.j2", "data/people.jsonl", "extraction", True)],
    ),
    "questions and answers": Shape(
        {"prompts/qa.md": "Answer: {{question}}\n", "evals/qa.csv": table("question,answer", *QUESTIONS)},
        [("prompts/qa.md", "evals/qa.csv", "generation", False)],
    ),
    "promptfoo's configuration": Shape(
        {
            "prompts/triage.txt": "Sort {{ticket}}\n",
            "promptfooconfig.yaml": "prompts: [file://prompts/triage.txt]\nproviders: [openai:gpt-4o-mini]\ntests:\n"
            + "".join(f"  - {{vars: {{ticket: '{t}'}}, assert: [{{type: equals, value: {q}}}]}}\n" for t, q in TEAMS),
        },
        [("prompts/triage.txt", "promptfooconfig.yaml", "classification", True)],
    ),
    "a prompt with its own cases": Shape(
        {
            "prompts/a.prompt.yml": "messages:\n  - {role: user, content: 'Sort {{input}}'}\ntestData:\n"
            + "".join(f"  - {{input: '{t}', expected: {q}}}\n" for t, q in TEAMS)
        },
        [("prompts/a.prompt.yml", None, "classification", True)],
    ),
    "a prompt without tests, and data about something else": Shape(
        {"prompts/letter.md": "Write to {{name}}\n", "data/towns.csv": table("town,land", ("Rome", "Italy"))},
        [("prompts/letter.md", None, "generation", False)],
    ),
    "two prompts and two tables, whose names say which belong together": Shape(
        {
            "prompts/mood.j2": "Sort {{ alpha }} now",
            "prompts/queue.j2": "Sort {{ beta }} now",
            "data/moods.csv": table("text,label", *TEAMS),
            "data/queues.csv": table("text,label", *TEAMS),
        },
        [
            ("prompts/mood.j2", "data/moods.csv", "classification", True),
            ("prompts/queue.j2", "data/queues.csv", "classification", True),
        ],
    ),
    "two prompts, and a table that fits neither by name": Shape(
        {
            "prompts/a.j2": "Sort {{ alpha }} now",
            "prompts/b.j2": "Sort {{ beta }} now",
            "data/rows.csv": table("text,label", *TEAMS),
        },
        [("prompts/a.j2", None, "generation", False), ("prompts/b.j2", None, "generation", False)],
    ),
    "names that only look like prompts": Shape(
        {
            "src/settings.py": 'MAX_PROMPT_TOKENS = 100\nPROMPT_FILE = "a/b.txt"\nprompt_count: int = 3\n',
            "prompts/a\nb.md": "Sort {{ ticket }} now\n",
            "README.md": "Hello {{ you }}\n",
            "dist/prompts/a.md": "Sort {{ ticket }} now\n",
            "tests/prompts/b.md": "Sort {{ ticket }} now\n",
            "docs/guide.md": "Write {{ ticket }} in it\n",
        },
        [],
    ),
}


def searched(files):
    blobs = {path: text.encode() for path, text in files.items()}
    search = Search(candidates(blobs), blobs)
    return search, propose(
        search.prompts, search.tests, lambda path, columns: read_test_set(path, blobs[path], columns)
    )


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_prompts_are_found_and_paired_and_their_use_case_is_inferred(shape):
    _, lineages = searched(shape.files)
    got = [(str(each.prompt), each.tests, each.use_case, each.gates) for each in lineages]
    assert got == shape.proposed


def test_a_label_column_is_taken_only_if_the_prompt_mentions_it():
    """A category of questions is no expectation of their answers."""
    prompts = {"prompts/qa.md": "Answer: {{question}}\n"}
    rows = [(f"Where is {n}?", ("easy", "hard")[n % 2]) for n in range(8)]
    _, (lineage,) = searched({**prompts, "evals/qa.csv": table("question,level", *rows)})
    assert (lineage.tests, lineage.columns, lineage.gates) == ("evals/qa.csv", None, False)


def test_a_pair_of_files_is_one_prompt_and_what_others_include_is_none():
    search, _ = searched(
        {
            "prompts/a/system.md": "Be kind.",
            "prompts/a/user.md": "{{ input }}",
            "prompts/b.j2": '{% include "prompts/shared/tone.md" %}{{ q }}',
            "prompts/shared/tone.md": "Kind.",
        }
    )
    assert [each.written for each in search.prompts] == ["prompts/a", "prompts/b.j2"]


def test_a_configuration_of_promptfoo_is_a_test_set_whatever_its_name_is():
    config = (
        "description: Which of our prompts is the best one?\nprompts: [file://../prompts/sort.txt]\n"
        "tests:\n  - {vars: {ticket: a}, assert: [{type: equals, value: billing}]}\n"
    )
    search, _ = searched({"evals/04_prompt_evaluation.yaml": config, "prompts/sort.txt": "Sort it: {{ticket}}"})
    assert [each.written for each in search.prompts] == ["prompts/sort.txt"]
    assert [each.path for each in search.tests] == list(search.promptfoo) == ["evals/04_prompt_evaluation.yaml"]


def test_what_cannot_be_read_is_noted_with_its_reason():
    search, _ = searched(
        {
            "src/prompts.py": "BIG_PROMPT = load('big')\nA_PROMPT = 'Sort it: {x}' if big() else ''\n",
            "ui/prompt-input.tsx": "export const PromptInput = () => <div />;\nexport const BIG_PROMPT = load('big');\n",
            "evals/cases.jsonl": '{"id": 1, "x": }\n', "prompts/list.json": "[1, 2]",
        }
    )  # fmt: skip
    assert {place.partition(":")[0] for _, place in search.left} == {
        "src/prompts.py#BIG_PROMPT", "src/prompts.py#A_PROMPT", "ui/prompt-input.tsx#BIG_PROMPT", "evals/cases.jsonl", "prompts/list.json",
    }  # fmt: skip


def test_a_file_of_prompts_of_which_none_can_be_read_names_its_functions():
    function = "def triage(ticket):\n    text = f'Sort it: {ticket.strip()}'\n    return text\n"
    search, _ = searched({"src/prompts.py": function, "src/llm.py": f"# a prompt\n{function}"})
    assert search.left == [("it does more than return one text", "src/prompts.py#triage")]
    search, _ = searched({"src/prompts.py": f"{function}MAIL = 'Write a letter: {{x}}'\n"})
    assert (len(search.prompts), search.left) == (1, [])


def test_few_of_many_files_are_read_and_the_likely_ones_first():
    paths = [f"src/{n % 500}/module{n}.py" for n in range(30_000)] + [f"data/{n}.csv" for n in range(20_000)]
    likely = ["deep/down/in/the/tree/prompts.py", "deep/down/evals/cases.csv", "deep/prompts/a.md"]
    chosen = candidates(paths + likely)
    assert len(chosen.paths) <= sum(MOST_FILES.values())
    assert set(likely) <= set(chosen.paths)
    assert (chosen.code[0], chosen.tests[0]) == (likely[0], likely[1])
    assert chosen.left == 50_000 + len(likely) - len(chosen.paths)
    within = chosen.within(dict.fromkeys(paths, 200_000))
    read = {kind: 200_000 * len(getattr(within, kind)) for kind in MOST_BYTES}
    assert all(read[kind] <= MOST_BYTES[kind] + 200_000 for kind in read)
    assert set(likely) <= set(within.paths)
    assert within.left == 50_000 + len(likely) - len(within.paths)
