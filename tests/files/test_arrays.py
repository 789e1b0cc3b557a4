"""Arrays from files that anybody may have written: what is promised and not there is refused, with
the reason."""

import io
import zipfile

import numpy as np
import pytest

from bench import load_npy, load_npz


def npy(array: np.ndarray, header: str = "") -> bytes:
    """A npy file; with another header than the array's."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    if not header:
        return buffer.getvalue()
    return (
        b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + array.tobytes()
    )


def header(shape: str, descr: str = "'<f8'") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}\n"


LIES = {
    "more than there is": (npy(np.zeros(3), header("(4,)")), "takes 32 bytes, and 24 are there"),
    "huge": (npy(np.zeros(3), header(f"({2**62}, {2**62})")), "and 24 are there"),
    "too large for numpy": (npy(np.zeros(3), header(f"({10**40},)")), "cannot have the shape"),
    "negative": (npy(np.zeros(3), header("(-3,)")), r"cannot have the shape"),
    "none of too many": (npy(np.zeros(3), header(f"(0, {2**63})")), r"cannot have the shape"),
    "no whole number": (npy(np.zeros(3), header("(True,)")), "shape"),
    "open bracket": (npy(np.zeros(3), "{'descr': (\n"), "no array that numpy can read"),
    "nested": (npy(np.zeros(3), "[" * 5000 + "\n"), "no array that numpy can read"),
    "objects": (npy(np.array([print, 1], dtype=object)), "Python objects, which is a pickle"),
    "cut": (npy(np.zeros(3))[:-1], "takes 24 bytes, and 23 are there"),
    "text": (b"text", "no array"),
}


@pytest.mark.parametrize("lie", LIES)
def test_header_that_lies_is_refused(tmp_path, lie):
    """A header is not believed: alone, and in an archive."""
    content, reason = LIES[lie]
    (tmp_path / "x.npy").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("01.npy", content)
    with pytest.raises(ValueError, match=reason):
        load_npy(tmp_path / "x.npy")
    with pytest.raises(ValueError, match=f"'01'.*{'no array' if lie == 'text' else reason}"):
        load_npz(tmp_path / "x.npz")


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.zeros(0),
        np.array(3),
        np.asfortranarray(np.eye(3)),
        np.array(["a"]),
    ],
)
def test_arrays_are_those_that_numpy_wrote(tmp_path, array):
    """Whatever numpy writes without pickling comes back, mapped or not."""
    np.save(tmp_path / "x.npy", array)
    np.savez_compressed(tmp_path / "x.npz", **{"01": array, "a/b": array})
    for mapped in (False, True):
        np.testing.assert_array_equal(load_npy(tmp_path / "x.npy", mapped), array)
    found = load_npz(tmp_path / "x.npz")
    assert list(found) == ["01", "a/b"]
    np.testing.assert_array_equal(found["a/b"], array)


def test_archive_that_unpacks_to_more_than_is_read(tmp_path, monkeypatch):
    """The sizes in an archive's directory count before anything is unpacked."""
    monkeypatch.setattr("bench.files.arrays.LARGEST", 1000)
    np.savez_compressed(tmp_path / "x.npz", a=np.zeros(100), b=np.zeros(100))
    with pytest.raises(ValueError, match=r"unpacked it would take 1856 bytes, more than the 1000"):
        load_npz(tmp_path / "x.npz")
    np.save(tmp_path / "x.npy", np.zeros(200))
    with pytest.raises(ValueError, match="holds 1600 bytes, more than the 1000"):
        load_npy(tmp_path / "x.npy")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_arrays_of_one_name_and_things_that_are_none(tmp_path):
    """Which of two arrays is meant nobody can tell, and a text is no array."""
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("01.npy", npy(np.zeros(3)))
        archive.writestr("01.npy", npy(np.ones(3)))
    with pytest.raises(ValueError, match="holds '01' twice"):
        load_npz(tmp_path / "x.npz")
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("notes.txt", "text")
    with pytest.raises(ValueError, match=r"'notes.txt' is no array"):
        load_npz(tmp_path / "x.npz")
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(ValueError, match="not a zip file"):
        load_npz(tmp_path / "x.npz")
