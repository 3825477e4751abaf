"""A repository on a host that lives in memory: what the bot asks of GitHub, without HTTP, for many short stories."""

from datetime import UTC, datetime, timedelta

from bot.store.values import RepositoryRef
from schemas.errors import NotFound
from schemas.host import (
    Authorship,
    Comment,
    HeadCommit,
    HostedPullRequest,
    Push,
    RequiredCheck,
    Review,
    ReviewState,
    Role,
)

REPO = RepositoryRef(installation_id=7, repository_id=42, full_name="acme/shop")
START = datetime(2026, 11, 21, 12, tzinfo=UTC)
BASE = "b" * 40


class Ticking:
    """A clock that only moves when told."""

    def __init__(self):
        self.at = START

    def __call__(self):
        return self.at

    def forward(self, **span):
        self.at += timedelta(**span)

    def iso(self):
        return self.at.strftime("%Y-%m-%dT%H:%M:%SZ")


class MemoryHost:
    """Pull requests, comments, reviews, roles and reactions of one repository."""

    login = "prompt-verdict[bot]"

    def __init__(self, now):
        self.now = now
        self.pulls = {}
        self.roles = {}
        self.pushers = {}
        """number → who pushed, if not the author"""
        self.comments = {}
        """id → (number, author, body)"""
        self.reactions = []
        self.given = []
        """(number, review)"""
        self.asked = []
        self.trouble = None
        """Called before every request with its name."""

    def _ask(self, name):
        self.asked.append(name)
        if self.trouble is not None:
            self.trouble(name)

    def opened(self, number, head, *, author="ada", fork=False, base_ref="main"):
        self.pulls[number] = HostedPullRequest(
            number=number, is_open=True, merged=False, author=author, base_ref=base_ref, default_branch="main",
            head_ref="change", head_sha=head, head_repository=f"{author}/shop" if fork else REPO.full_name,
        )  # fmt: skip

    def changed(self, number, **fields):
        self.pulls[number] = self.pulls[number].model_copy(update=fields)

    def posted(self, number, author, body):
        """A person's comment; its id."""
        found = 1_000 + len(self.comments)
        self.comments[found] = (number, author, body)
        return found

    def reviewed(self, number, by, commit, state=ReviewState.APPROVED):
        at = self.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        self.given.append(
            (number, Review(reviewer=by, state=state, commit=commit, submitted_at=at, url="https://x.test/r"))
        )

    def dismissed(self, number, by):
        self.given = [
            (n, r.model_copy(update={"state": ReviewState.DISMISSED}) if (n, r.reviewer) == (number, by) else r)
            for n, r in self.given
        ]

    def ours(self, number):
        return [body for n, author, body in self.comments.values() if (n, author) == (number, self.login)]

    # -- what the bot asks

    def pull_request(self, number):
        self._ask("pull_request")
        return self.pulls[number]

    def branch(self, name):
        self._ask("branch")
        return BASE

    def required_checks(self, branch):
        self._ask("required_checks")
        return (RequiredCheck(name="prompt-verdict", app_id=1),)

    def reviews(self, number):
        self._ask("reviews")
        return tuple(review for n, review in self.given if n == number)

    def authorship(self, number):
        self._ask("authorship")
        pull = self.pulls[number]
        commit = HeadCommit(sha=pull.head_sha, parents=(), people=(pull.author,))
        pushes = tuple(
            Push(by=by, before="0" * 40, after=pull.head_sha) for by in self.pushers.get(number, [pull.author])
        )
        return Authorship(author=pull.author, commits=(commit,), pushes=pushes)

    def role(self, login):
        self._ask("role")
        return self.roles.get(login, Role.NONE)

    def may_write(self, login):
        return self.role(login) in (Role.WRITE, Role.MAINTAIN, Role.ADMIN)

    def react(self, comment_id, content):
        self._ask("react")
        if comment_id not in self.comments:
            raise NotFound("Not Found")
        if (comment_id, content) not in self.reactions:
            self.reactions.append((comment_id, content))

    def comment(self, number, body, marker):
        self._ask("comment")
        for found, (n, author, text) in self.comments.items():
            if (n, author) == (number, self.login) and text.split("\n")[0].startswith(f"{marker} "):
                return Comment(id=found, url="https://x.test/c")
        found = self.posted(number, self.login, body)
        self._ask("comment was written")
        return Comment(id=found, url="https://x.test/c")
