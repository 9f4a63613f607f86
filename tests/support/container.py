"""A container without an engine: a root of its own, read-only, a user of its own, no rights.

What an engine makes of an image is made here of namespaces, `mount`, `chroot` and `setpriv`; the
network is the caller's. Needs root, or what `mount` needs of it.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from tests.support.dockerfile import Stage, read_dockerfile, sent_files
from tests.support.tools import ROOT

USER: Final = 10001
_SYSTEM: Final = ("usr", "bin", "sbin", "lib", "lib32", "lib64")
_ETC: Final = (
    "passwd", "group", "shadow", "gshadow", "login.defs", "default", "pam.d", "skel", "ssl",
    "nsswitch.conf", "ld.so.cache", "mime.types", "localtime", "alternatives", "ca-certificates",
)  # fmt: skip
_BUILD_S: Final = 300.0


@dataclass(frozen=True)
class Mount:
    """A file or folder of this machine at a place in the container."""

    source: Path
    target: str
    writable: bool = False


@dataclass(frozen=True)
class Image:
    """The root that the Dockerfile makes, less what comes from Debian and Python."""

    root: Path
    stage: Stage


def needs_namespaces() -> None:
    """Skip the test where a process may not have mounts of its own; in CI that fails."""
    tried = ["unshare", "--mount", "--net", "--", "setpriv", "--reuid=10001", "true"]
    if subprocess.run(tried, capture_output=True, check=False).returncode == 0:
        return
    missing = "mounts of one's own are not allowed here"
    if os.environ.get("CI") == "true":
        pytest.fail(missing, pytrace=False)
    pytest.skip(missing)


def build_image(folder: Path) -> Image:
    """Run the Dockerfile's steps, each in a root that is made of what the steps before it left."""
    build, final = read_dockerfile()
    made, root = folder / "build", folder / "image"
    for stage, base in ((build, made), (final, root)):
        for name in ("opt", "srv", "etc", "var/lib", "tmp", "run/secrets"):
            (base / name).mkdir(parents=True)
        if stage is final:
            _copy_etc(base / "etc")
        _run_steps(stage, base, made, own_base=stage is final)
    return Image(root, final)


def _copy_etc(etc: Path) -> None:
    for name in _ETC:
        source = Path("/etc") / name
        if source.is_dir():
            shutil.copytree(source, etc / name, symlinks=True)
        elif source.exists():
            shutil.copy2(source, etc / name)
    (etc / "hosts").touch()


def _run_steps(stage: Stage, base: Path, before: Path, *, own_base: bool) -> None:
    inside = "/"
    for name, words in stage.instructions:
        if name == "WORKDIR":
            inside = words
            (base / inside.strip("/")).mkdir(parents=True, exist_ok=True)
        elif name == "COPY":
            _copy(words, base, inside, before)
        elif name == "RUN":
            _run(words, stage, base, inside, own_base=own_base)


def _copy(words: str, base: Path, inside: str, before: Path) -> None:
    source, target = words.split()[-2:]
    to = base / os.path.normpath(f"{inside}/{target}" if target[0] != "/" else target).strip("/")
    if words.startswith("--from="):
        shutil.move(before / source.strip("/"), to)  # nobody asks the build for it again
        return
    files = [path for path in sent_files() if Path(source) in (path, *path.parents)]
    assert files, f"COPY {words}: .dockerignore keeps it back"
    for path in files:
        place = to / path.name if target == "./" else to / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, place)


def _run(words: str, stage: Stage, base: Path, inside: str, *, own_base: bool) -> None:
    """A RUN of the build sees the network and this machine's pip; the image's own sees neither."""
    python = f"{sys.base_prefix}/bin"
    mine = {k: v for k, v in os.environ.items() if k.startswith("PIP_") or k.endswith("_proxy")}
    environment = {**mine, **stage.environment, "HOME": str(Path.home())}
    environment["PATH"] = f"{python}:{environment['PATH']}"
    mounts = [Mount(base / name, f"/{name}", writable=True) for name in ("opt", "srv", "var")]
    mounts += [Mount(base / "tmp", "/tmp", writable=True)]
    if own_base:
        mounts += [Mount(base / "etc", "/etc", writable=True)]
        (local := base / "usr/local").mkdir(parents=True)
        mounts += [Mount(local, "/usr/local", writable=True)]
    (with_root := base.with_name(f"{base.name}.root")).mkdir(exist_ok=True)
    lines = [f"mount --rbind / {with_root}", *_binds(with_root, mounts)]
    command = ["/usr/bin/env", "-i", "-C", inside, *_pairs(environment), "sh", "-c", words]
    done = subprocess.run(
        _unshared(lines, with_root, command),
        capture_output=True, text=True, timeout=_BUILD_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"RUN {words}:\n{done.stdout}{done.stderr}"
    if own_base:
        shutil.rmtree(base / "usr")


@dataclass
class Container:
    """What one service of docker-compose.yml runs in."""

    image: Image
    name: str
    environment: Mapping[str, str]
    mounts: Sequence[Mount] = ()
    temporary: Sequence[str] = ("/tmp",)
    log: Path = field(default=Path(os.devnull))

    def command(self, *words: str) -> list[str]:
        """How the words are run in the container, from this machine."""
        root = self.image.root.with_name(f"{self.name}.root")
        root.mkdir(exist_ok=True)
        system = [Path("/") / name for name in _SYSTEM if (Path("/") / name).exists()]
        prefix = Path(sys.base_prefix)
        shown = [Mount(path, str(path)) for path in (*system, Path("/proc"), Path("/dev"))]
        shown += [] if prefix.is_relative_to("/usr") else [Mount(prefix, str(prefix))]
        for mount in (*shown, *self.mounts):
            _make_place(self.image.root, mount)
        environment = {**self.image.stage.environment, **self.environment}
        (workdir,) = self.image.stage.of("WORKDIR")
        lines = [
            f"mount --bind {self.image.root} {root}",
            f"mount -o remount,bind,ro {root}",
            *_binds(root, [*shown, *self.mounts]),
            *(f"mount -t tmpfs -o mode=1777 tmpfs {root}{place}" for place in self.temporary),
        ]
        dropped = [f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs",
                   "--bounding-set=-all", "--inh-caps=-all"]  # fmt: skip
        command = ["/usr/bin/env", "-i", "-C", workdir, *_pairs(environment)]
        return _unshared(lines, root, [*command, "/usr/bin/setpriv", *dropped, *words])

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(self.command(*words), stdout=log, stderr=log)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words), capture_output=True, text=True, timeout=60, check=False
        )


def _make_place(root: Path, mount: Mount) -> None:
    place = root / mount.target.strip("/")
    if mount.source.is_dir():
        place.mkdir(parents=True, exist_ok=True)
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()


def _pairs(environment: Mapping[str, str]) -> list[str]:
    return [f"{key}={value}" for key, value in environment.items()]


def _binds(root: Path, mounts: Sequence[Mount]) -> list[str]:
    return [
        f"mount -o {'bind' if m.writable else 'bind,ro'} {m.source} {root}{m.target}"
        for m in mounts
    ]


def _unshared(lines: Sequence[str], root: Path, command: Sequence[str]) -> list[str]:
    """The process is the command's own in the end, so that signals reach it."""
    script = "\n".join([*lines, f"exec chroot {root} {shlex.join(command)}"])
    return ["unshare", "--mount", "--propagation", "private", "sh", "-e", "-c", script]
