"""What operators paste: compose.yaml, the unit file, the docker command, the table of settings."""

import re
import shlex
import subprocess
import sys
import tomllib

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from adapters.clock import SystemClock
from bot.cli import app
from bot.settings import read_settings
from bot.telemetry.metrics import Metrics
from bot.variables import VARIABLES
from tests.bot.running import ROOT
from tests.bot.served import KEY, Ledger, app_for, served

PAGE = (ROOT / "docs" / "operating.md").read_text()
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
NAMES = {name for v in VARIABLES for name in (v.name, f"{v.name}_FILE" if v.secret else v.name)}
BOTS = [COMPOSE["services"][name] for name in ("web", "worker")]


def test_the_table_of_settings_is_the_codes():
    rows = [f"| `{v.name}`{' or `…_FILE`' if v.secret else ''} | {v.meaning} | {v.default} |" for v in VARIABLES]
    assert "| variable | meaning | default |\n|---|---|---|\n" + "\n".join(rows) + "\n" in PAGE


def test_every_variable_that_is_named_exists():
    texts = [PAGE, (ROOT / "compose.yaml").read_text()]
    named = {
        name
        for text in texts
        for name in re.findall(r"\b(?:PROMPTVERDICT_[A-Z0-9_]+|[A-Z]+_API_KEY(?:_FILE)?)\b", text)
    }
    assert named - NAMES == set()


def test_every_metric_that_is_named_exists():
    metrics = Metrics()
    metrics.watch(Ledger(), SystemClock())
    there = {s.name for family in text_string_to_metric_families(metrics.text().decode()) for s in family.samples}
    there |= {family.name for family in text_string_to_metric_families(metrics.text().decode())}
    named = set(re.findall(r"`(promptverdict_\w+)`", PAGE))
    assert named
    assert named <= there


@pytest.mark.parametrize("service", BOTS, ids=["web", "worker"])
def test_the_bot_has_no_privileges(service):
    assert service["user"] == "65532:65532"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["stop_grace_period"] == "15s"
    assert "privileged" not in service


def test_images_are_pinned_and_everything_has_a_health_check():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    for service in COMPOSE["services"].values():
        name, _, tag = service["image"].partition(":")
        assert re.match(r"\d+\.\d+", tag), service["image"]
        assert name != "prompt-verdict" or tag == version
        assert service["healthcheck"]["test"]


def test_only_the_web_is_reached_and_only_from_the_proxy():
    ports = {name: service.get("ports", []) for name, service in COMPOSE["services"].items()}
    assert ports == {"web": ["127.0.0.1:8080:8080"], "worker": [], "database": []}
    assert not any("KEY" in name and "PRIVATE" not in name for name in COMPOSE["services"]["web"]["environment"])


@pytest.mark.parametrize("service", BOTS, ids=["web", "worker"])
def test_the_settings_of_the_composition_are_enough(service, tmp_path):
    secrets = {
        "private-key": KEY,
        "webhook-secret": "0" * 64 + "\n",
        "database-url": "postgresql://verdict:x@database/verdict",
    }
    for name, text in secrets.items():
        tmp_path.joinpath(name).write_text(text)
    given = {
        name: re.sub(r"\$\{\w+:\?[^}]*\}", "7", re.sub(r"\$\{\w+:-\}", "", value)).replace(
            "/run/secrets", str(tmp_path)
        )
        for name, value in service["environment"].items()
    }
    assert set(given) <= NAMES
    settings = read_settings(given)
    assert (settings.app_id, settings.host, settings.port, str(settings.data)) == (7, "0.0.0.0", 8080, "/data")
    assert settings.outcomes_url == settings.database_url == secrets["database-url"]
    assert settings.site is None, "pages are not needed"
    site = {"CLIENT_ID": "Iv23", "CLIENT_SECRET": "secret", "PUBLIC_URL": "https://verdict.example.com"}
    assert read_settings(given | {f"PROMPTVERDICT_{name}": value for name, value in site.items()}).site is not None
    assert {f"PROMPTVERDICT_{name}" for name in site} <= set(given)
    assert set(service["secrets"]) <= set(COMPOSE["secrets"])


def test_the_composition_starts_what_exists_from_what_it_declares():
    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    services = COMPOSE["services"]
    for service in BOTS:
        assert service["command"][0] == "bot"
        assert service["command"][1] in commands
    for service in services.values():
        for needed, how in service.get("depends_on", {}).items():
            assert how == {"condition": "service_healthy"}
            assert "healthcheck" in services[needed]
        assert set(service.get("secrets", [])) <= COMPOSE["secrets"].keys()
        assert {volume.partition(":")[0] for volume in service.get("volumes", [])} <= COMPOSE["volumes"].keys()
        assert not {"entrypoint", "network_mode", "pid", "devices"} & service.keys()
    environment = {**services["web"]["environment"], **services["worker"]["environment"]}
    files = {value.removeprefix("/run/secrets/") for name, value in environment.items() if name.endswith("_FILE")}
    assert files <= set(services["web"]["secrets"]) & set(services["worker"]["secrets"])
    _, _, database = PAGE.partition("printf '")[2].partition("'")[0].partition("://")
    assert database.startswith(f"{services['database']['environment']['POSTGRES_USER']}:%s@database/")
    assert database.endswith(f"/{services['database']['environment']['POSTGRES_DB']}")


@pytest.mark.parametrize("webhook", [True, False], ids=["web", "worker"])
@pytest.mark.parametrize("troubles", [(), ("starting",)])
def test_the_health_check_asks_for_what_the_process_answers(webhook, troubles):
    checks = [service["healthcheck"]["test"] for service in BOTS]
    assert checks[0] == checks[1]
    *command, code = checks[0]
    assert command == ["CMD", "python", "-I", "-c"]
    with served(app_for(Ledger(), webhook=webhook, troubles=lambda: troubles)) as address:
        asked = code.replace("8080", address.rpartition(":")[2])
        done = subprocess.run([sys.executable, "-I", "-c", asked], timeout=20, check=False)
    assert done.returncode == (1 if troubles else 0)


def test_the_unit_and_the_command_start_what_exists():
    unit = re.search(r"```ini\n(.*?)```", PAGE, re.DOTALL)[1]
    assert "ExecStart=/opt/prompt-verdict/bin/promptverdict bot\n" in unit
    command = next(block for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) if "docker run" in block)
    words = shlex.split(command.replace("\\\n", " "), comments=True)
    assert words[-2:] == ["prompt-verdict:0.1.0", "bot"]
    assert words[words.index("--user") + 1] == "65532:65532"
