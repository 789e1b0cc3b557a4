"""Who works on something, so that nobody else does: across processes and hosts, on any file system
that they share.

A claim NAME is a file NAME.N beside what it guards. It names host and process, and a thread of its
process touches it every `BEAT` seconds. `flock` and `fcntl` locks are not used: over NFS, Lustre
and the like they depend on how the disk was mounted. What is needed here is that one of two
processes which create the same file (a hard link, or exclusively) is told that it is there already,
and that a file's time of change is seen elsewhere.

- On its own host a holder is dead when its process is: at once. Elsewhere it is dead when its file
  was seen unchanged for `DEAD` seconds by the clock of who waits; clocks of different hosts are
  never compared.
- Who takes over a dead holder's NAME.N creates NAME.N+1, which one alone can, and nobody removes a
  file that is not his own or seen dead. Who then sees a living one beside his own lets go: two may
  refuse each other and try again, never hold both.
- A holder whose file is gone, or another's (numbers are used again), was taken for dead (frozen, or
  its disk was away): it calls `lost`, and must touch nothing more. A token in the file tells.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import socket
import sys
import threading
import time
import uuid
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

BEAT = 10.0
"""Seconds between two signs of life. Chosen here: with ten thousand cells at work, a thousand small
requests a second to the disk."""
DEAD = 180.0
"""Seconds without a sign of life after which a holder on another host is dead. Chosen here: NFS
clients may hold what they know of a file for 60 seconds (acregmax), and a missed beat or two must
cost nobody his work."""


@dataclass(frozen=True)
class Holder:
    """Who holds a claim."""

    host: str
    pid: int
    """0: unknown, for the file cannot be read."""
    began: float
    """When the process began, as `_began` says: a process number is used again."""

    @property
    def here(self) -> bool:
        """Whether it is on this host."""
        return self.host == this_host()

    def __str__(self) -> str:
        return (
            f"process {self.pid} on {self.host.partition('/')[0]}"
            if self.pid
            else "an unknown process"
        )


@functools.cache
def this_host() -> str:
    """Return the name of this host, and on Linux of its space of process numbers: containers may
    share a host's name.
    """
    try:
        return f"{socket.gethostname()}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return socket.gethostname()


def _me() -> Holder:
    return Holder(this_host(), os.getpid(), _began(os.getpid()) or 0.0)


def _text(holder: Holder, token: str) -> str:
    """Return what stands in the file, with a checksum: a digit that changed on the disk would be
    another process.
    """
    value = [asdict(holder), token]
    return json.dumps([*value, zlib.crc32(json.dumps(value).encode())])


def _began(pid: int) -> float | None:
    """Return when a process of this host began; None where there is none, or nothing is left of it
    but its exit code.

    Linux: clock ticks since the machine started, which no change of the clock moves. Elsewhere:
    seconds since 1970.
    """
    if sys.platform == "linux":
        try:
            state, *more = (
                Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
            )
            return None if state in "ZX" else float(more[18])
        except OSError:
            return None
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None


def _create(file: Path, text: str) -> None:
    """Create a file, whole: who is killed meanwhile must not leave an empty claim, which counts for
    `DEAD` seconds.

    Raises
    ------
    FileExistsError : it is there already.
    OSError : the folder cannot be written.
    """
    new = file.with_name(f"{file.name}.{os.getpid()}-{threading.get_ident()}.new")
    try:
        new.write_text(text)
        try:
            os.link(new, file)
        except FileExistsError:
            raise
        except OSError:  # a file system without hard links
            with file.open("x") as opened:
                opened.write(text)
    finally:
        new.unlink(missing_ok=True)


class Claim:
    """A claim on what `path` stands for; `lost` is called, in a thread, when it was taken away.

    Not for several threads at once. One object should be kept by who looks again and again: it
    remembers since when a holder is silent.
    """

    def __init__(self, path: Path, lost: Callable[[], None] | None = None) -> None:
        self.path = path
        self.lost = lost
        self.file: Path | None = None
        """The file while it is held here."""
        self._content = b""
        """What stands in it."""
        self._seen: dict[str, tuple[int, float]] = {}

    def take(self) -> Holder | None:
        """Try to take it. Returns who holds it instead; None where it is held here now.

        Raises
        ------
        OSError : the folder cannot be written.
        """
        found = self.files()
        for file in found:
            if (holder := self._living(file)) is not None:
                return holder
        number = max((int(file.suffix[1:]) for file in found), default=0) + 1
        file = self.path.with_name(f"{self.path.name}.{number}")
        me = _me()
        text = _text(me, uuid.uuid4().hex)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _create(file, text)
        except FileExistsError:
            return self.holder() or me
        # Looked at anew, each of them: what was let go since may be another's by now, under the
        # same number.
        others = [other for other in self.files() if other != file]
        if any(self._living(other) is not None for other in others):
            file.unlink(missing_ok=True)
            return self.holder() or me
        for dead in others:
            dead.unlink(missing_ok=True)
        self.file, self._content = file, text.encode()
        _beat(self)
        return None

    def holder(self) -> Holder | None:
        """Return who holds it, and is not known to be dead."""
        return next(filter(None, map(self._living, self.files())), None)

    def silent(self) -> float:
        """Return the seconds since the last sign of life, by the clocks of disk and host: not for
        deciding who may take it.
        """
        try:
            return max(0.0, time.time() - max(file.stat().st_mtime for file in self.files()))
        except (OSError, ValueError):
            return 0.0

    def release(self) -> None:
        """Let go."""
        with _lock:
            _held.discard(self)
        if self.file is not None:
            with contextlib.suppress(OSError):
                if self.is_kept():
                    self.file.unlink(missing_ok=True)
            self.file = None

    def is_kept(self) -> bool:
        """Whether the file that was made when it was taken is still there, and no other.

        Raises
        ------
        OSError : the disk is away.
        """
        try:
            return self.file is not None and self.file.read_bytes() == self._content
        except FileNotFoundError:
            return False

    def __enter__(self) -> Claim:
        return self

    def __exit__(self, *ended: object) -> None:
        self.release()

    def files(self) -> list[Path]:
        """Return the files that claim it, of the living and the dead."""
        try:
            names = os.listdir(self.path.parent)  # noqa: PTH208  # names are enough, and may be many
        except FileNotFoundError:
            return []
        start = f"{self.path.name}."
        return sorted(
            self.path.parent / name
            for name in names
            if name.startswith(start) and name[len(start) :].isdecimal()
        )

    def _living(self, file: Path) -> Holder | None:
        """Return who holds a file, or None where it is gone or its holder dead."""
        try:
            changed = file.stat().st_mtime_ns
            content = file.read_bytes()
        except OSError:
            return None
        try:
            fields, token, _ = json.loads(content)
            holder = Holder(**fields)
            if content.decode() != _text(holder, token):
                raise ValueError("another content than was written")
            if holder.here:
                return holder if _began(holder.pid) == holder.began else None
        except (
            ValueError,
            TypeError,
            LookupError,
        ):  # damaged, just being written, or its writer died in that moment
            holder = Holder("", 0, 0.0)
        before, since = self._seen.get(file.name, (None, 0.0))
        now = time.monotonic()
        if before != changed:
            self._seen[file.name] = (changed, now)
            return holder
        return holder if now - since < DEAD else None


_held: set[Claim] = set()
_lock = threading.Lock()
_beating: int | None = None
"""The process whose thread beats: a forked child has none."""


def _beat(claim: Claim) -> None:
    global _beating
    with _lock:
        if _beating != os.getpid():
            _held.clear()
            _beating = os.getpid()
            threading.Thread(target=_go_on, daemon=True).start()
        _held.add(claim)


def _go_on() -> None:
    while True:
        time.sleep(BEAT)
        with _lock:
            held = list(_held)
        for claim in held:
            try:
                if claim.is_kept() and claim.file is not None:
                    os.utime(claim.file)
                    continue
            except OSError:  # the disk is away for a moment; others wait for DEAD seconds
                continue
            with _lock:
                gone = claim in _held  # not just let go
                _held.discard(claim)
            if gone and claim.lost is not None:
                claim.lost()
