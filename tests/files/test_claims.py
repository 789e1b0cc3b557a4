"""Claims: one holder at a time, across processes and (made-up) hosts; the dead are followed, the
living are not."""

import errno
import os
import subprocess
import sys
import textwrap
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bench.files import claims
from bench.files.claims import Claim, Holder


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cell" / ".claim"


def on_another_host(path, number: int = 1):
    """Write the claim of a process on a host that is not this one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.with_name(f"{path.name}.{number}")
    file.write_text(claims._text(Holder("far/1", 77, 5.0), "token"))
    return file


def test_second_is_told_who_has_it_until_it_is_let_go(path):
    """A holder is named by process and host; a released claim leaves no file."""
    first, second = Claim(path), Claim(path)
    assert first.take() is None
    holder = second.take()
    assert holder is not None and holder.pid == os.getpid() and holder.here
    first.release()
    assert list(path.parent.iterdir()) == []
    assert second.take() is None
    second.release()


@pytest.mark.parametrize(
    ("where", "what", "ends"),
    [
        (os, "link", SystemExit),
        (Path, "write_text", OSError(errno.ENOSPC, "no space left on device")),
    ],
    ids=["killed", "disk full"],
)
def test_who_ends_while_taking_leaves_no_claim(path, monkeypatch, where, what, ends):
    """An empty one would be nobody's, and count until it is seen unchanged for minutes."""

    def end(*_):
        assert Claim(path).files() == []
        raise ends

    monkeypatch.setattr(where, what, end)
    with pytest.raises((SystemExit, OSError)):
        Claim(path).take()
    monkeypatch.undo()
    assert list(path.parent.iterdir()) == [] and Claim(path).take() is None


def test_disk_without_hard_links(path, monkeypatch):
    """One holder at a time there too."""

    def refuse(*_):
        raise OSError(errno.EPERM, "operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    first, second = Claim(path), Claim(path)
    assert first.take() is None and second.take() is not None
    first.release()
    assert list(path.parent.iterdir()) == []


def test_killed_holder_on_this_host_is_followed_at_once(path):
    """A process that ends without letting go holds nothing, zombie or not."""
    code = f"import os\nfrom pathlib import Path\nfrom bench.files.claims import Claim\nassert Claim(Path({str(path)!r})).take() is None\nos._exit(9)"
    child = subprocess.Popen([sys.executable, "-c", code])
    while child.poll() is None:
        time.sleep(0.02)
    assert len(list(path.parent.iterdir())) == 1
    claim = Claim(path)
    assert claim.holder() is None and claim.take() is None
    assert [file.name for file in path.parent.iterdir()] == [".claim.2"]
    claim.release()


def test_process_number_used_again_is_no_holder(path):
    """A holder is a process and when it began."""
    path.parent.mkdir(parents=True)
    path.with_name(".claim.1").write_text(claims._text(replace(claims._me(), began=1.0), "token"))
    assert Claim(path).holder() is None


def test_claim_with_a_changed_byte_is_nobodys(path, monkeypatch):
    """Whatever byte of it changes, it is no other process's claim, nor a traceback: an unknown
    holder, dead after a while."""
    monkeypatch.setattr(claims, "_beat", lambda claim: None)  # a sign of life is a change
    mine = Claim(path)
    assert mine.take() is None
    (file,) = path.parent.iterdir()
    content = file.read_bytes()
    monkeypatch.setattr(claims, "DEAD", 0.0)
    for place in range(len(content)):
        for bit in range(8):
            file.write_bytes(
                content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]
            )
            other = Claim(path)
            assert str(other.holder()) == "an unknown process"
            assert other.holder() is None
    mine.release()


def test_silent_holder_on_another_host_is_dead_after_a_while(path, monkeypatch):
    """Judged by how long its file stays unchanged under the eyes of who waits, whatever the clocks
    say."""
    file = on_another_host(path)
    os.utime(file, (0, 0))  # a clock that is half a century behind
    monkeypatch.setattr(claims, "DEAD", 0.3)
    claim = Claim(path)
    began = time.monotonic()
    while claim.take() is not None:
        assert time.monotonic() - began < 20
        if time.monotonic() - began < 0.2:
            os.utime(file, (1, 1 + time.monotonic()))
        time.sleep(0.01)
    assert time.monotonic() - began >= 0.4
    claim.release()


def test_holder_whose_claim_was_taken_over_is_told(path, monkeypatch):
    """One that was taken for dead hears of it, and who let go does not."""
    monkeypatch.setattr(claims, "BEAT", 0.02)
    monkeypatch.setattr(claims, "_beating", None)
    told, untold = threading.Event(), threading.Event()
    claim, other = Claim(path, lost=told.set), Claim(path.with_name("other"), lost=untold.set)
    assert claim.take() is None and other.take() is None
    other.release()
    assert claim.file is not None
    changed = claim.file.stat().st_mtime_ns
    while claim.file.stat().st_mtime_ns == changed:
        time.sleep(0.01)
    claim.file.unlink()
    assert told.wait(20) and not untold.is_set()


@pytest.mark.parametrize("thaws", ["beats", "lets go"])
def test_frozen_holder_leaves_the_claim_that_took_its_number_alone(path, monkeypatch, thaws):
    """Frozen, it was taken for dead; who took over let go, and the next one has the same number:
    it is told, and neither touches nor removes what is another's."""
    monkeypatch.setattr(claims, "BEAT", 0.02)
    monkeypatch.setattr(claims, "DEAD", 0.0)
    monkeypatch.setattr(claims, "_beating", None)
    monkeypatch.setattr(claims, "this_host", lambda: "far")
    beat = claims._beat
    monkeypatch.setattr(claims, "_beat", lambda claim: None)  # those that are taken now are frozen
    told = threading.Event()
    frozen, second, third = Claim(path, lost=told.set), Claim(path), Claim(path)
    assert frozen.take() is None
    monkeypatch.setattr(claims, "this_host", lambda: "near")
    assert second.take() is not None and second.take() is None
    second.release()
    assert third.take() is None and third.file == frozen.file
    os.utime(third.file, (1, 1))
    if thaws == "beats":
        beat(frozen)
        assert told.wait(20)
    frozen.release()
    assert third.file.stat().st_mtime == 1 and third.is_kept()
    assert frozen.file is None
    third.release()
    assert list(path.parent.iterdir()) == []


def test_living_are_never_two(tmp_path):
    """Eight processes take and let go a hundred times in all, some die while holding; the guarded
    counter misses nothing."""
    script = textwrap.dedent(f"""
        import os, random, sys, time
        from pathlib import Path
        from bench.files.claims import Claim
        folder = Path({str(tmp_path)!r})
        for turn in range(12):
            claim = Claim(folder / "claim")
            while claim.take() is not None:
                time.sleep(random.random() * 0.005)
            with (folder / "inside").open("x"):
                value = int((folder / "count").read_text())
                time.sleep(random.random() * 0.002)
                (folder / "count").write_text(str(value + 1))
            (folder / "inside").unlink()
            if sys.argv[1] == "dies" and turn == 11:
                os._exit(0)
            claim.release()
    """)
    (tmp_path / "count").write_text("0")
    children = [
        subprocess.Popen([sys.executable, "-c", script, how]) for how in ("dies", "lives") * 4
    ]
    assert [child.wait(120) for child in children] == [0] * 8
    assert (tmp_path / "count").read_text() == str(8 * 12)


def test_number_that_was_let_go_and_taken_anew_is_seen(path, monkeypatch):
    """One looks, the holder lets go, another takes the same number: the one that looked has no
    claim beside it, and removes nothing."""
    first, late, other = Claim(path), Claim(path), Claim(path)
    assert first.take() is None
    look = late._living

    def slowly(file):
        first.release()
        found = look(file)
        if other.file is None:
            assert other.take() is None
        return found

    monkeypatch.setattr(late, "_living", slowly)
    assert late.take() is not None
    assert late.file is None and [file.name for file in path.parent.iterdir()] == [other.file.name]
    other.release()


def test_takeover_race_has_one_winner(path):
    """Many who judge one holder dead at a time: one gets it."""
    path.parent.mkdir(parents=True)
    path.with_name(".claim.4").write_text(claims._text(replace(claims._me(), began=1.0), "token"))
    found: list[Claim] = []
    gate = threading.Barrier(8)

    def go() -> None:
        claim = Claim(path)
        gate.wait()
        while not found:
            if claim.take() is None:
                found.append(claim)
                return

    threads = [threading.Thread(target=go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1
    found[0].release()
