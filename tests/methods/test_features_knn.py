"""features-knn against scikit-learn's nearest neighbours and plain NumPy; its network, its weights,
and what it says at its edges."""

import numpy as np
import pytest
import torch
from bench.methods.features_knn import (
    FRAMES_AT_ONCE,
    MOBILENET,
    RANDOM,
    FeaturesKNN,
    FeaturesKNNParameters,
)
from bench.methods.networks import resnet_features
from bench.methods.networks.place_features import PlaceFeatures, of_mobilenet, of_random_weights
from bench.methods.networks.pretrained import MEAN, STD
from sklearn.neighbors import NearestNeighbors
from torch import nn

from bench import DataError, MethodError, OpenClip
from bench.contracts.compute import Compute
from bench.engine.context import make_context


def clip_of(frames: np.ndarray, name: str = "01", split: str = "train") -> OpenClip:
    return OpenClip(name, split, len(frames), "made", opener=lambda: frames)


def frames_of(seed: int, count: int, size: int = 32) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def fresh(**values: object) -> FeaturesKNN:
    return FeaturesKNN(FeaturesKNNParameters(features="random", size=32, **values))


def places_of(frames: np.ndarray) -> np.ndarray:
    """Features (places, N, F)."""
    with torch.inference_mode():
        return of_random_weights()(torch.from_numpy(frames).permute(0, 3, 1, 2) / 255).numpy()


@pytest.mark.parametrize("neighbours", [1, 3])
def test_scores_equal_those_of_scikit_learn(neighbours, tmp_path):
    """Two training clips, all frames used; a test clip that is no multiple of a batch. A place is
    compared with its own place alone, and the largest distance counts."""
    first, second, test = frames_of(1, 7), frames_of(2, 5), frames_of(3, FRAMES_AT_ONCE + 3)
    method, context = fresh(neighbours=neighbours), make_context(0, Compute("cpu"), tmp_path)
    method.fit([clip_of(first), clip_of(second, "02")], context)
    bank = places_of(np.concatenate([first, second]))
    np.testing.assert_allclose(method.bank, bank, rtol=1e-4, atol=1e-5)
    distances = [
        NearestNeighbors(n_neighbors=neighbours, algorithm="brute")
        .fit(learned.astype(float))
        .kneighbors(place.astype(float))[0]
        .mean(axis=1)
        for learned, place in zip(bank, places_of(test), strict=True)
    ]
    assert len(distances) == 16
    np.testing.assert_allclose(
        method.score(clip_of(test, split="test"), context), np.max(distances, axis=0), rtol=1e-4
    )


def test_a_training_frame_has_no_distance(tmp_path):
    """Also where features are large and the distance is what rounding leaves."""
    frames = frames_of(4, 6)
    method, context = fresh(), make_context(0, Compute("cpu"), tmp_path)
    method.fit([clip_of(frames)], context)
    scores = method.score(clip_of(np.concatenate([frames, frames_of(5, 1)])), context)
    assert scores[:6].max() < 1e-4 * scores[6]


def test_training_frames_are_evenly_spaced(tmp_path):
    """Of 9 frames in two clips 3 are taken: the first, the last, and the one between."""
    frames = frames_of(6, 9)
    method = fresh(samples=3)
    method.fit(
        [clip_of(frames[:2]), clip_of(frames[2:], "02")],
        make_context(0, Compute("cpu"), tmp_path),
    )
    np.testing.assert_allclose(method.bank, places_of(frames[[0, 4, 8]]), rtol=1e-4, atol=1e-5)


def test_features_are_smoothed_and_joined():
    """Means over 3 x 3 places, zeros beyond the frame; the coarse stage is enlarged."""
    trunk = nn.Sequential(nn.AvgPool2d(8), nn.AvgPool2d(2))
    frames = torch.rand(
        2, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    found = PlaceFeatures(trunk, fine=1).double()(frames).numpy()
    assert found.shape == (16, 2, 6)
    images = (frames.numpy() - np.reshape(MEAN, (3, 1, 1))) / np.reshape(STD, (3, 1, 1))
    fine = images.reshape(2, 3, 4, 8, 4, 8).mean(axis=(3, 5))

    def smoothed(stage):
        padded = np.pad(stage, ((0, 0), (0, 0), (1, 1), (1, 1)))
        shape = stage.shape[2:]
        return (
            sum(
                padded[:, :, y : y + shape[0], x : x + shape[1]] for y in range(3) for x in range(3)
            )
            / 9
        )

    coarse = smoothed(fine.reshape(2, 3, 2, 2, 2, 2).mean(axis=(3, 5)))
    # Centres of the 4 fine places lie at -1/4, 1/4, 3/4 and 5/4 between those of the 2 coarse ones.
    weights = np.array([[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]])
    enlarged = np.einsum("yi,ncij,xj->ncyx", weights, coarse, weights)
    expected = np.concatenate([smoothed(fine), enlarged], axis=1).reshape(2, 6, 16)
    np.testing.assert_allclose(found, expected.transpose(2, 0, 1), rtol=1e-6, atol=1e-7)


def mobilenet() -> dict[str, torch.Tensor]:
    from torchvision.models import mobilenet_v2

    with torch.random.fork_rng():
        torch.manual_seed(0)
        return mobilenet_v2(weights=None).state_dict()


def test_stages_of_mobilenet_are_those_of_strides_8_and_16():
    """Their last blocks, whose features are 32 and 96 (MobileNetV2, Table 2)."""
    features = of_mobilenet(mobilenet())
    shapes = []
    for layer in features.trunk:
        layer.register_forward_hook(lambda *args: shapes.append(tuple(args[2].shape[1:])))
    with torch.inference_mode():
        assert features(torch.rand(1, 3, 64, 64)).shape == (64, 1, 128)
    assert (shapes[features.fine - 1], shapes[-1]) == ((32, 8, 8), (96, 4, 4))
    assert shapes.count((32, 8, 8)) == 3 and shapes.count((96, 4, 4)) == 3
    assert not features.train().training


def test_file_name_and_size_are_torchvisions():
    """The file that torchvision itself would fetch."""
    from torchvision.models import MobileNet_V2_Weights

    found, one = MobileNet_V2_Weights.IMAGENET1K_V1, MOBILENET.download
    assert found.url == one.url and one.url.endswith(f"/{one.file}")
    assert one.file.endswith(f"-{one.sha256[:8]}.pth")
    assert round(one.size / 2**20, 3) == found.meta["_file_size"]


def test_missing_weights_are_said_before_work(tmp_path, monkeypatch):
    """In a sentence that ends with the command that gets them; random features need none."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    with pytest.raises(DataError) as caught:
        FeaturesKNN().check("ped2")
    text = str(caught.value)
    assert text.startswith("features-knn: no weights of MobileNetV2 at ")
    assert "'features-knn[weights=FILE]' names another file" in text
    assert text.endswith("; bench download mobilenet_v2")
    with pytest.raises(DataError, match="no weights of MobileNetV2"):
        FeaturesKNN().fit(
            [clip_of(frames_of(0, 2, 256))], make_context(0, Compute("cpu"), tmp_path)
        )
    fresh().check("ped2")


@pytest.mark.parametrize("whole", [True, False])
def test_weights_of_a_file_are_used(whole, tmp_path):
    """The network is made of what the file holds; weights of another one are refused."""
    weights = mobilenet()
    if not whole:
        weights.pop("features.3.conv.3.weight")
    torch.save(weights, tmp_path / "w.pth")
    method = FeaturesKNN(FeaturesKNNParameters(weights=str(tmp_path / "w.pth"), size=32))
    context = make_context(0, Compute("cpu"), tmp_path)
    if whole:
        method.fit([clip_of(frames_of(0, 2))], context)
        assert method.bank.shape == (16, 2, 128)
        assert context.facts["network_sha256"] == of_mobilenet(weights).digest().hex()
    else:
        with pytest.raises(DataError, match=r"w\.pth has no weights of torchvision's MobileNetV2"):
            method.fit([clip_of(frames_of(0, 2))], context)


def test_what_was_learned_is_kept_without_the_network(tmp_path, monkeypatch):
    """Saved and loaded, the scores are the same; with other features it is refused."""
    frames, context = frames_of(7, 5), make_context(0, Compute("cpu"), tmp_path)
    method, again = fresh(), fresh()
    method.fit([clip_of(frames)], context)
    method.save(tmp_path / "fitted")
    assert set(np.load(tmp_path / "fitted").files) == {"bank", "network"}
    again.load(tmp_path / "fitted")
    test = clip_of(frames_of(8, 3), split="test")
    np.testing.assert_array_equal(again.score(test, context), method.score(test, context))
    monkeypatch.setattr(resnet_features, "RANDOM_SEED", 1)
    with pytest.raises(
        MethodError, match="was learned on features of a network with other weights"
    ):
        fresh().load(tmp_path / "fitted")


def test_too_few_training_frames_are_refused(tmp_path):
    """Fewer than neighbours."""
    with pytest.raises(
        MethodError, match="neighbours=3 needs as many training frames, there are 2"
    ):
        fresh(neighbours=3).fit(
            [clip_of(frames_of(0, 2))], make_context(0, Compute("cpu"), tmp_path)
        )


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"neighbours": 4, "samples": 3}, "neighbours 4 must be at most the 3 training frames"),
        ({"features": "random", "weights": "x.pth"}, "weights means nothing with features=random"),
    ],
)
def test_parameters_that_contradict_are_refused(values, text):
    """With what to change."""
    with pytest.raises(ValueError, match=text):
        FeaturesKNNParameters(**values)


def test_random_features_are_declared():
    """As a footnote of the row."""
    assert RANDOM in fresh().deviations and RANDOM not in FeaturesKNN().deviations
