"""LangChain's prompt templates, in Python and in JavaScript: roles by their names, template languages."""

from __future__ import annotations

from engine.readers.code.pieces import Syntax
from schemas.prompts import Role

_ROLES = {
    "system": Role.SYSTEM,
    "user": Role.USER,
    "human": Role.USER,
    "assistant": Role.ASSISTANT,
    "ai": Role.ASSISTANT,
}
LANGCHAIN_SYNTAX = {"f-string": Syntax.FORMAT, "jinja2": Syntax.JINJA, "mustache": Syntax.MUSTACHE}
_TEMPLATES = {
    "PromptTemplate": None,
    "ChatPromptTemplate": Role.USER,
    "SystemMessagePromptTemplate": Role.SYSTEM,
    "HumanMessagePromptTemplate": Role.USER,
    "AIMessagePromptTemplate": Role.ASSISTANT,
}
_MESSAGES = {"SystemMessage": Role.SYSTEM, "HumanMessage": Role.USER, "AIMessage": Role.ASSISTANT}


def langchain_role(name: str) -> Role | None:
    """Returns a role by one of its names."""
    return _ROLES.get(name.lower())


def holds_messages(origin: str) -> bool:
    """Returns whether a call makes a template of several messages. ``origin`` is the dotted name of the called
    object."""
    return is_langchain(origin) and origin.endswith(
        (".ChatPromptTemplate", ".ChatPromptTemplate.from_messages", ".ChatPromptTemplate.fromMessages")
    )


def called(origin: str) -> tuple[Role | None, Syntax] | None:
    """Returns the role of the template that a call makes, if any, and the syntax of its holes.

    ``None``: the call is not supported.
    """
    *_, owner, method = ("", *origin.split("."))
    if method in ("from_template", "fromTemplate") and owner in _TEMPLATES:
        return _TEMPLATES[owner], Syntax.FORMAT
    if method == "PromptTemplate":
        return None, Syntax.FORMAT
    if method in _MESSAGES:
        return _MESSAGES[method], Syntax.CODE
    return None


def is_langchain(origin: str) -> bool:
    """Returns whether something is imported from LangChain."""
    return "langchain" in origin.partition(".")[0]
