"""Unpacking archives: what is wanted of them, and hostile ones, of which nothing is left."""

import io
import stat
import tarfile
import zipfile

import pytest

from bench.downloads import unpacking
from bench.downloads.unpacking import unpack
from bench.errors import DataError

FILES = {"v1/A/01/1.tif": b"one", "v1/A/01/2.tif": b"two", "v1/B/x": b"B", "v1/A/n.txt": b""}


def made_zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def made_tar(path, files, more=()):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in more:
            archive.addfile(member)
    return path


def special(kind):
    member = tarfile.TarInfo("v1/A/odd")
    member.type, member.linkname = kind, "/etc/passwd"
    return member


def linked_zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("v1/A/odd")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    return path


def damaged(path, files):
    made_tar(path, files)
    path.write_bytes(path.read_bytes()[:60])
    return path


def twice(path):
    member = tarfile.TarInfo("v1/A/n.txt")
    return made_tar(path, FILES, [member])


@pytest.mark.parametrize(("made", "name"), [(made_zip, "a.zip"), (made_tar, "a.tar.gz")])
def test_one_folder_of_an_archive(made, name, tmp_path):
    """With its files and no others; "./" in front of names does not matter."""
    for number, dots in enumerate(("", "./")):
        archive = made(tmp_path / name, {dots + one: content for one, content in FILES.items()})
        target, steps = tmp_path / f"data{number}" / "A", []
        unpack(archive, "v1/A", target, steps.append)
        found = {path.relative_to(target).as_posix() for path in target.rglob("*")}
        assert found == {"01", "01/1.tif", "01/2.tif", "n.txt"}
        assert (target / "01" / "2.tif").read_bytes() == b"two" and steps[-1] == 6
        assert [path.name for path in target.parent.iterdir()] == ["A"]


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda p: made_zip(p, {"v1/A/a": b"", "../evil": b"x"}), "'../evil' leads out"),
        (lambda p: made_tar(p, {"v1/A/../../../evil": b"x"}), "leads out of the folder"),
        (lambda p: made_tar(p, {"/evil": b"x"}), "'/evil' leads out of the folder"),
        (lambda p: made_zip(p, {"C:/evil": b"x"}), "'C:/evil' leads out of the folder"),
        (lambda p: made_tar(p, {"v1\\..\\..\\evil": b"x"}), "leads out of the folder"),
        (lambda p: made_tar(p, FILES, [special(tarfile.SYMTYPE)]), "'v1/A/odd' is a link"),
        (lambda p: made_tar(p, FILES, [special(tarfile.LNKTYPE)]), "'v1/A/odd' is a link"),
        (lambda p: made_tar(p, FILES, [special(tarfile.CHRTYPE)]), "'v1/A/odd' is a device"),
        (lambda p: made_tar(p, FILES, [special(tarfile.FIFOTYPE)]), "'v1/A/odd' is a device"),
        (linked_zip, "'v1/A/odd' is a link"),
        (twice, "'v1/A/n.txt' is in it twice"),
        (lambda p: made_zip(p, {"v1/A/zeros": bytes(10**7)}), "more than 100 times its size"),
        (lambda p: made_tar(p, {"v1/A/zeros": bytes(10**7)}), "more than 100 times its size"),
        (lambda p: made_tar(p, {f"v1/A/{n}": b"" for n in range(9)}), "more than 8 entries"),
        (lambda p: made_tar(p, {"w/x": b""}), "it has no folder 'v1/A', only w"),
        (lambda p: damaged(p, FILES), "it is damaged or no zip or tar archive"),
        (lambda p: p.write_bytes(b"<html>") and p, "it is damaged or no zip or tar archive"),
    ],
)
def test_hostile_archives(make, why, tmp_path, monkeypatch):
    """A sentence with the name; nothing in the data folder, nothing beside it."""
    monkeypatch.setattr(unpacking, "MOST_ENTRIES", 8)
    (tmp_path / "data").mkdir()
    archive = make(tmp_path / "archive")
    with pytest.raises(DataError) as error:
        unpack(archive, "v1/A", tmp_path / "data" / "A", lambda done: None)
    assert str(error.value).startswith(f"{archive} was not unpacked: ") and why in str(error.value)
    assert list((tmp_path / "data").iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["archive", "data"]


def test_a_member_that_is_encrypted(tmp_path):
    """zipfile asks for a password; there is none."""
    archive = made_zip(tmp_path / "a.zip", {"v1/A/a": b"x" * 20})
    content = bytearray(archive.read_bytes())
    content[6] |= 1  # the flag in the header of the file, and in the directory
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(content)
    with pytest.raises(DataError, match="damaged or no zip or tar archive .*encrypted"):
        unpack(archive, "v1/A", tmp_path / "A", lambda done: None)


def test_a_full_disk_and_an_interruption_leave_nothing(tmp_path):
    """Nor does what a killed process left stay."""
    archive = made_zip(tmp_path / "a.zip", FILES)
    stale = tmp_path / "data" / ".A.unpacking"
    stale.mkdir(parents=True)
    (stale / "half").write_text("")

    def full(done):
        raise OSError(28, "No space left on device")

    def stop(done):
        raise KeyboardInterrupt

    with pytest.raises(DataError, match="cannot write A in .*: No space left on device; free some"):
        unpack(archive, "v1/A", tmp_path / "data" / "A", full)
    with pytest.raises(KeyboardInterrupt):
        unpack(archive, "v1/A", tmp_path / "data" / "A", stop)
    assert list((tmp_path / "data").iterdir()) == []
