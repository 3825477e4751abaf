"""deploy/prometheus and deploy/grafana: files that their tools accept, about metrics that the bot exports."""

import json
import re
import shutil
import subprocess

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from adapters.clock import SystemClock
from bot.telemetry.metrics import Metrics
from tests.bot.running import ROOT
from tests.bot.served import Ledger

PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES = [
    rule for group in yaml.safe_load((PROMETHEUS / "alerts.yaml").read_text())["groups"] for rule in group["rules"]
]
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "dashboard.json").read_text())
PANELS = {panel["title"]: [target["expr"] for target in panel["targets"]] for panel in DASHBOARD["panels"]}
EXPRESSIONS = {rule["alert"]: [rule["expr"]] for rule in RULES} | PANELS
PROMETHEUS_OWN = {"le", "instance"}


@pytest.fixture(scope="module")
def exported():
    """Each sample's name, and the names of its labels."""
    metrics = Metrics()
    metrics.watch(Ledger(), SystemClock())
    for one in vars(metrics).values():
        if labels := getattr(one, "_labelnames", ()):
            one.labels(*("x" for _ in labels))
    families = text_string_to_metric_families(metrics.text().decode())
    return {sample.name: set(sample.labels) for family in families for sample in family.samples}


@pytest.mark.parametrize("title", EXPRESSIONS)
def test_every_metric_and_every_label_exists(title, exported):
    for expression in EXPRESSIONS[title]:
        found = re.findall(r"(promptverdict_\w+)(?:\{([^}]*)\})?", expression)
        assert found
        for name, matchers in found:
            assert name in exported
            assert set(re.findall(r"(\w+)\s*[=!]", matchers)) <= exported[name]
        grouped = {label for labels in re.findall(r"by \(([^)]*)\)", expression) for label in re.split(r",\s*", labels)}
        assert grouped <= set().union(*(exported[name] for name, _ in found)) | PROMETHEUS_OWN


def test_every_value_of_a_label_is_one_that_the_bot_sets():
    sources = "\n".join(path.read_text() for path in (ROOT / "bot").rglob("*.py"))
    values = {
        value
        for expressions in EXPRESSIONS.values()
        for expression in expressions
        for matcher in re.findall(r'\w+=~?"([^"]*)"', expression)
        for value in matcher.split("|")
    }
    assert {value for value in values if f'"{value}"' not in sources and f"({value}, " not in sources} == set()
    assert {"worker", "retried", "401"} <= values


def test_every_metric_is_on_the_dashboard(exported):
    shown = {name for titles in PANELS.values() for text in titles for name in re.findall(r"promptverdict_\w+", text)}
    figures = {name for name in exported if not name.endswith(("_created", "_sum", "_count"))}
    assert figures - shown == set()


def test_every_alert_says_what_it_means_and_how_urgent_it_is():
    for rule in RULES:
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert set(rule["annotations"]) == {"summary", "description"}
        assert not rule["annotations"]["summary"].endswith(".")
    tests = yaml.safe_load((PROMETHEUS / "alerts.test.yaml").read_text())["tests"]
    fired = {one["alertname"] for test in tests for one in test["alert_rule_test"] if one["exp_alerts"]}
    assert fired == {rule["alert"] for rule in RULES}


def promtool(*arguments):
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_accepts_the_rules_and_they_fire():
    promtool("check", "rules", PROMETHEUS / "alerts.yaml")
    promtool("test", "rules", PROMETHEUS / "alerts.test.yaml")


def test_prometheus_reads_every_expression_of_the_dashboard(tmp_path):
    texts = [text.replace("$__rate_interval", "5m") for texts in PANELS.values() for text in texts]
    rules = [{"record": f"panel:{number}", "expr": text} for number, text in enumerate(texts)]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", tmp_path / "rules.yaml")


def test_grafana_knows_every_key_of_the_dashboard():
    reason = "PyPI's grafana-foundation-sdk is not installed"
    dashboards = pytest.importorskip("grafana_foundation_sdk.models.dashboard", reason=reason)
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins

    register_default_plugins()
    read = json.loads(JSONEncoder().encode(dashboards.Dashboard.from_json(DASHBOARD)))
    assert list(lost(DASHBOARD, read)) == []


def lost(given, read, at=""):
    """What Grafana's own model doesn't give back."""
    if isinstance(given, dict):
        for key, value in given.items():
            yield from lost(value, read[key], f"{at}.{key}") if key in read else [f"{at}.{key}"]
    elif isinstance(given, list):
        for number, (one, other) in enumerate(zip(given, read, strict=True)):
            yield from lost(one, other, f"{at}[{number}]")
    elif given != read:
        yield at


def test_panels_do_not_overlap():
    cells = [
        (column, row)
        for panel in DASHBOARD["panels"]
        for at in [panel["gridPos"]]
        for column in range(at["x"], at["x"] + at["w"])
        for row in range(at["y"], at["y"] + at["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(column for column, _ in cells) < 24
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
