"""The checks of datasets: the demo passes, and each kind of mistake is caught."""

import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from bench import Clip, Dataset, ImageFiles
from bench.cli.setup.check import command
from bench.plugins.registry import load
from bench.testing import DATASET_CHECKS, CheckFailed
from bench.testing.dataset_checks import clips_are_in_order, frames_can_be_read, labels_fit

TOYS = Path(__file__).parents[1] / "toys.py"


class Small(Dataset):
    """A test clip of six images and one of four."""

    name = "small"
    lengths = {"01": 6, "02": 4}

    def locate(self, roots):
        self.root = roots[0]
        for clip, length in self.lengths.items():
            for frame in range(length):
                cv2.imwrite(
                    str(self.root / f"{clip}-{frame}.png"), np.full((8, 8), frame, np.uint8)
                )

    def clips(self, split):
        found = [
            Clip(clip, "test", self.source(clip), length) for clip, length in self.lengths.items()
        ]
        return found if split == "test" else []

    def source(self, clip):
        return ImageFiles(tuple(sorted(self.root.glob(f"{clip}-*.png"))))

    def labels(self, clip, label_set=None):
        return np.arange(clip.length) % 2


@pytest.fixture
def small(tmp_path):
    """The dataset, written and found."""
    dataset = Small()
    dataset.locate([tmp_path])
    return dataset


def test_a_dataset_as_it_should_be_passes(small):
    """So do those that are rendered."""
    demo = load().datasets["demo-shanghaitech"]()
    demo.locate([])
    for check in DATASET_CHECKS:
        check(small)
        check(demo)


def change(**functions):
    return lambda dataset: [
        setattr(dataset, name, function) for name, function in functions.items()
    ]


def clips_of(dataset, *change):
    clips = Small.clips(dataset, "test")
    for function in change:
        clips = function(clips)
    dataset.clips = lambda split: list(clips) if split == "test" else []


MISTAKES = {
    "ids must be sorted, each once; they are 02, 01": (
        clips_are_in_order,
        lambda dataset: clips_of(dataset, lambda clips: clips[::-1]),
    ),
    "ids must be sorted, each once; they are 01, 01": (
        clips_are_in_order,
        lambda dataset: clips_of(dataset, lambda clips: clips[:1] * 2),
    ),
    "02 say that they belong to another split": (
        clips_are_in_order,
        lambda dataset: clips_of(
            dataset, lambda clips: [clips[0], replace(clips[1], split="train")]
        ),
    ),
    "clips('test') is empty": (
        clips_are_in_order,
        lambda dataset: clips_of(dataset, lambda clips: []),
    ),
    "must be 0 or 1; here are [0, 255]": (
        labels_fit,
        change(labels=lambda clip, label_set=None: np.array([0, 255] * 3)),
    ),
    "clip 01 has 6 frames, its labels 'frame' have 5": (
        labels_fit,
        change(labels=lambda clip, label_set=None: np.array([0, 1, 0, 1, 0])),
    ),
    "0 of 10 frames are anomalous": (
        labels_fit,
        change(labels=lambda clip, label_set=None: np.zeros(clip.length)),
    ),
    "01-3.png is 8x9, but frame 0 is 8x8": (
        frames_can_be_read,
        lambda dataset: cv2.imwrite(str(dataset.root / "01-3.png"), np.zeros((9, 8), np.uint8)),
    ),
    "test clip 01 says it has 9 frames, and 6 are read": (
        frames_can_be_read,
        lambda dataset: clips_of(dataset, lambda clips: [replace(clips[0], length=9)]),
    ),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_mistakes_are_caught(small, text):
    """Each by its check, with what is wrong."""
    check, mistake = MISTAKES[text]
    mistake(small)
    with pytest.raises(CheckFailed, match=re.escape(text)):
        check(small)


def test_command_checks_a_dataset_where_it_lies(tmp_path, monkeypatch):
    """By name and by file; one that is not there is skipped with the reason."""
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(
        command, ["toy", "ped2", "--plugin", str(TOYS), "--data", str(tmp_path)]
    )
    assert (
        done.exit_code == 0
        and "toy: labels fit ... ok" in done.output
        and "toy: frames can be read ... ok" in done.output
    )
    assert "ped2: skipped, since its data was not found: ped2: not found" in done.output
