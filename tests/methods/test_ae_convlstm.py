"""ae-convlstm: counts, shapes, loss and score against plain NumPy, the first five frames, a short
training."""

import numpy as np
import pytest
import torch
from bench.methods.ae_convlstm import AEConvLSTM, AEConvLSTMParameters
from bench.methods.networks.luo import ConvLSTMAutoEncoder
from made import watched
from torch import nn

from bench import OpenClip
from bench.contracts.compute import Compute
from bench.engine.context import make_context
from bench.engine.inference import infer


def make(**values):
    return AEConvLSTM(AEConvLSTMParameters(**(dict(AEConvLSTM.profiles["smoke"]) | values)))


def test_parameter_counts():
    """As counted from the authors' network file: of all, of the encoder, of the ConvLSTM, and of
    each decoder."""
    with torch.device("meta"):
        network = ConvLSTMAutoEncoder()
    parts = (network, network.encoder, network.memory, network.current, network.past)
    counts = [sum(weights.numel() for weights in part.parameters()) for part in parts]
    assert counts == [24_893_442, 2_006_016, 18_876_416, 2_005_505, 2_005_505]


def test_layer_shapes():
    """Frames of two windows one by one, the ConvLSTM over their three frames, and exactly 225
    pixels again; no past of the first frame."""
    with torch.device("meta"):
        network = ConvLSTMAutoEncoder()
        seen = watched(
            (*network.encoder[::2], network.memory, *network.current[::2], *network.past[::2])
        )
        current, past = network(torch.empty(2, 1, 3, 225, 225))
    encoded, decoded = [(128, 57), (256, 29), (512, 15)], [(256, 29), (128, 57), (1, 225)]
    expected = [(6, channels, size, size) for channels, size in encoded]
    expected += [(2, 3, 512, 15, 15)]
    expected += [(frames, channels, size, size) for frames in (6, 4) for channels, size in decoded]
    assert [shape for _, shape in seen] == expected
    assert (current.shape, past.shape) == ((2, 1, 3, 225, 225), (2, 1, 2, 225, 225))


def test_features_of_a_frame_do_not_depend_on_its_window():
    """Only the ConvLSTM looks at several frames; what came later changes nothing before it."""
    network = ConvLSTMAutoEncoder(0.0625).eval()
    windows = torch.rand(1, 1, 4, 49, 49)
    changed = windows.clone()
    changed[:, :, 3] = 0
    with torch.inference_mode():
        first, second = network(windows), network(changed)
    torch.testing.assert_close(first[0][:, :, :3], second[0][:, :, :3])
    torch.testing.assert_close(first[1][:, :, :2], second[1][:, :, :2])
    assert not torch.equal(first[1][:, :, 2], second[1][:, :, 2])


class Answers(nn.Module):
    """Gives what it was given."""

    def __init__(self, current, past):
        super().__init__()
        self.answer = (torch.from_numpy(current), torch.from_numpy(past))

    def forward(self, windows):
        return self.answer


def made():
    generator = np.random.default_rng(0)
    return (
        generator.normal(size=(2, 1, 10, 17, 17)),
        generator.normal(size=(2, 1, 10, 17, 17)),
        generator.normal(size=(2, 1, 9, 17, 17)),
    )


def test_loss_is_the_sum_of_both_means(tmp_path):
    """The current frames by one decoder, and the frames before by the other, in plain NumPy."""
    windows, current, past = made()
    loss = make().loss(
        Answers(current, past),
        {"window": torch.from_numpy(windows)},
        make_context(0, Compute("cpu"), tmp_path),
    )["loss"]
    expected = np.mean((windows - current) ** 2) + np.mean((windows[:, :, :9] - past) ** 2)
    assert loss.item() == pytest.approx(expected, rel=1e-12)


def test_score_joins_both_errors():
    """The norm over the pixels of x_t - current_t and x_(t-1) - past_t, for t of the second half,
    in plain NumPy."""
    windows, current, past = made()
    parts = make(size=17).error(Answers(current, past), {"window": torch.from_numpy(windows)})
    for place, time in enumerate(range(5, 10)):
        now, before = (
            windows[:, 0, time] - current[:, 0, time],
            windows[:, 0, time - 1] - past[:, 0, time - 1],
        )
        expected = np.sqrt((now**2).sum(axis=(1, 2)) + (before**2).sum(axis=(1, 2)))
        np.testing.assert_allclose(parts["norm"][:, place], expected, rtol=1e-12)
        np.testing.assert_allclose(parts["map"][:, place], np.abs(now))
    assert parts["reconstruction"].shape == (2, 5, 1, 17, 17)


@pytest.mark.parametrize("length", [10, 23, 25])
def test_the_first_five_frames_take_the_scores_of_the_next(length, tmp_path):
    """Every frame has a score; frame t < 5 that of t + 5; an impulse is scored at its own frame and
    the one after."""
    torch.manual_seed(0)
    method = make()
    method.network = method.build().eval()
    method.stats = {"mean": np.full((49, 49), 60, np.float32)}
    frames = np.full((length, 49, 49), 60, np.uint8)
    place = length - 3
    frames[place, 20:30, 20:30] = 255
    scores = infer(
        method,
        OpenClip("01", "test", length, "made", opener=lambda: frames),
        make_context(0, Compute("cpu"), tmp_path),
    )
    assert scores.frames.tolist() == list(range(length))
    np.testing.assert_array_equal(scores.values[:5], scores.values[5:10])
    assert set(5 + np.argsort(scores.values[5:])[-2:]) == {place, place + 1}


def test_illegal_size_is_refused_with_the_nearest():
    """Other sizes do not come back from the decoder."""
    with pytest.raises(ValueError, match=r"size 224 is not 16k \+ 1; the nearest are 209 and 225"):
        AEConvLSTMParameters(size=224)
