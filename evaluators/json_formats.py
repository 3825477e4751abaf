"""The formats of JSON Schema that JSON APIs use. Each function says whether a text has the format, in linear time."""

from __future__ import annotations

import ipaddress
import re
import warnings
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(
    r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?:\.\d+)?(?:z|(?P<sign>[+-])(?P<hours>\d\d):(?P<minutes>\d\d))",
    re.ASCII | re.IGNORECASE,
)
_DURATION = re.compile(
    r"P(?:\d+W|(?=[\dT])(?:\d+Y(?:\d+M(?:\d+D)?)?|\d+M(?:\d+D)?|\d+D)?"
    r"(?:T(?:\d+H(?:\d+M(?:\d+S)?)?|\d+M(?:\d+S)?|\d+S))?)",
    re.ASCII,
)
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_QUOTED = r'"(?:[ !#-\[\]-~]|\\[ -~])*"'
_EMAIL = re.compile(rf"(?P<local>{_ATEXT}(?:\.{_ATEXT})*|{_QUOTED})@(?:(?P<host>[^@\[\]]+)|\[(?P<address>[^@\[\]]+)\])")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_UUID = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}")
_POINTER = re.compile(r"(?:/(?:[^~/]|~[01])*)*", re.DOTALL)
_IN_URI = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"
_AUTHORITY = re.compile(
    r"(?:(?:[A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})*@)?"
    r"(?:\[(?P<address>[^\[\]]*)\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(?::\d*)?",
    re.ASCII,
)
_PATH = re.compile(rf"(?:{_IN_URI}|/)*")
_QUERY = re.compile(rf"(?:{_IN_URI}|[/?])*")
_FUTURE = re.compile(r"v[0-9A-Fa-f]+\.[A-Za-z0-9._~!$&'()*+,;=:-]+")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_NOT_ECMA = re.compile(r"(?<!\\)(?:\\\\)*\\[aAZz]|\(\?P|\(\?#")
MAX_HOST = 253
MAX_EXPRESSION = 2_000


def _date(text: str) -> bool:
    if _DATE.fullmatch(text) is None:
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _time(text: str) -> bool:
    match = _TIME.fullmatch(text)
    if match is None:
        return False
    hour, minute, second = (int(match[name]) for name in ("hour", "minute", "second"))
    hours, minutes = int(match["hours"] or 0), int(match["minutes"] or 0)
    if hour > 23 or minute > 59 or second > 60 or hours > 23 or minutes > 59:
        return False
    # A leap second is the last one of a day of UTC.
    offset = timedelta(hours=hours, minutes=minutes) * (-1 if match["sign"] == "+" else 1)
    universal = datetime(2000, 1, 2, hour, minute) + offset  # noqa: DTZ001 - only its hour and minute count
    return second < 60 or (universal.hour, universal.minute) == (23, 59)


def _date_time(text: str) -> bool:
    return text[10:11] in ("T", "t") and _date(text[:10]) and _time(text[11:])


def _ipv4(text: str) -> bool:
    try:
        return text.isascii() and bool(ipaddress.IPv4Address(text))
    except ValueError:
        return False


def _ipv6(text: str) -> bool:
    try:
        return text.isascii() and "%" not in text and bool(ipaddress.IPv6Address(text))
    except ValueError:
        return False


def _hostname(text: str) -> bool:
    labels = text.split(".")
    if len(text) > MAX_HOST or not all(map(_LABEL.fullmatch, labels)):
        return False
    return all(label[2:4] != "--" or _punycode(label.lower()) for label in labels)


def _punycode(label: str) -> bool:
    if not label.startswith("xn--"):
        return False
    try:
        return not label.removeprefix("xn--").encode().decode("punycode").isascii()
    except ValueError:
        return False


def _email(text: str) -> bool:
    match = _EMAIL.fullmatch(text)
    if match is None:
        return False
    if match["address"] is not None:
        address = match["address"]
        return _ipv6(address[5:]) if address[:5].lower() == "ipv6:" else _ipv4(address)
    return _hostname(match["host"])


def _uri_reference(text: str) -> bool:
    rest, _, fragment = text.partition("#")
    rest, _, query = rest.partition("?")
    scheme, colon, path = rest.partition(":")
    if not colon or _SCHEME.fullmatch(scheme) is None:
        # Without a scheme, the first step of a path has no colon.
        if ":" in rest.partition("/")[0]:
            return False
        path = rest
    if path.startswith("//"):
        authority, slash, path = path[2:].partition("/")
        path = slash + path
        match = _AUTHORITY.fullmatch(authority)
        address = match["address"] if match else None
        if match is None or not (address is None or _ipv6(address) or _FUTURE.fullmatch(address)):
            return False
    return all((_PATH.fullmatch(path), _QUERY.fullmatch(query), _QUERY.fullmatch(fragment)))


def _uri(text: str) -> bool:
    scheme, colon, _ = text.partition(":")
    return bool(colon) and _SCHEME.fullmatch(scheme) is not None and _uri_reference(text)


def _regex(text: str) -> bool:
    # Anchors and groups that only Python has are no expressions of ECMA-262, which the format means.
    if len(text) > MAX_EXPRESSION or _NOT_ECMA.search(text):
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sets that a later Python may read in another way
            re.compile(text)
    except (re.error, OverflowError, RecursionError):
        return False
    return True


FORMATS: Mapping[str, Callable[[str], bool]] = {
    "date": _date,
    "time": _time,
    "date-time": _date_time,
    "duration": lambda text: _DURATION.fullmatch(text) is not None,
    "email": _email,
    "uri": _uri,
    "uri-reference": _uri_reference,
    "uuid": lambda text: _UUID.fullmatch(text) is not None,
    "ipv4": _ipv4,
    "ipv6": _ipv6,
    "hostname": _hostname,
    "regex": _regex,
    "json-pointer": lambda text: _POINTER.fullmatch(text) is not None,
}
"""The formats that are checked (RFC 3339, 3986, 4122, 4291, 5321, 6901)."""
