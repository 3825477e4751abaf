"""A GitHub with one repository, and the Actions token of a run in it."""

import pytest

from adapters.github import GitHubHost
from tests.fakes.github import Scene

PERMISSIONS = {"contents": "read", "pull_requests": "write", "statuses": "write", "actions": "read"}


@pytest.fixture
def scene(github):
    repository = github.repository("acme/shop", mia="maintain", ada="write", rob="read")
    repository.git.commit("main", {"README.md": "hello\n"})
    return Scene(github, repository)


@pytest.fixture
def naps():
    return []


@pytest.fixture
def host(github, scene, naps):
    from github import Auth

    token = github.actions_token(scene.repository, **PERMISSIONS)
    return GitHubHost("acme/shop", Auth.Token(token), api_url=github.api_url, sleep=naps.append)
