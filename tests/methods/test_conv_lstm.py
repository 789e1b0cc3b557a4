"""The convolutional LSTM cell: golden values, and a plain loop in NumPy."""

import numpy as np
import torch
from bench.methods.networks.conv_lstm import ConvLSTM
from made import fill
from scipy.signal import correlate2d

INDEX = torch.arange(100, dtype=torch.float64)
FRAMES = [
    function.reshape(1, 4, 5, 5)
    for function in (torch.sin(0.11 * INDEX), torch.cos(0.2 * INDEX), torch.sin(0.11 * INDEX))
]


def test_hidden_states_golden():
    """Three steps of a cell from 4 to 3 channels."""
    with torch.inference_mode():
        hidden = fill(ConvLSTM(4, 3), 2)(torch.stack(FRAMES, dim=1)).transpose(0, 1)
    assert hidden.shape == (3, 1, 3, 5, 5)
    found = [
        hidden.mean(),
        hidden.std(unbiased=False),
        hidden[0, 0, 0, 0, 0],
        hidden[1, 0, 1, 2, 3],
        hidden[2, 0, 2, 4, 4],
    ]
    np.testing.assert_allclose(
        found, [0.068893704, 0.16554346, -0.055251512, 0.065635586, 0.41943276], rtol=1e-6
    )


def convolved(maps, weight):
    """Zero-padded correlation of (C, H, W) maps with (O, C, k, k) weights."""
    return np.stack(
        [
            sum(correlate2d(channel, kernel, mode="same") for channel, kernel in zip(maps, kernels))
            for kernels in weight
        ]
    )


def test_cell_equals_a_plain_loop():
    """Gate by gate in NumPy, step by step: input, forget, output, candidate; no peepholes; states
    begin at 0."""
    cell = fill(ConvLSTM(4, 3), 2)
    into, bias, back = (
        part.detach().numpy()
        for part in (cell.from_input.weight, cell.from_input.bias, cell.from_hidden.weight)
    )
    hidden, memory = np.zeros((3, 5, 5)), np.zeros((3, 5, 5))
    with torch.inference_mode():
        found = cell(torch.stack(FRAMES, dim=1))[0]
    for frame, expected in zip(FRAMES, found):
        sums = convolved(frame[0].numpy(), into) + bias[:, None, None] + convolved(hidden, back)
        admit, forget, emit = (1 / (1 + np.exp(-part)) for part in (sums[:3], sums[3:6], sums[6:9]))
        memory = forget * memory + admit * np.tanh(sums[9:])
        hidden = emit * np.tanh(memory)
        np.testing.assert_allclose(expected, hidden, rtol=1e-9)


def test_parameter_count():
    """4 (k^2 (i + o) o + o): one bias for each of the four gates."""
    for inputs, hidden, kernel in ((512, 512, 3), (64, 32, 3), (4, 3, 5)):
        with torch.device("meta"):
            cell = ConvLSTM(inputs, hidden, kernel)
        assert sum(weights.numel() for weights in cell.parameters()) == 4 * (
            kernel**2 * (inputs + hidden) * hidden + hidden
        )
