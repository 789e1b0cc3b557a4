"""`--keep images`: which frames have pictures."""

import numpy as np
import pytest

from bench import OpenClip
from bench.running.keeping import KEPT_IMAGES, ImageKeeper


def kept_frames(folder, lengths):
    """Hand over every frame of clips of these lengths; return the frames that have a picture, by clip."""
    keeper = ImageKeeper(folder, lengths)
    for clip_id, length in lengths.items():
        frames = np.zeros((length, 4, 4), np.uint8)
        clip = OpenClip(clip_id, "test", length, "made", opener=lambda frames=frames: frames)
        for frame in range(length):
            keeper(None, clip, frame, {})
    return {clip_id: sorted(int(path.name[:5]) for path in (folder / clip_id).glob("*-frame.jpg")) for clip_id in lengths}


@pytest.mark.parametrize(("lengths", "stride"), [({"01": 150}, 1), ({"01": 350}, 2), ({"01": 500, "02": 300}, 4), ({"01": 1001}, 6)])
def test_pictures_are_evenly_spaced_and_as_many_as_promised(tmp_path, lengths, stride):
    """The smallest stride with at most `KEPT_IMAGES` frames of all clips together."""
    found = kept_frames(tmp_path, lengths)
    for frames in found.values():
        assert len(frames) > 1 and set(np.diff(frames).tolist()) == {stride}
    assert KEPT_IMAGES // 2 <= sum(map(len, found.values())) <= KEPT_IMAGES
