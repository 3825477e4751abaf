"""A GitHub of our own over real HTTP: stateful, paginated, signed, with GitHub's limits, faults and lost answers.

One for both shells. It is stricter than GitHub where GitHub is lenient: what we send is checked against GitHub's published
OpenAPI description (when the npm packages are there), and every violation is remembered and fails the test that caused it.
"""

from tests.fakes.github.identity import App, Identity
from tests.fakes.github.openapi import Description, description
from tests.fakes.github.scene import Scene
from tests.fakes.github.server import FakeGitHub, Fault
from tests.fakes.github.state import Hook, Pull, Repository

__all__ = [
    "App",
    "Description",
    "FakeGitHub",
    "Fault",
    "Hook",
    "Identity",
    "Pull",
    "Repository",
    "Scene",
    "description",
]
