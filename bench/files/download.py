"""Files that others publish: what `bench download` needs to know of one, and weights among them."""

from __future__ import annotations

import functools
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePath

from bench.errors import DataError
from bench.files.source_file import LFS_POINTER


@dataclass(frozen=True)
class Download:
    """A file that its owners publish, for `bench download`."""

    file: str
    """Its name."""
    sha256: str
    """Of the whole file, in hex."""
    page: str
    """Where people find it, and its terms."""
    url: str = ""
    """Where it is fetched; empty where its owners offer it by hand only, for `--from`."""
    size: int = 0
    """Bytes; 0 where that is not known."""
    member: str = ""
    """Of an archive (zip, tar): the folder in it that is unpacked, like 'v1/UCSDped2'."""
    folder: str = ""
    """Of an archive: what that folder becomes, relative to the data folder."""

    def __post_init__(self) -> None:
        if not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise ValueError(f"{self.file}: sha256={self.sha256!r} is not 64 hex digits")
        for path in (self.file, self.member, self.folder):
            if PurePath(path).is_absolute() or ".." in PurePath(path).parts:
                raise ValueError(f"{self.file}: {path!r} is no path below a folder")


def weights_folder() -> Path:
    """Return where torchvision keeps weights: `torch.hub.get_dir()/checkpoints`, found without
    importing torch.
    """
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", str(Path(cache) / "torch"))
    return Path(home).expanduser() / "hub" / "checkpoints"


@dataclass(frozen=True)
class PretrainedWeights:
    """Weights that others trained and torchvision keeps in its cache. Detectors and methods that
    need some name them in `pretrained`.
    """

    name: str
    """What `bench download` calls them."""
    title: str
    """The network, and what it was trained on."""
    licence: str
    citation: str
    download: Download

    def path(self, given: str = "") -> Path:
        """Return the file that a user gave, else that in torchvision's cache."""
        return Path(given).expanduser() if given else weights_folder() / self.download.file

    def digest(self, given: str, user: str, otherwise: str) -> str:
        """Return the SHA-256 of the file, after a look whether it is the one that its name
        promises.

        Parameters
        ----------
        given : a file that the user named; empty for that in torchvision's cache.
        user : who needs it, for errors: 'detector fasterrcnn'.
        otherwise : what else can be done, for errors: "'tsc[resnet=FILE]' names another file".

        Raises
        ------
        DataError : missing, a Git LFS pointer, or another hash than its name says.
        """
        path, mend = self.path(given), f"bench download {self.name}"
        try:
            status = path.stat()
            found = _sha256(path, status.st_size, status.st_mtime_ns)
        except OSError as error:
            raise DataError(
                f"{user}: no weights of {self.title} at {shown(path)} ({error.strerror or error}; "
                f"{otherwise}); {mend}",
                in_short=f"needs {self.title} weights",
            ) from error
        if not found:
            raise DataError(
                f"{shown(path)} is a Git LFS pointer, not the weights; get them with "
                f"`git lfs pull` in its repository, or: {mend}"
            )
        # torch/hub.py, HASH_REGEX: the first hex digits of the hash stand between the last '-' and
        # the '.'.
        promised = re.search(r"-([a-f0-9]{8,})\.", path.name)
        if promised and not found.startswith(promised[1]):
            raise DataError(
                f"{shown(path)} is damaged or another file: its SHA-256 begins with {found[:8]}, "
                f"its name says {promised[1]}; {mend}"
            )
        return found


def shown(path: Path) -> str:
    """Return a path as people write it: relative to the current folder, or with '~', where that is
    shorter.
    """
    if path.is_relative_to(Path.cwd()):
        return str(path.relative_to(Path.cwd()))
    return f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)


@functools.lru_cache
def _sha256(path: Path, size: int, changed: int) -> str:
    """Return the SHA-256 of a file, empty for a Git LFS pointer; once a file as it stands."""
    with path.open("rb") as file:
        if file.read(len(LFS_POINTER)) == LFS_POINTER:
            return ""
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()
