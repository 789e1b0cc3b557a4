"""`bench prepare` says what it is about to make."""

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from bench.cli.setup.prepare import command
from bench.hardware.gpus import Gpu
from bench.planning import asked, plan


@pytest.mark.parametrize(
    ("method", "size", "tracks"),
    [("background", "256x256x1", ""), ("c3dsu", "x3", "; tracks by motion")],
)
def test_formats_and_tracks_are_named(method, size, tracks):
    """Tracks only where a method needs them."""
    words = ["demo-ped2", "--methods", method, "--dry-run"]
    found = CliRunner().invoke(command, words, catch_exceptions=False)
    assert found.exit_code == 0
    (line,) = (line for line in found.output.splitlines() if line.startswith("demo-ped2: "))
    assert size in line
    assert line.endswith("MB to write" + tracks)


def test_profile_is_that_of_a_run_here(tmp_path, monkeypatch):
    """paper where there is a GPU, as the help says."""
    for split in ("train", "test"):
        (tmp_path / split / "a").mkdir(parents=True)
        cv2.imwrite(str(tmp_path / split / "a" / "1.png"), np.zeros((12, 16, 3), np.uint8))
    here = {"": ("cuda", [Gpu("cuda:0", "0", "A100", 2**36)]), "cpu": ("cpu", [])}
    monkeypatch.setattr(asked, "chosen_devices", here.get)
    monkeypatch.setattr(plan, "_look_at_memory", lambda *_: None)
    for more, size in (((), "256x256x1"), (("--profile", "small"), "128x128x1")):
        words = [f'folder[path="{tmp_path}"]', "--methods", "memae", "--dry-run", *more]
        found = CliRunner().invoke(command, words, catch_exceptions=False)
        assert f": {size};" in found.output


def test_video_that_cannot_be_opened_costs_its_dataset_alone(tmp_path):
    """It is a problem, and the next dataset is prepared."""
    for split in ("train", "test"):
        (tmp_path / "mine" / split).mkdir(parents=True)
        (tmp_path / "mine" / split / "a.avi").write_bytes(b"no video")
    datasets = f'folder[path="{tmp_path / "mine"}"],demo-ped2'
    words = [datasets, "--methods", "background", "--dry-run"]
    found = CliRunner().invoke(command, words, catch_exceptions=False)
    assert found.exit_code == 1
    said = " ".join(found.output.split())
    assert "a.avi cannot be opened" in said and "demo-ped2: 256x256x1;" in said
