"""GitHub through PyGithub: our calls, their retries, and the meaning of refusals."""

from adapters.github.app import GitHubApp
from adapters.github.checks import AppHost
from adapters.github.host import GitHubHost

__all__ = ["AppHost", "GitHubApp", "GitHubHost"]
