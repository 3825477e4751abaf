"""GitHub, by PyGithub: which calls we make, how they are repeated, and what their refusals mean."""

from adapters.github.app import GitHubApp
from adapters.github.checks import AppHost
from adapters.github.host import GitHubHost

__all__ = ["AppHost", "GitHubApp", "GitHubHost"]
