"""my-dataset is read as it was written, and does what every dataset owes."""

import pytest
from example import ABNORMAL, LENGTHS, write_example
from my_dataset import MyDataset

from bench import DataError
from bench.testing import DATASET_CHECKS


@pytest.fixture
def dataset(tmp_path):
    """Return the example, found."""
    write_example(tmp_path)
    dataset = MyDataset()
    dataset.locate([tmp_path])
    return dataset


@pytest.mark.parametrize("check", DATASET_CHECKS, ids=lambda check: check.__name__)
def test_does_what_every_dataset_owes(dataset, check):
    """Clips in order, labels that fit the frames, frames that can be read, ..."""
    check(dataset)


def test_is_read_as_written(dataset):
    """Clips, lengths, and the abnormal frames."""
    for split, lengths in LENGTHS.items():
        assert {clip.id: clip.length for clip in dataset.clips(split)} == lengths
    for clip in dataset.clips("test"):
        first, last = ABNORMAL[clip.id]
        assert dataset.labels(clip).nonzero()[0].tolist() == list(range(first, last + 1))


def test_what_is_not_there_is_told(tmp_path):
    """With the place that was looked at."""
    with pytest.raises(DataError, match="not found"):
        MyDataset().locate([tmp_path])
