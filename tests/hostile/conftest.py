"""The small project of the end-to-end tests, for those who mean it harm."""

from tests.end_to_end.conftest import project

__all__ = ["project"]
