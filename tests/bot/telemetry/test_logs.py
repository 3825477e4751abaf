"""One thing that happened, one line of JSON; whatever is in it, no secret and no second line."""

import base64
import io
import json
import logging
import warnings
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.telemetry.logs import DEEPEST, HIDDEN, LONGEST, LogMasker, about, logger, start_logs

SECRET = "s3cret & pass/word+=ä"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA1234\nabcdEFGH5678ijkl\n-----END RSA PRIVATE KEY-----"


@pytest.fixture
def lines():
    """The log of this test, read as JSON."""
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    start_logs(stream, [SECRET, PEM])
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:], root.level = before
    logging.captureWarnings(capture=False)
    logging.raiseExceptions = True


def test_a_line_says_what_when_and_to_which_run(lines):
    with about(run="exp:1:2"):
        logger("intake").info("handled", delivery="d-1", tries=2)
        logging.getLogger("dbos").warning("a library's %s", "words")
    logger("intake").info("outside")
    ours, theirs, outside = lines()
    assert ours | {"at": "now"} == {
        "event": "handled", "delivery": "d-1", "tries": 2, "run": "exp:1:2", "level": "info", "logger": "bot.intake",
        "at": "now",
    }  # fmt: skip
    assert (theirs["event"], theirs["run"], theirs["logger"]) == ("a library's words", "exp:1:2", "dbos")
    assert "run" not in outside
    assert ours["at"].endswith("Z")


SPELLINGS = [
    SECRET, quote(SECRET), quote(SECRET, safe=""), repr(SECRET), json.dumps(SECRET, ensure_ascii=False), SECRET.encode().hex(),
    base64.b64encode(SECRET.encode()).decode(), base64.b64encode(b"x" + SECRET.encode()).decode(),
    base64.urlsafe_b64encode(b"xx" + SECRET.encode() + b"yy").decode(), PEM, PEM.replace("\n", "\\n"), "abcdEFGH5678ijkl",
]  # fmt: skip
TRACES = [
    "s3cret",
    "word+",
    "MIIEpAIB",
    "abcdEFGH",
    SECRET.encode().hex()[:20],
    base64.b64encode(SECRET.encode()).decode()[:12],
]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_of_a_secret_is_shown_wherever_it_is(lines, spelling):
    log = logger("web")
    log.warning("told %s", spelling, value=spelling, inner={"a": [spelling], spelling: 1}, object=ValueError(spelling))
    logging.getLogger("github").warning("said %s", spelling, extra={"token": spelling})
    try:
        raise RuntimeError(spelling)
    except RuntimeError:
        log.exception("failed")
        logging.getLogger("x").exception("failed too")
    shown = json.dumps(lines(), ensure_ascii=False)
    assert HIDDEN in shown
    assert [trace for trace in TRACES if trace in shown] == []


@pytest.mark.parametrize(
    "token",
    ["ghs_16C7e42F292c6912E7710c838347Ae178B4a", "github_pat_11ABCDE0123456789_abc", "sk-proj-abcdefghijklmnop1234",
     "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxMjMifQ.c2lnbmF0dXJlLi4u", "Bearer abcdefghijklmnop12345", "basic eC1hY2Nlc3MtdG9rZW46Z2hz"],
)  # fmt: skip
def test_what_looks_like_a_token_is_hidden_though_nobody_named_it(lines, token):
    logger("web").warning("asked with " + token)
    assert token.split()[-1] not in lines()[0]["event"]


def test_a_password_in_an_address_is_hidden(lines):
    logger("web").warning("no answer from postgresql://bot:hunter2@db:5432/verdicts")
    assert lines()[0]["event"] == f"no answer from postgresql://{HIDDEN}@db:5432/verdicts"


def test_text_from_outside_starts_no_line_and_forges_no_field(lines):
    evil = 'x", "level": "info"}\n{"event": "all is well", "level": "info"}\r\u2028\u2029\u0085\x1b[2J\u202e'
    logger("web").warning(evil, name=evil)
    [line] = lines()
    assert line["event"] == line["name"] == evil
    assert line["level"] == "warning"


def test_the_stream_is_ascii_so_that_no_terminal_is_steered():
    stream = io.StringIO()
    root = logging.getLogger()
    before = root.handlers[:], root.level
    start_logs(stream)
    logger("web").warning("\x1b[2J\u202e\u2028ä")
    root.handlers[:], root.level = before
    logging.captureWarnings(capture=False)
    logging.raiseExceptions = True
    text = stream.getvalue()
    assert text.isascii()
    assert text.count("\n") == 1
    assert text.rstrip("\n").isprintable()


def test_what_is_logged_is_bounded_and_can_not_fail(lines):
    class Odd:
        def __str__(self):
            raise ValueError("no")

    deep = nested = []
    for _ in range(50):
        nested.append([])
        nested = nested[0]
    logger("web").warning("x" * (LONGEST * 2), odd=Odd(), deep=deep, many=list(range(1000)))
    [line] = lines()
    assert len(line["event"]) == LONGEST + 1
    assert line["odd"] == "<Odd that can't be converted: ValueError>"
    assert len(line["many"]) == 100
    inner = line["deep"]
    for _ in range(DEEPEST):
        [inner] = inner
    assert isinstance(inner, str)


def test_warnings_are_lines_too(lines):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(f"careful with {SECRET}", UserWarning, stacklevel=1)
    [line] = lines()
    assert line["logger"] == "py.warnings"
    assert SECRET not in line["event"]


def test_a_log_that_is_gone_stops_nothing(lines):
    class Gone(io.StringIO):
        def write(self, _):
            raise OSError("No space left on device")

    start_logs(Gone())
    logger("web").warning("said into the void")


@given(
    st.recursive(
        st.text() | st.none() | st.floats() | st.binary(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_any_value_becomes_plain_json(value):
    json.dumps(LogMasker([SECRET]).value(value))


def test_the_durable_engine_has_no_way_around_the_log(lines):
    from dbos._logger import init_logger

    init_logger()
    logging.getLogger("dbos").error("a step failed with %s", SECRET)
    assert [line["event"] for line in lines()] == [f"a step failed with {HIDDEN}"]


def test_a_secret_at_the_edge_of_what_is_shown_is_not_cut_into_view():
    masked = LogMasker([SECRET])
    for before in range(LONGEST * 2 - len(SECRET), LONGEST * 2 + 1):
        assert "s3" not in masked.text("x" * before + SECRET)
        assert "s3" not in masked.text(SECRET * 3000 + "x" * (before % 100))
        assert "s3" not in masked.text("x" * (before % 100) + SECRET * 3000)
