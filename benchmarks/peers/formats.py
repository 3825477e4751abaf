"""Prompts rendered by the library whose format it is: python formats.py LIBRARY < cases.json > messages.json

A case is ``{path, files, inputs}``; an answer is a list of ``[role, text]``, or a text that says why there is none.
"""

import asyncio
import json
import os
import sys
import tempfile
import warnings
from pathlib import Path


def prompty(path, inputs):
    import prompty as library

    return [_message(message) for message in library.prepare(library.load(str(path)), inputs)]


def _message(message):
    if isinstance(message, dict):
        return [message["role"], _text(message["content"])]
    return [str(message.role), "".join(part.value for part in message.parts)]


def _text(content):
    return content if isinstance(content, str) else "".join(part.get("text", "<no text>") for part in content)


def promptflow(path, inputs):
    from promptflow.core._prompty_utils import build_messages

    messages = build_messages(prompt=path.read_text(), **inputs)
    return [[message["role"], _text(message["content"])] for message in messages]


def dotprompt(path, inputs):
    from dotpromptz import Dotprompt
    from dotpromptz.typing import DataArgument

    def resolve(name):
        return (path.parent / f"_{name}.prompt").read_text()

    engine = Dotprompt(partial_resolver=resolve)
    rendered = asyncio.run(engine.render(path.read_text(), DataArgument(input=inputs)))
    roles = {"model": "assistant"}
    return [
        [roles.get(str(m.role.value), str(m.role.value)), "".join(getattr(p, "text", "<no text>") for p in m.content)]
        for m in rendered.messages
    ]


def langchain(path, inputs):
    os.chdir(path.parent)
    warnings.simplefilter("ignore")
    text = path.read_text()
    if '"lc"' in text:
        from langchain_core.load import loads

        prompt = loads(text)
    else:
        from langchain_core.prompts import load_prompt

        prompt = load_prompt(path.name)
    roles = {"human": "user", "ai": "assistant"}
    messages = prompt.invoke(inputs).to_messages()
    return [[roles.get(m.type, m.type), _text(m.content)] for m in messages]


def semantic_kernel(path, inputs):
    from semantic_kernel import Kernel
    from semantic_kernel.contents.chat_history import ChatHistory
    from semantic_kernel.functions import KernelArguments
    from semantic_kernel.functions.kernel_function_from_prompt import KernelFunctionFromPrompt

    folder = path.parent
    if not (folder / "config.json").exists():
        (folder / "config.json").write_text("{}")
    function = KernelFunctionFromPrompt.from_directory(str(folder), plugin_name="p")
    arguments = KernelArguments(**inputs)
    for parameter in function.parameters:
        if parameter.name not in arguments and parameter.default_value not in (None, ""):
            arguments[parameter.name] = parameter.default_value
    text = asyncio.run(function.prompt_template.render(Kernel(), arguments))
    return [[str(m.role.value), str(m.content)] for m in ChatHistory.from_rendered_prompt(text).messages]


LIBRARIES = {
    "prompty 1": prompty,
    "prompty 2": prompty,
    "promptflow": promptflow,
    "dotprompt": dotprompt,
    "langchain": langchain,
    "semantic-kernel": semantic_kernel,
}


def rendered(library, case):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in case["files"].items():
            at = Path(folder) / name
            at.parent.mkdir(parents=True, exist_ok=True)
            at.write_text(text)
        try:
            return LIBRARIES[library](Path(folder) / case["path"], case["inputs"])
        except Exception as error:  # noqa: BLE001 - that it can't be rendered is an answer
            return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]


if __name__ == "__main__":
    sys.stdout, answers = sys.stderr, sys.stdout  # some of them print
    json.dump([rendered(sys.argv[1], case) for case in json.load(sys.stdin)], answers)
