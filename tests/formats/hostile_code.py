"""Files of code and documents with named prompts that nobody would write: for test_fuzz_code.py."""

import re
from random import Random

from engine.readers.dialects import variables_of
from engine.readers.prompts.references import read_reference
from schemas.errors import SourceError
from schemas.references import reference_of
from tests.formats.hostile_files import TOKENS, hostile_file

CODE_TOKENS = [
    *TOKENS[:30], "P", "Q", "TRIAGE", " = ", " += ", "; ", "(", ")", "((((((((", " + ", "f'", 'f"""', "`", "${", "{P}", "{x!r}", "{x:>9}", "${x}", "${x.y}", "\n", "\n    ", ".", "=>", "class P:\n  Q = 'a'\n",
    "def P(x): return ", "lambda x: ", "if x:\n  ", "for P in x: pass\n", "global P\n", "del P\n", "from .a import P\n", "from a import *\n", "import textwrap\n", "textwrap.dedent(", ".strip()", ".format(x=1)", "P['x'] = ", "globals()",
    "const P = ", "let ", "var ", "export default ", "export { P as Q };", "import P from 'a';", "function P(x) { return ", "class P { static Q = 'a' }", "enum P { Q = 'a' }", "Object.freeze(", "P.x = 1;", "dedent`", " as const", "...", "[k]: ", "/*", "*/", "//", "# ", "</b>", "<b>",
    "[a.b]\n", "[[a]]\n", "a.b.c = 1\n", "'''", '"""', "1979-05-27", "role", "content", "system", "\\N{BULLET}", "\\ud83d\\ude00", "\\8", "\\u{110000}", "\x00", "\x0c", "\u202e", "é", "\udcff",
]  # fmt: skip
SAMPLES = {
    "a.py": [(
        'import textwrap\nfrom langchain_core.prompts import ChatPromptTemplate\nQ = "a {x}"\nclass C:\n    P: str = "b"\n    def f(self, y):\n        """Doc."""\n        return f"{y} {Q}"\n'
        'D = {**{}, "t": Q + "c"}\nP = textwrap.dedent(f"""\n    {Q} {{z}} {D[\'t\']}\n""").strip() + ", ".join(["a", C.P])\n'
    ), 'P = [("system", "a {b} {{c}}"), {"role": "user", "content": "{x}"}]\n'],
    "a.tsx": [(
        "import dedent from 'dedent';\nconst Q = 'a {x}' as const;\nclass C { static P: string = `b`; f(y) { return `${y} ${Q}` } }\nexport const D = { t: Q + 'c\\n', Q, f(x) { return x } };\n"
        "export const P = (x: string, { y, z = 1 }: T) => dedent`\n  ${Q} ${x} ${y}\n  ` + ['a', C.P].join(', ').trim();\n"
    ), "export const P = [['system', 'a {b} {{c}}'], { role: 'user', content: '{x}' }];\n"],
    "a.yaml": ["P:\n  x: |\n    a {{b}}\n  y: &a {role: user, content: '{x}'}\nP.x.y: c\nQ: {<<: *a}\n", "P:\n- {role: system, content: a}\n- role: user\n  content: '{{x}}'\n"],
    "a.toml": ['a = 1\n[P]\nx = """\na {b}\n"""\ny = [{role = "user", content = "{x}"}]\n[[Q.r]]\n"s.t" = \'c\'\n', 'P = "a {x}"\n'],
}  # fmt: skip
NAMES = ("P", "P.x", "C.P", "C.f", "D.t")


def code_file(random: Random, path: str) -> bytes:
    """A sample with a token more or other; every third time one that hardly is a file of its kind any more."""
    if random.random() < 0.3:
        return hostile_file(random, SAMPLES[path], CODE_TOKENS)
    parts = re.findall(r"\w+|\s+|[^\w\s]", random.choice(SAMPLES[path]))
    for _ in range(random.choice((1, 1, 2))):
        at = random.randrange(len(parts))
        parts[at : at + random.choice((0, 1))] = [random.choice(CODE_TOKENS)]
    return "".join(parts).encode("utf-8", "surrogateescape")


def read_names(path: str, data: bytes) -> int:
    """How many of ``NAMES`` are read. A refusal says where; anything else is a defect and comes through."""
    blobs = {path: data, "b.md": b"{{ c }}"}
    read = 0
    for name in NAMES:
        try:
            prompt = read_reference(reference_of(f"{path}#{name}"), blobs)
        except SourceError as error:
            said = str(error)
        else:
            variables_of(prompt)
            lines = [line for origin in prompt.origins for line in origin.lines]
            assert all(1 <= first <= last <= data.count(b"\n") + 1 for first, last in lines)
            assert prompt.digest  # what was read can be hashed
            read += 1
            continue
        assert re.match(rf"{re.escape(path)}(?::[1-9]\d*(?::[1-9]\d*)?)?: ", said), said
        assert said.isprintable(), said
        assert len(said) < 5_000
    return read
