"""Reads the definitions of an agent's tools: a JSON list of maps, in the form of any provider."""

from __future__ import annotations

from collections import Counter

from pydantic import JsonValue

from engine.readers.bounded import Source, shown, source_of
from engine.readers.json_nodes import read_json
from engine.readers.nodes import Node, plain

MAX_TOOLS = 128
"""Most tools of one file. OpenAI's API takes no more."""
_FORM = '[{"name": "look_up", "description": "…", "parameters": {"type": "object", "properties": {…}}}]'


def read_tools(path: str, data: bytes) -> tuple[dict[str, JsonValue], ...]:
    """Returns the definitions in ``data``. Raises SourceError with ``path:line`` for anything else."""
    source = source_of(path, data)
    root = read_json(source)
    if not isinstance(root.value, list):
        raise source.error(f"the tools are {root.kind}", root.line, hint=f"write a list: {_FORM}")
    if len(root.value) > MAX_TOOLS:
        raise source.error(f"more than {MAX_TOOLS} tools", root.line, hint="remove some")
    tools = tuple(_tool(source, node) for node in root.value)
    names = Counter(tool_name(tool) for tool in tools)
    if twice := next((name for name, count in names.items() if name and count > 1), None):
        raise source.error(f"two tools are called {shown(twice)}", root.line, hint="rename one of them")
    return tools


def _tool(source: Source, node: Node) -> dict[str, JsonValue]:
    tool = plain(node)
    # A provider's own tool, such as a web search, may have a type alone.
    if not isinstance(tool, dict) or not (tool_name(tool) or isinstance(tool.get("type"), str)):
        raise source.error("a tool has no name", node.line, hint=f"write {_FORM}")
    return tool


def tool_name(tool: dict[str, JsonValue]) -> str | None:
    """Returns the name in a tool's definition, in any provider's form."""
    function = tool.get("function")
    name = function.get("name") if isinstance(function, dict) else tool.get("name")
    return name if isinstance(name, str) and name else None
