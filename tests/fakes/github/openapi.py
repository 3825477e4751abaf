"""GitHub's published description of its API, as a judge of what we send (npm ``@octokit/openapi``)."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "node_modules" / "@octokit" / "openapi" / "generated" / "api.github.com.json"
MISSING = "npm packages are missing: run `make node-setup`"


class Description:
    """Finds the operation of a request and says what is wrong with it."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self.templates = [(self._pattern(path), path) for path in sorted(document["paths"], key=self._specificity)]
        self.used: set[str] = set()
        """Operations that were asked for."""
        self.answers: dict[str, Any] = {}
        """Checkers of answers, made once."""

    @staticmethod
    def _specificity(path: str) -> tuple[int, str]:
        return (path.count("{"), path)

    @staticmethod
    def _pattern(path: str) -> re.Pattern[str]:
        parts = re.split(r"\{[^}]+\}", path)
        wide = path.endswith(("/contents/{path}", "/compare/{basehead}", "/git/ref/{ref}"))
        names = ["[^/]+"] * (len(parts) - 1)
        if wide:
            names[-1] = ".+"
        text = "".join(re.escape(part) + name for part, name in zip(parts, [*names, ""], strict=True))
        return re.compile(f"^{text}$")

    def _resolve(self, node: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in node:
            target: Any = self.document
            for key in node["$ref"].removeprefix("#/").split("/"):
                target = target[key]
            node = target
        return node

    def complaints(self, method: str, path: str, query: str, body: bytes) -> list[str]:
        """Every way in which the request isn't one that GitHub describes."""
        template = next((name for pattern, name in self.templates if pattern.match(path)), None)
        operation = self.document["paths"].get(template, {}).get(method.lower()) if template else None
        if operation is None:
            return [f"{method} {path}: no such operation"]
        self.used.add(operation["operationId"])
        place = f"{method} {path} ({operation['operationId']})"
        known = {p["name"]: p for p in map(self._resolve, operation.get("parameters", [])) if p["in"] == "query"}
        found = []
        for name, value in parse_qsl(query):
            if name not in known:
                found.append(f"{place}: unknown query parameter {name}")
            else:
                found += self._check(
                    known[name]["schema"], self._typed(known[name]["schema"], value), f"{place}: {name}"
                )
        return found + self._body(operation, body, place)

    def lies(self, method: str, path: str, status: int, body: Any) -> list[str]:
        """Every way in which an answer of the fake differs in kind from GitHub's; leaving fields out is no lie."""
        template = next((name for pattern, name in self.templates if pattern.match(path)), None)
        operation = self.document["paths"].get(template or "", {}).get(method.lower(), {})
        answer = self._resolve(operation.get("responses", {}).get(str(status), {}))
        schema = answer.get("content", {}).get("application/json", {}).get("schema")
        if schema is None or body is None:
            return []
        from jsonschema import Draft4Validator

        key = f"{method} {template} {status}"
        if key not in self.answers:
            self.answers[key] = Draft4Validator(self._lenient(self._plain(schema)))
        place = f"{method} {path} → {status}"
        return [f"{place}: {e.json_path} {e.message[:200]}" for e in self.answers[key].iter_errors(body)]

    def _lenient(self, node: Any, *, closed: bool = True) -> Any:
        """Nothing is required; an object has no fields but those that are described, alternatives aside."""
        if isinstance(node, list):
            return [self._lenient(item, closed=closed) for item in node]
        if not isinstance(node, dict):
            return node
        choices = {"oneOf": "anyOf", "anyOf": "anyOf", "allOf": "allOf"}
        plain = {
            choices.get(key, key): self._lenient(value, closed=key not in choices)
            for key, value in node.items()
            if key not in {"required", "format"}
        }
        described = isinstance(node.get("properties"), dict) and "additionalProperties" not in node
        grows = node.get("title") == "App Permissions"  # copies of it differ within the description
        if closed and described and not grows and not choices.keys() & node.keys():
            plain["additionalProperties"] = False
        return plain

    def _typed(self, schema: dict[str, Any], value: str) -> Any:
        kind = self._resolve(schema).get("type")
        if kind == "integer" and value.isdigit():
            return int(value)
        return {"true": True, "false": False}.get(value, value) if kind == "boolean" else value

    def _body(self, operation: dict[str, Any], body: bytes, place: str) -> list[str]:
        wanted = self._resolve(operation.get("requestBody", {}))
        if not body:
            return [f"{place}: a body is required"] if wanted.get("required") else []
        content = wanted.get("content", {}).get("application/json")
        if content is None:
            return [f"{place}: takes no JSON body"]
        try:
            value = json.loads(body)
        except ValueError:
            return [f"{place}: the body isn't JSON"]
        schema = self._resolve(content["schema"])
        unknown = set(value) - set(schema["properties"]) if isinstance(value, dict) and "properties" in schema else ()
        return [f"{place}: unknown property {name}" for name in sorted(unknown)] + self._check(schema, value, place)

    def _check(self, schema: dict[str, Any], value: Any, place: str) -> list[str]:
        from jsonschema import Draft4Validator

        checker = Draft4Validator(self._plain(schema))
        return [f"{place}: {error.json_path} {error.message[:200]}" for error in checker.iter_errors(value)]

    def _plain(self, node: Any) -> Any:
        """OpenAPI 3.0's dialect as JSON Schema: references followed, ``nullable`` as a type."""
        if isinstance(node, list):
            return [self._plain(item) for item in node]
        if not isinstance(node, dict):
            return node
        node = self._resolve(node)
        plain = {
            key: self._plain(value) for key, value in node.items() if key not in {"nullable", "example", "examples"}
        }
        if node.get("nullable") and isinstance(plain.get("type"), str):
            plain["type"] = [plain["type"], "null"]
            if "enum" in plain:
                plain["enum"] = [*plain["enum"], None]
        return plain


@cache
def description() -> Description | None:
    """None where the npm packages aren't installed."""
    return Description(json.loads(SOURCE.read_text())) if SOURCE.exists() else None
