"""A container engine for the tests: the machine's own where it answers, else a private one for as long as they run.

The private one is Debian's, unpacked into a folder of the user's cache, so that no service is installed. Its base image
is a stand-in for the official slim Python image: a minimal Debian with a CPython of this machine. It is larger than the
official one, so nothing is measured on it but what our own layers add.

    python tests/container/engine.py start|base|stop     for a look by hand
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "prompt-verdict-engine"
PACKAGES = ("docker.io", "containerd", "tini")
SYSTEM_PACKAGES = ("runc", "iptables", "debootstrap", "ca-certificates")
LIBRARIES = (
    "ca-certificates", "git", "libbz2-1.0", "libexpat1", "libffi8", "liblzma5", "libreadline8", "libsqlite3-0", "libssl3",
    "libuuid1", "zlib1g",
)  # fmt: skip
BASE = "prompt-verdict-base:3.13"
MINOR = "3.13"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


class Unavailable(Exception):  # noqa: N818
    """Why there is no engine here."""


def call(*command: str, patience_s: float = 300, data: bytes | None = None, **environment: str) -> str:
    """The output of a command. Raises Unavailable with its last words."""
    try:
        done = subprocess.run(
            command, input=data, capture_output=True, timeout=patience_s, check=False, env={**os.environ, **environment}
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{command[0]}: {type(error).__name__}") from error
    if done.returncode:
        words = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()[-3:]
        raise Unavailable(f"{' '.join(command[:3])}: {' / '.join(words)}")
    return done.stdout.decode(errors="replace")


@dataclass
class Engine:
    """An engine that answers."""

    docker: str
    host: str | None
    daemon: subprocess.Popen[bytes] | None = None

    def run(self, *arguments: str, patience_s: float = 300, data: bytes | None = None) -> str:
        environment = {"DOCKER_HOST": self.host} if self.host else {}
        return call(self.docker, *arguments, patience_s=patience_s, data=data, DOCKER_BUILDKIT="0", **environment)

    def has(self, image: str) -> bool:
        return bool(self.run("images", "--quiet", image).strip())

    def stop(self) -> None:
        if self.daemon is not None:
            self.daemon.terminate()
            self.daemon.wait(30)


def start() -> Engine:
    """The machine's engine, or a private one. Raises Unavailable."""
    docker = shutil.which("docker")
    if docker:
        engine = Engine(docker, None)
        try:
            engine.run("version", patience_s=10)
        except Unavailable:
            pass
        else:
            return engine
    return private()


def private() -> Engine:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Unavailable("no container engine answers, and only root on Debian can start a private one")
    root = FOLDER / "root"
    if not (root / "usr/sbin/dockerd").exists():
        unpack(root)
    socket = f"unix://{FOLDER}/docker.sock"
    path = f"{root}/usr/sbin:{root}/usr/bin:{os.environ['PATH']}"
    command = [
        str(root / "usr/sbin/dockerd"), "--host", socket, "--data-root", f"{FOLDER}/data", "--exec-root", f"{FOLDER}/exec",
        "--pidfile", f"{FOLDER}/dockerd.pid", "--storage-driver", "overlay2", "--iptables=false", "--ip-forward=false",
        "--bip", "172.31.93.1/24", "--exec-opt", "native.cgroupdriver=cgroupfs", "--default-ulimit", "nofile=4096:8192",
    ]  # fmt: skip
    with (FOLDER / "dockerd.log").open("wb") as log:
        daemon = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PATH": path},
            start_new_session=True,
        )
    engine = Engine(str(root / "usr/bin/docker"), socket, daemon)
    for _ in range(150):
        try:
            engine.run("version", patience_s=10)
        except Unavailable:
            if daemon.poll() is not None:
                break
            time.sleep(0.2)
        else:
            return engine
    engine.stop()
    last = (FOLDER / "dockerd.log").read_text(errors="replace").splitlines()[-1:]
    raise Unavailable(f"the private engine didn't start: {' '.join(last)}")


def unpack(root: Path) -> None:
    """Debian's packages without installing them."""
    debs = FOLDER / "debs"
    debs.mkdir(parents=True, exist_ok=True)
    call("apt-get", "update", "-qq")
    call(
        "apt-get", "install", "-y", "-qq", "--no-install-recommends", *SYSTEM_PACKAGES, DEBIAN_FRONTEND="noninteractive"
    )
    call("sh", "-c", f"cd '{debs}' && apt-get download -qq {' '.join(PACKAGES)}")
    root.mkdir(exist_ok=True)
    for deb in sorted(debs.glob("*.deb")):
        call("dpkg", "-x", str(deb), str(root))


def base_image(engine: Engine) -> str:
    """The tag of a base image with Python: the stand-in; made once. Raises Unavailable."""
    if engine.has(BASE):
        return BASE
    home = interpreter()
    tree = FOLDER / "tree"
    if not (tree / "usr/bin/git").exists():
        shutil.rmtree(tree, ignore_errors=True)
        call("debootstrap", "--variant=minbase", f"--include={','.join(LIBRARIES)}", "bookworm", str(tree), mirror())
    for part in ("bin", "lib"):
        shutil.copytree(home / part, tree / "usr/local" / part, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__", "test", "site-packages"))  # fmt: skip
    shutil.copytree(home / f"lib/python{MINOR}/site-packages/pip", tree / f"usr/local/lib/python{MINOR}/site-packages/pip", dirs_exist_ok=True)  # fmt: skip
    for name in ("python", "python3"):
        link = tree / "usr/local/bin" / name
        link.unlink(missing_ok=True)
        link.symlink_to(f"python{MINOR}")
    shutil.copyfile(CERTIFICATES, tree / CERTIFICATES.lstrip("/"))
    call("chroot", str(tree), "ldconfig")
    settings = [
        "--change", "ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin",
        "--change", f"ENV SSL_CERT_FILE={CERTIFICATES} PIP_CERT={CERTIFICATES}", "--change", 'CMD ["python3"]',
    ]  # fmt: skip
    archive = FOLDER / "tree.tar"
    call("tar", "-C", str(tree), "-cf", str(archive), ".")
    engine.run("import", *settings, str(archive), BASE)
    archive.unlink()
    return BASE


def interpreter() -> Path:
    """The folder of a CPython of the right minor version that can be moved: pyenv's, or the one that runs us."""
    places = [Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"]
    found = sorted(
        p for place in places if place.is_dir() for p in place.glob(f"{MINOR}.*") if (p / "bin/python3").exists()
    )
    if not found:
        raise Unavailable(f"there is no CPython {MINOR} here to make a base image of")
    return found[-1]


def mirror() -> str:
    """The Debian mirror that this machine uses."""
    texts = [
        p.read_text()
        for p in (Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*"))
        if p.is_file()
    ]
    found = re.findall(r"^(?:deb(?: \[[^]]*\])?|URIs:)\s+(\S+://\S+?/debian)/?\s", "\n".join(texts), re.MULTILINE)
    if not found:
        raise Unavailable("no Debian mirror is configured")
    return str(found[0])


if __name__ == "__main__":
    verb = sys.argv[1] if len(sys.argv) > 1 else ""
    if verb == "stop":
        os.kill(int((FOLDER / "dockerd.pid").read_text()), 15)
    elif verb in {"start", "base"}:
        running = start()
        lines = [f"export DOCKER_HOST={running.host or ''} PATH={Path(running.docker).parent}:$PATH"]
        sys.stdout.write("\n".join([*lines, *([f"# {base_image(running)}"] if verb == "base" else [])]) + "\n")
    else:
        sys.exit(__doc__)
