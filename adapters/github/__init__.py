"""GitHub, by PyGithub: which calls we make, how they are repeated, and what their refusals mean."""

from adapters.github.host import GitHubHost

__all__ = ["GitHubHost"]
