"""The same image as the bot: an unprivileged user, nothing writable but its data, stopped by a signal to its process 1."""

import json
import time
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from bot.store.records import Records
from bot.webhooks.listener import listen
from tests.bot.served import KEY, SECRET, headers_for
from tests.bot.whole import PERMISSIONS
from tests.fakes.github import Scene

pytestmark = [pytest.mark.container, pytest.mark.slow]
BODY = b'{"zen": "Keep it logically awesome."}'
LOCKED = (
    "--user",
    "65532:65532",
    "--read-only",
    "--tmpfs",
    "/tmp",
    "--cap-drop",
    "ALL",
    "--security-opt",
    "no-new-privileges",
)
NAME, VOLUME = "prompt-verdict-bot-test", "prompt-verdict-bot-test"
SOCKET = ".s.PGSQL.5432"


@pytest.fixture
def bot(image):
    """Starts the image's bot on the machine's network; removed afterwards."""

    def start(*command, mount=None, **settings):
        with listen("127.0.0.1", 0) as free:
            port = free.getsockname()[1]
        given = {
            "PROMPTVERDICT_APP_ID": "123", "PROMPTVERDICT_PRIVATE_KEY": KEY, "PROMPTVERDICT_WEBHOOK_SECRET": SECRET,
            "PROMPTVERDICT_DATA": "/data", "PROMPTVERDICT_PORT": str(port), "PROMPTVERDICT_API_URL": "http://127.0.0.1:9",
            **settings,
        }  # fmt: skip
        variables = [part for name, value in given.items() for part in ("--env", f"{name}={value}")]
        image.engine.run(
            "run", "--detach", "--name", NAME, "--network", "host", "--volume", f"{VOLUME}:/data",
            *(("--volume", mount) if mount else ()), *LOCKED, *variables, image.tag, "bot", *command,
        )  # fmt: skip
        return f"http://127.0.0.1:{port}"

    yield start
    image.engine.run("rm", "--force", NAME)
    image.engine.run("volume", "rm", "--force", VOLUME)


def ready(url):
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            if httpx.get(f"{url}/readyz", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise TimeoutError(url)


def can_work(image):
    """The stand-in for the official base has an older SQLite."""
    code = "import sqlite3; print(sqlite3.sqlite_version_info >= (3, 42))"
    return image.engine.run("run", "--rm", "--entrypoint", "python", image.tag, "-c", code).strip() == "True"


def test_an_unprivileged_user_serves_and_stops_when_asked(bot, image):
    works = can_work(image)
    url = bot(*(() if works else ("web",)))
    ready(url)
    assert httpx.post(f"{url}/webhook", content=BODY, headers=headers_for(BODY), trust_env=False).status_code == 202
    image.engine.run("stop", "--time", "15", NAME)
    state = json.loads(image.engine.run("inspect", "--format", "{{json .State}}", NAME))
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False)
    lines = [json.loads(line) for line in image.engine.run("logs", NAME).splitlines()]
    said = [line["event"] for line in lines if line["logger"] == "bot.service"]
    assert said == ["listening", *(["working"] if works else []), "stopping", "stopped"]


def test_an_unprivileged_worker_judges_an_open_head_with_postgres(bot, image, github, new_database):
    """Fetched into its data folder, kept in the database that another process migrated, shown as a check."""
    repository = github.repository("acme/shop", mia="maintain", ada="write")
    repository.git.commit("main", {"README.md": "A shop.\n"})
    app, _ = github.app("prompt-verdict", [repository], **PERMISSIONS)
    pull, _ = Scene(github, repository).open_pull({"README.md": "A better shop.\n"})
    database = urlsplit(new_database())
    folder = parse_qs(database.query)["host"][0]
    kept = Records(database.geturl())
    kept.migrate()
    kept.close()
    bot(
        "worker", mount=f"{folder}/{SOCKET}:/database/{SOCKET}", PROMPTVERDICT_API_URL=github.api_url,
        PROMPTVERDICT_SERVER_URL=github.server_url, PROMPTVERDICT_APP_ID=str(app.id), PROMPTVERDICT_PRIVATE_KEY=app.private_key,
        DATABASE_URL=f"postgresql://{database.netloc}{database.path}?host=/database",
    )  # fmt: skip
    until = time.monotonic() + 60
    while not any(check["conclusion"] for check in repository.check_runs):
        assert time.monotonic() < until, image.engine.run("logs", NAME)
        time.sleep(0.2)
    (check,) = repository.check_runs
    assert (check["head_sha"], check["conclusion"]) == (pull.head_sha, "success")
    image.engine.run("stop", "--time", "15", NAME)
    assert image.engine.run("inspect", "--format", "{{.State.ExitCode}}", NAME).strip() == "0"


def test_a_wrong_setting_ends_it_with_one_line(bot, image):
    bot("web", PROMPTVERDICT_WEBHOOK_SECRET="short")
    assert image.engine.run("wait", NAME).strip() == "2"
