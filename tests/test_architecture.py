"""Who may import whom (docs/architecture.md, “Folders and imports”)."""

import ast
import sys
from functools import cache
from graphlib import TopologicalSorter
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
CLIENT = ROOT / "client/src/promptverdict_client"
"""A distribution of its own, for applications: neither uses the other."""
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
    "urllib": {"quote"},
    "sys": {"intern"},
}
"""Names of otherwise worldly modules that are pure values."""


BOT_ROOMS = {
    "alerts": {"hub", "runs", "store", "telemetry"},
    "telemetry": set(),
    "store": {"blocking"},
    "webhooks": {"store", "telemetry", "settings"},
    "approvals": {"store"},
    "publishing": {"approvals", "blocking", "store", "telemetry", "webhooks"},
    "commands": {"approvals", "blocking", "hub", "improve", "store", "webhooks"},
    "hub": {"runs", "store", "telemetry"},
    "improve": {"runs", "store", "telemetry"},
    "runs": {"publishing", "store", "telemetry", "webhooks", "settings", "variables"},
    "pages": {"commands", "hub", "improve", "runs", "store", "telemetry"},
    "production": {"hub", "runs", "store", "telemetry", "webhooks"},
    "operations": {"runs", "store", "telemetry", "webhooks", "settings", "variables"},
}
"""Which other rooms of ``bot/`` each may import, also for types. The modules beside them put the rooms together."""
PURE_ROOMS = (
    "bot/webhooks/routing.py",
    "bot/webhooks/intents.py",
    "bot/approvals/permissions.py",
    "schemas/payloads.py",
    "action/events.py",
)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imports(path: Path):
    for node in ast.walk(parsed(path)):
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


def test_the_client_is_by_itself():
    inside = {module for path in CLIENT.rglob("*.py") for module, _ in imports(path)}
    assert inside - sys.stdlib_module_names == {"promptverdict_client", "httpx", "jinja2", "dotpromptz_handlebars"}
    outside = {
        str(path.relative_to(ROOT))
        for package in OURS - {"demo"}
        for path in (ROOT / package).rglob("*.py")
        for module, _ in imports(path)
        if module == CLIENT.name
    }
    assert not outside


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
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Attribute) and node.attr in {"now", "utcnow", "today"}
    ]
    assert not found


def branches(function: ast.AST) -> int:
    """Cyclomatic complexity with each condition of an ``and``, each comprehension and all inner functions counted."""
    alone = (ast.If, ast.IfExp, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.Assert, ast.match_case)
    return 1 + sum(
        isinstance(node, alone)
        + (len(node.values) - 1 if isinstance(node, ast.BoolOp) else 0)
        + (1 + len(node.ifs) if isinstance(node, ast.comprehension) else 0)
        for node in ast.walk(function)
    )


@pytest.mark.parametrize("package", [*sorted(OURS), "client"])
def test_no_function_has_more_than_fifteen_branches(package):
    found = {
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {branches(node)}"
        for path in (ROOT / package).rglob("*.py")
        if path.parent != FROM_A_CHECKOUT_ONLY
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and branches(node) > 15
    }
    assert not found


def bot_imports(path: Path):
    """The modules of ``bot`` that a module imports, wherever in it and for whatever reason."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.partition(".")[0] == "bot":
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("bot."))


def test_the_rooms_of_the_bot_use_only_their_neighbors():
    found = {
        (str(path.relative_to(ROOT)), module)
        for room, neighbors in BOT_ROOMS.items()
        for path in (ROOT / "bot" / room).rglob("*.py")
        for module in bot_imports(path)
        if module.split(".")[1] not in neighbors | {room}
    }
    assert not found
    assert {path.parent.name for path in (ROOT / "bot").glob("*/__init__.py")} == set(BOT_ROOMS)


def test_no_modules_of_the_bot_import_each_other_in_a_circle():
    graph = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): set(bot_imports(path))
        for path in (ROOT / "bot").rglob("*.py")
    }
    tuple(TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle


@pytest.mark.parametrize("module", PURE_ROOMS)
def test_pure_modules_of_the_shells_do_not_see_the_world(module):
    found = {name for name, _ in imports(ROOT / module) if name in WORLD | {"adapters", "asyncio"}}
    assert not found
