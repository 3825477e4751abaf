"""deploy/kubernetes: manifests that Kubernetes accepts, that start what exists, and that stop it in time."""

import re
import tomllib

import pytest
import yaml

from bot.cli import app
from bot.service import EXIT_WITHIN_S
from bot.settings import read_settings
from bot.variables import VARIABLES
from bot.webhooks.endpoints import CHECK_S
from tests.bot.running import ROOT
from tests.bot.served import KEY, Ledger, app_for, client_of

FOLDER = ROOT / "deploy" / "kubernetes"
FILES = sorted(FOLDER.glob("*.yaml"))
OBJECTS = [one for path in FILES for one in yaml.safe_load_all(path.read_text())]
BY_NAME = {(one["kind"], one["metadata"]["name"].removeprefix("prompt-verdict")): one for one in OBJECTS}
WEB, WORKER = BY_NAME["Deployment", "-web"], BY_NAME["StatefulSet", "-worker"]
(MIGRATE,) = (one for one in OBJECTS if one["kind"] == "Job")
SETTINGS = BY_NAME["ConfigMap", ""]
PODS = {"web": WEB, "worker": WORKER, "migrate": MIGRATE}
OLDEST = "1.29"
"""The oldest Kubernetes that is checked."""


def pod_of(name):
    return PODS[name]["spec"]["template"]["spec"]


def container_of(name):
    (container,) = pod_of(name)["containers"]
    return container


@pytest.mark.parametrize("one", OBJECTS, ids=lambda one: f"{one['kind']} {one['metadata']['name']}")
def test_kubernetes_accepts_it(one):
    validate = pytest.importorskip("kubernetes_validate", reason="PyPI's kubernetes-validate is not installed")
    for version in (OLDEST, validate.latest_version()):
        validate.validate(one, version, strict=True)


@pytest.mark.parametrize("name", PODS)
def test_the_bot_has_no_privileges(name):
    pod, container = pod_of(name), container_of(name)
    assert pod["securityContext"] == {
        "runAsNonRoot": True, "runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert pod["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC", "serviceAccountName"} & pod.keys()
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("name", PODS)
def test_it_starts_what_exists_and_mounts_what_it_declares(name):
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    container, commands = container_of(name), {one.name or one.callback.__name__ for one in app.registered_commands}
    assert container["image"] == f"prompt-verdict:{version}"
    assert container["args"] == ["bot", name]
    assert name in commands
    mounted = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert mounted == {"secrets": "/run/secrets", "data": "/data", "tmp": "/tmp"}
    assert {volume["name"] for volume in pod_of(name)["volumes"]} == mounted.keys()
    assert container["envFrom"] == [{"configMapRef": {"name": SETTINGS["metadata"]["name"]}}]


def test_the_settings_are_enough_and_no_secret_is_among_them(tmp_path):
    given = SETTINGS["data"]
    names = {name for v in VARIABLES for name in (v.name, f"{v.name}_FILE" if v.secret else v.name)}
    assert given.keys() <= names
    assert not given.keys() & {v.name for v in VARIABLES if v.secret}
    secrets = {"private-key": KEY, "webhook-secret": "0" * 64, "database-url": "postgresql://verdict:x@db/verdict"}
    for name, text in secrets.items():
        (tmp_path / name).write_text(text)
    used = {name: value.replace("/run/secrets", str(tmp_path)) for name, value in given.items()}
    settings = read_settings(used | {"PROMPTVERDICT_SLOT": "prompt-verdict-worker-0"})
    assert (settings.port, str(settings.data)) == (8080, "/data")
    assert settings.outcomes_url == settings.database_url == secrets["database-url"]
    text = (ROOT / "docs" / "operating.md").read_text()
    assert set(re.findall(r"--from-(?:file|literal)=([a-z-]+)=", text)) >= set(secrets)


def test_only_workers_have_the_keys_of_models_and_each_keeps_its_name():
    there = {one["name"]: one["valueFrom"] for one in container_of("worker")["env"]}
    assert there.pop("PROMPTVERDICT_SLOT") == {"fieldRef": {"fieldPath": "metadata.name"}}
    assert there.keys() == {"OPENAI_API_KEY", "ANTHROPIC_API_KEY"}
    assert all(value["secretKeyRef"]["key"] == name for name, value in there.items())
    assert WORKER["kind"] == "StatefulSet", "its pods keep their names, as PROMPTVERDICT_SLOT must"
    assert not any("env" in container_of(name) for name in ("web", "migrate"))


@pytest.mark.parametrize("name", ["web", "worker"])
async def test_the_probes_ask_for_what_the_process_answers(name):
    container, troubles = container_of(name), []
    (port,) = container["ports"]
    served = app_for(Ledger(), webhook=name == "web", troubles=lambda: tuple(troubles))
    asked = {kind: container[f"{kind}Probe"] for kind in ("startup", "liveness", "readiness")}
    assert all(probe["httpGet"]["port"] == port["name"] for probe in asked.values())
    assert port["containerPort"] == 8080
    async with client_of(served) as client:

        async def answers():
            return {kind: (await client.get(probe["httpGet"]["path"])).status_code for kind, probe in asked.items()}

        assert await answers() == {"startup": 200, "liveness": 200, "readiness": 200}
        # A broken database must take a pod out of service, and must not restart it.
        troubles.append("the queue of runs")
        assert await answers() == {"startup": 200, "liveness": 200, "readiness": 503}
    assert asked["readiness"]["timeoutSeconds"] > 2 * CHECK_S, "the worker and the database may both be slow"


def test_there_is_time_to_stop():
    """A web pod first waits until no proxy sends requests; then each process takes as long as it may."""
    wait = container_of("web")["lifecycle"]["preStop"]["exec"]["command"]
    assert wait == ["sleep", "5"]
    assert "lifecycle" not in container_of("worker")
    for name, before in (("web", 5), ("worker", 0)):
        assert pod_of(name)["terminationGracePeriodSeconds"] >= before + EXIT_WITHIN_S + 3


def test_services_and_budgets_select_the_pods():
    labels = {name: PODS[name]["spec"]["template"]["metadata"]["labels"] for name in PODS}
    for name in ("web", "worker"):
        assert PODS[name]["spec"]["selector"]["matchLabels"] == labels[name]
        budget = BY_NAME["PodDisruptionBudget", f"-{name}"]["spec"]
        assert budget["selector"]["matchLabels"] == labels[name]
        # Otherwise a node with a broken pod could not be drained.
        assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
        assert PODS[name]["spec"]["replicas"] > 1, "a budget of one of one would hold every drain"
    assert BY_NAME["Service", ""]["spec"]["selector"] == labels["web"]
    workers = BY_NAME["Service", "-workers"]
    assert (workers["spec"]["clusterIP"], workers["metadata"]["name"]) == ("None", WORKER["spec"]["serviceName"])
    assert len({tuple(one.items()) for one in labels.values()}) == 3
