"""Connections to GitHub, and PyGithub's requester on top of them, with its retries and pauses off."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from github.Auth import Auth
    from github.Requester import Requester
    from requests import Session

USER_AGENT = "prompt-verdict"
API_VERSION = "2022-11-28"
TIMEOUT_S = 20
"""Longest time in seconds without a byte."""
MOST_CONNECTIONS = 32
"""Connections kept for later calls. GitHub allows a hundred at a time."""


def new_session(proxy: str | None) -> Session:
    """Returns a session that reads nothing from the environment, keeps no cookies and retries nothing. Threads may
    share it."""
    from http.cookiejar import DefaultCookiePolicy

    import requests
    from requests.adapters import HTTPAdapter

    session = requests.Session()
    # The environment may name a proxy or a `.netrc` with other credentials.
    session.trust_env = False
    session.proxies = {} if proxy is None else {"http": proxy, "https": proxy}
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(pool_maxsize=MOST_CONNECTIONS))
    return session


def requester(auth: Auth | None, api_url: str, session: Session, ca_bundle: str | None) -> Requester:
    """Returns PyGithub's requester on the connections of ``session``, with its own retries and pauses off."""
    from github import Github
    from github.Requester import HTTPRequestsConnectionClass, HTTPSRequestsConnectionClass, Requester

    # each thread has its own: PyGithub keeps a request in its connection until the answer is read
    class Plain(threading.local, HTTPRequestsConnectionClass):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.session = session

    class Secure(threading.local, HTTPSRequestsConnectionClass):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self.session = session

    logging.getLogger("github.Requester").disabled = True  # it would log whole answers, including tokens
    # PyGithub has no other way to use our session. The classes are global, so they are reset below.
    Requester.injectConnectionClasses(Plain, Secure)
    try:
        client = Github(
            auth=auth,
            base_url=api_url,
            timeout=TIMEOUT_S,
            user_agent=USER_AGENT,
            retry=None,
            verify=ca_bundle or True,
            # Its pauses would block threads of the bot that wait for other repositories.
            seconds_between_requests=None,
            seconds_between_writes=None,
            lazy=True,
            api_version=API_VERSION,
        )
    finally:
        Requester.resetConnectionClasses()  # the requester keeps the classes that it was created with
    return client.requester
