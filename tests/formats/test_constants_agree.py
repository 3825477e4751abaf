"""What is read of code is what the language computes: on generated files, run by Python and by Node.js themselves."""

import json
import os
import shutil
import subprocess
from random import Random

import pytest

from engine.readers.bounded import Source
from engine.readers.code.pieces import Hole, in_one_language
from engine.readers.code.python_code import read_python
from engine.readers.code.typescript_code import read_typescript
from engine.readers.dialects import fill_in
from schemas.errors import SourceError
from schemas.ports import RenderJob
from schemas.prompts import Message, Role

FILES = min(int(os.environ.get("FUZZ", "150")), 2_000)
NODE = shutil.which("node")

LETTERS = ["a", "b ", " ", "\n", "\n  ", "\t", "{", "}", "{{", "}}", "{x}", '"', "'", "\\", "$", "`", "é", "😀", "%s"]
VALUES = {"t": "<t>", "u": "<u {t}>"}


def text(random):
    return "".join(random.choices(LETTERS, k=random.randint(0, 8)))


def python_text(random, names, depth=0):
    """An expression that is a text; ``names`` may stand in it."""
    inner = lambda: python_text(random, names, depth + 1)  # noqa: E731
    kind = random.randint(0, 9) if depth < 3 else random.randint(0, 3)
    match kind:
        case 0 | 1:
            return repr(text(random))
        case 2:
            return random.choice(names) if names else "''"
        case 3:
            escapes = str.maketrans({"\\": "\\\\", "'": "\\'", "\n": "\\n", "\t": "\\t", "{": "{{", "}": "}}"})
            literal = lambda: text(random).translate(escapes)  # noqa: E731
            return (
                "f'"
                + literal()
                + "".join(f"{{{random.choice(names)}}}{literal()}" for _ in range(random.randint(0, 2)) if names)
                + "'"
            )
        case 4 | 5:
            return f"({inner()} + {inner()})"
        case 6:
            return f"({text(random)!r} {text(random)!r})"
        case 7:
            return f"{inner()}.{random.choice(['strip', 'lstrip', 'rstrip'])}({random.choice(['', repr(' a')])})"
        case 8:
            return f"{text(random)!r}.join([{inner()}, {inner()}])"
        case _:
            return f"{random.choice(['textwrap.dedent', 'inspect.cleandoc'])}({inner()})"


def python_file(random):
    names, lines = [], ["import inspect, textwrap"]
    for name in "ABC"[: random.randint(0, 3)]:
        lines.append(f"{name} = {python_text(random, names)}")
        names.append(name)
    lines.append(f"class K:\n  X = {python_text(random, names)}\n  D = {{'k': {python_text(random, [*names, 'X'])}}}")
    names += ["t", "u", "K.X", 'K.D["k"]']
    lines.append(f"def p(t, u): return {python_text(random, names)}")
    return "\n".join(lines) + "\n"


def script_text(random, names, depth=0):
    inner = lambda: script_text(random, names, depth + 1)  # noqa: E731
    match random.randint(0, 8) if depth < 3 else random.randint(0, 3):
        case 0 | 1:
            return json.dumps(text(random), ensure_ascii=random.random() < 0.5)
        case 2:
            return random.choice(names) if names else "''"
        case 3:
            literal = lambda: text(random).replace("\\", "\\\\").replace("`", "\\`").replace("$", "\\$")  # noqa: E731
            return (
                "`"
                + literal()
                + "".join(f"${{{random.choice(names)}}}{literal()}" for _ in range(random.randint(0, 2)) if names)
                + "`"
            )
        case 4 | 5:
            return f"({inner()} + {inner()})"
        case 6:
            return f"({inner()}).{random.choice(['trim', 'trimStart', 'trimEnd'])}()"
        case 7:
            return f"[{inner()}, {inner()}].join({json.dumps(text(random))})"
        case _:
            return f"({inner()} as string)"


def script_file(random):
    names, lines = [], []
    for name in "ABC"[: random.randint(0, 3)]:
        lines.append(f"const {name}: string = {script_text(random, names)};")
        names.append(name)
    lines.append(
        f"class K {{ static X = {script_text(random, names)}; static D = {{ k: {script_text(random, [*names, 'K.X'])} }} }}"
    )
    lines.append(f"const p = (t: string, {{ u }}: any) => {script_text(random, [*names, 't', 'u', 'K.X', 'K.D.k'])};")
    return "\n".join(lines) + "\n"


def read(reader, path, code, key):
    """What the pieces say with ``VALUES`` in the holes; ``None`` for what isn't read."""
    source = Source(path, code)
    try:
        (message,) = reader(source, key)
    except SourceError as error:
        assert "depends on the values" in error.what, error  # noqa: PT017
        return None
    whole = "".join(piece if isinstance(piece, str) else VALUES[piece.name] for piece in message.pieces)
    if any(isinstance(piece, Hole) for piece in message.pieces):
        dialect, (template,), _ = in_one_language([(source, message)])
        filled = fill_in(
            RenderJob(dialect=dialect, messages=(Message(role=Role.USER, content=template),), variables=VALUES)
        )
        assert filled[0].content == whole
    return whole


def test_python_computes_what_is_read():
    agreed = 0
    for seed in range(FILES):
        code = python_file(Random(seed))
        space = {}
        exec(code, space)
        for key, value in (("p", space["p"](*VALUES.values())), ("K.X", space["K"].X), ("K.D.k", space["K"].D["k"])):
            found = read(read_python, "p.py", code, key)
            assert found in (None, value), (seed, key, code)
            agreed += found is not None
    assert agreed > 2 * FILES


@pytest.mark.node
@pytest.mark.skipif(NODE is None, reason="Node.js is missing")
def test_node_computes_what_is_read(tmp_path):
    files = [script_file(Random(seed)) for seed in range(FILES)]
    shown = "console.log(JSON.stringify([{}]))".format(
        ",".join(f"(() => {{ {code.replace(': string', '').replace(': any', '').replace(' as string', '')} return [p({json.dumps(VALUES['t'])}, {json.dumps({'u': VALUES['u']})}), K.X, K.D.k]; }})()" for code in files)
    )  # fmt: skip
    (tmp_path / "all.js").write_text(shown)
    done = subprocess.run([NODE, str(tmp_path / "all.js")], capture_output=True, check=True)
    agreed = 0
    for seed, (code, values) in enumerate(zip(files, json.loads(done.stdout), strict=True)):
        for key, value in zip(("p", "K.X", "K.D.k"), values, strict=True):
            found = read(read_typescript, "p.ts", code, key)
            assert found in (None, value), (seed, key, code)
            agreed += found is not None
    assert agreed > 2.5 * FILES
