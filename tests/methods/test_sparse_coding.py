"""tsc and srnn: golden values (computed from the formula in float64), the recurrence in NumPy,
features, streaming, files, errors."""

import dataclasses
import hashlib
import logging
import math
import re
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import torch
from bench.methods import sparse_coding
from bench.methods.networks import resnet_features
from bench.methods.networks.resnet_features import PatchFeatures, patches, trained, untrained
from bench.methods.networks.sparse_coding import SparseCoding, half_squared_error, soft
from bench.methods.sparse_coding import (
    MAXIMA,
    RESNET,
    TSC,
    WHOLE_FRAME,
    StackedRNN,
    StackedRNNParameters,
    TSCParameters,
)
from torch import nn

from bench import Context, DataError, MethodError, OpenClip, RunError
from bench.contracts.compute import Compute
from bench.engine.context import make_context
from bench.engine.inference import infer

SMALL = {"features": "random", "size": 128, "width": 0.0625, "learning_rate": 1e-3}


@pytest.fixture(autouse=True)
def empty_torch_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


def moving_square(length: int, size: int = 128, speed: int = 1) -> np.ndarray:
    frames = np.full((length, size, size, 3), 60, dtype=np.uint8)
    for number in range(length):
        start = speed * number % (size - 32)
        frames[number, 40:72, start : start + 32] = 200
    return frames


def clip_of(frames: np.ndarray, name: str = "01", split: str = "train") -> OpenClip:
    return OpenClip(name, split, len(frames), "made", opener=lambda: frames)


def context_in(folder: Path, **more) -> Context:
    return make_context(0, Compute("cpu"), folder, logging.getLogger("test"), **more)


def coded(network: SparseCoding, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes and coherence of one sequence (T, F), in NumPy."""

    def shrunk(values, threshold):
        return np.sign(values) * np.maximum(np.abs(values) - threshold, 0)

    def unit(vector):
        positive = np.maximum(network.projection.detach().numpy() @ vector, 0)
        norm = np.sqrt((positive**2).sum())
        return positive / norm if norm else positive

    a = network.dictionary.detach().numpy()
    g, l1, l2 = (scalar.item() for scalar in (network.gamma, network.lambda1, network.lambda2))
    identity = np.eye(a.shape[1])
    before_h, before_x, codes, coherences = np.zeros(a.shape[1]), np.zeros(a.shape[0]), [], []
    for now in x:
        distance = ((now - before_x) ** 2).sum()
        coherence = (
            np.exp(-distance / 100) if network.projection is None else unit(before_x) @ unit(now)
        )
        h = shrunk((identity - l2 / g * a.T @ a) @ before_h + a.T @ now / g, l1 / g)
        for _ in range(network.layers - 1):
            h = shrunk(
                l2 / g * coherence * before_h
                + (identity - a.T @ a / g) @ h
                - l2 / g * coherence * h
                + a.T @ now / g,
                l1 / g,
            )
        codes.append(h)
        coherences.append(coherence)
        before_h, before_x = h, now
    return np.array(codes), np.array(coherences)


# -- the recurrent network -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("decoder", "errors"), [(True, [5.3560642, 1.0067858]), (False, [5.0068661, 0.29614551])]
)
def test_recurrence_gives_the_golden_values(decoder, errors):
    """Coherence, codes and half errors of two vectors, with and without a decoder."""
    network = SparseCoding(4, 3, decoder=decoder).double()
    index = torch.arange(12, dtype=torch.float64)
    network.dictionary.data = (0.5 * torch.sin(0.7 * index + 0.3)).view(4, 3)
    if decoder:
        network.decoder.data = (0.5 * torch.cos(0.4 * index)).view(4, 3)
    vectors = (torch.sin(0.9 * torch.arange(8, dtype=torch.float64)) + 1).view(1, 2, 4)
    with torch.no_grad():
        codes, coherence, _ = network(vectors)
        found = half_squared_error(vectors, network.reconstruct(codes))
    np.testing.assert_allclose(coherence, [[0.90380882, 0.93692073]], rtol=1e-6)
    np.testing.assert_allclose(
        codes, [[[0, 0.0077015532, 0.22784150], [0, 0.22096674, 0.74449607]]], rtol=1e-6
    )
    np.testing.assert_allclose(found, [errors], rtol=1e-6)


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("projection", [0, 4])
def test_recurrence_is_the_formula(projection, layers):
    """The same codes and coherence as the formula in NumPy, for several sequences at once."""
    torch.manual_seed(1)
    network = SparseCoding(
        6, 5, layers, 1.3, 0.05, 0.2, decoder=True, projection=projection
    ).double()
    vectors = 2 * drawn(3, 7, 6)
    with torch.no_grad():
        codes, coherence, _ = network(vectors)
    for sequence in range(3):
        expected = coded(network, vectors[sequence].numpy())
        np.testing.assert_allclose(codes[sequence], expected[0], atol=1e-7)
        np.testing.assert_allclose(coherence[sequence], expected[1], atol=1e-7)
    assert 0 < (codes == 0).double().mean() < 1


def test_learned_coherence_with_nothing_before_is_zero():
    """Before the first vector is 0, which has no direction; the gradient stays finite there."""
    torch.manual_seed(0)
    network = SparseCoding(6, 5, decoder=True, projection=4)
    codes, coherence, _ = network(drawn(2, 3, 6).float())
    assert not coherence[:, 0].any()
    codes.square().sum().backward()
    assert all(
        bool(torch.isfinite(weights.grad).all())
        for weights in network.parameters()
        if weights.grad is not None
    )


@pytest.mark.parametrize("pieces", [[1] * 7, [3, 4], [7]])
@pytest.mark.parametrize("projection", [0, 4])
def test_a_sequence_in_pieces_is_the_sequence(pieces, projection):
    """The state carries codes and last vectors over."""
    torch.manual_seed(1)
    network = SparseCoding(6, 5, decoder=True, projection=projection).double()
    vectors = drawn(2, 7, 6)
    with torch.no_grad():
        whole = network(vectors)
        state, codes, coherence = None, [], []
        for piece in vectors.split(pieces, dim=1):
            found, coherent, state = network(piece, state)
            codes.append(found)
            coherence.append(coherent)
    torch.testing.assert_close(torch.cat(codes, 1), whole[0], rtol=1e-12, atol=1e-14)
    torch.testing.assert_close(torch.cat(coherence, 1), whole[1], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("method", "values", "count", "learned"),
    [
        (TSC, {}, 4_194_304, {"dictionary"}),
        (StackedRNN, {}, 8_388_611, {"dictionary", "decoder", "gamma", "lambda1", "lambda2"}),
        (
            StackedRNN,
            {"coherence": "learned"},
            9_437_186,
            {"dictionary", "decoder", "projection", "gamma", "lambda1"},
        ),
    ],
    ids=["tsc", "srnn", "srnn-learned"],
)
def test_parameter_counts(method, values, count, learned):
    """As in the authors' code; the ResNet is not among them."""
    with torch.device("meta"):
        network = method(method.Parameters(**values)).build()
    assert sum(weights.numel() for weights in network.parameters()) == count
    assert {name for name, _ in network.named_parameters()} == learned
    assert {"gamma", "lambda1", "lambda2"} <= set(network.state_dict())


def test_width_scales_codes_and_projection():
    """Features stay 2048 long."""
    with torch.device("meta"):
        network = StackedRNN(StackedRNNParameters(width=0.25, coherence="learned")).build()
    assert network.dictionary.shape == network.decoder.shape == (2048, 512)
    assert network.projection.shape == (128, 2048)


def test_weights_are_drawn_as_in_the_authors_code():
    """Half of Glorot's uniform interval: A'A then has a norm of about 1."""
    torch.manual_seed(0)
    network = SparseCoding(400, 600, decoder=True, projection=100)
    for weights in (network.dictionary, network.decoder, network.projection):
        bound = math.sqrt(6 / sum(weights.shape)) / 2
        assert 0.99 * bound < weights.abs().max() <= bound
        assert weights.mean().item() == pytest.approx(0, abs=0.01 * bound)
    expected = np.linalg.norm(network.dictionary.detach().numpy(), 2) ** 2
    assert network.expansion() == pytest.approx(expected, rel=1e-4)
    assert expected == pytest.approx(1, abs=0.1)


def test_soft_threshold():
    """Towards 0, and 0 within the threshold."""
    found = soft(torch.tensor([-2.0, -0.5, 0.0, 0.4, 3.0]), torch.tensor(0.5))
    assert found.tolist() == [-1.5, 0, 0, 0, 2.5]


# -- features --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "steps"), [(7, (7, 4, 2)), (4, (4, 2, 1))])
def test_patches_are_the_means_of_three_grids(size, steps):
    """21 blocks, of grid 1, 2 and 4, row by row; the last ones of a 7 x 7 map are narrower."""
    maps = drawn(2, 3, size, size)
    expected = [
        maps[:, :, i : min(i + step, size), j : min(j + step, size)].mean(dim=(2, 3))
        for step in steps
        for i in range(0, size, step)
        for j in range(0, size, step)
    ]
    found = patches(maps)
    assert found.shape == (2, 21, 3)
    torch.testing.assert_close(found, torch.stack(expected, 1))


def test_resnet50_gives_21_vectors_of_2048():
    """The output of its last stage, 7 x 7, of frames that are normalised as in its training."""
    from torchvision.models import resnet50

    torch.manual_seed(0)
    with torch.device("meta"):
        shapes = resnet50(weights=None).state_dict()
    features = trained(
        {
            name: 0.02 * torch.rand(tensor.shape) if tensor.ndim else torch.tensor(0)
            for name, tensor in shapes.items()
        }
    )
    seen = []
    features.trunk.register_forward_hook(
        lambda module, inputs, output: seen.extend([*inputs, output])
    )
    frames = torch.rand(1, 3, 224, 224)
    with torch.inference_mode():
        found = features(frames)
    mean, std = (
        torch.tensor(values)[:, None, None]
        for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    )
    torch.testing.assert_close(seen[0], (frames - mean) / std)
    assert seen[1].shape == (1, 2048, 7, 7)
    assert found.shape == (1, 21, 2048)
    assert found.all()
    torch.testing.assert_close(found[:, 0], seen[1].mean(dim=(2, 3)))


def test_features_stay_frozen_and_in_eval_mode():
    """Also where the module that holds them is trained."""
    holder = nn.Sequential(untrained())
    holder.train()
    assert not any(module.training for module in holder[0].modules())
    assert not any(weights.requires_grad for weights in holder.parameters())
    frames = torch.rand(4, 3, 128, 128)
    torch.testing.assert_close(holder(frames)[:1], holder(frames[:1]))


def test_random_features_are_the_same_each_time():
    """They come from a seed of their own, and leave the generator alone."""
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first, second = untrained(), untrained()
    assert torch.equal(before, torch.get_rng_state())
    assert first.digest() == second.digest()
    next(iter(second.trunk.parameters())).data.view(-1)[0] += 1
    assert first.digest() != second.digest()
    assert first(torch.rand(2, 3, 128, 128)).shape == (2, 21, 128)


# -- loss and score --------------------------------------------------------------------------------


def fresh(method=TSC, **values):
    """A method with fresh weights on random features, and with dataset-free statistics."""
    torch.manual_seed(0)
    made = method(method.Parameters(**(SMALL | values)))
    made.network = made.build().eval()
    made.stats = made.statistics([])
    return made


def test_loss_is_half_the_squared_error(tmp_path):
    """The mean over frames and patches; the share of zeros and the coherence of consecutive frames
    beside it."""
    method = fresh(StackedRNN)
    vectors = drawn(2, 10, 21, 128).float()
    terms = method.loss(method.network, {"vectors": vectors}, context_in(tmp_path))
    double = method.network.double()
    errors, zeros, coherences = [], [], []
    for window in vectors.double().numpy():
        for patch in range(21):
            codes, coherence = coded(double, window[:, patch])
            output = codes @ double.decoder.detach().numpy().T
            errors.append(((window[:, patch] - output) ** 2).sum(axis=1) / 2)
            zeros.append(codes == 0)
            coherences.append(coherence[1:])
    assert terms["loss"].item() == pytest.approx(np.mean(errors), rel=1e-5)
    assert terms["zeros"].item() == pytest.approx(np.mean(zeros), abs=1e-3)
    assert terms["coherence"].item() == pytest.approx(np.mean(coherences), rel=1e-4)


@pytest.mark.parametrize("form", ["frame", "maxima"])
def test_score_forms(form):
    """The error of the whole frame; or the mean of it and of the largest of the 4 and of the 16
    patches."""
    errors = drawn(5, 21).abs()
    expected = (
        errors[:, 0]
        if form == "frame"
        else (errors[:, 0] + errors[:, 1:5].max(1)[0] + errors[:, 5:].max(1)[0]) / 3
    )
    torch.testing.assert_close(fresh(score_form=form)._joined(errors), expected)


@pytest.mark.parametrize("method", [TSC, StackedRNN])
def test_a_clip_is_scored_as_one_stream(method, tmp_path):
    """Each frame has a score; the state is carried over the whole clip, whatever the batch, and not
    into the next clip."""
    made = fresh(method)
    frames = moving_square(11, speed=5)
    clip, context = clip_of(frames, split="test"), context_in(tmp_path)
    with torch.inference_mode():
        vectors = made._features()(made.to_range(frames).transpose(0, 1))
    double = made.network.double()
    codes, _ = coded(double, vectors[:, 0].double().numpy())
    output = (
        codes @ (double.dictionary if double.decoder is None else double.decoder).detach().numpy().T
    )
    expected = ((vectors[:, 0].double().numpy() - output) ** 2).sum(axis=1) / 2
    made.network = made.network.float()
    for batch in (1, 4, 8):
        context.compute = Compute("cpu", batch=batch)
        scores = infer(made, clip, context)
        np.testing.assert_array_equal(scores.frames, np.arange(11))
        np.testing.assert_allclose(scores.values, expected, rtol=1e-4)


def test_the_first_frame_scores_as_a_window_of_one(tmp_path):
    """What windows of one frame give is what the stream gives at its beginning."""
    method = fresh()
    frames = moving_square(4, speed=9)
    windows = torch.stack(
        [method.read_window(clip_of(frames), start, method.window) for start in range(4)]
    )
    with torch.inference_mode():
        found = method.error(method.network, {"window": windows})["error"]
    assert found.shape == (4, 1)
    for start in range(4):
        scores = infer(method, clip_of(frames[start:]), context_in(tmp_path))
        assert scores.values[0] == pytest.approx(found[start, 0].item(), rel=1e-5)


def test_optimiser_is_tensorflows_rmsprop():
    """Mean squares begin at 1, decay .9, and the floor is that of a mean square of 1e-10."""
    network = SparseCoding(4, 3)
    method = TSC(TSCParameters(learning_rate=0.01))
    optimiser = method.optimiser(network)
    weights, squares = network.dictionary.detach().double().numpy().copy(), np.ones((4, 3))
    for number in range(5):
        gradient = drawn(4, 3, seed=number)
        network.dictionary.grad = gradient.float()
        optimiser.step()
        squares = 0.9 * squares + 0.1 * gradient.numpy() ** 2
        weights -= 0.01 * gradient.numpy() / np.sqrt(squares + 1e-10)
    np.testing.assert_allclose(network.dictionary.detach().numpy(), weights, rtol=1e-3, atol=1e-5)


# -- training --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values", [{}, {"coherence": "learned", "lambda2": 0.01}], ids=["distance", "learned"]
)
def test_training_lowers_the_error(values, tmp_path):
    """A short training; each row of the history has the share of zero codes; what a reader must
    know is kept."""
    method = StackedRNN(StackedRNNParameters(**(SMALL | {"steps": 40} | values)))
    context = context_in(tmp_path, history=tmp_path / "training.csv")
    clips = [
        clip_of(moving_square(20)),
        clip_of(moving_square(14, speed=3), "02"),
        clip_of(moving_square(9), "short"),
    ]
    method.fit(clips, context)
    history = np.genfromtxt(tmp_path / "training.csv", delimiter=",", names=True)
    assert history["loss"][-1] < 0.6 * history["loss"][0]
    assert ((history["zeros"] > 0) & (history["zeros"] < 1)).all()
    assert set(context.facts) == {"resnet_sha256", "zero_codes", "coherence", "expansion"}
    assert np.isfinite(method.score(clips[2], context).values).all()


def test_features_are_computed_once_and_removed(tmp_path, monkeypatch):
    """Each training frame passes the ResNet once, in clip order; a clip shorter than the window
    does not; the files go at the end."""
    seen = []
    forward = PatchFeatures.forward
    monkeypatch.setattr(
        PatchFeatures,
        "forward",
        lambda self, frames: (seen.append(len(frames)), forward(self, frames))[1],
    )
    clips = [
        clip_of(moving_square(20)),
        clip_of(moving_square(9), "short"),
        clip_of(moving_square(13, speed=3), "03"),
    ]
    method = TSC(TSCParameters(**(SMALL | {"steps": 15})))
    progress = []
    inside = []

    def train(made, given, context):
        inside.append(sorted(path.name for path in tmp_path.glob("*/*")))
        assert seen == [16, 4, 13]
        vectors = made.sample(given[2], 2, np.random.default_rng(0))["vectors"]
        assert vectors.dtype == torch.float32
        torch.testing.assert_close(
            vectors, forward(made._features(), made.to_range(given[2].frames[2:12]).transpose(0, 1))
        )

    context = context_in(tmp_path, step=lambda *what: progress.append(what))
    context.train = train
    method.fit(clips, context)
    assert inside == [["00000.npy", "00001.npy"]]
    assert progress == [(done, 33, "features of the training frames") for done in (16, 20, 33)]
    assert not list(tmp_path.glob("features-*"))


def test_an_interrupted_attempt_leaves_whole_clips_alone(tmp_path, monkeypatch):
    """What was written whole is not computed again; half a file counts as none."""
    frames = [moving_square(20), moving_square(12, speed=3)]
    broken = OpenClip(
        "02", "train", 12, "made", opener=lambda: (_ for _ in ()).throw(KeyboardInterrupt())
    )
    method = TSC(TSCParameters(**SMALL))
    with pytest.raises(KeyboardInterrupt):
        method.fit([clip_of(frames[0]), broken], context_in(tmp_path))
    assert sorted(path.name for path in tmp_path.glob("features-*/*")) == ["00000.npy", "00001.new"]
    seen = []
    forward = PatchFeatures.forward
    monkeypatch.setattr(
        PatchFeatures,
        "forward",
        lambda self, given: (seen.append(len(given)), forward(self, given))[1],
    )
    context = context_in(tmp_path)
    context.train = lambda made, clips, context: None
    TSC(TSCParameters(**SMALL)).fit([clip_of(frames[0]), clip_of(frames[1], "02")], context)
    assert seen == [12]


def test_a_full_disk_is_said_before_work(tmp_path, monkeypatch):
    """How much is needed and how much there is."""
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(sparse_coding.shutil, "disk_usage", lambda folder: usage(0, 0, 100_000))
    with pytest.raises(
        RunError,
        match=r"tsc: the features of 20 training frames take 0\.0 GB, and .* has 0\.0 GB free; free space there",
    ):
        TSC(TSCParameters(**SMALL)).fit([clip_of(moving_square(20))], context_in(tmp_path))


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    """With what to do."""
    (tmp_path / "file").write_text("")
    with pytest.raises(
        RunError,
        match=r"cannot write the features of the training frames in .*file.*choose another folder with --out",
    ):
        TSC(TSCParameters(**SMALL)).fit([clip_of(moving_square(20))], context_in(tmp_path / "file"))


@pytest.mark.parametrize(
    ("scale", "coherence", "text"),
    [
        (1, 0.5, ""),
        (2, 0.5, r"\|\|A'A\|\| / gamma is .* after training: above 1 the 3 steps"),
        (1, 1e-4, "mean coherence S of consecutive frames"),
    ],
)
def test_what_degenerates_is_reported(scale, coherence, text, tmp_path, caplog):
    """Shrinkage that need not converge, and frames that do not cohere; else nothing."""
    method = fresh()
    method.network.dictionary.data *= scale
    context = context_in(tmp_path)
    with caplog.at_level(logging.WARNING):
        method.judge(
            [{"zeros": 0.9, "coherence": 1.0}, {"zeros": 0.4, "coherence": coherence}], context
        )
    assert context.facts["zero_codes"] == 0.4
    assert context.facts["coherence"] == coherence
    assert len(caplog.records) == bool(text)
    if text:
        assert re.search(text, caplog.text)


# -- files -----------------------------------------------------------------------------------------


def test_the_file_holds_no_resnet_but_knows_it(tmp_path, monkeypatch):
    """What is saved is the network of the codes; on other features it is refused."""
    from safetensors.torch import load_file

    method = fresh()
    method.save(tmp_path / "weights")
    assert set(load_file(tmp_path / "weights")) == {
        "network.dictionary",
        "network.gamma",
        "network.lambda1",
        "network.lambda2",
        "statistics.resnet",
    }
    again = TSC(TSCParameters(**SMALL))
    again.load(tmp_path / "weights")
    clip, context = clip_of(moving_square(6)), context_in(tmp_path)
    np.testing.assert_array_equal(
        again.score(clip, context).values, method.score(clip, context).values
    )
    monkeypatch.setattr(resnet_features, "RANDOM_SEED", 1)
    with pytest.raises(MethodError, match="was learned on features of a ResNet with other weights"):
        TSC(TSCParameters(**SMALL)).load(tmp_path / "weights")


def test_file_name_and_cache_are_torchvisions():
    """Found without torch, at the place where torchvision would put it."""
    from torchvision.models import ResNet50_Weights

    found, one = ResNet50_Weights.IMAGENET1K_V1, RESNET.download
    assert found.url == one.url and one.url.endswith(f"/{one.file}")
    assert one.file.endswith(f"-{one.sha256[:8]}.pth")
    assert round(one.size / 2**20, 3) == found.meta["_file_size"]
    assert RESNET.path() == Path(torch.hub.get_dir()) / "checkpoints" / one.file


@pytest.mark.parametrize("method", [TSC, StackedRNN])
def test_missing_weights_are_said_before_work(method, tmp_path):
    """Where they are looked for, whence they come, and what to do; random features need none."""
    with pytest.raises(DataError) as caught:
        method().check("ped2")
    text = str(caught.value)
    assert str(tmp_path / "torch" / "hub" / "checkpoints" / RESNET.download.file) in text
    assert f"'{method.name}[resnet=FILE]'" in text and text.endswith("; bench download resnet50")
    with pytest.raises(DataError, match="no weights of ResNet-50"):
        method().fit([clip_of(moving_square(20))], context_in(tmp_path))
    with pytest.raises(DataError, match=r"mine\.pth \(No such file"):
        method(method.Parameters(resnet=str(tmp_path / "mine.pth"))).check("ped2")
    method(method.Parameters(features="random")).check("ped2")


def test_weights_are_checked_against_the_hash_in_their_name(tmp_path):
    """A damaged file is refused; so is none whose name promises nothing."""
    folder = tmp_path / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    (folder / RESNET.download.file).write_bytes(b"half a download")
    with pytest.raises(
        DataError,
        match=r"is damaged or another file: its SHA-256 begins with [0-9a-f]{8}, its name says 0676ba61",
    ):
        TSC().check("ped2")
    good = tmp_path / f"mine-{hashlib.sha256(b'x').hexdigest()[:8]}.pth"
    for path in (good, tmp_path / "mine.pth"):
        path.write_bytes(b"x")
        TSC(TSCParameters(resnet=str(path))).check("ped2")


@pytest.mark.parametrize(
    ("state", "text"),
    [
        (None, "cannot be read as weights"),
        ({"other": torch.zeros(3)}, "has no weights of torchvision's ResNet-50"),
        ([1], "has no weights"),
    ],
)
def test_what_is_no_weights_is_refused(state, text, tmp_path):
    """Neither a file that torch did not write, nor weights of another network."""
    path = tmp_path / "w.pth"
    path.write_bytes(b"no weights at all")
    if state is not None:
        torch.save(state, path)
    with pytest.raises(DataError, match=rf"w\.pth {text}"):
        TSC(TSCParameters(resnet=str(path)))._features()


def test_weights_of_a_file_are_used(tmp_path, monkeypatch):
    """The ResNet is made of what the file holds."""
    monkeypatch.setattr(
        resnet_features,
        "trained",
        lambda weights: (untrained(), weights)[0] if "here" in weights else None,
    )
    torch.save({"here": torch.zeros(1)}, tmp_path / "w.pth")
    assert (
        TSC(TSCParameters(resnet=str(tmp_path / "w.pth")))._features().digest()
        == untrained().digest()
    )


# -- what it says of itself ------------------------------------------------------------------------


def test_random_features_are_declared():
    """Which ResNet the features come from is a footnote."""
    assert "features of a ResNet with random weights" in TSC(TSCParameters(**SMALL)).deviations
    assert not any("random" in text for text in StackedRNN().deviations)
    assert any("torchvision's ResNet-50" in text for text in StackedRNN().deviations)
    assert WHOLE_FRAME in TSC().deviations and MAXIMA not in TSC().deviations
    maxima = TSC(TSCParameters(score_form="maxima")).deviations
    assert MAXIMA in maxima and WHOLE_FRAME not in maxima


def test_a_file_for_random_features_is_refused():
    """It would do nothing."""
    with pytest.raises(ValueError, match="resnet means nothing with features=random"):
        TSCParameters(features="random", resnet="x.pth")


def test_defaults_are_the_papers():
    """Of the ICCV version."""
    values = dataclasses.asdict(StackedRNNParameters())
    assert (values["length"], values["batch"], values["steps"], values["learning_rate"]) == (
        10,
        4,
        20_000,
        1e-4,
    )
    assert (values["layers"], values["gamma"], values["lambda1"], values["lambda2"]) == (
        3,
        1.0,
        0.1,
        0.1,
    )
    assert (values["coherence"], values["width"], values["size"]) == ("distance", 1.0, 224)
