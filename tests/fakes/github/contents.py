"""Files, branches and pull requests that a client makes.

docs.github.com: “Create or update file contents”, “Create a reference”, “Create a pull request”.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING

from tests.fakes.github.routes import Refusal, Reply, Request, invalid, pull_json, route
from tests.fakes.github.state import Pull, Repository

if TYPE_CHECKING:
    from tests.fakes.github.server import FakeGitHub


def blob_at(repository: Repository, commit: str | None, path: str) -> str | None:
    row = repository.git.git("ls-tree", "-z", "-l", commit, path).strip("\0") if commit else ""
    return row.split()[2] if " blob " in row else None


@route("GET", "/repos/{owner}/{repo}/contents/{path}", "contents")
def get_contents(github: FakeGitHub, request: Request, repository: Repository, path: str) -> Reply:
    sha = blob_at(repository, repository.git.find(request.query("ref", repository.default_branch)), path)
    if sha is None:
        raise Refusal(404, "Not Found")
    data = repository.git.run("--git-dir", str(repository.git.path), "cat-file", "blob", sha)
    content = base64.b64encode(data).decode()
    return Reply(
        200, {"type": "file", "path": path, "sha": sha, "size": len(data), "encoding": "base64", "content": content}
    )


@route("PUT", "/repos/{owner}/{repo}/contents/{path}", "contents", "write")
def put_contents(github: FakeGitHub, request: Request, repository: Repository, path: str) -> Reply:
    body = request.body
    branch = body.get("branch", repository.default_branch)
    before = repository.git.find(f"refs/heads/{branch}")
    if before is None:
        raise Refusal(404, f"Branch {branch} not found")
    there = blob_at(repository, before, path)
    if there is not None and "sha" not in body:
        raise Refusal(422, 'Invalid request.\n\n"sha" wasn\'t supplied.')
    if there != body.get("sha"):
        raise Refusal(409, f"{path} does not match {body.get('sha')}")
    files = {path: base64.b64decode(body["content"])}
    wrote = f"{request.login} <{request.login}@users.noreply.github.com>"
    after = repository.git.commit(branch, files, message=body["message"], wrote=wrote)
    repository.pushed(branch, before, after, request.login)
    content = {"name": path.rpartition("/")[2], "path": path, "sha": blob_at(repository, after, path), "type": "file"}
    return Reply(200 if there else 201, {"content": content, "commit": {"sha": after, "message": body["message"]}})


@route("POST", "/repos/{owner}/{repo}/git/refs", "contents", "write")
def create_ref(github: FakeGitHub, request: Request, repository: Repository) -> Reply:
    ref, sha = request.body["ref"], request.body["sha"]
    if not re.fullmatch("refs/[^/ ]+/[^ ]+", ref):
        raise Refusal(422, "Reference name must start with 'refs/' and contain at least two slashes")
    if repository.git.find(sha) is None:
        raise Refusal(422, "Object does not exist")
    if repository.git.find(ref) is not None:
        raise Refusal(422, "Reference already exists")
    repository.git.set_ref(ref, sha)
    return Reply(201, {"ref": ref, "node_id": "REF_1", "url": request.url, "object": {"type": "commit", "sha": sha}})


@route("POST", "/repos/{owner}/{repo}/pulls", "pull_requests", "write")
def create_pull(github: FakeGitHub, request: Request, repository: Repository) -> Reply:
    body, git = request.body, repository.git
    head, base = (git.find(f"refs/heads/{body[name]}") for name in ("head", "base"))
    for name, found in (("head", head), ("base", base)):
        if found is None:
            raise invalid("PullRequest", name, f"{name} is invalid")
    if any(one.state == "open" and one.head_ref == body["head"] for one in repository.pulls.values()):
        owner = repository.full_name.partition("/")[0]
        raise invalid("PullRequest", "base", f"A pull request already exists for {owner}:{body['head']}.")
    if git.git("rev-list", "--count", f"{base}..{head}") == "0":
        raise invalid("PullRequest", "base", f"No commits between {body['base']} and {body['head']}")
    number = max(repository.pulls, default=0) + 1
    pull = Pull(number, body["title"], request.login, body["base"], body["head"], head or "", repository.full_name)
    pull.draft, pull.body = body.get("draft", False), body.get("body") or ""
    repository.pulls[number] = pull
    git.set_ref(f"refs/pull/{number}/head", pull.head_sha)
    return Reply(201, {**pull_json(github, repository, pull), "body": body.get("body")})
