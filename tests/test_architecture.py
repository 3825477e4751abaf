"""Who may import whom (CONTRIBUTING.md, «The house»)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = {"schemas", "evaluators", "engine", "adapters", "demo", "action", "bot"}
MAY_IMPORT = {
    "schemas": {"schemas"},
    "evaluators": {"evaluators", "schemas"},
    "engine": {"engine", "evaluators", "schemas"},
    "adapters": {"adapters", "schemas"},
    "demo": {"demo", "schemas"},
    "action": OURS - {"bot"},
    "bot": OURS - {"action"},
}
FROM_A_CHECKOUT_ONLY = ROOT / "demo/bot_demo"
"""Plays the bot's part on the tests' fake GitHub; not installed."""
WORLD = {
    "aiohttp", "anthropic", "datetime", "genai_prices", "github", "http", "httpx", "io", "openai", "os", "pathlib", "random", "secrets", "shutil",
    "socket", "sqlalchemy", "sqlite3", "sqlmodel", "subprocess", "sys", "tempfile", "time", "urllib", "uuid",
}  # fmt: skip
PURE_USES = {
    "pathlib": {"PurePosixPath"},
    "io": {"StringIO", "BytesIO"},
    "datetime": {"date", "datetime", "UTC", "timedelta"},
}
"""Names of otherwise worldly modules that are pure values."""


def imports(path: Path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.partition(".")[0], None
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            for alias in node.names:
                yield node.module.partition(".")[0], alias.name


@pytest.mark.parametrize("package", sorted(MAY_IMPORT))
def test_nobody_imports_upwards(package):
    found = {
        (str(path.relative_to(ROOT)), module)
        for path in (ROOT / package).rglob("*.py")
        for module, _ in imports(path)
        if module in OURS and module not in MAY_IMPORT[package] and path.parent != FROM_A_CHECKOUT_ONLY
    }
    assert not found


def test_every_module_of_the_engine_but_the_pipeline_is_in_a_folder():
    assert {path.name for path in (ROOT / "engine").glob("*.py")} == {"__init__.py", "pipeline.py"}


def test_rules_of_one_command_are_used_by_the_command_line_only():
    users = {
        path.relative_to(ROOT).parts[0]
        for package in OURS
        for path in (ROOT / package).rglob("*.py")
        if "engine.commands" in path.read_text() and "commands" not in path.parts
    }
    assert users == {"action"}


@pytest.mark.parametrize("package", ["schemas", "evaluators", "engine"])
def test_the_pure_packages_do_not_see_the_world(package):
    found = {
        (str(path.relative_to(ROOT)), module, name)
        for path in (ROOT / package).rglob("*.py")
        for module, name in imports(path)
        if module in WORLD and name not in PURE_USES.get(module, set())
    }
    assert not found


def test_the_pure_packages_read_no_clock():
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for package in ("schemas", "evaluators", "engine")
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"}
    ]
    assert not found
