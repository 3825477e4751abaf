"""A model server whose model a test changes behind its name, with a prompt and cases for it."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

LABELS = ("billing", "refund", "delivery")
CASES = "".join(
    json.dumps({"id": f"c{k}", "inputs": {"ticket": f"ticket {k} about {LABELS[k % 3]}"}, "expected": LABELS[k % 3]}) + "\n"
    for k in range(36)
)  # fmt: skip
CONFIG = """\
version: 1
models:
  house: {{provider: openai, model: house-1, base_url: "{url}", api_key_env: HOUSE_KEY, price: {{input: 1.00, output: 2.00}}}}
lineages:
  triage: {{use_case: classification, prompt: prompts/triage.prompt.yml, tests: tests/triage.jsonl, model: house, labels: [billing, refund, delivery]}}
"""
PROMPT = """\
messages:
  - role: system
    content: Answer with the label alone.
  - role: user
    content: "{{ticket}}"
"""


class ModelServer:
    """Answers with the ticket's last word, or with another label for every ``wrong``-th ticket."""

    def __init__(self):
        self.wrong, self.reported, self.fingerprint, self.requests = 0, "house-1-0601", "fp_a", 0
        self.refuses = 0
        """Every such ticket is answered with an error."""
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                ticket = asked["messages"][-1]["content"]
                data = json.dumps(server.answer(ticket)).encode()
                refused = server.refuses and int(ticket.split()[1]) % server.refuses == 0
                self.send_response(400 if refused else 200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"
        self.thread = threading.Thread(target=self.http.serve_forever)
        self.thread.start()

    def answer(self, ticket):
        self.requests += 1
        number, label = int(ticket.split()[1]), ticket.split()[-1]
        if self.wrong and number % self.wrong == 0:
            label = LABELS[(LABELS.index(label) + 1) % 3]
        return {
            "id": "x", "object": "chat.completion", "created": 1, "model": self.reported,
            "system_fingerprint": self.fingerprint, "usage": {"prompt_tokens": 20, "completion_tokens": 1, "total_tokens": 21},
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": label}}],
        }  # fmt: skip

    def close(self):
        self.http.shutdown()
        self.thread.join()
        self.http.server_close()


def files(url):
    """A repository's files that name the server."""
    return {
        "promptverdict.yaml": CONFIG.format(url=url), "tests/triage.jsonl": CASES, "prompts/triage.prompt.yml": PROMPT,
    }  # fmt: skip
