"""What each address of the API does. A route is (method, pattern, handler); a handler returns a Reply or raises Refusal."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

from tests.fakes.github.identity import LEVELS, App, Identity
from tests.fakes.github.state import Json, Pull, Repository, timestamp

if TYPE_CHECKING:
    from tests.fakes.github.server import FakeGitHub

COMMENT_LIMIT = 65_536
OUTPUT_LIMIT = 65_535
NOT_ACCESSIBLE = "Resource not accessible by integration"


@dataclass
class Reply:
    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None


class Refusal(Exception):  # noqa: N818
    def __init__(
        self, status: int, message: str, headers: dict[str, str] | None = None, errors: list[Json] | None = None
    ):
        super().__init__(message)
        self.status, self.message, self.headers, self.errors = status, message, headers or {}, errors

    def reply(self) -> Reply:
        body: Json = {
            "message": self.message,
            "documentation_url": "https://docs.github.com/rest",
            "status": str(self.status),
        }
        if self.errors:
            body["errors"] = self.errors
        return Reply(self.status, body, dict(self.headers))


def invalid(resource: str, name: str, message: str) -> Refusal:
    error = {"resource": resource, "code": "custom", "field": name, "message": message}
    return Refusal(422, "Validation Failed", errors=[error])


@dataclass
class Request:
    method: str
    path: str
    raw_query: str
    headers: dict[str, str]
    raw_body: bytes
    url: str
    identity: Identity | None = None

    @property
    def login(self) -> str:
        return self.identity.login if self.identity else ""

    @property
    def body(self) -> Json:
        try:
            value = json.loads(self.raw_body or b"{}")
        except ValueError:
            raise Refusal(400, "Problems parsing JSON") from None
        if not isinstance(value, dict):
            raise Refusal(422, "Invalid request.")
        return value

    def json_or_none(self) -> Any:
        try:
            return json.loads(self.raw_body) if self.raw_body else None
        except ValueError:
            return None

    def query(self, name: str, default: str = "") -> str:
        return parse_qs(self.raw_query).get(name, [default])[0]

    def page(self, items: list[Any], wrap: str | None = None) -> Reply:
        """One page of ``items`` with GitHub's Link header."""
        size = min(100, max(1, int(self.query("per_page", "30"))))
        number = max(1, int(self.query("page", "1")))
        last = max(1, -(-len(items) // size))
        links = {"next": number + 1, "last": last} if number < last else {}
        if number > 1:
            links |= {"prev": number - 1, "first": 1}
        query = {name: values[0] for name, values in parse_qs(self.raw_query).items()}
        text = ", ".join(
            f'<{self.url}{self.path}?{urlencode({**query, "page": to, "per_page": size})}>; rel="{name}"'
            for name, to in links.items()
        )
        rows = items[(number - 1) * size : number * size]
        body = {"total_count": len(items), wrap: rows} if wrap else rows
        return Reply(200, body, {"link": text} if text else {})


Handler = Callable[..., Reply]
ROUTES: list[tuple[str, re.Pattern[str], Handler]] = []


def route(method: str, path: str, scope: str | None = None, level: str = "read") -> Callable[[Handler], Handler]:
    """Registers a handler. With ``scope`` the repository is resolved and the permission asked for first."""

    def register(handler: Handler) -> Handler:
        def guarded(github: FakeGitHub, request: Request, **names: str) -> Reply:
            if scope is None:
                return handler(github, request, **names)
            repository = access(github, request, f"{names.pop('owner')}/{names.pop('repo')}", scope, level)
            return handler(github, request, repository, **names)

        wide = re.sub(r"\{(path|basehead|ref_path)\}", r"(?P<\1>.+)", path)
        ROUTES.append((method, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", wide)), guarded))
        return handler

    return register


def access(github: FakeGitHub, request: Request, name: str, scope: str, level: str) -> Repository:
    """The repository, when the one who asks may do ``level`` on ``scope``; else 404 or 403 as GitHub does."""
    repository = github.repositories.get(name)
    who = request.identity
    assert who is not None
    if repository is None or (who.repositories is not None and name not in who.repositories):
        raise Refusal(404, "Not Found")
    role = repository.role(who.login)
    if repository.private and not who.may("metadata", "read", role):
        raise Refusal(404, "Not Found")
    if who.kind == "Anonymous" and level != "read":
        raise Refusal(401, "Requires authentication")
    if level == "read" and not repository.private and who.kind in {"Anonymous", "User"}:
        return repository
    needed = "read" if who.kind == "User" and scope in {"comments", "issues", "pull_requests"} else level
    scopes = ("issues", "pull_requests") if scope == "comments" else (scope,)
    if level == "write" and not of_the_app(github, who, name, scopes[0]):
        raise Refusal(403, NOT_ACCESSIBLE, {"x-accepted-github-permissions": f"{scope}=write"})
    if not any(who.may(one, needed, role) for one in scopes):
        headers = {"x-accepted-github-permissions": "; ".join(f"{one}={level}" for one in scopes)}
        raise Refusal(
            403, NOT_ACCESSIBLE if who.permissions is not None else "Must have push access to repository", headers
        )
    return repository


def of_the_app(github: FakeGitHub, who: Identity, name: str, scope: str) -> bool:
    """Whether the App, too, may write: a person's token of an App can do what both may."""
    if who.kind != "User" or who.app_id is None:
        return True
    app = github.apps[who.app_id]
    number = next((number for number, names in app.installations.items() if name in names), 0)
    return app.granted.get(number, app.permissions).get(scope) == "write"


def user(login: str) -> Json:
    return {
        "login": login, "id": sum(login.encode()) + 1, "node_id": f"U_{login}", "url": f"https://api.github.com/users/{login}",
        "html_url": f"https://github.com/{login}", "type": "Bot" if login.endswith("[bot]") else "User", "site_admin": False,
    }  # fmt: skip


def held(repository: Repository, login: str) -> Json:
    """The booleans in which GitHub says what a person may do."""
    role = repository.roles.get(login, "none" if repository.private else "read")
    order = ("none", "read", "triage", "write", "maintain", "admin")
    names = {"pull": "read", "triage": "triage", "push": "write", "maintain": "maintain", "admin": "admin"}
    return {name: order.index(role) >= order.index(least) for name, least in names.items()}


def repository_json(github: FakeGitHub, name: str | None, login: str = "") -> Json | None:
    repository = github.repositories.get(name or "")
    if name is None:
        return None
    return {
        "id": repository.id if repository else 77, "name": name.split("/")[1], "full_name": name, "owner": user(name.split("/")[0]),
        "private": bool(repository and repository.private), "fork": repository is None, "default_branch": "main",
        "url": f"{github.api_url}/repos/{name}", "html_url": f"{github.server_url}/{name}",
        "clone_url": f"{github.server_url}/{name}.git",
        **({"permissions": held(repository, login)} if repository and login else {}),
    }  # fmt: skip


def pull_json(github: FakeGitHub, repository: Repository, pull: Pull) -> Json:
    name = repository.full_name
    pull.base_sha = pull.base_sha or repository.git.resolve(f"refs/heads/{pull.base_ref}")
    return {
        "id": 5000 + pull.number, "node_id": f"PR_{pull.number}", "number": pull.number, "title": pull.title, "body": None,
        "state": pull.state, "locked": pull.locked, "draft": pull.draft, "merged_at": timestamp(github.clock()) if pull.merged else None, "user": user(pull.author),
        "author_association": pull.author_association, "merge_commit_sha": pull.merge_commit_sha,
        "url": f"{github.api_url}/repos/{name}/pulls/{pull.number}", "html_url": f"{github.server_url}/{name}/pull/{pull.number}",
        "base": {
            "ref": pull.base_ref, "sha": pull.base_sha, "label": f"acme:{pull.base_ref}",
            "repo": repository_json(github, name), "user": user(name.split("/")[0]),
        },
        "head": {
            "ref": pull.head_ref, "sha": pull.head_sha, "label": f"{pull.author}:{pull.head_ref}",
            "repo": repository_json(github, pull.head_repository), "user": user((pull.head_repository or "ghost/x").split("/")[0]),
        },
    }  # fmt: skip


def the_pull(repository: Repository, number: str) -> Pull:
    pull = repository.pulls.get(int(number))
    if pull is None:
        raise Refusal(404, "Not Found")
    return pull


@route("GET", "/repos/{owner}/{repo}", "metadata")
def get_repository(github: FakeGitHub, request: Request, repository: Repository) -> Reply:
    person = request.login if request.identity and request.identity.kind == "User" else ""
    return Reply(200, repository_json(github, repository.full_name, person))


@route("GET", "/repos/{owner}/{repo}/pulls/{number}", "pull_requests")
def get_pull(github: FakeGitHub, request: Request, repository: Repository, number: str) -> Reply:
    pull = the_pull(repository, number)
    return Reply(200, {**pull_json(github, repository, pull), "merged": pull.merged})


@route("GET", "/repos/{owner}/{repo}/pulls", "pull_requests")
def list_pulls(github: FakeGitHub, request: Request, repository: Repository) -> Reply:
    state, base, head = request.query("state", "open"), request.query("base"), request.query("head")
    pulls = [
        p
        for p in repository.pulls.values()
        if state in ("all", p.state)
        and base in ("", p.base_ref)
        and head in ("", f"{(p.head_repository or '').partition('/')[0]}:{p.head_ref}")
    ]
    return request.page([pull_json(github, repository, p) for p in sorted(pulls, key=lambda p: -p.number)])


@route("GET", "/repos/{owner}/{repo}/commits/{sha}/pulls", "pull_requests")
def list_pulls_of_commit(github: FakeGitHub, request: Request, repository: Repository, sha: str) -> Reply:
    pulls = [p for p in repository.pulls.values() if sha in (p.head_sha, p.merge_commit_sha)]
    return request.page([pull_json(github, repository, p) for p in pulls])


@route("GET", "/repos/{owner}/{repo}/pulls/{number}/commits", "pull_requests")
def list_commits_of_pull(github: FakeGitHub, request: Request, repository: Repository, number: str) -> Reply:
    """Oldest first, at most 250. Who wrote one is known by an address at users.noreply.github.com."""
    pull, git = the_pull(repository, number), repository.git
    shape = "--format=%H%x00%P%x00%an%x00%ae%x00%cn%x00%ce%x00%B%x01"
    base = git.resolve(f"refs/heads/{pull.base_ref}")
    text = git.git("log", "--reverse", "--topo-order", shape, f"{base}..{pull.head_sha}")
    rows = []
    for row in filter(None, (one.strip("\n") for one in text.split("\x01"))):
        sha, parents, name, email, committer, address, message = row.split("\0")
        rows.append({
            "sha": sha, "parents": [{"sha": one} for one in parents.split()],
            **({"author": known(email)} if known(email) else {}), **({"committer": known(address)} if known(address) else {}),
            "commit": {
                "message": message.strip(), "author": {"name": name, "email": email},
                "committer": {"name": committer, "email": address},
            },
        })  # fmt: skip
    return request.page(rows[:250])


def known(email: str) -> Json | None:
    login, _, host = email.partition("@")
    return user(login.rpartition("+")[2]) if host == "users.noreply.github.com" else None


@route("GET", "/repos/{owner}/{repo}/activity", "contents")
def list_activities(github: FakeGitHub, request: Request, repository: Repository) -> Reply:
    rows = [one for one in reversed(repository.activities) if request.query("ref") in ("", one["ref"])]
    size, start = min(100, int(request.query("per_page", "30"))), int(request.query("after", "0"))
    more = {"link": f'<{request.url}{request.path}?per_page={size}&after={start + size}>; rel="next"'}
    shown = [
        {
            **one, "id": 1, "node_id": "PSH_1", "timestamp": timestamp(github.clock()), "activity_type": "push",
            "actor": user(one["actor"]) if one["actor"] else None,
        }
        for one in rows[start : start + size]
    ]  # fmt: skip
    return Reply(200, shown, more if start + size < len(rows) else {})


@route("GET", "/repos/{owner}/{repo}/pulls/{number}/reviews", "pull_requests")
def list_reviews(github: FakeGitHub, request: Request, repository: Repository, number: str) -> Reply:
    the_pull(repository, number)
    reviews = [r for r in repository.reviews if r["number"] == int(number)]
    return request.page([{name: value for name, value in r.items() if name != "number"} for r in reviews])


@route("GET", "/repos/{owner}/{repo}/collaborators/{login}/permission", "metadata")
def get_permission(github: FakeGitHub, request: Request, repository: Repository, login: str) -> Reply:
    exact = repository.roles.get(login, "none" if repository.private else "read")
    return Reply(200, {"permission": repository.role(login), "role_name": exact, "user": user(login)})


def the_thread(repository: Repository, number: str) -> Pull | Json:
    """What comments belong to."""
    return repository.issues.get(int(number)) or the_pull(repository, number)


# --- comments


def comment_json(github: FakeGitHub, repository: Repository, comment: Json) -> Json:
    name = repository.full_name
    return {
        "id": comment["id"], "node_id": f"IC_{comment['id']}", "user": user(comment["author"]), "body": comment["body"],
        "created_at": comment["created_at"], "updated_at": comment["updated_at"], "author_association": "NONE",
        "url": f"{github.api_url}/repos/{name}/issues/comments/{comment['id']}",
        "html_url": f"{github.server_url}/{name}/pull/{comment['issue']}#issuecomment-{comment['id']}",
        "issue_url": f"{github.api_url}/repos/{name}/issues/{comment['issue']}",
    }  # fmt: skip


def checked_body(request: Request) -> str:
    body = request.body.get("body")
    if not isinstance(body, str) or not body.strip():
        raise invalid("IssueComment", "body", "Body can't be blank")
    if len(body) > COMMENT_LIMIT:
        raise invalid("IssueComment", "body", f"Body is too long (maximum is {COMMENT_LIMIT} characters)")
    return body


@route("GET", "/repos/{owner}/{repo}/issues/{number}/comments", "comments")
def list_comments(github: FakeGitHub, request: Request, repository: Repository, number: str) -> Reply:
    the_thread(repository, number)
    return request.page([comment_json(github, repository, c) for c in repository.comments_of(int(number))])


@route("POST", "/repos/{owner}/{repo}/issues/{number}/comments", "comments", "write")
def create_comment(github: FakeGitHub, request: Request, repository: Repository, number: str) -> Reply:
    thread = the_thread(repository, number)
    if isinstance(thread, Pull) and thread.locked:
        raise Refusal(403, "Unable to create comment because issue is locked.")
    now = timestamp(github.clock())
    comment = {
        "id": github.next_id(), "issue": int(number), "author": request.login, "body": checked_body(request),
        "created_at": now, "updated_at": now,
    }  # fmt: skip
    repository.comments.append(comment)
    return Reply(201, comment_json(github, repository, comment))


def the_comment(repository: Repository, number: str) -> Json:
    found = next((c for c in repository.comments if c["id"] == int(number)), None)
    if found is None:
        raise Refusal(404, "Not Found")
    return found


@route("GET", "/repos/{owner}/{repo}/issues/comments/{number}", "comments")
def get_comment(github: FakeGitHub, request: Request, repository: Repository, number: str) -> Reply:
    return Reply(200, comment_json(github, repository, the_comment(repository, number)))


@route("PATCH", "/repos/{owner}/{repo}/issues/comments/{number}", "comments", "write")
def update_comment(github: FakeGitHub, request: Request, repository: Repository, number: str) -> Reply:
    comment = the_comment(repository, number)
    comment["body"] = checked_body(request)
    comment["updated_at"] = timestamp(github.clock())
    return Reply(200, comment_json(github, repository, comment))


@route("DELETE", "/repos/{owner}/{repo}/issues/comments/{number}", "comments", "write")
def delete_comment(github: FakeGitHub, request: Request, repository: Repository, number: str) -> Reply:
    repository.comments.remove(the_comment(repository, number))
    return Reply(204)


@route("POST", "/repos/{owner}/{repo}/issues/comments/{number}/reactions", "comments", "write")
def react(github: FakeGitHub, request: Request, repository: Repository, number: str) -> Reply:
    the_comment(repository, number)
    content = request.body.get("content")
    same = [
        r
        for r in repository.reactions
        if (r["comment"], r["login"], r["content"]) == (int(number), request.login, content)
    ]
    reaction = (
        same[0]
        if same
        else {"id": github.next_id(), "comment": int(number), "login": request.login, "content": content}
    )
    if not same:
        repository.reactions.append(reaction)
    shown = {"id": reaction["id"], "node_id": "R_1", "user": user(request.login), "content": content}
    return Reply(200 if same else 201, {**shown, "created_at": timestamp(github.clock())})


# --- issues


TITLE_LIMIT = 256


def issue_json(github: FakeGitHub, repository: Repository, issue: Json) -> Json:
    name, number = repository.full_name, issue["number"]
    url = f"{github.api_url}/repos/{name}"
    return {
        "id": 9000 + number, "node_id": f"I_{number}", "number": number, "title": issue["title"], "body": issue["body"],
        "state": issue["state"], "state_reason": issue["state_reason"], "user": user(issue["author"]), "locked": False,
        "labels": [], "assignee": None, "milestone": None, "author_association": "NONE", "url": f"{url}/issues/{number}",
        "comments": len(repository.comments_of(number)), "created_at": issue["created_at"], "repository_url": url,
        "updated_at": issue["updated_at"], "closed_at": issue["updated_at"] if issue["state"] == "closed" else None,
        "html_url": f"{github.server_url}/{name}/issues/{number}", "comments_url": f"{url}/issues/{number}/comments",
        "events_url": f"{url}/issues/{number}/events", "labels_url": f"{url}/issues/{number}/labels{{/name}}",
    }  # fmt: skip


def the_issue(repository: Repository, number: str) -> Json:
    found = repository.issues.get(int(number))
    if found is None:
        raise Refusal(404, "Not Found")
    return found


def checked_issue(body: Json) -> None:
    if "title" in body and (not str(body["title"]).strip() or len(str(body["title"])) > TITLE_LIMIT):
        raise invalid("Issue", "title", f"title is too long (maximum is {TITLE_LIMIT} characters)")
    if len(body.get("body") or "") > COMMENT_LIMIT:
        raise invalid("Issue", "body", f"body is too long (maximum is {COMMENT_LIMIT} characters)")


@route("GET", "/repos/{owner}/{repo}/issues", "issues")
def list_issues(github: FakeGitHub, request: Request, repository: Repository) -> Reply:
    """Newest first. GitHub lists pull requests too; ours are looked for among issues only."""
    state, creator, since = request.query("state", "open"), request.query("creator"), request.query("since")
    rows = [
        issue_json(github, repository, one)
        for one in repository.issues.values()
        if state in ("all", one["state"]) and creator in ("", one["author"]) and one["updated_at"] >= since
    ]
    return request.page(sorted(rows, key=lambda row: -row["number"]))


@route("POST", "/repos/{owner}/{repo}/issues", "issues", "write")
def create_issue(github: FakeGitHub, request: Request, repository: Repository) -> Reply:
    body, now = request.body, timestamp(github.clock())
    checked_issue(body)
    number = max((*repository.pulls, *repository.issues), default=0) + 1
    repository.issues[number] = {
        "number": number, "title": body["title"], "body": body.get("body"), "author": request.login, "state": "open",
        "state_reason": None, "created_at": now, "updated_at": now,
    }  # fmt: skip
    return Reply(201, issue_json(github, repository, repository.issues[number]))


@route("GET", "/repos/{owner}/{repo}/issues/{number}", "issues")
def get_issue(github: FakeGitHub, request: Request, repository: Repository, number: str) -> Reply:
    issue = the_issue(repository, number)
    return Reply(200, issue_json(github, repository, issue) | {"closed_by": issue.get("closed_by")})


@route("PATCH", "/repos/{owner}/{repo}/issues/{number}", "issues", "write")
def update_issue(github: FakeGitHub, request: Request, repository: Repository, number: str) -> Reply:
    issue, body = the_issue(repository, number), request.body
    checked_issue(body)
    if "state" in body:
        closed = body["state"] == "closed"
        issue["closed_by"] = user(request.login) if closed else None
        issue["state_reason"] = body.get("state_reason", "completed") if closed else "reopened"
    issue |= {name: body[name] for name in ("title", "body", "state") if name in body}
    issue["updated_at"] = timestamp(github.clock())
    return Reply(200, issue_json(github, repository, issue) | {"closed_by": issue.get("closed_by")})


# --- comparisons and deployments


@route("GET", "/repos/{owner}/{repo}/compare/{basehead}", "contents")
def compare_commits(github: FakeGitHub, request: Request, repository: Repository, basehead: str) -> Reply:
    base, _, head = basehead.partition("...")
    one, other = repository.git.find(base), repository.git.find(head)
    if one is None or other is None:
        raise Refusal(404, "Not Found")
    both = repository.git.merge_base(one, other)
    status = "identical" if one == other else "behind" if both == other else "ahead" if both == one else "diverged"
    return Reply(200, {"status": status, "ahead_by": 0, "behind_by": 0, "total_commits": 0, "commits": [], "files": []})


def deployment_json(github: FakeGitHub, repository: Repository, one: Json) -> Json:
    url = f"{github.api_url}/repos/{repository.full_name}"
    return {
        **one, "url": f"{url}/deployments/{one['id']}", "node_id": "DE_1", "statuses_url": f"{url}/deployments/{one['id']}/statuses",
        "repository_url": url, "creator": user(one["creator"]), "original_environment": one["environment"], "transient_environment": False,
    }  # fmt: skip


@route("POST", "/repos/{owner}/{repo}/deployments", "deployments", "write")
def create_deployment(github: FakeGitHub, request: Request, repository: Repository) -> Reply:
    body = request.body
    sha = repository.git.find(body["ref"])
    if sha is None:
        raise Refusal(422, f"No ref found for: {body['ref']}")
    if body.get("required_contexts", True) != [] or body.get("auto_merge", True):
        raise Refusal(409, "Conflict: commit status checks failed or a merge is needed")
    now = timestamp(github.clock())
    one = {
        "id": github.next_id(), "sha": sha, "ref": body["ref"], "task": body.get("task", "deploy"), "payload": body.get("payload", ""),
        "environment": body.get("environment", "production"), "description": body.get("description"), "creator": request.login,
        "created_at": now, "updated_at": now, "production_environment": body.get("production_environment", False),
    }  # fmt: skip
    repository.deployments.append(one)
    return Reply(201, deployment_json(github, repository, one))


@route("GET", "/repos/{owner}/{repo}/deployments", "deployments")
def list_deployments(github: FakeGitHub, request: Request, repository: Repository) -> Reply:
    asked = {name: value for name in ("sha", "ref", "task", "environment") if (value := request.query(name))}
    there = [
        one for one in reversed(repository.deployments) if all(one[name] == value for name, value in asked.items())
    ]
    return request.page([deployment_json(github, repository, one) for one in there])


@route("POST", "/repos/{owner}/{repo}/deployments/{number}/statuses", "deployments", "write")
def create_deployment_status(github: FakeGitHub, request: Request, repository: Repository, number: str) -> Reply:
    one = next((one for one in repository.deployments if one["id"] == int(number)), None)
    if one is None:
        raise Refusal(404, "Not Found")
    now, url = timestamp(github.clock()), f"{github.api_url}/repos/{repository.full_name}"
    status = {
        "id": github.next_id(), "node_id": "DES_1", "state": request.body["state"], "creator": user(request.login), "description": "",
        "environment": one["environment"], "target_url": "", "created_at": now, "updated_at": now,
        "deployment_url": f"{url}/deployments/{number}", "repository_url": url, "url": f"{url}/deployments/{number}/statuses/1",
    }  # fmt: skip
    repository.deployment_states[one["id"]] = request.body["state"]
    return Reply(201, status)


# --- statuses and check runs


@route("POST", "/repos/{owner}/{repo}/statuses/{sha}", "statuses", "write")
def create_status(github: FakeGitHub, request: Request, repository: Repository, sha: str) -> Reply:
    body = request.body
    if not re.fullmatch("[0-9a-f]{40}", sha) or repository.git.find(sha) is None:
        raise Refusal(422, f"No commit found for SHA: {sha}")
    if body.get("state") not in {"error", "failure", "pending", "success"}:
        raise invalid("Status", "state", "State is not included in the list")
    if any(ord(sign) > 0xFFFF for sign in body.get("description") or ""):
        raise invalid("Status", "description", "description doesn't accept 4-byte Unicode")
    if len(body.get("description") or "") > 140:
        raise invalid("Status", "description", "Description is too long (maximum is 140 characters)")
    context = body.get("context", "default")
    if sum(1 for s in repository.statuses_of(sha) if s["context"] == context) >= 1000:
        raise invalid("Status", "base", "This SHA and context has reached the maximum number of statuses.")
    status = {
        "id": github.next_id(), "node_id": "S_1", "sha": sha, "state": body["state"], "context": context,
        "description": body.get("description"), "target_url": body.get("target_url"), "creator": user(request.login),
        "created_at": timestamp(github.clock()), "updated_at": timestamp(github.clock()), "avatar_url": None,
        "url": f"{github.api_url}/repos/{repository.full_name}/statuses/{sha}",
    }  # fmt: skip
    repository.statuses.append(status)
    return Reply(201, status_json(status))


def status_json(status: Json) -> Json:
    """Without the commit, which isn't in GitHub's answer."""
    return {name: value for name, value in status.items() if name != "sha"}


@route("GET", "/repos/{owner}/{repo}/commits/{sha}/statuses", "statuses")
def list_statuses(github: FakeGitHub, request: Request, repository: Repository, sha: str) -> Reply:
    return request.page([status_json(s) for s in repository.statuses_of(sha)])


def checked_output(run: Json, body: Json, *, append: bool) -> None:
    output = body.get("output") or {}
    for name in ("summary", "text"):
        if len(output.get(name) or "") > OUTPUT_LIMIT:
            raise invalid("CheckRun", name, f"{name} is too long (maximum is {OUTPUT_LIMIT} characters)")
    if any(ord(sign) > 0xFFFF for sign in output.get("title") or ""):
        raise invalid("CheckRun", "title", "title doesn't accept 4-byte Unicode")
    if len(output.get("title") or "") > 255:
        raise invalid("CheckRun", "title", "title is too long (maximum is 255 characters)")
    if len(output.get("annotations") or []) > 50:
        raise invalid("CheckRun", "annotations", "No more than 50 annotations can be sent in a request")
    for action in body.get("actions") or []:
        if any(
            len(action.get(name, "")) > most for name, most in (("label", 20), ("description", 40), ("identifier", 20))
        ):
            raise invalid("CheckRun", "actions", "action is too long")
    if len(body.get("actions") or []) > 3:
        raise invalid("CheckRun", "actions", "No more than 3 actions")
    if body.get("status") == "completed" and not body.get("conclusion"):
        raise invalid("CheckRun", "conclusion", "a completed check run needs a conclusion")
    earlier = run.get("output") or {}
    annotations = (earlier.get("annotations") or []) if append else []
    run["output"] = {**earlier, **output, "annotations": [*annotations, *(output.get("annotations") or [])]}
    run.update({name: body[name] for name in body.keys() - {"output"}})
    if body.get("conclusion"):
        run["status"] = "completed"


def check_json(github: FakeGitHub, repository: Repository, run: Json) -> Json:
    output = run["output"]
    url = f"{github.api_url}/repos/{repository.full_name}/check-runs/{run['id']}"
    shown = {name: output.get(name) for name in ("title", "summary", "text")}
    return {
        **{name: value for name, value in run.items() if name != "actions"}, "url": url, "node_id": "CR_1", "html_url": f"{github.server_url}/{repository.full_name}/runs/{run['id']}",
        "output": {**shown, "annotations_count": len(output["annotations"]), "annotations_url": f"{url}/annotations"},
    }  # fmt: skip


def only_apps(request: Request) -> None:
    if request.identity is None or request.identity.app_id is None:
        raise Refusal(403, "You must authenticate via a GitHub App.")


@route("POST", "/repos/{owner}/{repo}/check-runs", "checks", "write")
def create_check(github: FakeGitHub, request: Request, repository: Repository) -> Reply:
    only_apps(request)
    body = request.body
    if repository.git.find(body.get("head_sha", "")) is None:
        raise Refusal(422, f"No commit found for SHA: {body.get('head_sha')}")
    assert request.identity is not None
    run: Json = {
        "id": github.next_id(),
        "status": "queued",
        "conclusion": None,
        "started_at": timestamp(github.clock()),
    }
    run |= {"app": {"id": request.identity.app_id, "slug": request.login.removesuffix("[bot]")}, "external_id": None}
    checked_output(run, body, append=False)
    repository.check_runs.append(run)
    return Reply(201, check_json(github, repository, run))


def the_check(repository: Repository, number: str) -> Json:
    found = next((c for c in repository.check_runs if c["id"] == int(number)), None)
    if found is None:
        raise Refusal(404, "Not Found")
    return found


@route("PATCH", "/repos/{owner}/{repo}/check-runs/{number}", "checks", "write")
def update_check(github: FakeGitHub, request: Request, repository: Repository, number: str) -> Reply:
    only_apps(request)
    run = the_check(repository, number)
    assert request.identity is not None
    if run["app"]["id"] != request.identity.app_id:
        raise Refusal(403, "Invalid app_id")
    checked_output(run, request.body, append=True)
    return Reply(200, check_json(github, repository, run))


@route("GET", "/repos/{owner}/{repo}/check-runs/{number}", "checks")
def get_check(github: FakeGitHub, request: Request, repository: Repository, number: str) -> Reply:
    return Reply(200, check_json(github, repository, the_check(repository, number)))


@route("GET", "/repos/{owner}/{repo}/commits/{sha}/check-runs", "checks")
def list_checks(github: FakeGitHub, request: Request, repository: Repository, sha: str) -> Reply:
    name, app = request.query("check_name"), request.query("app_id")
    runs = [
        r for r in reversed(repository.check_runs)
        if r["head_sha"] == sha and name in ("", r["name"]) and app in ("", str(r["app"]["id"]))
    ]  # fmt: skip
    if request.query("filter", "latest") == "latest":
        newest = {(r["app"]["id"], r["name"]): r for r in reversed(runs)}
        runs = [r for r in runs if newest[r["app"]["id"], r["name"]] is r]
    return request.page([check_json(github, repository, r) for r in runs], wrap="check_runs")


# --- source


@route("GET", "/repos/{owner}/{repo}/commits/{ref_path}", "contents")
def get_commit(github: FakeGitHub, request: Request, repository: Repository, ref_path: str) -> Reply:
    sha = repository.git.find(ref_path) or repository.git.find(f"refs/heads/{ref_path}")
    if sha is None:
        raise Refusal(422, f"No commit found for SHA: {ref_path}")
    parents = repository.git.git("rev-list", "--parents", "-1", sha).split()[1:]
    return Reply(200, {"sha": sha, "parents": [{"sha": p} for p in parents], "commit": {"message": "change"}})


@route("GET", "/repos/{owner}/{repo}/git/ref/{ref_path}", "contents")
def get_ref(github: FakeGitHub, request: Request, repository: Repository, ref_path: str) -> Reply:
    sha = repository.git.find(f"refs/{ref_path}")
    if sha is None:
        raise Refusal(404, "Not Found")
    return Reply(200, {"ref": f"refs/{ref_path}", "object": {"type": "commit", "sha": sha}})


@route("GET", "/repos/{owner}/{repo}/git/blobs/{sha}", "contents")
def get_blob(github: FakeGitHub, request: Request, repository: Repository, sha: str) -> Reply:
    data = repository.git.run("--git-dir", str(repository.git.path), "cat-file", "blob", sha)
    return Reply(200, {"sha": sha, "encoding": "base64", "size": len(data), "content": base64.b64encode(data).decode()})


@route("GET", "/repos/{owner}/{repo}/git/trees/{sha}", "contents")
def get_tree(github: FakeGitHub, request: Request, repository: Repository, sha: str) -> Reply:
    flags = ["-r", "-t"] if request.query("recursive") else []
    rows = repository.git.git("ls-tree", "-z", "-l", *flags, sha).split("\0")
    tree = []
    for row in filter(None, rows):
        meta, _, path = row.partition("\t")
        mode, kind, blob, size = meta.split()
        tree.append(
            {"path": path, "mode": mode, "type": kind, "sha": blob} | ({} if size == "-" else {"size": int(size)})
        )
    return Reply(200, {"sha": sha, "tree": tree, "truncated": False})


# --- what a branch requires


@route("GET", "/repos/{owner}/{repo}/rules/branches/{branch}", "metadata")
def list_rules(github: FakeGitHub, request: Request, repository: Repository, branch: str) -> Reply:
    checks = repository.required_checks.get(branch, [])
    parameters = {"required_status_checks": checks, "strict_required_status_checks_policy": repository.up_to_date}
    rule = {
        "type": "required_status_checks", "parameters": parameters, "ruleset_source_type": "Repository",
        "ruleset_source": repository.full_name, "ruleset_id": 1,
    }  # fmt: skip
    queue = {**rule, "type": "merge_queue", "parameters": {"merge_method": "MERGE"}}
    return request.page([*([rule] if checks else []), *([queue] if repository.merge_queue else [])])


@route("GET", "/repos/{owner}/{repo}/branches/{branch}", "contents")
def get_branch(github: FakeGitHub, request: Request, repository: Repository, branch: str) -> Reply:
    sha = repository.git.find(f"refs/heads/{branch}")
    if sha is None:
        raise Refusal(404, "Branch not found")
    checks = repository.protected_checks.get(branch, [])
    required = {"enforcement_level": "everyone", "contexts": [c["context"] for c in checks], "checks": checks}
    protection = {"enabled": True, "required_status_checks": required} if checks else {"enabled": False}
    return Reply(200, {"name": branch, "commit": {"sha": sha}, "protected": bool(checks), "protection": protection})


# --- artifacts


@route("GET", "/repos/{owner}/{repo}/actions/artifacts", "actions")
def list_artifacts(github: FakeGitHub, request: Request, repository: Repository) -> Reply:
    name = request.query("name")
    return request.page([a for a in reversed(repository.artifacts) if name in ("", a["name"])], wrap="artifacts")


@route("GET", "/repos/{owner}/{repo}/actions/artifacts/{number}/zip", "actions")
def download_artifact(github: FakeGitHub, request: Request, repository: Repository, number: str) -> Reply:
    found = next((a for a in repository.artifacts if a["id"] == int(number)), None)
    if found is None:
        raise Refusal(404, "Not Found")
    if found["expired"]:
        raise Refusal(410, "Artifact has expired")
    return Reply(
        302,
        None,
        {"location": f"{github.server_url.replace('127.0.0.1', 'localhost')}/_blobs/{repository.id}/{number}"},
    )


# --- Apps


@route("GET", "/user")
def get_user(github: FakeGitHub, request: Request) -> Reply:
    if request.identity is None or request.identity.kind != "User":
        raise Refusal(403, NOT_ACCESSIBLE)
    return Reply(200, user(request.login))


def the_app(github: FakeGitHub, request: Request) -> Any:
    if request.identity is None or request.identity.kind != "App":
        raise Refusal(401, "A JSON web token could not be decoded")
    assert request.identity.app_id is not None
    return github.apps[request.identity.app_id]


@route("GET", "/app")
def get_app(github: FakeGitHub, request: Request) -> Reply:
    app = the_app(github, request)
    return Reply(200, {
        "id": app.id, "slug": app.slug, "name": app.slug, "owner": user("acme"), "events": list(app.events),
        "client_id": app.client_id, "permissions": {"metadata": "read", **app.permissions}, "html_url": f"{github.server_url}/apps/{app.slug}",
    })  # fmt: skip


def installation_json(github: FakeGitHub, app: Any, number: int) -> Json:
    return {"id": number, "app_id": app.id, "app_slug": app.slug, "permissions": app.granted.get(number, app.permissions),
            "repository_selection": "selected", "account": user("acme"), "events": list(app.events),
            "suspended_at": timestamp(github.clock()) if number in app.suspended else None,
            "access_tokens_url": f"{github.api_url}/app/installations/{number}/access_tokens"}  # fmt: skip


@route("GET", "/app/installations")
def list_installations(github: FakeGitHub, request: Request) -> Reply:
    app = the_app(github, request)
    return request.page([installation_json(github, app, number) for number in app.installations])


@route("GET", "/app/installations/{number}")
def get_installation(github: FakeGitHub, request: Request, number: str) -> Reply:
    app = the_app(github, request)
    if int(number) not in app.installations:
        raise Refusal(404, "Not Found")
    return Reply(200, installation_json(github, app, int(number)))


@route("GET", "/repos/{owner}/{repo}/installation")
def get_repository_installation(github: FakeGitHub, request: Request, owner: str, repo: str) -> Reply:
    app = the_app(github, request)
    for number, names in app.installations.items():
        if f"{owner}/{repo}" in names:
            return Reply(200, installation_json(github, app, number))
    raise Refusal(404, "Not Found")


@route("POST", "/app/installations/{number}/access_tokens")
def create_token(github: FakeGitHub, request: Request, number: str) -> Reply:
    app = the_app(github, request)
    names = app.installations.get(int(number))
    if names is None:
        raise Refusal(404, "Not Found")
    if int(number) in app.suspended:
        raise Refusal(403, "This installation has been suspended")
    body = request.body
    wanted = body.get("repositories")
    if "repository_ids" in body:
        by_id = {r.id: r.full_name.split("/")[1] for r in github.repositories.values()}
        wanted = [by_id.get(one, "?") for one in body["repository_ids"]]
    chosen = frozenset(n for n in names if wanted is None or n.split("/")[1] in wanted)
    if wanted is not None and len(chosen) != len(wanted):
        raise Refusal(
            422, "There is at least one repository that does not exist or is not accessible to the parent installation."
        )
    granted = {"metadata": "read", **app.granted.get(int(number), app.permissions)}
    permissions = body.get("permissions") or granted
    if any(LEVELS[granted.get(scope, "none")] < LEVELS[level] for scope, level in permissions.items()):
        raise Refusal(422, "The permissions requested are not granted to this installation.")
    token = github.installation_token(app, int(number), chosen, permissions)
    return Reply(201, {"token": token, "expires_at": timestamp(github.clock() + 3600), "permissions": permissions})


@route("GET", "/installation/repositories")
def list_installation_repositories(github: FakeGitHub, request: Request) -> Reply:
    names = sorted((request.identity.repositories if request.identity else None) or ())
    return request.page([repository_json(github, name) for name in names], wrap="repositories")


@route("GET", "/app/hook/deliveries")
def list_deliveries(github: FakeGitHub, request: Request) -> Reply:
    app = the_app(github, request)
    rows = [d.summary() for d in reversed(github.webhooks.deliveries) if d.app_id == app.id]
    if outcome := request.query("status", ""):
        rows = [row for row in rows if (200 <= row["status_code"] < 400) == (outcome == "success")]
    size = min(100, int(request.query("per_page", "30")))
    start = int(request.query("cursor", "0"))
    more = {"link": f'<{request.url}{request.path}?per_page={size}&status={outcome}&cursor={start + size}>; rel="next"'}
    return Reply(200, rows[start : start + size], more if start + size < len(rows) else {})


@route("GET", "/app/hook/deliveries/{number}")
def get_delivery(github: FakeGitHub, request: Request, number: str) -> Reply:
    app = the_app(github, request)
    found = next((d for d in github.webhooks.deliveries if (d.id, d.app_id) == (int(number), app.id)), None)
    if found is None:
        raise Refusal(404, "Not Found")
    sent = {"headers": {"X-GitHub-Event": found.event, "X-GitHub-Delivery": found.guid}, "payload": found.payload}
    shown = {**found.summary(), "url": found.hook.url, "request": sent, "response": {"headers": {}, "payload": ""}}
    return Reply(200, shown)


@route("GET", "/app/hook/config")
def get_hook(github: FakeGitHub, request: Request) -> Reply:
    app = the_app(github, request)
    hook = next((hook for owner, hook in github.hooks if owner is app), None)
    if hook is None:
        raise Refusal(404, "Not Found")
    shown = {"url": hook.url, "content_type": hook.content_type, "insecure_ssl": hook.insecure_ssl}
    return Reply(200, shown | ({"secret": "********"} if hook.secret else {}))


@route("POST", "/app-manifests/{code}/conversions")
def convert_manifest(github: FakeGitHub, request: Request, code: str) -> Reply:
    """Makes the App that the manifest describes; the code is good once."""
    manifest = github.manifests.pop(code, None)
    if manifest is None:
        raise Refusal(404, "Not Found")
    slug = manifest["name"].lower().replace(" ", "-")
    app = App.make(github.next_id(), slug, manifest["default_permissions"], len(github.apps))
    app.events = tuple(manifest["default_events"])
    app.callback_urls = tuple(manifest.get("callback_urls", ()))
    github.apps[app.id] = app
    return Reply(201, {
        "id": app.id, "slug": slug, "node_id": "A_1", "name": manifest["name"], "owner": user("acme"), "description": None,
        "external_url": manifest["url"], "html_url": f"{github.server_url}/apps/{slug}", "permissions": app.permissions,
        "events": list(app.events), "created_at": timestamp(github.clock()), "updated_at": timestamp(github.clock()),
        "client_id": app.client_id, "client_secret": app.client_secret, "webhook_secret": "hook-secret", "pem": app.private_key,
    })  # fmt: skip


@route("POST", "/app/hook/deliveries/{number}/attempts")
def redeliver(github: FakeGitHub, request: Request, number: str) -> Reply:
    the_app(github, request)
    if not github.webhooks.redeliver(int(number)):
        raise Refusal(404, "Not Found")
    return Reply(202, {})
