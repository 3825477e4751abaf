"""Do we read each prompt format as its own library does? Renders the corpus of tests/formats/corpus with both.

    python -m benchmarks.formats_reference            compares, and prints the table
    python -m benchmarks.formats_reference --write    also records what the libraries render, for the tests

The libraries are installed into .bench/, once. The table is kept in benchmarks/results/formats.md.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from adapters.sandbox import SandboxedRenderer
from engine.readers.dialects import fill_in
from tests.formats.libraries import CORPUS, Case, Messages, agree, corpus, ours

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "prompty 1": ("prompty==0.1.50", "jinja2", "click", "pyyaml", "python-dotenv", "aiofiles", "typing-extensions"),
    "prompty 2": ("prompty==2.1.0", "jinja2", "chevron"),
    "promptflow": ("promptflow-core==1.18.5",),
    "dotprompt": ("dotpromptz==0.2.0",),
    "langchain": ("langchain-core==1.8.3",),
    "semantic-kernel": ("semantic-kernel==1.45.0",),
}
FAILED = "error"
HEAD = """# Formats of prompts

What we send, compared with what the library of each format renders. The cases are in `tests/formats/corpus`.
Made by `python -m benchmarks.formats_reference --write`.
"""


def install(library: str) -> Path:
    """Returns the Python of an environment that has the library."""
    home = ROOT / ".bench" / library.replace(" ", "-")
    python = home / "bin/python"
    if not (home / "installed").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(home)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *PACKAGES[library]], check=True)
        (home / "installed").touch()
    return python


def theirs(library: str, cases: list[Case]) -> list[Messages | str]:
    """Returns what a library renders for each case, or its error."""
    given = [{"path": case.path, "files": case.files, "inputs": case.inputs} for case in cases]
    command = [str(install(library)), str(ROOT / "benchmarks/peers/formats.py"), library]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, check=True)
    answers: list[Messages | str] = json.loads(done.stdout)
    return answers


def main() -> None:
    """Compares, prints, and records on demand."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write
    cases = corpus()
    with SandboxedRenderer(fill_in) as renderer:
        sent = {str(case): ours(renderer, case) for case in cases}
    rendered: dict[str, dict[str, Messages | str]] = defaultdict(dict)
    lines = ["| format | reference | cases compared | the same | differences explained |", "|---|---|---|---|---|"]
    unexplained = []
    for library, packages in PACKAGES.items():
        mine = [case for case in cases if library in case.libraries]
        different = []
        for case, answer in zip(mine, theirs(library, mine), strict=True):
            rendered[str(case)][library] = FAILED if isinstance(answer, str) else answer
            if not agree(sent[str(case)], answer):
                different.append(case)
                rendered[str(case)]["ours"] = sent[str(case)]
                if case.why is None:
                    unexplained.append(f"{case} ({library}): ours {sent[str(case)]} theirs {answer}")
        explained = "; ".join(case.name for case in different if case.why)
        name = f"{packages[0].replace('==', ' ')}"
        lines.append(f"| {mine[0].format} | {name} | {len(mine)} | {len(mine) - len(different)} | {explained or '-'} |")
    sys.stdout.write("\n".join([*lines, *unexplained]) + "\n")
    if write:
        (CORPUS / "rendered.json").write_text(json.dumps(rendered, indent=1, ensure_ascii=False) + "\n")
        reasons = [f"* {case}: {case.why}." for case in cases if case.why]
        page = [HEAD, *lines, "", "Why we send something else:", "", *reasons, ""]
        (ROOT / "benchmarks/results/formats.md").write_text("\n".join(page))
    sys.exit(1 if unexplained else 0)


if __name__ == "__main__":
    main()
