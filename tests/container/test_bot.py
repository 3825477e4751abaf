"""The same image as the bot: an unprivileged user, nothing writable but its data, stopped by a signal to its process 1."""

import json
import time

import httpx
import pytest

from bot.listener import listen
from tests.bot.served import KEY, SECRET, headers_for

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


@pytest.fixture
def bot(image):
    """Starts the image's bot on the machine's network; removed afterwards."""

    def start(*command, **settings):
        with listen("127.0.0.1", 0) as free:
            port = free.getsockname()[1]
        given = {
            "PROMPTVERDICT_APP_ID": "123", "PROMPTVERDICT_PRIVATE_KEY": KEY, "PROMPTVERDICT_WEBHOOK_SECRET": SECRET,
            "PROMPTVERDICT_DATA": "/data", "PROMPTVERDICT_PORT": str(port), "PROMPTVERDICT_API_URL": "http://127.0.0.1:9",
            **settings,
        }  # fmt: skip
        variables = [part for name, value in given.items() for part in ("--env", f"{name}={value}")]
        image.engine.run(
            "run", "--detach", "--name", NAME, "--network", "host", "--volume", f"{VOLUME}:/data", *LOCKED, *variables,
            image.tag, "bot", *command,
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
    began = time.monotonic()
    image.engine.run("stop", "--time", "15", NAME)
    assert time.monotonic() - began < 13
    state = json.loads(image.engine.run("inspect", "--format", "{{json .State}}", NAME))
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False)
    lines = [json.loads(line) for line in image.engine.run("logs", NAME).splitlines()]
    said = [line["event"] for line in lines if line["logger"] == "bot.service"]
    assert said == ["listening", *(["working"] if works else []), "stopping", "stopped"]


def test_a_wrong_setting_ends_it_with_one_line(bot, image):
    bot("web", PROMPTVERDICT_WEBHOOK_SECRET="short")
    assert image.engine.run("wait", NAME).strip() == "2"
