"""`bench verify`, as it is typed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import forked
import numpy as np
import pytest
from bench.datasets.avenue import Avenue
from bench.datasets.ucsd import Ped1, Ped2
from click.testing import CliRunner, Result

from bench.cli.main import bench
from bench.frames.verification import compare_with_official
from bench.runs.folder import Run


def verify(*arguments: str | Path) -> Result:
    return CliRunner().invoke(bench, ["verify", *map(str, arguments)])


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    for split, clip, length in (("train", "a", 3), ("test", "b", 4)):
        folder = tmp_path / "mine" / split / clip
        folder.mkdir(parents=True)
        for index in range(length):
            cv2.imwrite(
                str(folder / f"{index}.jpg"),
                np.random.default_rng(index).integers(0, 255, (12, 16, 3), np.uint8),
            )
    (tmp_path / "mine" / "labels.csv").write_text("clip,first,last\nb,1,2\n")
    return tmp_path / "mine"


def test_folder_of_ones_own_is_green(mine: Path) -> None:
    """Counts first, a green line last, exit code 0."""
    result = verify(f'folder[path="{mine}"]')
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[1:4] == [
        "  train: 1 clips, 3 frames",
        "  test: 1 clips, 4 frames",
        "  labels frame (default): 2 of 4 frames anomalous",
    ]
    assert lines[-1].endswith("as it should be (3 checks)")


def test_a_name_that_is_no_utf8_is_printed_and_kept(mine: Path) -> None:
    """A Latin-1 name from another system stands in notes of runs and in findings."""
    stray = os.fsencode(mine / "train") + b"/ger\xe4t.heic"
    try:
        Path(os.fsdecode(stray)).write_bytes(bytes(9))
    except OSError:
        pytest.skip("this file system has no such names")
    checked = forked.bench("verify", "folder[path=mine]", cwd=mine.parent)
    assert checked.returncode == 1
    assert "passed over train/ger\\udce4t.heic: not a supported file type" in checked.stdout
    words = ["run", "--methods", "frame-difference", "--datasets", "folder[path=mine]"]
    ran = forked.bench(*words, *["--device", "cpu", "--out", "run"], cwd=mine.parent)
    assert ran.returncode == 0, ran.stderr
    (note,) = [note for note in Run.open(mine.parent / "run").manifest.notes if "passed" in note]
    assert "passed over: train/ger?t.heic" in note


def test_frames_with_names_that_are_no_utf8_are_scored(mine: Path) -> None:
    """Images, a folder above them, and the folder of the run."""
    place = Path(os.fsdecode(os.fsencode(mine.parent) + b"/d\xe4"))
    try:
        place.mkdir()
    except OSError:
        pytest.skip("this file system has no such names")
    for path in [*mine.glob("*/*/*.jpg")]:
        _, png = cv2.imencode(".png", cv2.imread(str(path)))
        path.with_name(os.fsdecode(b"k\xe4" + os.fsencode(path.stem) + b".png")).write_bytes(png)
        path.unlink()
    mine.rename(place / "mine")
    words = ["run", "--methods", "frame-difference,background", "--datasets", "folder[path=mine]"]
    ran = forked.bench(*words, *["--device", "cpu", "--out", "run"], cwd=place)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert {cell.status for cell in Run.open(place / "run").cells()} == {"done"}


def test_full_finds_a_truncated_image(mine: Path) -> None:
    """--full decodes every frame, and prints one hash of all files."""
    whole = verify(f'folder[path="{mine}"]', "--full")
    assert whole.exit_code == 0
    assert "  all files: " in whole.stdout
    path = mine / "test" / "b" / "2.jpg"
    path.write_bytes(path.read_bytes()[:-60])
    assert verify(f'folder[path="{mine}"]').exit_code == 0
    result = verify(f'folder[path="{mine}"]', "--full")
    assert result.exit_code == 1
    assert "frames of test clip b: " in result.stdout
    assert "2.jpg is truncated" in result.stdout


def test_json_lists_every_check(mine: Path) -> None:
    """Data on stdout, one entry a dataset."""
    result = verify(f'folder[path="{mine}"]', "--json")
    (found,) = json.loads(result.stdout)
    assert found["ok"] is True
    assert found["splits"]["test"] == {
        "clips": 1,
        "clips_expected": None,
        "frames": 4,
        "frames_expected": None,
    }
    assert found["label_sets"] == {"frame": {"frames": 4, "anomalous_frames": 2, "clips": 1}}
    assert [finding["subject"] for finding in found["findings"]] == [
        "train clip a",
        "test clip b",
        "labels frame, clip b",
    ]
    assert len(found["fingerprint"]) == 64


def test_dataset_that_is_not_there(tmp_path: Path) -> None:
    """Where it was looked for, how to obtain it, and exit code 1."""
    result = verify("ped2", "--data", tmp_path)
    assert result.exit_code == 1
    assert result.stdout == (
        f"ped2: not found below {tmp_path} (a folder 'UCSDped2' or 'ped2'; --data DIR names another "
        "place); bench download ped2\n"
    )


def test_several_names(mine: Path, tmp_path: Path) -> None:
    """As `bench list datasets` takes them, beside selections with commas."""
    own = f'folder[path="{mine}"]'
    for names in (("ped2", own), ("ped2,", own), (f"ped2,{own}",)):
        found = json.loads(verify(*names, "--json", "--data", tmp_path).stdout)
        assert [(one["dataset"], one["ok"]) for one in found] == [
            ("ped2", False),
            (f"folder[path={mine}]", True),
        ]


def test_request_that_cannot_be_met(tmp_path: Path) -> None:
    """A name that nobody knows, and a data folder that is not there, end with 2 and one line
    each."""
    result = verify("pde2")
    assert result.exit_code == 2
    assert "no dataset 'pde2' - did you mean 'ped2'?" in result.stderr
    result = verify("ped2", "--data", tmp_path / "gone")
    assert result.exit_code == 2
    assert f"--data: there is no folder '{tmp_path / 'gone'}'" in result.stderr


@pytest.mark.realdata
def test_real_ped2_is_green(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """BENCH_DATA names the data folders."""
    monkeypatch.setenv("BENCH_DATA", str(real_data))
    result = verify("ped2")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[1:] == [
        "  train: 16 of 16 clips, 2,550 of 2,550 frames",
        "  test: 12 of 12 clips, 2,010 of 2,010 frames",
        "  labels frame (default): 1,648 of 2,010 frames anomalous",
        "  pixel masks: 12 test clips",
        "ped2: as it should be (52 checks)",
    ]


@pytest.mark.realdata
def test_official_and_other_files(real_data: Path) -> None:
    """Two training videos of this copy of Avenue were encoded again; Ped2 whole. A frame of Ped1 is
    the owners'."""
    partial = real_data.parent / "partial"
    if not partial.is_dir():
        pytest.skip(f"{partial} is not there")
    avenue, ped1, ped2 = Avenue(), Ped1(), Ped2()
    for dataset, folder in ((avenue, partial), (ped1, partial), (ped2, real_data)):
        dataset.locate([folder])
    assert [one.subject for one in compare_with_official(avenue) if not one.ok] == [
        "files of train clip 10",
        "files of train clip 11",
    ]
    assert [one.text for one in compare_with_official(ped1)] == ["the official files"]
    assert [one.text for one in compare_with_official(ped2)] == [
        "re-encoded: no clip of 28 has the official files"
    ]


@pytest.mark.realdata
def test_datasets_of_labels_alone(real_data: Path) -> None:
    """What is there, what is missing, where it was looked for; one line for many clips; exit code
    1."""
    result = verify("avenue,shanghaitech", "--data", real_data)
    assert result.exit_code == 1
    for line in (
        "  train: 0 of 16 clips, 0 of 15,328 frames",
        "  test: 0 of 21 clips, 0 of 15,324 frames; lengths of 21 clips come from the labels",
        "  labels mat (default): 3,867 of 15,324 frames anomalous",
        "  labels pixel: 3,712 of 15,324 frames anomalous",
        "  - 16 train clips (01, 02 ... 16): no frames",
        "  - 330 train clips (01_001, 01_002 ... 13_007): no frames",
        "  - 107 test clips (01_0014, 01_0015 ... 12_0175): no frames",
        "  labels frame (default): 17,326 of 40,791 frames anomalous",
    ):
        assert line in result.stdout.splitlines()
    assert (
        "only labels (mat, pixel) of 21 test clips; looked in testing_videos (videos)"
        in result.stdout
    )


@pytest.mark.realdata
def test_official_tree_of_two_clips(real_data: Path, tmp_path: Path) -> None:
    """The official layout, stray files and all: what is there is right, and what is not is
    named."""
    tool = real_data.parent / "tools" / "make_official_ped2.py"
    if not tool.is_file():
        pytest.skip(f"{tool} is not there")
    command = [
        sys.executable,
        str(tool),
        str(tmp_path),
        "--clips",
        "2",
        "--source",
        str(real_data / "ped2"),
    ]
    subprocess.run(command, check=True, capture_output=True)
    result = verify("ped2", "--data", tmp_path)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert "  train: 2 of 16 clips, 270 of 2,550 frames" in lines
    assert "  labels frame (default): 206 of 360 frames anomalous" in lines
    assert [line for line in lines if line.startswith("  - ")] == [
        "  - 14 train clips (03, 04 ... 16): no frames",
        "  - 10 test clips (03, 04 ... 12): no frames",
    ]
    assert "  runs use the 13.8% of the frames that are here, and their rows say so" in lines
    shutil.rmtree(tmp_path / "UCSDped2" / "Train" / "Train001")
    (tmp_path / "UCSDped2" / "Test" / "Test002" / "090.tif").unlink()
    broken = verify("ped2", "--data", tmp_path).stdout
    assert "the frame with number 90 is missing" in broken
