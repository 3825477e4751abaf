"""A repository whose prompt lacks a rule, with the bot and scripted models around it."""

import html

from bot.runs.evaluation import LiveEvaluation
from bot.worker import assemble
from engine.runner.access import Access
from tests.bot.whole import Whole
from tests.improve import lab

SUGGEST = "suggest: {budget_usd: 2.00, model: editor}\n"
WRITING = {"checks": "write", "contents": "write", "issues": "write", "metadata": "read", "pull_requests": "write"}


class Shop:
    """The whole bot. ``models`` answer and rewrite."""

    def __init__(self, github, folder, models, *, config=SUGGEST, writes=True, url=None):
        self.models, self.whole = models, Whole(github, folder, url=url)
        self.whole.move_to("acme/shop", lab.files(config=lab.CONFIG + config))
        if writes:
            self.whole.app.granted[self.whole.installation] = WRITING
        self.repository = self.whole.scene.repository

    def worker(self, settings, records, metrics, wake):
        def scripted(*arguments):
            made = LiveEvaluation(*arguments)
            made._access = Access(lambda model: self.models.provider, made.clock)
            return made

        return assemble(settings, records, metrics, wake, scripted)

    def working(self):
        return self.whole.working(self.worker)

    def asks_on(self, number, command, by="ada"):
        """Posts a command; the bot's answer."""
        posted = self.whole.scene.comment(number, by, f"/verdict {command}")
        self.whole.emit("issue_comment", posted)
        return self.commented(f"<!-- prompt-verdict-answer {posted['comment']['id']} ")

    def commented(self, marker, patience_s=60):
        found = self.whole.until(
            lambda: next((one for one in self.whole.comments if one.startswith(marker)), None), patience_s
        )
        return html.unescape(found)

    def result(self, number):
        """The comment with a suggestion's result."""
        return self.commented(f"<!-- prompt-verdict-suggestion {number} ")

    def pull(self, **of):
        pull, opened = self.whole.scene.open_pull({"README.md": "x"}, **of)
        self.whole.emit("pull_request", opened)
        return pull

    def file(self, ref, path="triage.prompt.yml"):
        return self.repository.git.git("show", f"{ref}:{path}")

    @property
    def calls(self):
        return self.models.provider.calls
