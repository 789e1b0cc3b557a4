"""What tells who made a run and where: names of people and machines, and paths; how they are taken
out of a text, and how a file is searched for them.
"""

from __future__ import annotations

import contextlib
import getpass
import re
import socket
import subprocess
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

INSTEAD = "anonymous"
"""Stands in the place of a name."""
SURE = 6
"""Letters of a name that are not met by chance in a file of numbers: once in 10^14 bytes."""
NOBODY = frozenset(
    [
        "root",
        "user",
        "users",
        "ubuntu",
        "debian",
        "admin",
        "nobody",
        "guest",
        "localhost",
        "home",
        "data",
        "test",
        "bench",
        "runner",
        "worker",
        "docker",
        "vagrant",
        "jovyan",
    ]
)
"""Names of users and machines that tell nothing about anybody."""
_PATH = re.compile(
    r"""(?P<address>[a-zA-Z][a-zA-Z0-9+.-]*://[^\s'"|]*)"""
    r"""|(?<![\w./~>])(?:~[\w.-]*/|(?:\.\./)+|/)[\w.{~@-][^\s'"\[\]()|,;<>]*"""
)
"""An address of the web, or a path that begins at the root, at a home or above this folder."""
_HOME = re.compile(r"(?:/home/|/Users/|/export/home/|~)([\w.-]+)")
_WEB = ("http://", "https://")


def strings_of(value: Any) -> Iterator[str]:
    """Yield every text in a JSON value, those that are keys too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from strings_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings_of(item)


def names_here() -> set[str]:
    """Return the names of this user and this machine, and what git knows of both."""
    found = {socket.gethostname(), socket.gethostname().partition(".")[0], Path.home().name}
    with contextlib.suppress(OSError, KeyError):  # a user without a name
        found.add(getpass.getuser())
    for words in (
        ["config", "user.name"],
        ["config", "user.email"],
        ["config", "--get-regexp", r"^remote\..*\.url$"],
    ):
        try:
            said = subprocess.run(["git", *words], capture_output=True, text=True, timeout=10)
        except (OSError, subprocess.SubprocessError):
            continue
        found |= {
            line.rpartition(" ")[2] if "remote" in words[-1] else line
            for line in said.stdout.splitlines()
        }
    return found


class Identity:
    """The names and paths that some texts hold, and what stands in their place.

    A name becomes 'anonymous'. Of a path the name of a file stays, below folder1, folder2, ..., one
    for each folder, so that two files of one name stay two.

    Parameters
    ----------
    texts : all texts that will be cleaned: paths that are a whole text may hold blanks and commas.
    names : users, machines, mail addresses and remotes.
    keep : words that are names of something else, as of methods.
    """

    def __init__(
        self, texts: Iterable[str], names: Iterable[str], keep: Iterable[str] = ()
    ) -> None:
        texts = list(texts)
        found = {*names, *(name for text in texts for name in _HOME.findall(text))}
        kept = {word.lower() for word in keep} | NOBODY
        self.names = sorted(
            (name for name in found if len(name) > 1 and name.lower() not in kept),
            key=lambda name: (-len(name), name),
        )
        self._folders: dict[str, str] = {}
        whole = {
            _split(text)[0]
            for text in texts
            if re.match(r"/[^/\s]|~[\w.-]*/|\.\./", text) and "\n" not in text
        }
        self._whole = sorted(filter(None, whole), key=lambda folder: (-len(folder), folder))
        self._named = re.compile(
            "|".join(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])" for name in self.names)
            or r"(?!)",
            re.IGNORECASE,
        )

    def cleaned(self, value: Any) -> Any:
        """Return a JSON value without names and paths."""
        if isinstance(value, str):
            return self._cleaned(value)
        if isinstance(value, dict):
            return {self._cleaned(key): self.cleaned(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.cleaned(item) for item in value]
        return value

    def _cleaned(self, text: str) -> str:
        for folder in self._whole:
            if folder in text:
                text = re.sub(
                    rf"(?<![\w./~]){re.escape(folder)}(?![\w.-])",
                    lambda match: self._folder(match[0]),
                    text,
                )
        text = _PATH.sub(self._path, text)
        return self._named.sub(INSTEAD, text)

    def _path(self, match: re.Match[str]) -> str:
        if match["address"] and match["address"].startswith(_WEB):
            return match[0]
        path = match[0].rstrip("/.:")
        folder, file = _split(path)
        return self._folder(folder) + file + match[0][len(path) :]

    def _folder(self, folder: str) -> str:
        return self._folders.setdefault(folder, f"folder{len(self._folders) + 1}")

    def found(self, text: str) -> list[str]:
        """Return the names that a text holds, as they are written there."""
        return self._named.findall(text)

    def left(self, path: Path) -> list[str]:
        """Return the names that a file holds, also inside of what npz files pack. Short ones are
        looked for in text alone: bytes of numbers spell any two letters.
        """
        contents = [path.read_bytes()]
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                contents += [archive.read(member) for member in archive.infolist()]
                contents += [member.encode() for member in archive.namelist()]
        found = []
        for content in contents:
            is_text = _is_text(content)
            found += [
                name
                for name in self.names
                if (is_text or len(name) >= SURE)
                and re.search(
                    rb"(?<![A-Za-z0-9])" + re.escape(name.encode()) + rb"(?![A-Za-z0-9])",
                    content,
                    re.IGNORECASE,
                )
            ]
        return list(dict.fromkeys(found))


def _split(path: str) -> tuple[str, str]:
    """Return the folder of a path, and '/' with the name of the file, or nothing where the path
    itself is a folder: it has no ending.
    """
    folder, _, name = path.rpartition("/")
    is_file = re.search(r"\w\.\w+$|[{}]", name) is not None
    return (folder, f"/{name}") if is_file else (path, "")


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return b"\0" not in content
