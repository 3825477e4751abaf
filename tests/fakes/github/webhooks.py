"""Signed webhooks and the record of their deliveries."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.fakes.github.state import Json, timestamp

if TYPE_CHECKING:
    from tests.fakes.github.identity import App
    from tests.fakes.github.server import FakeGitHub
    from tests.fakes.github.state import Hook

DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def signature(secret: str, body: bytes) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@dataclass
class Delivery:
    """One attempt to deliver; a redelivery has its own ``id`` and the same ``guid``."""

    id: int
    guid: str
    event: str
    app_id: int | None
    body: bytes
    hook: Hook
    delivered_at: str
    status_code: int = 0
    redelivery: bool = False

    @property
    def payload(self) -> Json:
        value: Json = json.loads(self.body)
        return value

    def summary(self) -> Json:
        payload = self.payload
        return {
            "id": self.id, "guid": self.guid, "event": self.event, "action": payload.get("action"), "delivered_at": self.delivered_at,
            "redelivery": self.redelivery, "duration": 0.1, "status_code": self.status_code,
            "repository_id": payload.get("repository", {}).get("id"),
            "installation_id": payload.get("installation", {}).get("id"), "status": "OK" if 200 <= self.status_code < 300 else "Invalid HTTP Response",
        }  # fmt: skip


class Webhooks:
    """Delivers once and never again by itself, as GitHub does."""

    def __init__(self, github: FakeGitHub) -> None:
        self.github = github
        self.deliveries: list[Delivery] = []
        self.drop: set[str] = set()
        """Events that get lost: recorded as failed, never sent."""

    def emit(self, event: str, payload: Json, *, wait: bool = True) -> list[Delivery]:
        """Sends ``payload`` to every hook that listens for ``event``; an App's says for which installation."""
        self._note_pusher(event, payload)
        return [
            self._attempt(event, self.body_for(payload, app), app, hook, str(uuid.uuid4()), redelivery=False, wait=wait)
            for app, hook in self.github.hooks
            if event in hook.events
        ]

    def _note_pusher(self, event: str, payload: Json) -> None:
        """Whoever the event of a push names is who pushed."""
        repository = self.github.repositories.get(payload.get("repository", {}).get("full_name", ""))
        if event == "pull_request" and payload.get("action") == "synchronize" and repository is not None:
            for push in repository.activities:
                if push["after"] == payload.get("after"):
                    push["actor"] = payload["sender"]["login"]

    @staticmethod
    def body_for(payload: Json, app: App | None) -> bytes:
        name = payload.get("repository", {}).get("full_name")
        covering = [number for number, names in app.installations.items() if name in names] if app else []
        installation = {"installation": {"id": covering[0], "node_id": "I_1"}} if covering else {}
        return json.dumps(installation | payload).encode()

    def redeliver(self, number: int) -> bool:
        found = next((d for d in self.deliveries if d.id == number), None)
        if found is None:
            return False
        app = self.github.apps.get(found.app_id) if found.app_id is not None else None
        self._attempt(found.event, found.body, app, found.hook, found.guid, redelivery=True, wait=False)
        return True

    def _attempt(
        self, event: str, body: bytes, app: App | None, hook: Hook, guid: str, *, redelivery: bool, wait: bool
    ) -> Delivery:
        made = Delivery(
            self.github.next_id(), guid, event, app.id if app else None, body, hook, timestamp(self.github.clock()),
            redelivery=redelivery,
        )  # fmt: skip
        self.deliveries.append(made)
        if event in self.drop:
            made.status_code = 502
        elif wait:
            self.send(made)
        else:
            threading.Thread(target=self.send, args=(made,), daemon=True).start()
        return made

    def send(self, delivery: Delivery) -> None:
        headers = {
            "content-type": "application/json", "user-agent": "GitHub-Hookshot/fake", "x-github-event": delivery.event,
            "x-github-delivery": delivery.guid, "x-hub-signature-256": signature(delivery.hook.secret, delivery.body),
        }  # fmt: skip
        request = urllib.request.Request(delivery.hook.url, delivery.body, headers, method="POST")
        try:
            with DIRECT.open(request, timeout=10) as answer:
                delivery.status_code = answer.status
        except urllib.error.HTTPError as error:
            delivery.status_code = error.code
        except OSError:
            delivery.status_code = 504
