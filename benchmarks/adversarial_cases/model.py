"""A local model that takes a few lines of a prompt literally, so that a case says what its answers are.

It answers with the word behind the last “about” of what the user says: the truth, if the input reached it. These lines
change that, wherever they stand in the messages:

    when <text>: <answer>      answers so if the user's message holds the text; “everything” always
    form: <form>               wraps the answer (``FORMS``; also “spaced” and “tool”)
    words: <n>                 answers with so many words

A request with a key that the project's own prompts don't send (tools, a stop word, a cache mark) gets “billing” always:
what is sent and differs must show.

As a judge (a request with a JSON schema) it grades brevity by words, and does what a graded text tells it.
"""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WHEN = re.compile(r"^when (.+?): (.+)$", re.MULTILINE)
FORMS = {
    "sentence": "From what the customer writes, I would say that this belongs to {}.",
    "json": '{{"category": "{}", "confidence": 0.4}}',
    "fence": "```\n{}\n```",
    "bold": "**{}**",
    "quotes": '"{}"',
    "explained": "{}\n\nBecause the customer says so.",
    "shouted": "ANSWER: {}!!!",
    "object": '{{"total": {}}}',
    "chatty": 'Sure! Here is the JSON:\n\n{{"total": {}}}\n\nAnything else?',
    "fenced": '```json\n{{"total": {}}}\n```',
    "listed": '[{{"total": {}}}]',
    "nested": '{{"result": {{"total": {}}}}}',
    "more": '{{"total": {}, "iban": "DE00 0000", "note": "made up"}}',
    "text": '{{"total": "{} EUR"}}',
    "twice": '{{"total": {}}}\n{{"total": 0}}',
}
PLAIN = {"model", "messages", "max_tokens", "max_completion_tokens", "temperature", "seed", "stream"}
GRADES = ((5, 90), (4, 120), (3, 160), (2, 220))
"""A grade, and the most words of an answer with it."""


def answer(messages: list[dict[str, Any]]) -> str:
    """Returns the model's answer to these messages."""
    texts = [content if isinstance(content := message["content"], str) else json.dumps(content) for message in messages]
    everything, user = "\n".join(texts), texts[-1]
    said = (re.findall(r"about (\w+)", user) or ["billing"])[-1]
    for fragment, instead in WHEN.findall(everything):
        body = "\n".join(line for line in user.splitlines() if not line.startswith("when "))
        if fragment == "everything" or fragment in body:
            said = instead
    if words := re.findall(r"^words: (\d+)", everything, re.MULTILINE):
        said = " ".join([said, *["word"] * (int(words[-1]) - 1)])
    form = (re.findall(r"^form: (\w+)", everything, re.MULTILINE) or [""])[-1]
    return "\u200b".join(said) if form == "spaced" else FORMS.get(form, "{}").format(said)


def grades(messages: list[dict[str, Any]], schema: dict[str, Any]) -> str:
    """Returns a judge's reply: every dimension of the schema, graded by the number of words."""
    parts = re.findall(r"<([a-z_]+)-([0-9a-f]{16})>\n(.*?)\n</\1-\2>", messages[-1]["content"], re.DOTALL)
    graded = next((text for name, _, text in parts if name in ("output", "answer")), parts[-1][2] if parts else "")
    told = re.search(r"grade of this answer is (\d)", graded)
    grade = int(told[1]) if told else next((g for g, most in GRADES if len(graded.split()) <= most), 1)
    return json.dumps({name: {"reason": "by its length", "grade": grade} for name in schema.get("properties", {})})


def reply(body: dict[str, Any]) -> dict[str, Any]:
    """Returns one Chat Completions response."""
    schema = (body.get("response_format") or {}).get("json_schema", {}).get("schema")
    text = answer(body["messages"]) if schema is None else grades(body["messages"], schema)
    if schema is None and (body.keys() - PLAIN or any(one.keys() - {"role", "content"} for one in body["messages"])):
        text = "billing"
    message: dict[str, Any] = {"role": "assistant", "content": text}
    finish = "stop"
    if re.search(r"^form: tool", json.dumps(body["messages"]).replace("\\n", "\n"), re.MULTILINE):
        call = {"id": "c", "type": "function", "function": {"name": "sort", "arguments": json.dumps({"label": text})}}
        message, finish = {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"
    sent, written = len(json.dumps(body["messages"])) // 4 + 1, len(text) // 4 + 1
    return {
        "id": "x",
        "object": "chat.completion",
        "created": 1,
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        "usage": {"prompt_tokens": sent, "completion_tokens": written, "total_tokens": sent + written},
    }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        given = json.dumps(reply(json.loads(self.rfile.read(int(self.headers["content-length"]))))).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(given)))
        self.end_headers()
        self.wfile.write(given)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the base class
        """Logs nothing."""


class Model:
    """The model as a server on this machine, for as long as the block lasts."""

    def __enter__(self) -> Model:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
