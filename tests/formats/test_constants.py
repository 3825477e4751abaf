"""Constants of Python, TypeScript and JavaScript: what is read, and why the rest isn't."""

import pytest

from engine.readers.bounded import Source
from engine.readers.code.pieces import MAX_SIGNS, MissingConstantError, in_one_language
from engine.readers.code.python_code import read_python
from engine.readers.code.typescript_code import read_typescript
from schemas.errors import SourceError


def read(path, code, key):
    """The dialect, and each message as ``role: text``, or as the text where it has no role."""
    reader = read_python if path.endswith(".py") else read_typescript
    source = Source(path, code)
    messages = reader(source, key)
    dialect, texts, _ = in_one_language([(source, message) for message in messages])
    return dialect.value, *(
        f"{one.role}: {text}" if one.role else text for one, text in zip(messages, texts, strict=True)
    )


LANGCHAIN = "from langchain_core.prompts import ChatPromptTemplate, PromptTemplate\n"
PYTHON = {
    "a constant": ('P = "Sort it."', "P", "github", "Sort it."),
    "an annotated constant": ('P: Final[str] = "Sort it."', "P", "github", "Sort it."),
    "two targets": ('P = Q = "a"', "Q", "github", "a"),
    "implicit concatenation": ('P = (\n  "a "\n  "b"\n)', "P", "github", "a b"),
    "plus": ('P = "a" + "b" + "c"', "P", "github", "abc"),
    "another constant": ('A = "a"\nP = A + "b"', "P", "github", "ab"),
    "a later constant": ('def P():\n  return A + "b"\nA = "a"', "P", "github", "ab"),
    "an alias": ('A = "a"\nP = A', "P", "github", "a"),
    "blanks are kept": ('P = """\n  a\n"""', "P", "github", "\n  a\n"),
    "dedent": ('import textwrap\nP = textwrap.dedent("""\\\n    a\n      b\n""")', "P", "github", "a\n  b\n"),
    "dedent by another name": ('from textwrap import dedent as d\nP = d("  a")', "P", "github", "a"),
    "cleandoc": ('import inspect\nP = inspect.cleandoc("""a\n    b\n""")', "P", "github", "a\nb"),
    "strip": ('P = """\n a \n""".strip()', "P", "github", "a"),
    "strip of signs": ('P = "--a-".lstrip("-")', "P", "github", "a-"),
    "join": ('L = ["a", "b"]\nP = "; ".join(L)', "P", "github", "a; b"),
    "a class": ('class C:\n  X = "a"\n  P = X + "b"', "C.P", "github", "ab"),
    "a class in a class": ('class C:\n  class D(StrEnum):\n    P = "a"', "C.D.P", "github", "a"),
    "a class in a class sees the file's names": ('X = "a"\nclass C:\n  X = "b"\n  class D:\n    P = X', "C.D.P", "github", "a"),
    "another encoding of ASCII": ('# coding: latin-1\nP = "a"', "P", "github", "a"),
    "a dataclass": ('@dataclass(frozen=True)\nclass C:\n  P: str = "a"', "C.P", "github", "a"),
    "a dict": ('P = {"t": "a", "u": "b"}', "P.t", "github", "a"),
    "dict()": ('P = dict(t="a")', "P.t", "github", "a"),
    "a spread before the key": ('P = {**Q, "t": "a"}', "P.t", "github", "a"),
    "a key of a dict": ('P = {"t": "a"}\nQ = P["t"] + "b"', "Q", "github", "ab"),
    "another key is set": ('P = {"t": "a"}\nP["u"] = "b"', "P.t", "github", "a"),
    "a dict that is only read": ('P = {"t": "a", "u": x}\nprint(P)\nfor k, v in P.items(): print(v)\nQ = [*P, len(P)]\nQ.append(1)\ndef f(k): return P.get(k)', "P.t", "github", "a"),
    "an object of a class": ('class C:\n  P = "a"\n  D = []\n  def f(self): run(self, self.D)\nc = C()\nc.x = 1\nrun(c, [c])', "C.P", "github", "a"),
    "own functions that only read": ('P = {"t": "a"}\ndef f(d, k="t"): return d[k]\nclass C:\n  def g(self, all): return len(all)\nf(P)\nC().g(all=P)\nquery(C)', "P.t", "github", "a"),
    "a copy is changed": ('P = [{"role": "user", "content": "a"}]\ndef f(q):\n  m = P + [{}]\n  m.append(1)\n  n = P.copy()\n  n += [2]\n  return [*n, *P]', "P", "github", "user: a"),
    "messages that are sent": ('P = [{"role": "user", "content": "a"}]\nclient.chat.completions.create(model="x", messages=P)\nasync def f(): return await chain.ainvoke(P)\nmodel.generate_content(P)', "P", "github", "user: a"),
    "a text in another variable": ('P = {"t": "a"}\ndef f(x):\n  p = P["t"]\n  p += x\n  for q in P.values(): g(q)\n  return g(p, P["t"])', "P.t", "github", "a"),
    "another class's attribute": ('class C:\n  P = "a"\nclass D(C): pass\nD.Q = "b"\nx.P.append(1)', "C.P", "github", "a"),
    "a value of an enumeration": ('class C(Enum):\n  A = "a"\nP = f"{C.A.value} b"', "P", "github", "a b"),
    "a member of an enumeration": ('class C(str, Enum):\n  A = "a"', "C.A", "github", "a"),
    "a text of an enumeration": ('class C(StrEnum):\n  A = "a"\nP = f"{C.A} b"', "P", "github", "a b"),
    "a name of a function's own": ('P = "a"\ndef f(P):\n  P = "b"\n  P["x"] = 1', "P", "github", "a"),
    "str.format": ('P = "Sort {x} as {{\\"a\\": 1}}"', "P", "fstring", "Sort {x} as {{\"a\": 1}}"),
    "JSON beside a variable": ('P = "Sort {x} as {\\"a\\": {}}"', "P", "github", 'Sort {x} as {"a": {}}'),
    "doubled braces": ('P = "Sort {{ x }}, not {y}"', "P", "github", "Sort {{ x }}, not {y}"),
    "Jinja": ('P = "{% if x %}a{% endif %}"', "P", "jinja", "{% if x %}a{% endif %}"),
    "an f-string": ('P = f"Sort {x}: {{y}} {{{{z}}"', "P", "fstring", "Sort {x}: {{y}} {{{{z}}"),
    "both kinds of braces": ('def p(x): return f"{x} {{{{y}}}} {{z}}"', "p", "fstring", "{x} {{{{y}}}} {{z}}"),
    "braces around a hole": ('P = f"{{{x}}}"', "P", "fstring", "{{{x}}}"),
    "a hole of a constant": ('A = "a"\nN = 3\nP = f"{A} {N} {x} {3}"', "P", "fstring", "a 3 {x} 3"),
    "an f-string for format": ('A = "a"\nP = f"{A} {{x}}"', "P", "github", "a {x}"),
    "!s": ('P = f"{x!s}"', "P", "fstring", "{x}"),
    "a function": ('def p(t, *, n=1):\n  """Doc."""\n  return f"{t} {n}" + t', "p", "fstring", "{t} {n}{t}"),
    "a method": ('class C:\n  @staticmethod\n  def p(t): return f"{t}"', "C.p", "fstring", "{t}"),
    "a lambda": ('p = lambda t: f"a {t}"', "p", "fstring", "a {t}"),
    "invalid escapes": ('P = "\\d"', "P", "github", "\\d"),
    "messages": ('P = [{"role": "system", "content": "a"}, {"role": "user", "content": "{x}"}]', "P", "github", "system: a", "user: {x}"),
    "from_messages": (LANGCHAIN + 'P = ChatPromptTemplate.from_messages([("system", "a {{b}}"), ("human", "{x}")])', "P", "fstring", "system: a {{b}}", "user: {x}"),
    "from_template": (LANGCHAIN + 'P = PromptTemplate.from_template("a {x}")', "P", "fstring", "a {x}"),
    "PromptTemplate()": (LANGCHAIN + 'P = PromptTemplate(template="a {{x}}", input_variables=["x"], template_format="jinja2")', "P", "jinja", "a {{x}}"),
    "a message object": (LANGCHAIN + 'from langchain_core.messages import SystemMessage\nP = [SystemMessage(content="a {b}"), ("user", "{x}")]', "P", "fstring", "system: a {{b}}", "user: {x}"),
}  # fmt: skip
UNREAD_PYTHON = {
    "a syntax error": ('P = "a"\nQ = (', "P", "p.py:2: not valid Python"),
    "a null byte": ('P = "a\x00"', "P", "p.py:1: "),
    "a lone surrogate": ('P = "\\ud800"', "P", "p.py:1: the text has the character U+D800"),
    "a condition": ('P = "a" if x else "b"', "P", "p.py:1: a condition is not read"),
    "a branch": ('if x:\n  P = "a"', "P", "p.py:2: P is set by a condition"),
    "try": ('try:\n  import a\nexcept E:\n  P = "a"', "P", "p.py:4: P is set by a condition"),
    "a loop": ('for P in "ab": pass', "P", "p.py:1: P is set by a condition, a loop"),
    "a walrus": ('print(P := "a")', "P", "p.py:1: P is set by"),
    "unpacking": ('P, Q = "a", "b"', "P", "p.py:1: P is set by"),
    "two definitions": ('P = "a"\nP = "b"', "P", "p.py:2: P is set more than once (lines 1, 2)"),
    "a definition under a condition": ('P = "a"\nif x:\n  P = "b"', "P", "p.py:3: P is set more than once"),
    "+=": ('P = "a"\nP += "b"', "P", "p.py:2: P is set more than once"),
    "del": ('P = "a"\ndel P', "P", "p.py:2: P is set more than once"),
    "global": ('P = "a"\ndef f():\n  global P\n  P = "b"', "P", "p.py:3: P is changed here"),
    "globals()": ('P = "a"\nglobals()["P"] = "b"', "P", "p.py:2: this code may set P"),
    "a walrus in a comprehension": ('P = "a"\n[P := "b" for x in y]', "P", "p.py:2: P is set more than once"),
    "a walrus in a default": ('P = "a"\ndef f(x=(P := "b")): pass', "P", "p.py:2: P is set more than once"),
    "a walrus in a decorator": ('P = "a"\n@d(P := "b")\nclass C: pass', "P", "p.py:2: P is set more than once"),
    "global in a class": ('P = "a"\nclass C:\n  global P\n  P = "b"', "P", "p.py:3: P is changed here"),
    "globals by another name": ('P = "a"\ng = globals', "P", "p.py:2: this code may set P"),
    "exec of builtins": ('P = "a"\nbuiltins.exec(x)', "P", "p.py:2: this code may set P"),
    "locals()": ('P = "a"\nlocals()["P"] = "b"', "P", "p.py:2: this code may set P"),
    "vars() in a class": ('class C:\n  P = "a"\n  vars()["P"] = "b"', "C.P", "p.py:3: this code may set C"),
    "eval": ('P = "a"\neval(x)', "P", "p.py:2: this code may set P"),
    "its own module": ('P = "a"\nsys.modules[__name__].P = "b"', "P", "p.py:2: this code may set P"),
    "its own module in its package": ('import src.p\nP = "a"\nsrc.p.P = "b"', "P", "p.py:3: this code may set P"),
    "its own module among all": ('from sys import modules\nP = "a"\nmodules["src.p"].P = "b"', "P", "p.py:3: this code may set P"),
    "a key by another name": ('P = {"t": "a"}\nQ = P\nR = Q\nR["t"] = "b"', "P.t", "p.py:4: P is changed here"),
    "a method of dict": ('P = {"t": "a"}\ndict.update(P, x)', "P.t", "p.py:2: P is changed here"),
    "an update in a default": ('P = {"t": "a"}\ndef f(P=P.update(x)): pass', "P.t", "p.py:2: P is changed here"),
    "a star import in try": ('P = "a"\ntry:\n  from x import *\nexcept E: pass', "P", "p.py:3: the import of * may set P"),
    "a dedent that is replaced": ('import textwrap\ntextwrap.dedent = f\nP = textwrap.dedent("a")', "P", "p.py:3: textwrap.dedent(…) is a call"),
    "another encoding": ('# -*- coding: latin-1 -*-\nP = "é"', "P", "p.py:1: the encoding latin-1 is not read"),
    "an encoding behind a carriage return": ('\r# coding: utf-7\nP = "+AGE-"', "P", "p.py:2: the encoding utf-7 is not read"),
    "an encoding that changes ASCII": ('#!x\n# vim: fileencoding=utf_7\nP = "+AGE-"', "P", "p.py:2: the encoding utf_7 is not read"),
    "an update by an own function": ('P = {"t": "a"}\ndef f(d): d["t"] = "b"\nf(P)', "P.t", "p.py:2: P is changed here"),
    "an update by a method": ('P = {"t": "a"}\nclass C:\n  def f(self, n, *d, **k): k["x"]["t"] = "b"\nC().f(1, 2, x=P)', "P.t", "p.py:3: P is changed here"),
    "an own function that gives it on": ('P = {"t": "a"}\ndef f(x, *, d):\n  g(d)\ndef h(**k): f(1, **k)\nh(d=P)', "P.t", "p.py:3: P is given to other code here"),
    "an own function that returns it": ('P = {"t": "a"}\ndef f(x): return x\nf(P)["t"] = "b"', "P.t", "p.py:3: P is changed here"),
    "an update by another file's": ('from x import f\nP = {"t": "a"}\ndef g(): f(x=P)', "P.t", "p.py:3: P is given to other code here"),
    "messages for an own function": ('P = [{"role": "user", "content": "a"}]\ndef f(messages): messages.pop()\nf(messages=P)', "P", "p.py:2: P is changed here"),
    "a class for a function": ('class C:\n  P = "a"\ndef f(c): c.P = "b"\nf(C)', "C.P", "p.py:3: C is changed here"),
    "a dict of a class for a function": ('class C:\n  P = {"t": "a"}\npatch(C.P)', "C.P.t", "p.py:3: C is given to other code here"),
    "a variable of a loop": ('P = [{"role": "user", "content": "a"}]\nfor m in P:\n  m["content"] = "b"', "P", "p.py:3: P is changed here"),
    "a variable of a function's loop": ('P = {"t": {"u": "a"}}\ndef f():\n  for k, v in P.items():\n    v.update(x)', "P.t.u", "p.py:4: P is changed here"),
    "a variable of a comprehension": ('P = [{"role": "user", "content": "a"}]\n[m.update(x) for m in P]', "P", "p.py:2: P is changed here"),
    "get": ('P = {"t": {"u": "a"}}\nP.get("t")["u"] = "b"', "P.t.u", "p.py:2: P is changed here"),
    "a part by another name": ('P = {"t": {"u": "a"}}\ndef f():\n  t = P["t"]\n  t["u"] = "b"', "P.t.u", "p.py:4: P is changed here"),
    "a function's own name for it": ('P = {"t": "a"}\ndef f():\n  d = P\n  d["t"] = "b"', "P.t", "p.py:4: P is changed here"),
    "a container with it": ('P = {"t": "a"}\nQ = [P]\nQ[0]["t"] = "b"', "P.t", "p.py:3: P is changed here"),
    "a shallow copy of it": ('P = [{"role": "user", "content": "a"}]\nQ = list(P)\nQ[0]["content"] = "b"', "P", "p.py:3: P is changed here"),
    "an attribute that holds it": ('P = {"t": "a"}\nclass C:\n  def f(self):\n    self.d = P\n  def g(self):\n    self.d["t"] = "b"', "P.t", "p.py:6: P is changed here"),
    "a function that returns it": ('P = {"t": "a"}\ndef f(): return P\nf()["t"] = "b"', "P.t", "p.py:3: P is changed here"),
    "a default that is it": ('P = {"t": "a"}\ndef f(d=P): d["t"] = "b"', "P.t", "p.py:2: P is changed here"),
    "a choice of it": ('P = {"t": "a"}\n(x or P)["t"] = "b"', "P.t", "p.py:2: P is changed here"),
    "a function for each": ('P = [{"role": "user", "content": "a"}]\nlist(map(lambda m: m.update(x), P))', "P", "p.py:2: P is "),
    "a method without a call": ('P = {"t": "a"}\nu = P.update\nu(t="b")', "P.t", "p.py:2: P is changed here"),
    "a dict in the body of a class": ('class C:\n  P = {"t": "a"}\n  P["t"] = "b"', "C.P.t", "p.py:3: P is changed here"),
    "a dict of a class by an object": ('class C:\n  P = {"t": "a"}\n  def f(self): self.P["t"] = "b"', "C.P.t", "p.py:3: P is changed here"),
    "a dict of a base class": ('class C:\n  P = {"t": "a"}\nclass D(C): pass\nD.P["t"] = "b"', "C.P.t", "p.py:4: C is changed here"),
    "the type of an object": ('class C:\n  P = "a"\n  def f(self): type(self).P = "b"', "C.P", "p.py:3: P is changed here"),
    "the class of a new object": ('class C:\n  P = "a"\ntype(C()).P = "b"\nC().__class__.P = "c"', "C.P", "p.py:3: C is changed here"),
    "a dict of a new object": ('class C:\n  P = {"t": "a"}\nc = C()\nc.P["t"] = "b"', "C.P.t", "p.py:4: C is changed here"),
    "the class of an object": ('class C:\n  P = "a"\n  def f(self): self.__class__.P = "b"', "C.P", "p.py:3: P is changed here"),
    "setattr of a class method": ('class C:\n  P = "a"\n  def f(cls): setattr(cls, x, "b")', "C.P", "p.py:3: P is changed here"),
    "__base__": ('class C:\n  P = "a"\nclass D(C): pass\nD.__base__.P = "b"', "C.P", "p.py:4: this code may set C"),
    "__globals__": ('P = "a"\ndef f(): pass\nf.__globals__["P"] = "b"', "P", "p.py:3: this code may set P"),
    "its own module by its name": ('import importlib\nP = "a"\nimportlib.import_module("src.p").P = "b"', "P", "p.py:3: this code may set P"),
    "its own module by an alias": ('from importlib import import_module as load\nP = "a"\nsetattr(load("src.p"), "P", "b")', "P", "p.py:3: this code may set P"),
    "its own module by a built-in": ('P = "a"\n__import__("src.p").p.P = "b"', "P", "p.py:2: this code may set P"),
    "its own module by import": ('import importlib\nP = "a"\nm = importlib.import_module(__name__)\nm.P = "b"', "P", "p.py:3: this code may set P"),
    "a member in an f-string": ('class C(str, Enum):\n  A = "a"\nP = f"{C.A} b"', "P", "p.py:3: C.A doesn't show as its value"),
    "a class with __new__": ('class C(Enum):\n  A = "a"\n  def __new__(cls, v): return v', "C.A", "p.py:1: __new__ may change the members"),
    "setattr": ('class C:\n  P = "a"\nsetattr(C, "P", "b")', "C.P", "p.py:3: C is changed here"),
    "an attribute": ('class C:\n  P = "a"\nC.P = "b"', "C.P", "p.py:3: C is changed here"),
    "self": ('class C:\n  P = "a"\n  def f(self):\n    self.P = "b"', "C.P", "p.py:4: P is changed here"),
    "a key": ('P = {"t": "a"}\ndef f():\n  P["t"] = "b"', "P.t", "p.py:3: P is changed here"),
    "update": ('P = {"t": "a"}\nP.update(x)', "P.t", "p.py:2: P is changed here"),
    "a spread after the key": ('P = {"t": "a", **Q}', "P.t", "p.py:1: a key here is computed"),
    "a computed key": ('P = {k: "a"}', "P.t", "p.py:1: a key here is computed"),
    "a key twice": ('P = {"t": "a", "t": "b"}', "P.t", "p.py:1: the key t is there twice"),
    "a star import": ('P = "a"\nfrom x import *', "P", "p.py:2: the import of * may set P"),
    "an import": ("from .base import P", "P", "p.py:1: P is imported from .base"),
    "an imported hole": ('from .base import R\nP = f"{R} a"', "P", "p.py:1: R is imported from .base"),
    "an imported part": ('import base\nP = base.R + "a"', "P", "p.py:1: base is imported from base"),
    "a call": ('P = load("a")', "P", "p.py:1: load(…) is a call"),
    "another dedent": ('from mine import dedent\nP = dedent("a")', "P", "p.py:2: dedent(…) is a call"),
    "format": ('P = "{x}".format(x=1)', "P", "p.py:1: format(…) fills in the text here"),
    "replace": ('P = "a".replace("a", "b")', "P", "p.py:1: replace(…) fills in the text here"),
    "%": ('P = "%s" % x', "P", "p.py:1: an operator other than +"),
    "bytes": ('P = b"a"', "P", "p.py:1: bytes is not read"),
    "a number": ("P = 1", "P", "p.py:1: a number is not text"),
    "nothing": ("P = None", "P", "p.py:1: nothing is not read"),
    "a hole that is an attribute": ('P = f"{x.y}"', "P", "p.py:1: the hole x.y is more than a plain name"),
    "a hole that is a call": ('def p(x): return f"{x.upper()}"', "p", "p.py:1: x.upper(…) is a call"),
    "a hole with a format": ('def p(x): return f"{x:>9}"', "p", "p.py:1: the hole {x} has a format"),
    "a hole with =": ('def p(x): return f"{x=}"', "p", "p.py:1: the hole {x} has a format"),
    "a field with a format": ('P = "{x:.2f} {y}"', "P", "p.py:1: the field {x} isn't filled in"),
    "a field with an attribute": ('P = "{x.y}"', "P", "p.py:1: the field {x.y} isn't filled in"),
    "dedent of a hole": ('import textwrap\ndef p(x): return textwrap.dedent(f" {x}")', "p", "p.py:2: what textwrap.dedent takes away"),
    "strip of a hole": ('def p(x): return f"a {x}".strip()', "p", "p.py:1: what strip takes away"),
    "a function with more": ('def p(x):\n  y = x\n  return f"{y}"', "p", "p.py:1: p does more than return"),
    "an async function": ('async def p(x): return "a"', "p", "p.py:1: p is set by"),
    "a decorated function": ('@cache\ndef p(x): return "a"', "p", "p.py:2: a decorator may change"),
    "a decorated class": ('@other\nclass C:\n  P = "a"', "C.P", "p.py:2: a decorator may change the class C"),
    "a metaclass": ('class C(metaclass=M):\n  P = "a"', "C.P", "p.py:1: a metaclass"),
    "a base class": ('class C(Base):\n  Q = "a"', "C.P", "p.py:1: C.P may come from the base class Base"),
    "a part of a text": ('P = "a"', "P.x", "p.py:1: P has no parts"),
    "a class itself": ('class C:\n  P = "a"', "C", "p.py:1: C holds several values (name one of them: C.NAME)"),
    "a hole that is a list": ('L = ["a"]\nP = f"{L}"', "P", "p.py:1: a list is not text"),
    "itself": ("P = Q\nQ = P", "P", "p.py:"),
    "itself in a hole": ('P = f"{Q}"\nQ = f"{P}"', "P", "p.py:"),
    "too much": ("A0 = 'aaaaaaaaaaaaaaaa'\n" + "".join(f"A{n} = A{n - 1} + A{n - 1}\n" for n in range(1, 40)), "A39", "the text is put together from too many parts"),
    "too many signs": ("P = 'a'\n" + "x\n" * MAX_SIGNS, "P", "p.py:1: the file has more than"),
    "too deep": ("P = " + "-" * 50_000 + "1", "P", "p.py:1: the code is nested too deeply"),
    "a long chain": ("P = a" + ".a" * 40_000, "P", "p.py:1: the code is nested too deeply"),
    "an unknown role": ('P = [("tool", "a")]', "P", "p.py:1: unknown role tool"),
    "a message without a role": ('P = ["a"]', "P", "p.py:1: this item of the list has no role"),
    "a placeholder": (LANGCHAIN + 'from langchain_core.prompts import MessagesPlaceholder\nP = ChatPromptTemplate.from_messages([MessagesPlaceholder("x")])', "P", "MessagesPlaceholder(…) is not read"),
    "partial variables": (LANGCHAIN + 'P = PromptTemplate(template="a", partial_variables={"x": y})', "P", "partial_variables of PromptTemplate is not read"),
    "another ChatPromptTemplate": ('P = ChatPromptTemplate.from_messages([("system", "a")])', "P", "p.py:1: ChatPromptTemplate.from_messages(…) is a call"),
    "Jinja's braces beside Jinja": ('P = [("system", "{{{{a"), {"role": "user", "content": "{% if x %}{% endif %}"}]', "P", "p.py:1: this message can't be written in jinja"),
}  # fmt: skip
MISSING_PYTHON = [
    ("P = 'a'", "Q"),
    ("", "Q"),
    ("C = {'t': 'a'}", "C.u"),
    ("class C: pass", "C.P"),
    ("def f():\n  P = 'a'", "P"),
    ("P: str", "P"),
]

SCRIPT_LANGCHAIN = 'import { ChatPromptTemplate, PromptTemplate } from "@langchain/core/prompts";\n'
SCRIPT = {
    "const": ("const p = 'Sort it.';", "p", "github", "Sort it."),
    "export with a type": ('export const p: string = "a" as const;', "p", "github", "a"),
    "let": ("let p = `a`", "p", "github", "a"),
    "several at once": ("const a = 'a', p = 'b'", "p", "github", "b"),
    "plus": ("const a = 'a'; const p = a + 'b' + `c`;", "p", "github", "abc"),
    "escapes": (r"""const p = 'a\n\t\x41\u0041\u{1F600}\ud83d\ude00\'\\\q\
b';""", "p", "github", "a\n\tAA😀😀'\\qb"),
    "a template literal": ("const p = `Sort ${x}:\n{y} \\${z} \\``", "p", "fstring", "Sort {x}:\n{{y}} ${{z}} `"),
    "a constant in a hole": ("const a = 'a', n = 3; const p = `${a} ${n} ${x}`", "p", "fstring", "a 3 {x}"),
    "an object": ("export const P = { t: 'a', 'u v': 'b' } as const satisfies Prompts;", "P.u v", "github", "b"),
    "an object in an object": ("const P = { t: { u: 'a' } }", "P.t.u", "github", "a"),
    "a shorthand": ("const t = 'a'; const P = { t }", "P.t", "github", "a"),
    "a frozen object": ("const P = Object.freeze({ t: 'a' })", "P.t", "github", "a"),
    "a static": ("class P { static readonly t = 'a'; static u = P.t + 'b' }", "P.u", "github", "ab"),
    "a static beside a constant": ("const t = 'a'; class P { static t = `${t}b` }", "P.t", "github", "ab"),
    "an enum": ("export enum P { T = 'a', U = 'b' }", "P.U", "github", "b"),
    "a namespace": ("namespace P { export const t = 'a' }", "P.t", "github", "a"),
    "an object that is only read": ("const P = { t: 'a' }; console.log(P, Object.keys(P)); const q = { ...P }; q.t = 'b'; for (const k in P) f(k)", "P.t", "github", "a"),
    "messages that are sent": ("const p = [{ role: 'user', content: 'a' }]; await ai.chat.completions.create({ messages: p }); generateText({ model, messages: p }); const q = p.slice(); q.push(1)", "p", "github", "user: a"),
    "default": ("export default { t: 'a' }", "default.t", "github", "a"),
    "another name": ("const a = 'a'; export { a as p }", "p", "github", "a"),
    "an object of exports": ("const p = 'a', b = 'b'; module.exports = { p, b }", "p", "github", "a"),
    "another name of exports": ("const a = 'a'; module.exports = { p: a }", "p", "github", "a"),
    "an export of its own name": ("const p = 'a'; exports.p = p", "p", "github", "a"),
    "exports by Object.assign": ("Object.assign(module.exports, { p: 'a', q: 'b' })", "p", "github", "a"),
    "other exports": (
        ("const p = 'a'; Object.defineProperty(exports, '__esModule', { value: true }); Object.assign(exports, { q: 'b' }); exports = module.exports = { p };"
        "module.exports.default = module.exports; if (typeof exports !== 'undefined') f(exports.p, exports.p.length); console.log(Object.keys(exports)); require('./q').p = 'b';"
        "function g(exports) { exports.p = 'b'; h(exports) } module.exports = { ...module.exports, q: 'c' }"), "p", "github", "a",
    ),
    "an arrow function": ("export const p = (t: string, { n, m: k = 1 }: X) => `${t} ${n} ${k}`", "p", "fstring", "{t} {n} {k}"),
    "a $ in a name": ("const p = ($x) => `${$x}`", "p", "fstring", "{$x}"),
    "one parameter": ("const p = t => `a ${t}`", "p", "fstring", "a {t}"),
    "a function": ("export function p(t = 'x') { // why\n return `a ${t}`; }", "p", "fstring", "a {t}"),
    "a method of an object": ("const P = { t(x) { return `a ${x}` } }", "P.t", "fstring", "a {x}"),
    "trim": ("const p = `\n a\n`.trim()", "p", "github", "a"),
    "join": ("const p = ['a', 'b'].join('\\n')", "p", "github", "a\nb"),
    "dedent": ("import dedent from 'dedent'; const p = dedent`\n    a ${x}\n      b\\n\\`\n  `", "p", "fstring", "a {x}\n  b\n`"),
    "dedent()": ("import dedent from 'dedent'; const p = dedent('  a\\n  b')", "p", "github", "a\nb"),
    "mustache": ("const p = 'a {{x}} {y}'", "p", "github", "a {{x}} {y}"),
    "single braces": ("const p = 'a {x} {\"y\": 1}'", "p", "github", 'a {x} {"y": 1}'),
    "a name of a function's own": ("const P = { t: 'a' }; function f(P) { P.t = 'b' } const g = () => { let P = {}; P.t = 1 }", "P.t", "github", "a"),
    "messages": ("const p = [{ role: 'system', content: 'a' }, { role: 'user', content: `b ${x}` }]", "p", "fstring", "system: a", "user: b {x}"),
    "fromMessages": (SCRIPT_LANGCHAIN + "const p = ChatPromptTemplate.fromMessages([['system', 'a {{b}}'], ['human', '{x}']])", "p", "fstring", "system: a {{b}}", "user: {x}"),
    "fromTemplate": (SCRIPT_LANGCHAIN + "const p = PromptTemplate.fromTemplate('a {{x}}', { templateFormat: 'mustache' })", "p", "mustache", "a {{x}}"),
}  # fmt: skip
UNREAD_SCRIPT = {
    "a syntax error": ("const p = 'a';\nconst q = (", "p", "p.ts:2: not valid code"),
    "a condition": ("const p = x ? 'a' : 'b'", "p", "p.ts:1: a condition is not read"),
    "a loop": ("for (var p of x) {}", "p", "p.ts:1: p is set by a condition"),
    "a var in a branch": ("var p = 'a'; if (x) { var p = 'b' }", "p", "p.ts:1: p is set more than once"),
    "destructuring": ("const { p } = x", "p", "p.ts:1: p is set by"),
    "no value": ("let p; p = 'a'", "p", "p.ts:1: p is changed here"),
    "an assignment": ("let p = 'a';\nfunction f() { p = 'b' }", "p", "p.ts:2: p is changed here"),
    "+=": ("let p = 'a'\np += 'b'", "p", "p.ts:2: p is changed here"),
    "a destructuring assignment": ("let p = 'a';\n[p] = x", "p", "p.ts:2: p is changed here"),
    "a member": ("const P = { t: 'a' };\nP.t = 'b'", "P.t", "p.ts:2: P is changed here"),
    "a computed member": ("const P = { t: 'a' };\nP[k] = 'b'", "P.t", "p.ts:2: P is changed here"),
    "a member by another name": ("const P = { t: 'a' };\nconst q = P; q.t = 'b'", "P.t", "p.ts:2: P is changed here"),
    "a member in parentheses": ("const P = { t: 'a' };\n(P).t = 'b'", "P.t", "p.ts:2: P is changed here"),
    "a member in a pattern": ("const P = { t: 'a' };\n({ x: P.t } = y)", "P.t", "p.ts:2: P is changed here"),
    "a member with an escape": ("const P = { t: 'a' };\nP.\\u0074 = 'b'", "P.t", "p.ts:2: P is changed here"),
    "a name with an escape": ("let p = 'a';\n\\u0070 = 'b'", "p", "p.ts:2: this code may set p"),
    "a key with an escape": ("const P = { t: 'a', \\u0074: 'b' }", "P.t", "p.ts:1: a key here is computed"),
    "a key that is a number": ("const P = { 1: 'a', 0x1: 'b' }", "P.1", "p.ts:1: a key here is computed"),
    "a name of a block's own": ("let p = 'a';\nfunction f() { { let p = 1 } p = 'b' }", "p", "p.ts:2: p is changed here"),
    "a list with a gap": ("const p = ['a', , 'b'].join('-')", "p", "p.ts:1: the texts that are joined are not a list"),
    "delete": ("const P = { t: 'a' };\ndelete P['t']", "P.t", "p.ts:2: P is changed here"),
    "Object.assign": ("const P = { t: 'a' };\nObject.assign(P, x)", "P.t", "p.ts:2: P is changed here"),
    "Object.assign by a key": ("const P = { t: 'a' };\nObject['assign'](P, x)", "P.t", "p.ts:2: P is changed here"),
    "Object.assign by a name": ("const P = { t: 'a' };\nconst { assign } = Object; assign(P, x)", "P.t", "p.ts:2: P is given to other code here"),
    "push by a key": ("const p = [{role: 'user', content: 'a'}];\np['push'](x)", "p", "p.ts:2: p is changed here"),
    "push of another list": ("const p = [{role: 'user', content: 'a'}];\n[].push.call(p, x)", "p", "p.ts:2: p is given to other code here"),
    "a function": ("const P = { t: 'a' };\nconst f = (d) => { d.t = 'b' }; f(P)", "P.t", "p.ts:2: P is given to other code here"),
    "a constructor": ("const P = { t: 'a' };\nnew Registry({ all: P })", "P.t", "p.ts:2: P is given to other code here"),
    "a variable of a loop": ("const p = [{role: 'user', content: 'a'}];\nfor (const m of p) m.content = 'b'", "p", "p.ts:2: p is changed here"),
    "forEach": ("const p = [{role: 'user', content: 'a'}];\np.forEach(m => { m.content = 'b' })", "p", "p.ts:2: p is changed here"),
    "forEach of the values": ("const P = { t: { u: 'a' } };\nObject.values(P).forEach((v) => { v.u = 'b' })", "P.t.u", "p.ts:2: P is changed here"),
    "a function's own name for it": ("const P = { t: 'a' };\nfunction f() { const d = P; d.t = 'b' }", "P.t", "p.ts:2: P is changed here"),
    "a part by another name": ("const P = { t: { u: 'a' } };\nconst { t } = P; t.u = 'b'", "P.t.u", "p.ts:2: P is changed here"),
    "a shallow copy of it": ("const P = { t: { u: 'a' } };\nconst q = { ...P }; q.t.u = 'b'", "P.t.u", "p.ts:2: P is changed here"),
    "a function that returns it": ("const P = { t: 'a' }; const f = () => P;\nf().t = 'b'", "P.t", "p.ts:2: P is changed here"),
    "a choice of it": ("const P = { t: 'a' };\n(x ?? P).t = 'b'", "P.t", "p.ts:2: P is changed here"),
    "the constructor": ("class P { static t = 'a';\n f() { this.constructor.t = 'b' } }", "P.t", "p.ts:2: t is changed here"),
    "a static object of a base": ("class P { static t = { u: 'a' } }\nclass Q extends P {}\nQ.t.u = 'b'", "P.t.u", "p.ts:3: P is changed here"),
    "__proto__": ("class P { static t = 'a' }\nclass Q extends P {}\nQ.__proto__.t = 'b'", "P.t", "p.ts:3: this code may set P"),
    "a name of a namespace": ("namespace P { export const t = { u: 'a' };\nt.u = 'b' }", "P.t.u", "p.ts:2: t is changed here"),
    "push": ("const p = [{role: 'user', content: 'a'}];\np.push(x)", "p", "p.ts:2: p is changed here"),
    "this": ("class P {\nstatic t = 'a'; static f() {\nthis.t = 'b' } }", "P.t", "p.ts:3: t is changed here"),
    "eval": ("const p = 'a'; eval(x)", "p", "p.ts:1: this code may set p"),
    "a spread after": ("const P = { t: 'a', ...Q }", "P.t", "p.ts:1: a key here is computed"),
    "a computed key": ("const P = { [k]: 'a' }", "P.t", "p.ts:1: a key here is computed"),
    "an import": ("import { p } from './base'", "p", "p.ts:1: p is imported from ./base"),
    "an object with another export": ("const p = 'a', b = 'b';\nmodule.exports = { 'p': b };", "p", "p.ts:2: p is set more than once (lines 1, 2)"),
    "another export": ("const p = 'a';\nexports['p'] = f(p);", "p", "p.ts:2: p is set more than once (lines 1, 2)"),
    "an export of module": ("const p = 'a';\nif (x) { module.exports.p = 'b'; }", "p", "p.ts:2: p is set more than once (lines 1, 2)"),
    "a method of exports": ("const p = 'a';\nmodule.exports = { p() { return 'b'; } };", "p", "p.ts:2: p is set more than once (lines 1, 2)"),
    "exports that get an object": ("const p = 'a';\nObject.assign(module.exports, { p: 'b' });", "p", "p.ts:2: p is set more than once (lines 1, 2)"),
    "exports that get any object": ("const p = 'a';\nObject.assign(exports, more);", "p", "p.ts:2: this code may set p"),
    "exports that get a spread object": ("const p = 'a';\nObject.assign(exports, { ...more });", "p", "p.ts:2: this code may set p"),
    "a defined export": ("const p = 'a';\nObject.defineProperty(exports, 'p', { value: 'b' });", "p", "p.ts:2: p is set more than once (lines 1, 2)"),
    "a defined export of any name": ("const p = 'a';\nObject.defineProperty(exports, name, { value: 'b' });", "p", "p.ts:2: this code may set p"),
    "defined exports": ("const p = 'a';\nObject.defineProperties(exports, { p: { value: 'b' } });", "p", "p.ts:2: p is set more than once (lines 1, 2)"),
    "a reflected export": ("const p = 'a';\nReflect.set(module['exports'], 'p', 'b');", "p", "p.ts:2: p is set more than once (lines 1, 2)"),
    "frozen exports": ("const p = 'a';\nmodule.exports = Object.freeze({ p: 'b' });", "p", "p.ts:2: p is set more than once (lines 1, 2)"),
    "an export of any name": ("const p = 'a';\nexports[name] = 'b';", "p", "p.ts:2: this code may set p"),
    "an export in a function": ("const p = 'a';\nfunction f(p) { exports.p = p; }", "p", "p.ts:2: p is set more than once (lines 1, 2)"),
    "a changed export": ("const p = 'a';\nfunction f() { exports.p.t = 'b'; exports.p.push('b'); }", "p", "p.ts:2: p is set more than once (lines 1, 2, 2)"),
    "a deleted export": ("const p = 'a';\ndelete exports.p;", "p", "p.ts:2: p is set more than once (lines 1, 2)"),
    "a loop over an export": ("const p = 'a';\nfor (exports.p of ps) f();", "p", "p.ts:2: p is set more than once (lines 1, 2)"),
    "an export in a pattern": ("const p = 'a';\n[exports.p] = ['b'];", "p", "p.ts:2: this code may set p"),
    "an export of this": ("const p = 'a';\nthis.p = 'b';", "p", "p.ts:2: p is set more than once (lines 1, 2)"),
    "another name of the exports": ("const p = 'a';\nconst e = module.exports; e.p = 'b';", "p", "p.ts:2: this code may set p"),
    "a function that gets the exports": ("const p = 'a';\nextend(exports);", "p", "p.ts:2: this code may set p"),
    "its own module": ("const p = 'a';\nrequire('./p').p = 'b';", "p", "p.ts:2: this code may set p"),
    "its own module by another name": ("const p = 'a';\nconst m = require('./p.js'); m.p = 'b';", "p", "p.ts:2: this code may set p"),
    "a re-export": ("export { p } from './base'", "p", "p.ts:1: p is imported from ./base"),
    "an imported hole": ("import r from './base';\nconst p = `${r}`", "p", "p.ts:1: r is imported from ./base"),
    "a call": ("const p = load('a')", "p", "p.ts:1: load(…) is a call"),
    "another tag": ("const p = html`a`", "p", "p.ts:1: html(…) is a call"),
    "String.raw": ("const p = String.raw`a`", "p", "p.ts:1: String.raw(…) is a call"),
    "another dedent": ("import dedent from './mine'; const p = dedent`a`", "p", "p.ts:1: dedent(…) is a call"),
    "an escape in dedent": ("import dedent from 'dedent'; const p = dedent`a\\t`", "p", "p.ts:1: dedent reads no escape but"),
    "replace": ("const p = 'a'.replace('a', x)", "p", "p.ts:1: replace(…) fills in the text here"),
    "another operator": ("const p = x ?? 'a'", "p", "p.ts:1: an operator other than +"),
    "an octal escape": ("const p = '\\1'", "p", "p.ts:1: the escape \\1 is not read"),
    "a lone surrogate": ("const p = '\\ud800'", "p", "p.ts:1: the text has the character U+D800"),
    "a hole that is a member": ("const p = (x) => `${x.y}`", "p", "p.ts:1: the hole x.y is more than a plain name"),
    "a hole that is a call": ("const p = (x) => `${x.trim()}`", "p", "p.ts:1: what trim takes away"),
    "a hole that is a condition": ("const p = (x) => `${x ? 1 : 2}`", "p", "p.ts:1: a condition is not read"),
    "a function with more": ("const p = (x) => { const y = x; return y }", "p", "p.ts:1: the function does more than return"),
    "a generator": ("function* p() { return 'a' }", "p", "p.ts:1: p does more than return"),
    "a decorated class": ("@x class P { static t = 'a' }", "P.t", "p.ts:1: "),
    "a base class": ("class P extends Q { static u = 'a' }", "P.t", "p.ts:1: P.t may come from the base class"),
    "an object itself": ("const P = { t: 'a' }", "P", "p.ts:1: P holds several values"),
    "itself": ("const p = () => `${p}`", "p", "p.ts:"),
    "too many signs": ("const p = 'a'\n" + "x\n" * MAX_SIGNS, "p", "p.ts:1: the file has more than"),
}  # fmt: skip
MISSING_SCRIPT = [
    ("const p = 'a'", "q"),
    ("", "q"),
    ("const P = { t: 'a' }", "P.u"),
    ("class P {}", "P.t"),
    ("if (x) { const p = 'a' }", "p"),
]


@pytest.mark.parametrize("what", PYTHON)
def test_python_that_is_read(what):
    code, key, *expected = PYTHON[what]
    assert read("p.py", code, key) == tuple(expected)


@pytest.mark.parametrize("what", SCRIPT)
def test_typescript_that_is_read(what):
    code, key, *expected = SCRIPT[what]
    assert read("p.ts", code, key) == tuple(expected)


UNREAD = {(path, what): row for path, rows in (("p.py", UNREAD_PYTHON), ("p.ts", UNREAD_SCRIPT)) for what, row in rows.items()}  # fmt: skip


@pytest.mark.parametrize(("path", "what"), UNREAD)
def test_what_cannot_be_told_is_an_error_with_its_line(path, what):
    code, key, expected = UNREAD[path, what]
    with pytest.raises(SourceError) as raised:
        read(path, code, key)
    assert expected in str(raised.value)
    assert str(raised.value).startswith(f"{path}:")
    assert raised.value.hint
    assert not isinstance(raised.value, MissingConstantError)


@pytest.mark.parametrize(
    ("path", "code", "key"), [("p.py", *row) for row in MISSING_PYTHON] + [("p.ts", *row) for row in MISSING_SCRIPT]
)
def test_what_is_not_there_is_missing(path, code, key):
    with pytest.raises(MissingConstantError, match=r"there is no"):
        read(path, code, key)


@pytest.mark.parametrize("path", ["p.js", "p.jsx", "p.mjs", "p.tsx"])
def test_javascript_and_jsx_are_read_too(path):
    assert read(path, "const v = <b>x</b>;\nexport const p = `a ${x}`;\n", "p") == ("fstring", "a {x}")


def test_old_type_assertions_are_read_in_typescript():
    assert read("p.ts", "const p = <const>'a'", "p") == ("github", "a")


def test_lines_are_those_of_everything_that_is_used():
    code = 'A = """a\nb"""\nUNUSED = "x"\nP = (\n  A +\n  "c"\n)\n'
    (message,) = read_python(Source("p.py", code), "P")
    assert message.lines == ((5, 6), (1, 2))
