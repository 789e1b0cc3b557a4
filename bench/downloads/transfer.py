"""Fetching one file over HTTP: resumed after a cut, checked by its SHA-256, whole or absent.

The only code of `bench` that opens a connection.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pooch
import requests

from bench.errors import DataError
from bench.files.cache import is_full, locked
from bench.files.download import Download

PATIENCE = 30.0
"""Seconds without a byte after which a connection counts as cut; pooch's own."""
ATTEMPTS = 5
"""Connections in a row that may bring nothing before the download is given up."""
PAUSE = 2.0
"""Seconds before a new connection after the first cut; doubled with each that brings nothing."""
BLOCK = 1 << 14
"""Bytes at once; a cut costs what has come of one block."""

Step = Callable[[int, int], None]
"""Called with the bytes that are here, and those of the whole file (0: not known)."""


def fetch(download: Download, url: str, folder: Path, by_hand: str, step: Step) -> Path:
    """Return the file in `folder`, fetched from `url` unless it is there already.

    Parameters
    ----------
    by_hand : ends errors: how the file is got otherwise.

    Raises
    ------
    DataError : no connection, an answer that is no file, a cut that new connections did not mend,
        another SHA-256, a full disk.
    """
    part = part_of(download, folder)
    pooch.get_logger().setLevel("WARNING")
    with locked(part.with_suffix(".lock"), download.file, lambda: None):
        try:
            fetched = pooch.retrieve(
                url,
                f"sha256:{download.sha256}",
                fname=download.file,
                path=folder,
                downloader=_Resuming(download, part, by_hand, step),
            )
        except ValueError as error:  # pooch's word for another hash
            part.unlink(missing_ok=True)
            raise DataError(
                f"what came from {url} is not {download.file}: its SHA-256 is another than "
                f"{download.sha256[:8]}... It was removed; the same command tries again, {by_hand}"
            ) from error
        except OSError as error:
            raise no_room(download.file, folder, error) from error
        part.unlink(missing_ok=True)
    return Path(fetched)


def part_of(download: Download, folder: Path) -> Path:
    """Return where what has come of a file is kept."""
    return folder / f".{download.file}.part"


def no_room(what: str, folder: Path, error: OSError) -> DataError:
    """Return the error for a file that cannot be written, with what to do."""
    todo = "free some space" if is_full(error) else "make the folder writable"
    return DataError(
        f"cannot write {what} in {folder}: {error.strerror or error}; {todo}, then the same "
        "command goes on from there"
    )


class _Resuming:
    """A downloader for pooch, which has none that resumes: what has come stays in `part`."""

    def __init__(self, download: Download, part: Path, by_hand: str, step: Step) -> None:
        self.download, self.part, self.by_hand, self.step = download, part, by_hand, step

    def __call__(self, url: str, output_file: str, _: Any, check_only: bool = False) -> None:
        fruitless = 0
        while True:
            before = self._here()
            try:
                if self._connect(url):
                    break
                why = "the connection was cut"
            except requests.exceptions.ReadTimeout:
                why = f"no byte came in {PATIENCE:g} s"
            except (
                requests.exceptions.ChunkedEncodingError,
                requests.exceptions.ConnectionError,
            ) as error:
                if "Read timed out" in str(error):
                    why = f"no byte came in {PATIENCE:g} s"
                elif isinstance(error, requests.exceptions.ChunkedEncodingError) or before:
                    why = "the connection was cut"
                else:
                    raise DataError(
                        f"no connection to {urlsplit(url).netloc} ({_reason(error)}); "
                        f"try again later, {self.by_hand}"
                    ) from error
            except requests.exceptions.RequestException as error:
                raise DataError(f"{url} cannot be fetched: {error}; {self.by_hand}") from error
            fruitless = 0 if self._here() > before else fruitless + 1
            if fruitless >= ATTEMPTS:
                raise DataError(
                    f"{url}: {why} after {self._here():,} bytes{self._of()}, and {ATTEMPTS} new "
                    f"connections brought nothing; the same command goes on from there, "
                    f"{self.by_hand}"
                )
            time.sleep(PAUSE * 2**fruitless)
        with contextlib.suppress(OSError):  # so that what has come outlives an interrupted check
            Path(output_file).unlink()
            os.link(self.part, output_file)
            return
        self.part.replace(output_file)

    def _here(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _of(self) -> str:
        return f" of {self.download.size:,}" if self.download.size else ""

    def _connect(self, url: str) -> bool:
        """Take what one connection brings, and return whether the file is complete."""
        here = self._here()
        if here and here == self.download.size:
            return True
        headers = {"Accept-Encoding": "identity"}
        if here:
            headers["Range"] = f"bytes={here}-"
        with requests.get(url, headers=headers, stream=True, timeout=PATIENCE) as answer:
            if answer.status_code == 416:  # the server's file is not longer than what is here
                complete = answer.headers.get("Content-Range", "") == f"bytes */{here}"
                if not complete:
                    self.part.unlink()
                return complete
            if not answer.ok:
                raise DataError(
                    f"{url}: the server says {answer.status_code} {answer.reason}; the owners' page "
                    f"{self.download.page} may name a new address for --from, {self.by_hand}"
                )
            if answer.headers.get("Content-Type", "").startswith("text/html"):
                raise DataError(
                    f"{url} is a web page, not {self.download.file}; {self.by_hand.removeprefix('or ')}"
                )
            continued = answer.status_code == 206 and answer.headers.get(
                "Content-Range", ""
            ).startswith(f"bytes {here}-")
            if answer.status_code == 206 and not continued:
                self.part.unlink(missing_ok=True)
                return False
            start = here if continued else 0
            announced = answer.headers.get("Content-Length", "")
            total = start + int(announced) if announced.isdecimal() else self.download.size
            with self.part.open("ab" if continued else "wb") as file:
                for block in answer.iter_content(BLOCK):
                    file.write(block)
                    if self.download.size and file.tell() > self.download.size:
                        return True  # too long: its hash is another
                    self.step(file.tell(), total)
                return not total or file.tell() >= total


def _reason(error: BaseException) -> str:
    """Return the operating system's words for a failed connection."""
    deepest, link = str(error), error.__cause__ or error.__context__
    while link is not None:
        deepest = getattr(link, "strerror", None) or deepest
        link = link.__cause__ or link.__context__
    return deepest
