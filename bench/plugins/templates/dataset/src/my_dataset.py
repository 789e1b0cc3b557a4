"""my-dataset: folders of images, and a CSV of abnormal frames. Fit `locate`, `clips` and `labels`
to where yours lies.

my-dataset/train/CLIP/*.png     normal clips, images in the order of the numbers in their names
my-dataset/test/CLIP/*.png
my-dataset/labels.csv           clip,first,last: abnormal frames of test clips, counted from 0,
                                both ends included
"""

import csv

import numpy as np

from bench import Clip, DataError, Dataset, DatasetInfo, ImageFiles, hookimpl, numbered_images


class MyDataset(Dataset):
    """Folders of images, and a CSV of abnormal frames."""

    name = "my-dataset"
    info = DatasetInfo(
        title="my-dataset", licence="say who may use it", obtain="Say where it is to be had."
    )
    label_sets = ("frame",)

    def locate(self, roots):
        """Find the folder my-dataset below a data folder (--data, BENCH_DATA, ./data)."""
        found = [root / self.name for root in roots if (root / self.name).is_dir()]
        if len(found) != 1:
            places = ", ".join(str(root / self.name) for root in roots)
            raise DataError(
                f"{self.name}: {len(found) or 'not'} found, expected one of {places}. {self.info.obtain}"
            )
        self.root = found[0]

    def clips(self, split):
        """Return the clips of 'train' or 'test', in order; the source of a video is
        VideoFile(path), without a length.
        """
        clips = []
        for folder in sorted(path for path in (self.root / split).glob("*") if path.is_dir()):
            images = tuple(numbered_images(folder, folder.iterdir()).values())
            clips.append(Clip(folder.name, split, ImageFiles(images), len(images)))
        return clips

    def labels(self, clip, label_set=None):
        """Return 0 or 1 for each frame of a test clip."""
        labels = np.zeros(clip.length, np.uint8)
        with (self.root / "labels.csv").open(newline="") as file:
            for line in csv.DictReader(file):
                if line["clip"] == clip.id:
                    labels[int(line["first"]) : int(line["last"]) + 1] = 1
        return labels


@hookimpl
def bench_datasets():
    """Offer the dataset to bench."""
    return [MyDataset]
