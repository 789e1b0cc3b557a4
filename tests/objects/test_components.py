"""Connected components, against scipy and by hand."""

import numpy as np
import pytest
from bench.datasets import Ped2
from scipy import ndimage

from bench.objects.motion import components


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6])
def test_components_are_those_of_scipy(share):
    """Eight neighbours; boxes with their ends excluded, and areas."""
    mask = np.random.default_rng(0).random((40, 60)) < share
    labelled, count = ndimage.label(mask, structure=np.ones((3, 3)))
    expected = {
        (
            columns.start,
            rows.start,
            columns.stop,
            rows.stop,
            int((labelled[rows, columns] == number).sum()),
        )
        for number, (rows, columns) in enumerate(ndimage.find_objects(labelled), start=1)
    }
    boxes, areas = components(mask)
    assert len(boxes) == count
    assert {(*map(int, box), int(area)) for box, area in zip(boxes, areas)} == expected


def test_empty_image_has_none_and_a_full_one_has_one():
    """No component is the background."""
    assert components(np.zeros((4, 5), dtype=bool))[0].shape == (0, 4)
    assert components(np.ones((4, 5), dtype=bool))[0].tolist() == [[0, 0, 5, 4]]


@pytest.mark.realdata
def test_ped2_has_2411_components_in_1648_frames(real_data):
    """As counted in the pixel masks of the twelve test clips."""
    from bench.worker.preparation import true_regions

    dataset = Ped2()
    dataset.locate([real_data])
    found = [true_regions(dataset.pixel_masks(clip)) for clip in dataset.clips("test")]
    assert sum(len(one.boxes) for one in found) == 2411
    assert sum(len(np.unique(one.frames)) for one in found) == 1648
    assert {one.size for one in found} == {(240, 360)}
