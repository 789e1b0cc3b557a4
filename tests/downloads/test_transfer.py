"""Fetching a file from a server on the loopback: every way in which it goes wrong is a sentence,
and leaves the file whole or absent."""

import hashlib
import random
import re
import resource
import signal
import socket

import pytest

from bench.downloads import transfer
from bench.downloads.transfer import fetch
from bench.errors import DataError
from bench.files.download import Download

CONTENT = random.Random(0).randbytes(3_000_000)
HAND = "or get file.zip from http://owner/page and: bench download it --from FILE"
PART = ".file.zip.part"


def described(content=CONTENT, size=3_000_000):
    digest = hashlib.sha256(content).hexdigest()
    return Download("file.zip", digest, "http://owner/page", size=size)


@pytest.fixture
def get(server, tmp_path):
    """Return a function that fetches the file with a fault and returns its content."""
    server.files["file.zip"] = CONTENT

    def fetched(fault="", download=None, url="", step=lambda done, total: None):
        server.faults["file.zip"] = fault
        url = url or server.url("file.zip")
        return fetch(download or described(), url, tmp_path / "to", HAND, step).read_bytes()

    return fetched


def left(tmp_path):
    return sorted(path.name for path in (tmp_path / "to").iterdir())


def test_a_file_comes_whole_and_once(get, server, tmp_path):
    """With what has come told on the way; a second time nothing is asked of the server."""
    steps = []
    assert get(step=lambda *step: steps.append(step)) == CONTENT
    assert left(tmp_path) == ["file.zip"]
    assert steps == sorted(steps) and steps[-1] == (len(CONTENT), len(CONTENT))
    assert get() == CONTENT and server.asked == [("file.zip", "")]


def test_a_cut_is_mended_from_where_it_was(get, server, tmp_path):
    """Each new connection asks for what is missing."""
    assert get("cut") == CONTENT
    assert left(tmp_path) == ["file.zip"]
    starts = [int(asked[6:-1]) for _, asked in server.asked if asked]
    assert len(starts) > 3 and starts == sorted(set(starts))
    assert len(CONTENT) // 2 - transfer.BLOCK < starts[0] <= len(CONTENT) // 2


def test_what_has_come_outlives_the_command(get, server, tmp_path):
    """A download that is given up goes on from there with the next."""
    with pytest.raises(DataError) as error:
        get("dies")
    assert str(error.value) == (
        f"{server.url('file.zip')}: the connection was cut after 81,920 bytes of 3,000,000, and 5 new "
        f"connections brought nothing; the same command goes on from there, {HAND}"
    )
    assert left(tmp_path) == [PART]
    server.asked.clear()
    assert get() == CONTENT and server.asked == [("file.zip", "bytes=81920-")]
    assert left(tmp_path) == ["file.zip"]


@pytest.mark.parametrize("fault", ["no ranges", "wrong range", "no length"])
def test_servers_that_cannot_resume(get, tmp_path, fault):
    """The whole file is taken anew; lengths need not be told."""
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / PART).write_bytes(CONTENT[:1000])
    assert get(fault) == CONTENT


@pytest.mark.parametrize("size", [0, len(CONTENT)])
def test_a_part_that_is_complete_is_not_asked_for(get, server, tmp_path, size):
    """Where the size is not known, the server says that nothing is missing."""
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / PART).write_bytes(CONTENT)
    assert get(download=described(size=size)) == CONTENT
    assert len(server.asked) == (size == 0)


def test_a_part_of_another_file_is_dropped(get, tmp_path):
    """It is longer than the file, or the hash tells it: gone, so that the next try begins anew."""
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / PART).write_bytes(bytes(len(CONTENT) + 1))
    assert get(download=described(size=0)) == CONTENT
    (tmp_path / "to" / "file.zip").unlink()
    (tmp_path / "to" / PART).write_bytes(bytes(1000))
    with pytest.raises(DataError, match="SHA-256 is another"):
        get()
    assert left(tmp_path) == []
    assert get() == CONTENT


@pytest.mark.parametrize("fault", ["", "too long"])
def test_another_hash_is_removed(get, server, tmp_path, fault):
    """Another file, or one that is longer, is not kept."""
    other = described(b"other") if not fault else described()
    with pytest.raises(DataError) as error:
        get(fault, other)
    assert str(error.value) == (
        f"what came from {server.url('file.zip')} is not file.zip: its SHA-256 is another than "
        f"{other.sha256[:8]}... It was removed; the same command tries again, {HAND}"
    )
    assert left(tmp_path) == []


def test_a_file_that_is_not_the_owners_is_replaced(get, tmp_path):
    """What lies there under the name was damaged later."""
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / "file.zip").write_bytes(b"half")
    assert get() == CONTENT


def test_answers_that_are_no_file(get, server, tmp_path):
    """404, 503, and a page for people: status, address, owners' page, and the way by hand."""
    page = "the owners' page http://owner/page may name a new address for --from"
    url = server.url("gone.zip")
    with pytest.raises(DataError, match=re.escape(f"{url}: the server says 404 Not Found; {page}")):
        get(url=url)
    with pytest.raises(DataError, match="the server says 503 Service Unavailable"):
        get("busy")
    with pytest.raises(DataError) as error:
        get("page")
    assert str(error.value) == (
        f"{server.url('file.zip')} is a web page, not file.zip; {HAND.removeprefix('or ')}"
    )
    assert left(tmp_path) == []


def test_redirects(get, server):
    """Followed, but not in a circle."""
    server.faults["old.zip"] = f"redirect {server.url('file.zip')}"
    assert get(url=server.url("old.zip")) == CONTENT
    server.faults["circle.zip"] = f"redirect {server.url('circle.zip')}"
    with pytest.raises(DataError, match="circle.zip cannot be fetched: Exceeded 30 redirects"):
        get(url=server.url("circle.zip"), download=Download("new.zip", "0" * 64, "http://owner"))


def test_a_server_that_falls_silent(get, server, monkeypatch, tmp_path):
    """No byte for a while is a cut: a new connection goes on, and one that brings nothing is given
    up."""
    monkeypatch.setattr(transfer, "PATIENCE", 0.2)
    monkeypatch.setattr(transfer, "ATTEMPTS", 1)
    server.files["file.zip"] = CONTENT[:3]  # its half is a byte, and then none
    with pytest.raises(DataError, match=r"no byte came in 0.2 s after \d bytes of 3, and 1 new"):
        get("stalls", described(CONTENT[:3], 3))
    assert left(tmp_path) == [PART]


def test_no_connection(get):
    """Nobody listens, or no such host: the operating system's words, and the way by hand."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with pytest.raises(DataError) as error:
            get(url=f"http://127.0.0.1:{port}/file.zip")
    assert str(error.value) == (
        f"no connection to 127.0.0.1:{port} (Connection refused); try again later, {HAND}"
    )
    with pytest.raises(DataError, match="cannot be fetched: Failed to parse"):
        get(url="http://:80:80/file.zip")


def test_a_full_disk(get, tmp_path):
    """What has come stays; with more space the download goes on."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    try:
        with pytest.raises(DataError) as error:
            get()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(error.value) == (
        f"cannot write file.zip in {tmp_path / 'to'}: File too large; free some space, then the "
        "same command goes on from there"
    )
    assert left(tmp_path) == [PART]
    assert get() == CONTENT
