"""The creators of pseudo-anomalies: golden indices and masks, ranges, what is refused."""

import numpy as np
import pytest
from bench.methods.pseudo_anomalies.fusion import Fusion
from bench.methods.pseudo_anomalies.noise import Noise
from bench.methods.pseudo_anomalies.patch import (
    RECORD,
    Patch,
    PatchParameters,
    enlarge,
    gaussian_mask,
    hard_mask,
    soft_mask,
    wander,
)
from bench.methods.pseudo_anomalies.repeat import Repeat, RepeatParameters
from bench.methods.pseudo_anomalies.skip import Skip, SkipParameters

from bench import DataError, OpenClip, RequestError, Window
from bench.contracts.compute import Compute
from bench.engine.context import make_context


def gray(frames):
    return frames[None].astype(np.float32)


def numbered(length, size=(4, 4)):
    """A clip whose frames hold their own number."""
    frames = np.broadcast_to(np.arange(length, dtype=np.uint8)[:, None, None], (length, *size))
    return OpenClip("01", "train", length, "made", opener=lambda: frames)


def shown(part):
    """Which frames a window holds."""
    return part[0, :, 0, 0].astype(int).tolist()


class Always:
    """A generator whose choices and integers are told."""

    def __init__(self, choice, integer=0):
        self.told, self.integer = choice, integer

    def choice(self, values):
        assert self.told in values
        return self.told

    def integers(self, *arguments):
        return self.integer


@pytest.mark.parametrize(
    ("length", "start", "stride", "content"),
    [
        (120, 5, 3, list(range(5, 51, 3))),
        (50, 40, 2, [40, 42, 44, 46, 48, *[49] * 11]),
        (120, 45, 5, [*range(45, 120, 5), 119]),
    ],
    ids=["plain", "redraw-exhausted", "one-beyond-the-end"],
)
def test_skip_takes_the_frames_of_the_authors(length, start, stride, content):
    """Frames a stride apart; where no start fits, the last frame is repeated. The normal window is
    consecutive, of the same start."""
    drawn = Skip(Window(16), None, gray).draw(numbered(length), start, Always(stride, start))
    assert shown(drawn["content"]) == content
    assert shown(drawn["window"]) == [min(start + place, length - 1) for place in range(16)]
    assert (drawn["mask"] == 1).all()


def test_skip_draws_another_start_where_the_clip_ends():
    """The first start that fits is taken, for content and normal window alike."""
    drawn = Skip(Window(16), None, gray).draw(numbered(60), 50, Always(3, 7))
    assert shown(drawn["content"]) == list(range(7, 53, 3))
    assert shown(drawn["window"]) == list(range(7, 23))


def test_skip_draws_every_stride():
    """Each stride that is named comes, and no other."""
    creator = Skip(Window(4), SkipParameters(strides=(2, 5)), gray)
    generator = np.random.default_rng(0)
    found = {
        shown(creator.draw(numbered(100), 10, generator)["content"])[1] - 10 for _ in range(40)
    }
    assert found == {2, 5}


def test_repeat_shows_each_frame_several_times():
    """Frame start + i // h, or the first frame alone; no normal window is named: it is the one at
    `start`."""
    drawn = Repeat(Window(7), None, gray).draw(numbered(30), 3, Always(3))
    assert shown(drawn["content"]) == [3, 3, 3, 4, 4, 4, 5]
    assert set(drawn) == {"content", "mask"}
    frozen = Repeat(Window(7), RepeatParameters(mode="freeze"), gray).draw(
        numbered(30), 3, np.random.default_rng(0)
    )
    assert shown(frozen["content"]) == [3] * 7


@pytest.mark.parametrize("creator", [Skip, Repeat])
def test_time_needs_several_frames(creator):
    """A window of one frame is refused, with why."""
    with pytest.raises(
        RequestError, match=f"pseudo-anomalies '{creator.name}' need a window of several frames"
    ):
        creator(Window(1), None, gray)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.0, 1.0)])
def test_noise_has_its_deviation_and_stays_in_range(low, high):
    """Gaussian of a tenth of the range; nothing is whiter than white or blacker than black."""
    frames = np.full((8, 64, 64), 127, np.uint8)
    clip = OpenClip("01", "train", 8, "made", opener=lambda: frames)
    creator = Noise(
        Window(8), None, lambda array: (low + (high - low) * array[None] / 255).astype(np.float32)
    )
    content = creator.draw(clip, 0, np.random.default_rng(0))["content"]
    assert content.std() == pytest.approx(0.1 * (high - low), rel=0.02)
    frames[:] = 255
    content = creator.draw(clip, 0, np.random.default_rng(0))["content"]
    assert content.max() == high
    assert content.min() > low


def test_fusion_reaches_every_window_of_every_clip(tmp_path):
    """Each start of each clip comes, none beyond a clip's end; clips shorter than the window are
    passed over."""
    clips = [numbered(6), numbered(3), numbered(9)]
    creator = Fusion(Window(4), None, gray)
    creator.prepare(clips, make_context(0, Compute("cpu"), tmp_path))
    generator = np.random.default_rng(0)
    found = {tuple(shown(creator.draw(clips[0], 0, generator)["content"])) for _ in range(300)}
    assert found == {tuple(range(start, start + 4)) for start in range(6)}
    assert creator.sigma == 0.5


def test_soft_mask_golden():
    """One on the box with both edges, linear to 0 over a tenth of the half size, cut at the frame's
    edge."""
    mask = soft_mask((32, 32), (10, 20), (12, 16))
    expected = np.zeros((32, 32))
    expected[12:29, 4:17] = 1
    np.testing.assert_array_equal(mask, expected)
    assert mask.sum() == 221
    mask = soft_mask((64, 64), (30, 2), (40, 40))
    assert mask.sum() == pytest.approx(987)
    np.testing.assert_allclose(mask[2, [8, 9, 10, 50, 51, 52]], [0, 0.5, 1, 1, 0.5, 0])
    np.testing.assert_allclose(mask[[22, 23, 24], 30], [1, 0.5, 0])


def test_gaussian_mask_golden():
    """Peak 1 at the centre, the sizes are standard deviations."""
    mask = gaussian_mask((32, 32), (10, 20), (12, 16))
    assert mask.sum() == pytest.approx(618.86164)
    assert mask[20, 10] == 1
    assert mask[10, 20] == pytest.approx(0.58127302)
    assert mask[0, 0] == pytest.approx(0.32352716)


def test_box_mask_golden():
    """Columns 4..15, rows 12..27."""
    mask = hard_mask((32, 32), (10, 20), (12, 16))
    expected = np.zeros((32, 32))
    expected[12:28, 4:16] = 1
    np.testing.assert_array_equal(mask, expected)


@pytest.mark.parametrize(
    ("form", "peak"), [("soft", 1.0), ("gaussian", 1.0), ("box", 1.0), ("half", 0.5)]
)
def test_patches_wander_by_at_most_their_step(form, peak):
    """The mask stays in 0..1 and its place changes from frame to frame; without a step it stands
    still."""
    moving = wander((64, 96), 16, PatchParameters(form=form), np.random.default_rng(1))
    assert max(mask.max() for mask in moving) == pytest.approx(peak)
    assert min(mask.min() for mask in moving) >= 0
    assert any(not np.array_equal(moving[0], mask) for mask in moving)
    standing = wander((64, 96), 16, PatchParameters(form=form, move=0), np.random.default_rng(1))
    assert all(np.array_equal(standing[0], mask) for mask in standing)


def plain_boxes(size, seed, move=10):
    """Centre and size of LNTRA's patches in frames of 256 pixels, as its code draws them; in shares
    of the frame."""
    generator = np.random.default_rng(seed)
    x, y = generator.integers(size), generator.integers(size)
    extents = [max(10 / 256, generator.uniform(0, 0.5)) for _ in range(2)]
    places = []
    for _ in range(16):
        places.append((x / size, y / size))
        x = np.clip(x + generator.integers(-move, move + 1) * size / 256, 0, size)
        y = np.clip(y + generator.integers(-move, move + 1) * size / 256, 0, size)
    return np.array(places), np.array(extents)


@pytest.mark.parametrize("size", [32, 128, 256, 512])
def test_steps_and_least_size_of_a_patch_grow_with_the_frame(size):
    """The same shares of the frame at each size; ten pixels are ten at 256."""
    for seed in range(20):
        places, extents = plain_boxes(size, seed)
        masks = wander((size, size), 16, PatchParameters(form="box"), np.random.default_rng(seed))
        for (x, y), mask in zip(places * size, masks):
            rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
            for found, centre, extent in ((columns, x, extents[0]), (rows, y, extents[1])):
                begin = np.clip(round(centre) - max(2, extent * size) // 2, 0, size)
                if len(found):
                    assert abs(found[0] - begin) <= 1
                    assert abs(found[-1] + 1 - min(size, begin + max(2, extent * size))) <= 1.5


def test_a_patch_of_two_pixels_has_an_inside():
    """Of the smallest frames, in all forms."""
    for form in ("soft", "gaussian", "box"):
        masks = wander(
            (16, 16), 8, PatchParameters(form=form, largest=0.0), np.random.default_rng(0)
        )
        assert (
            all(np.isfinite(mask).all() for mask in masks)
            and max(mask.max() for mask in masks) == 1
        )


def test_enlarging_is_bilinear_with_aligned_corners():
    """Corners stay corners, and a ramp stays a ramp."""
    ramp = np.add.outer(np.arange(4.0), 10 * np.arange(5.0))
    np.testing.assert_allclose(
        enlarge(ramp, (7, 9)), np.add.outer(np.arange(7) / 2, 10 * np.arange(9) / 2)
    )


def test_patches_come_from_other_clips_without_cifar(tmp_path, monkeypatch, caplog):
    """The row says so; the content moves as a window of another clip does, one that is long enough;
    alone a clip takes its own."""
    monkeypatch.chdir(tmp_path)
    context = make_context(0, Compute("cpu"), tmp_path)
    creator = Patch(Window(3, step=2), None, gray)
    own, other, short = (
        named(name, length) for name, length in (("own", 40), ("other", 50), ("short", 4))
    )
    creator.prepare([own, other, short], context)
    assert context.facts == {"patches": "windows of other training clips"}
    assert "no CIFAR-100 was found: patches come from other training clips" in caplog.text
    for seed in range(20):
        drawn = creator.draw(own, 0, np.random.default_rng(seed))
        first, second, third = drawn["content"][0, :, 0, 0]
        assert first >= 50 and second - first == third - second == 2
        assert drawn["mask"].shape == (1, 3, 16, 16)
    creator.prepare([own], context)
    assert creator.draw(own, 0, np.random.default_rng(0))["content"].max() < 40


def named(name, length):
    """A clip whose frame n is n everywhere; those of `other` go on from 50."""
    frames = (
        np.full((length, 16, 16), 50 * (name == "other"), np.uint8)
        + np.arange(length, dtype=np.uint8)[:, None, None]
    )
    return OpenClip(name, "train", length, "made", opener=lambda: frames)


@pytest.fixture
def cifar(tmp_path, monkeypatch):
    """Two images: red, and a gray ramp."""
    folder = tmp_path / "data" / "cifar-100-binary"
    folder.mkdir(parents=True)
    red = np.concatenate([[1, 2], np.full(1024, 255), np.zeros(2048)])
    ramp = np.concatenate([[3, 4], np.tile(np.repeat(np.arange(32) * 8, 32), 3)])
    (folder / "train.bin").write_bytes(np.concatenate([red, ramp]).astype(np.uint8).tobytes())
    monkeypatch.setenv("BENCH_DATA", str(tmp_path / "data"))
    return folder / "train.bin"


def test_patches_come_from_cifar_where_it_is(cifar, tmp_path):
    """Gray for gray frames, RGB for RGB, enlarged to the frame; found below the data folders
    without being asked for."""
    context = make_context(0, Compute("cpu"), tmp_path)
    creator = Patch(Window(2), None, gray)
    creator.prepare([numbered(9, (16, 16))], context)
    assert context.facts == {"patches": "CIFAR-100"}
    generator = np.random.default_rng(0)
    corners = {
        tuple(creator.draw(numbered(9, (16, 16)), 0, generator)["content"][0, 0, [0, 15], 0])
        for _ in range(20)
    }
    assert corners == {(76.0, 76.0), (0.0, 248.0)}
    colour = np.zeros((9, 16, 16, 3), np.uint8)
    rgb = Patch(Window(2), None, lambda frames: frames.transpose(3, 0, 1, 2).astype(np.float32))
    rgb.prepare([], context)
    clip = OpenClip("01", "train", 9, "made", opener=lambda: colour)
    found = {tuple(rgb.draw(clip, 0, generator)["content"][:, 0, 0, 0]) for _ in range(20)}
    assert found == {(255.0, 0.0, 0.0), (0.0, 0.0, 0.0)}


def test_what_is_found_without_being_named_is_told(cifar, monkeypatch):
    """It belongs to the key of a cell; where it is not used, or not there, there is nothing."""
    assert Patch(Window(2), None, gray).found_files() == {"cifar": cifar}
    assert not Patch(Window(2), PatchParameters(source="frames"), gray).found_files()
    monkeypatch.setenv("BENCH_DATA", str(cifar.parent))
    assert not Patch(Window(2), None, gray).found_files()


def test_cifar_that_is_wanted_and_missing_is_refused(tmp_path, monkeypatch):
    """With where it was looked for; the version for Python is a pickle, and is named but not
    opened."""
    (tmp_path / "cifar-100-python").mkdir()
    monkeypatch.setenv("BENCH_DATA", str(tmp_path))
    creator = Patch(Window(2), PatchParameters(source="cifar100"), gray)
    with pytest.raises(
        DataError,
        match=r"no CIFAR-100 at .*train.bin.*is a pickle and is not opened.*binary version",
    ):
        creator.prepare([], make_context(0, Compute("cpu"), tmp_path))
    creator = Patch(Window(2), PatchParameters(cifar=str(tmp_path / "mine.bin")), gray)
    with pytest.raises(DataError, match="no CIFAR-100 at .*mine.bin"):
        creator.prepare([], make_context(0, Compute("cpu"), tmp_path))


def test_damaged_cifar_is_refused(cifar, tmp_path):
    """A file whose size does not fit its records."""
    cifar.write_bytes(bytes(RECORD + 1))
    with pytest.raises(
        DataError,
        match=r"train.bin is no train.bin of CIFAR-100: its size is not a multiple of 3074 bytes",
    ):
        Patch(Window(2), None, gray).prepare([], make_context(0, Compute("cpu"), tmp_path))


def test_cifar_with_frames_is_refused():
    """A file that would not be read."""
    with pytest.raises(ValueError, match="cifar means nothing with source=frames"):
        PatchParameters(source="frames", cifar="x")
