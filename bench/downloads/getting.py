"""What `bench download` does: from names to datasets in the data folder, and weights in
torchvision's cache.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import pooch

from bench.contracts.dataset import Dataset
from bench.downloads.available import Wanted
from bench.downloads.transfer import fetch, no_room, part_of
from bench.downloads.unpacking import unpack
from bench.errors import DataError, RequestError
from bench.files.cache import cache_folder, locked
from bench.files.download import Download, PretrainedWeights, shown, weights_folder
from bench.files.whole_files import put_in_place

Step = Callable[[str, int, int], None]
"""Called with what is being done, the bytes that are done, and all bytes (0: not known)."""


@dataclass(frozen=True)
class Source:
    """Where one file comes from."""

    path: Path | None = None
    """A file on this machine."""
    url: str = ""

    def __str__(self) -> str:
        return shown(self.path) if self.path else self.url


def by_hand(wanted: Wanted, download: Download) -> str:
    """Return how a file is got without a connection of `bench`."""
    return (
        f"or get {download.file} from {download.page} and: bench download {wanted.name} --from FILE"
    )


def sources(wanted: Sequence[Wanted], given: Sequence[str]) -> dict[Download, Source]:
    """Return where each file comes from: from what the user gave, else from its owners' address.
    A file without either is left out.

    Raises
    ------
    RequestError : something given that is no file, folder or address, or of no use.
    """
    files = list(dict.fromkeys(one for item in wanted for one in item.downloads))
    names = list(dict.fromkeys(one.file for one in files))
    found = {one: Source(url=one.url) for one in files if one.url}
    mistakes = []
    for text in given:
        used = False
        for one in files:
            source = _source(text, one, only=len(names) == 1)
            if source is not None:
                found[one], used = source, True
        if not used:
            mistakes.append(_useless(text, names))
    if mistakes:
        raise RequestError(*mistakes)
    return found


def _source(text: str, download: Download, only: bool) -> Source | None:
    if urlsplit(text).scheme in ("http", "https"):
        if text.endswith("/"):
            return Source(url=text + quote(download.file))
        fits = only or Path(urlsplit(text).path).name == quote(download.file)
        return Source(url=text) if fits else None
    path = Path(text).expanduser()
    if path.is_dir():
        inside = path / download.file
        return Source(inside) if inside.is_file() else None
    return Source(path) if path.is_file() and (only or path.name == download.file) else None


def _useless(text: str, names: Sequence[str]) -> str:
    path = Path(text).expanduser()
    wanted = " or ".join(names)
    if path.is_dir():
        parts = [one for name in names for one in path.glob(f"{name}.*")]
        if parts:
            name = parts[0].name.rpartition(".")[0]
            return f"--from {text}: {name} is here in parts; join them: cd {text} && cat {name}.* > {name}"
        return (
            f"--from {text}: the folder holds no {wanted}; a dataset that is unpacked already needs "
            "no download: name its folder with --data"
        )
    if path.is_file():
        return f"--from {text}: its name does not say which file it is; call it {wanted}"
    return f"--from {text}: neither a file or folder here nor an address that begins with http:// or https://"


def check_room(wanted: Sequence[Wanted], found: dict[Download, Source], target: Path) -> None:
    """Refuse downloads that the disks have no room for, as far as sizes are known. What is here
    already, of an interrupted download say, needs no room.

    Raises
    ------
    RequestError : with the bytes that are needed and free.
    """
    needed: dict[int, tuple[Path, int]] = {}
    fetched: set[str] = set()
    for item in wanted:
        weights = isinstance(item.part, PretrainedWeights)
        for one in item.downloads:
            if not weights and (target / one.folder).exists():
                continue
            if weights:
                places = [(weights_folder(), _left(one, weights_folder()))]
            else:
                places = [(target, one.size)]
            if not weights and one in found and found[one].path is None and one.file not in fetched:
                places.append((archive_folder(), _left(one, archive_folder())))
            fetched.add(one.file)
            for place, count in places:
                there = next(path for path in (place, *place.absolute().parents) if path.exists())
                folder, sum_ = needed.get(there.stat().st_dev, (place, 0))
                needed[there.stat().st_dev] = (folder, sum_ + count)
    mistakes = []
    for folder, count in needed.values():
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        free = shutil.disk_usage(there).free
        if free < count:
            mistakes.append(
                f"no room: at least {count / 1e9:.1f} GB are needed in {shown(folder)}, and "
                f"{free / 1e9:.1f} GB are free; free some space, or name another folder with --data "
                "(and BENCH_CACHE)"
            )
    if mistakes:
        raise RequestError(*mistakes)


def _left(download: Download, folder: Path) -> int:
    """Return the bytes of a file that are still to be written in the folder where it is kept."""
    paths = (folder / download.file, part_of(download, folder))
    here = max((path.stat().st_size for path in paths if path.exists()), default=0)
    return max(download.size - here, 0)


def archive_folder() -> Path:
    """Return where archives are until they are unpacked."""
    return cache_folder() / "downloads"


def get(
    wanted: Wanted, found: dict[Download, Source], target: Path, roots: Sequence[Path], step: Step
) -> None:
    """Get a dataset into the data folder `target`, or weights into torchvision's cache.

    Archives that were fetched stay in `archive_folder` for another dataset; `clean` removes them.

    Raises
    ------
    DataError : what cannot be got, with how to get it otherwise; nothing half-made is left, but
        what has come of a file, from which the next try goes on.
    """
    if isinstance(wanted.part, PretrainedWeights):
        _get_weights(wanted, wanted.part, found, step)
    else:
        _get_dataset(wanted, wanted.part, found, target, roots, step)


def _get_weights(
    wanted: Wanted, weights: PretrainedWeights, found: dict[Download, Source], step: Step
) -> None:
    (one,) = wanted.downloads
    file = _file(wanted, one, found, weights_folder(), step)
    path = weights.path()
    if file == path:
        return
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, part)
        put_in_place(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise no_room(path.name, path.parent, error) from error


def _get_dataset(
    wanted: Wanted,
    cls: type[Dataset],
    found: dict[Download, Source],
    target: Path,
    roots: Sequence[Path],
    step: Step,
) -> None:
    absent = [one for one in wanted.downloads if not (target / one.folder).exists()]
    place, _ = wanted.here(roots)
    own = [target / one.folder for one in wanted.downloads]
    if place and not any(_inside(Path(place).expanduser(), folder) for folder in own):
        raise DataError(
            f"{wanted.name}: an incomplete copy is in {place}; move it away, or name another folder "
            f"with --data (bench verify {wanted.name} says what it lacks)"
        )
    if not absent:
        raise DataError(
            f"{wanted.name}: {shown(own[0])} is there, but not complete; move it away, and "
            f"'bench download {wanted.name}' makes it again"
        )
    for one in absent:
        archive = _file(wanted, one, found, archive_folder(), step)
        folder = target / one.folder
        with locked(folder.with_name(f".{folder.name}.lock"), folder.name, lambda: None):
            if not folder.exists():
                unpack(
                    archive,
                    one.member,
                    folder,
                    lambda done, one=one: step(f"unpacking {one.file}", done, 0),  # type: ignore[misc]
                )


def _inside(place: Path, folder: Path) -> bool:
    """Whether the dataset that was found is one that was unpacked here, or is around it."""
    place, folder = place.resolve(), folder.resolve()
    return place.is_relative_to(folder) or folder.is_relative_to(place)


def _file(
    wanted: Wanted, one: Download, found: dict[Download, Source], folder: Path, step: Step
) -> Path:
    """Return the file, with the right SHA-256."""
    source = found.get(one)
    if source is None:
        raise DataError(
            f"{wanted.name}: its owners offer {one.file} by hand only: {one.page}; then: "
            f"bench download {wanted.name} --from FILE"
        )
    if source.path is None:
        return fetch(
            one,
            source.url,
            folder,
            by_hand(wanted, one),
            lambda done, total: step(one.file, done, total),
        )
    size = source.path.stat().st_size
    step(f"checking {source.path.name}", size, size)
    try:
        digest = pooch.file_hash(os.fspath(source.path))
    except OSError as error:
        raise DataError(f"{source.path} cannot be read: {error.strerror or error}") from error
    if digest != one.sha256:
        raise DataError(
            f"{source.path} is not {one.file} of the owners: its SHA-256 begins with {digest[:8]}, "
            f"that of theirs with {one.sha256[:8]}; get it again from {one.page}"
        )
    return source.path


def clean(done: Sequence[Wanted], failed: Sequence[Wanted]) -> None:
    """Remove archives that were fetched and unpacked, but those that a failed dataset needs
    again.
    """
    again = {one.file for item in failed for one in item.downloads}
    for item in done:
        for one in item.downloads:
            if one.folder and one.file not in again:
                (archive_folder() / one.file).unlink(missing_ok=True)
