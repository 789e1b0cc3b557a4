"""Training with pseudo-anomalies: golden losses, gradients, creators."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from bench.methods.c3dsu import BOXES
from bench.methods.pseudo_anomalies.losses import (
    AnomalyWeight,
    channel_norm,
    distinction_of_norms,
    distinction_ratios,
    reconstruction,
)
from bench.methods.pseudo_anomalies.objects import Objects
from bench.methods.pseudo_anomalies.parameters import PseudoAnomalyParameters
from bench.methods.pseudo_anomalies.training import PseudoAnomalyTraining
from made import batch_of_samples, counted

from bench import Creator, FrameFormat, OpenClip, RequestError, Tracks, Window
from bench.contracts.compute import Compute
from bench.engine.context import make_context
from bench.plugins.registry import load
from bench.plugins.selection import select_one


def wave(function, factor, shift, *shape, base=0.5, height=0.4):
    index = torch.arange(int(np.prod(shape)), dtype=torch.float64)
    return (base + height * function(factor * index + shift)).reshape(shape)


X = wave(torch.sin, 0.37, 0, 2, 3, 3, 6, 6)
A = wave(torch.cos, 0.53, 0, 2, 3, 3, 6, 6, height=0.5)
R = wave(torch.sin, 0.29, 1, 2, 3, 6, 6, height=0.3)
R_CONSTANT = wave(torch.cos, 0.19, 2, 2, 3, 6, 6, height=0.3)
M = torch.zeros(2, 1, 3, 6, 6, dtype=torch.float64)
M[0, :, :, 1:4, 1:5] = 1
M[1, :, :, 0:2, 3:6] = 1


@pytest.mark.parametrize(
    ("logit", "linear", "pixel", "total", "gradient", "per_sample"),
    [
        (0.0, False, 1.3599080, 0.32241848, 0.0023397860, 1.1503528),
        (0.0, True, 3.3087940, 0.34190734, 0.019002992, 2.9658498),
        (-1.0, False, 1.1630391, 0.32044979, 0.0014048168, 1.1419825),
        (-1.0, True, 1.9010505, 0.32782991, 0.0092439671, 1.8894680),
    ],
)
def test_distinction_loss_golden(logit, linear, pixel, total, gradient, per_sample):
    """Both forms of the loss, and the gradient that reaches l through both paths."""
    weight = AnomalyWeight(True).double()
    weight.logit.data.fill_(logit)
    pseudo = Objects(Window(3, targets=(1,))).blend(X, A, M, weight())
    output = (0.8 * pseudo.mean(2) + 0.05 if linear else R_CONSTANT)[:, :, None]
    normal, target, mask = X[:, :, 1:2], pseudo[:, :, 1:2], M[:, :, 1:2]
    recon = reconstruction(R[:, :, None], normal)
    inside = (mask > 0).flatten(1).sum(1).tolist()
    distinction = distinction_ratios(normal, target, output, mask, inside).mean()
    loss = recon + 0.01 * distinction
    loss.backward()
    assert recon.item() == pytest.approx(0.30881940, rel=1e-7)
    assert distinction.item() == pytest.approx(pixel, rel=1e-7)
    assert loss.item() == pytest.approx(total, rel=1e-7)
    assert weight.logit.grad.item() == pytest.approx(gradient, rel=1e-6)
    norms = distinction_of_norms(normal, target, output, mask, inside)
    assert norms.mean().item() == pytest.approx(per_sample, rel=1e-7)


def test_blend_golden():
    """One value of a blended window at sigma(-1)."""
    pseudo = Objects(Window(3)).blend(
        X, A, M, torch.sigmoid(torch.tensor(-1.0, dtype=torch.float64))
    )
    assert pseudo[0, 0, 1, 2, 2].item() == pytest.approx(0.42703190, rel=1e-7)
    torch.testing.assert_close(pseudo[0, 0, 1, 5], X[0, 0, 1, 5])


def test_reconstruction_of_gray_is_the_mean_absolute_error():
    """The golden value for one channel, and the plain formula."""
    x, r = (
        wave(torch.sin, 0.37, 0, 1, 1, 1, 6, 6),
        wave(torch.sin, 0.29, 1, 1, 1, 1, 6, 6, height=0.3),
    )
    assert reconstruction(r, x).item() == pytest.approx(0.16765774, rel=1e-7)
    assert reconstruction(r, x).item() == pytest.approx((x - r).abs().mean().item(), rel=1e-12)


@pytest.mark.parametrize("automatic_casts", [False, True])
def test_norm_has_gradient_0_where_nothing_differs(automatic_casts):
    """A root of a sum of squares would give NaN outside of the mask."""
    difference = torch.zeros(1, 3, 1, 2, 2)
    difference[..., 1] = torch.tensor([0.6, 0.0, -0.8])[:, None, None]
    difference.requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=automatic_casts):
        norm = channel_norm(difference)
    norm.sum().backward()
    torch.testing.assert_close(norm, torch.tensor([[[[0.0, 1.0]] * 2]]) / 3**0.5)
    torch.testing.assert_close(difference.grad, difference.detach() / 3**0.5)


@dataclass(frozen=True)
class LinearParameters(PseudoAnomalyParameters):
    epochs: int = 1
    batch: int = 2
    learning_rate: float = 0.1


class Linear(PseudoAnomalyTraining):
    """Reconstructs a window by one convolution."""

    name = "linear"
    Parameters = LinearParameters
    frames = FrameFormat((16, 16), 1)

    @property
    def window(self):
        return Window(3, targets=(1,))

    def build_network(self):
        torch.manual_seed(0)
        return torch.nn.Conv3d(1, 1, 3, padding=1)

    def reconstruct(self, network, windows):
        return network(windows)


def clip_with_tracks(present: bool = True) -> OpenClip:
    """Ten frames; track 4 stays through all of them, track 9 through the first two."""
    frames = np.random.default_rng(1).integers(0, 256, (10, 16, 16), dtype=np.uint8)
    rows = [(frame, 4, (0.25, 0.25, 0.5, 0.75)) for frame in range(10)] + [
        (frame, 9, (0.0, 0.0, 0.1, 0.1)) for frame in range(2)
    ]
    rows = rows if present else rows[10:]
    tracks = make_tracks(rows)
    return OpenClip("01", "train", 10, "made", opener=lambda: frames, tracks=tracks)


def make_tracks(rows):
    frames, ids, boxes = zip(*rows)
    return Tracks(
        np.array(frames), np.array(ids), np.array(boxes), length=10, size=(16, 16), found=len(rows)
    )


def test_objects_draws_a_box_that_is_there_in_all_frames():
    """The mask is the box of the one track that is present throughout, noise is in range, and draws
    repeat."""
    creator = Objects(Window(3, targets=(1,)))
    drawn = creator.draw(clip_with_tracks(), 0, np.random.default_rng(0))
    expected = np.zeros((1, 3, 16, 16), np.float32)
    expected[:, :, 4:12, 4:8] = 1
    np.testing.assert_array_equal(drawn["mask"], expected)
    assert drawn["content"].shape == (1, 3, 16, 16)
    assert 0 <= drawn["content"].min() < drawn["content"].max() < 1
    again = creator.draw(clip_with_tracks(), 0, np.random.default_rng(0))
    np.testing.assert_array_equal(drawn["content"], again["content"])


def test_objects_without_a_common_track_has_an_empty_mask():
    """A window through which no track stays is not made pseudo-anomalous."""
    drawn = Objects(Window(3)).draw(clip_with_tracks(False), 0, np.random.default_rng(0))
    assert not drawn["mask"].any()


def test_objects_on_the_other_value_range():
    """Networks on -1..1 get noise of that range."""
    drawn = Objects(Window(3, value_range="-1..1")).draw(
        clip_with_tracks(), 0, np.random.default_rng(0)
    )
    assert drawn["content"].min() < -0.9


def batch_of(method, clip):
    samples = [method.sample(clip, start, np.random.default_rng(start)) for start in range(2)]
    return batch_of_samples(method, samples)


def test_batch_without_any_mask_makes_no_step(tmp_path):
    """The distinction loss skips it, as the authors' code does."""
    method = Linear(LinearParameters(pseudo="objects"))
    assert (
        method.loss(
            method.build(),
            batch_of(method, clip_with_tracks(False)),
            make_context(0, Compute("cpu"), tmp_path),
        )
        is None
    )


def test_batch_whose_masks_miss_the_scored_frames_steps_on_reconstruction(tmp_path):
    """As in the authors' code, where only a batch without any mask is skipped: the distinction of
    no pixel is 0."""
    method = Linear(LinearParameters(pseudo="objects"))
    network, batch = method.build(), batch_of(method, clip_with_tracks())
    batch["mask"][:, :, list(method.reconstructed_frames)] = 0
    batch["mask"][:, :, 0, 2:4, 2:4] = 1
    if 0 in method.reconstructed_frames:
        method.__class__ = type(
            "Last",
            (Linear,),
            {"reconstructed_frames": (1,), "reconstruct": lambda self, net, w: net(w)[:, :, [1]]},
        )
    batch = counted(method, batch)
    terms = method.loss(network, batch, make_context(0, Compute("cpu"), tmp_path))
    assert (
        terms["distinction"].item() == 0
        and terms["loss"].item() == terms["reconstruction"].item() > 0
    )
    assert terms["masked"].item() == 1.0
    terms["loss"].backward()
    assert all(
        torch.isfinite(parameter.grad).all()
        for parameter in network.parameters()
        if parameter.grad is not None
    )


@pytest.mark.parametrize("network", ["c3dsu-plain", "lntra-skip"])
def test_a_rate_of_the_anomaly_weight_without_one_is_refused(network):
    registry = load([])
    text = f"{network}[anomaly_learning_rate=0.005" + (
        ",pseudo=none]" if network == "lntra-skip" else "]"
    )
    with pytest.raises(
        RequestError, match="anomaly_learning_rate means nothing without pseudo-anomalies"
    ):
        select_one("methods", text, registry)
    for profile in ("paper", "large", "medium", "small"):
        select_one("methods", "c3dsu[pseudo=none]", registry, profile)


@pytest.mark.parametrize(
    "selector",
    ["c3dsu", "ae-conv2d[pseudo=objects]", "ae-conv3d[pseudo=objects]", "st-ae[pseudo=objects]"],
)
def test_the_anomaly_weight_has_its_own_rate_with_every_optimiser(selector):
    """The rest of a method's optimiser stays what it is."""
    registry = load([])
    method = select_one("methods", selector, registry, "smoke").make()
    network = method.build()
    usual = method.optimiser(network)
    more = "anomaly_learning_rate=0.25"
    own = select_one(
        "methods",
        f"{selector[:-1]},{more}]" if "[" in selector else f"{selector}[{more}]",
        registry,
        "smoke",
    ).make()
    changed = own.optimiser(network)

    def settings(optimiser):
        return {
            id(one): {k: v for k, v in group.items() if k != "params"}
            for group in optimiser.param_groups
            for one in group["params"]
        }

    before, after = settings(usual), settings(changed)
    logit = id(network.anomaly_weight.logit)
    assert after[logit] == {**before[logit], "lr": 0.25}
    del before[logit], after[logit]
    assert before == after


def test_terms_are_logged(tmp_path):
    """Both losses, sigma and the share of masked windows are among the terms."""
    method = Linear(LinearParameters(pseudo="objects"))
    terms = method.loss(
        method.build(),
        batch_of(method, clip_with_tracks()),
        make_context(0, Compute("cpu"), tmp_path),
    )
    assert set(terms) == {
        "loss",
        "reconstruction",
        "distinction",
        "distinction_median",
        "sigma",
        "masked",
    }
    assert terms["masked"].item() == 1.0
    assert terms["sigma"].item() == 0.5
    assert terms["loss"].item() == pytest.approx(
        terms["reconstruction"].item() + 0.01 * terms["distinction"].item(), rel=1e-6
    )


@pytest.mark.parametrize("loss", ["restore", "negative"])
def test_losses_of_a_mixed_batch(loss, tmp_path):
    """Restore compares with the normal window; negative maximises the error of the pseudo-anomalous
    one. Plain NumPy beside it."""
    method = Linear(LinearParameters(pseudo="objects", pseudo_loss=loss, probability=1.0))
    network, batch = method.build(), batch_of(method, clip_with_tracks())
    batch["mask"][1] = 0
    terms = method.loss(network, batch, make_context(0, Compute("cpu"), tmp_path))
    value = terms["loss"].item()
    window, content, mask = (
        batch[name].numpy().astype(np.float64) for name in ("window", "content", "mask")
    )
    pseudo = window + mask * 0.5 * (content - window)
    with torch.no_grad():
        output = network(torch.from_numpy(pseudo).float()).numpy()
    errors = [
        np.mean((output[number] - (window if loss == "restore" else pseudo)[number]) ** 2)
        for number in range(2)
    ]
    expected = np.mean(errors) if loss == "restore" else (errors[1] - errors[0]) / 2
    assert value == pytest.approx(expected, rel=1e-4, abs=1e-6)
    assert terms["normal"].item() == pytest.approx(errors[1] / 2, rel=1e-4)


def test_one_number_decides_which_creator_makes_a_sample(monkeypatch):
    """Each creator has its interval of one uniform number; beyond all of them the window stays
    normal with an empty mask."""
    method = Linear(
        LinearParameters(pseudo="objects+objects", pseudo_loss="restore", probability=0.3)
    )
    clip = clip_with_tracks()
    found = []
    for number in (0.0, 0.29, 0.31, 0.59, 0.61, 0.99):
        generator = np.random.default_rng(0)
        monkeypatch.setattr(method, "_creators", [Fixed(1.0), Fixed(2.0)])
        sample = method.sample(clip, 0, Told(generator, number))
        found.append(
            (int(sample["creator"]), float(sample["content"].mean()), bool(sample["mask"].any()))
        )
    assert found == [(0, 1.0, True)] * 2 + [(1, 2.0, True)] * 2 + [(-1, 0.0, False)] * 2


class Told:
    """A generator whose first number is told."""

    def __init__(self, generator, number):
        self.generator, self.number = generator, number

    def random(self, *arguments, **others):
        return self.number if not arguments else self.generator.random(*arguments, **others)


class Fixed(Creator):
    """Content of one value everywhere."""

    def __init__(self, value):
        super().__init__(Window(3, targets=(1,)))
        self.value = value

    def draw(self, clip, start, generator):
        return {
            "content": np.full((1, 3, 16, 16), self.value, np.float32),
            "mask": np.ones((1, 3, 16, 16), np.float32),
        }


class Elsewhere(Fixed):
    """Belongs to the window one frame later."""

    def draw(self, clip, start, generator):
        return super().draw(clip, start, generator) | {
            "window": np.full((1, 3, 16, 16), 0.25, np.float32)
        }


def test_a_creator_may_name_the_window_it_belongs_to(tmp_path, monkeypatch):
    """The restoring loss then compares with that window."""
    method = Linear(LinearParameters(pseudo="objects", pseudo_loss="restore", probability=1.0))
    monkeypatch.setattr(method, "_creators", [Elsewhere(1.0)])
    sample = method.sample(clip_with_tracks(), 0, np.random.default_rng(0))
    assert float(sample["window"].mean()) == 0.25
    batch = {name: value[None] for name, value in sample.items()}
    network = method.build()
    with torch.no_grad():
        output = network(torch.ones(1, 1, 3, 16, 16)).numpy()
    value = method.loss(network, batch, make_context(0, Compute("cpu"), tmp_path))["loss"].item()
    assert value == pytest.approx(np.mean((output - 0.25) ** 2), rel=1e-5)


def test_each_sample_is_blended_by_its_own_creator(tmp_path, monkeypatch):
    """Kinds with other weights share a batch: what each window becomes is that of its own
    creator."""
    method = Linear(
        LinearParameters(pseudo="objects+objects", pseudo_loss="negative", probability=0.5)
    )
    first, second = Fixed(1.0), Fixed(1.0)
    second.sigma = 0.5
    monkeypatch.setattr(method, "_creators", [first, second])
    clip = clip_with_tracks()
    samples = [
        method.sample(clip, 0, Told(np.random.default_rng(0), number)) for number in (0.1, 0.9)
    ]
    batch = batch_of_samples(method, samples)
    blended = method._blend(batch)
    assert torch.equal(blended[0], torch.ones(1, 3, 16, 16))
    torch.testing.assert_close(blended[1], (batch["window"][1] + 1) / 2)


@pytest.mark.parametrize(
    "name",
    sorted(name for name, cls in load().methods.items() if issubclass(cls, PseudoAnomalyTraining)),
)
@pytest.mark.parametrize("profile", ["paper", "small", "smoke"])
def test_method_is_made_again_of_its_own_parameters(name, profile):
    """With and without pseudo-anomalies: what a method was given and what it filled in are told
    apart by no one."""
    method = select_one("methods", name, load(), profile).make()
    assert type(method)(method.parameters).parameters == method.parameters


def test_version_of_a_creator_belongs_to_the_method():
    """Cells trained with what it made before are not reused; without it, and with others, they
    are."""
    for text, version in (("none", 1), ("skip", 1), ("patch", 3), ("patch+skip", 3)):
        method = select_one(
            "methods",
            f'ae-3d[pseudo="{text}"' + (",pseudo_loss=restore]" if text != "none" else "]"),
            load(),
            "smoke",
        ).make()
        assert method.version == version, text


def test_creators_that_are_too_many_for_their_probability_are_refused():
    """Probabilities of all kinds together are at most 1."""
    with pytest.raises(
        RequestError,
        match="probability 1 of each of 2 creators is more than 1 in all; set probability to at most 0.5",
    ):
        Linear(LinearParameters(pseudo="objects+objects"))


def test_training_without_any_pseudo_anomaly_is_told(tmp_path, caplog):
    """A row whose pseudo-anomalies never came carries a warning."""
    method = Linear(LinearParameters(pseudo="objects", pseudo_loss="restore"))
    context = make_context(0, Compute("cpu"), tmp_path)
    method.judge(
        [{"masked": 0.0, "reconstruction": 0.1}, {"masked": 0.1, "reconstruction": 0.2}], context
    )
    assert not caplog.records
    method.judge(
        [{"masked": 0.0, "reconstruction": 0.1}, {"masked": 0.0, "reconstruction": 0.1}], context
    )
    assert "no pseudo-anomaly was drawn in training" in caplog.text


def test_negative_loss_that_wins_is_told(tmp_path, caplog):
    """A row whose normal windows are given up carries a warning with the parameter that holds it
    back; an error of others may grow."""
    method = Linear(LinearParameters(pseudo="objects", pseudo_loss="negative", probability=0.05))
    context = make_context(0, Compute("cpu"), tmp_path)
    first = {"masked": 0.05, "normal": 0.95 * 0.05, "reconstruction": 0.95 * 0.05 + 0.05 * 0.05}
    method.judge(
        [
            first,
            {"masked": 0.05, "normal": 0.95 * 0.03, "reconstruction": 0.95 * 0.03 + 0.05 * 0.6},
        ],
        context,
    )
    assert not caplog.records
    method.judge(
        [first, {"masked": 0.1, "normal": 0.9 * 0.06, "reconstruction": 0.9 * 0.06 + 0.1 * 0.01}],
        context,
    )
    assert (
        "the error of normal windows grew in training, from 0.05 to 0.06" in caplog.text
        and "lower probability from 0.05" in caplog.text
    )
    caplog.clear()
    method.judge([{"masked": 1.0, "normal": 0.0, "reconstruction": 0.2}], context)
    assert "every training window was pseudo-anomalous" in caplog.text


@pytest.mark.parametrize(
    ("loss", "probability"), [("distinction", 1.0), ("restore", 0.2), ("negative", 0.01)]
)
def test_probability_is_that_of_the_loss(loss, probability):
    """Where none is given; the cell records the number, and what is given stands."""
    assert (
        Linear(LinearParameters(pseudo="objects", pseudo_loss=loss)).parameters.probability
        == probability
    )
    assert (
        Linear(
            LinearParameters(pseudo="objects", pseudo_loss=loss, probability=0.5)
        ).parameters.probability
        == 0.5
    )


def test_plain_training_needs_no_tracks():
    """Tracks are needed only where a creator needs them."""
    assert "tracks" not in Linear(LinearParameters()).needs
    assert "tracks" in Linear(LinearParameters(pseudo="objects")).needs


def test_unknown_creator_is_refused_with_the_nearest():
    """A typo in `pseudo` names what there is."""
    with pytest.raises(RequestError, match="objects"):
        Linear(LinearParameters(pseudo="object"))


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        (
            "ae-3d[pseudo=skip,pseudo_loss=restore,distinction_weight=0.5]",
            "distinction_weight means nothing with pseudo_loss=restore; pseudo_loss=distinction has a use for it",
        ),
        (
            "lntra-skip[distinction=norm,anomaly_weight=static]",
            "anomaly_weight and distinction mean nothing with pseudo_loss=restore; .* has a use for them",
        ),
        ("steal[anomaly_learning_rate=0.5]", "nothing with pseudo_loss=negative"),
        (
            "c3dsu-sdl[anomaly_learning_rate=0.1]",
            "anomaly_learning_rate means nothing with anomaly_weight=static, which nothing learns; leave it out",
        ),
        ('ae-3d[pseudo="repeat[mode=freeze,holds=2]"]', "holds means nothing with mode=freeze"),
        ("mnad[threshold=0,carry_memory=true]", "carry_memory means nothing with threshold=0"),
        (
            "c3dsu[pseudo=patch,probability=0]",
            "with probability 0 no window is pseudo-anomalous, .* raise probability, or set pseudo=none",
        ),
    ],
)
def test_parameters_without_effect_beside_others_are_refused(selector, text):
    """A sweep over one would give equal rows that look like an ablation."""
    with pytest.raises(RequestError, match=text):
        select_one("methods", selector, load([]), "small")


@pytest.mark.parametrize("profile", ["paper", "medium", "small", "smoke"])
def test_what_profiles_and_classes_set_is_no_mistake(profile):
    """`medium` and `small` have a rate of the learned weight, which these rows have no use for."""
    registry = load([])
    for selector in ("c3dsu-sdl", "c3dsu[anomaly_weight=static]", "unet-sdl[pseudo=noise]",
                     "c3dsu[pseudo_loss=restore]", "lntra-skip[probability=0]", "pseudobound"):  # fmt: skip
        select_one("methods", selector, registry, profile)


def test_a_training_without_a_pseudo_anomaly_is_told_its_reason():
    """The detector is named where creators need what it finds."""
    objects, patches = (Linear(LinearParameters(pseudo=name)) for name in ("objects", "patch"))
    assert "choose another --detector" in objects.why_no_step
    assert patches.why_no_step.startswith(
        "patch made no pseudo-anomaly in a whole epoch, of probability 1 each; raise probability"
    )


@pytest.mark.parametrize(
    "values", [{"probability": 0.5}, {"pseudo_loss": "restore"}, {"anomaly_weight": "static"}]
)
def test_parameters_that_would_do_nothing_are_refused(values):
    """Without pseudo-anomalies their parameters mean nothing."""
    with pytest.raises(
        RequestError,
        match=f"{next(iter(values))} means nothing without pseudo-anomalies; set pseudo as well",
    ):
        Linear(LinearParameters(**values))


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ("c3dsu[pseudo=none]", ""),
        ("c3dsu[pseudo=patch]", "CIFAR-100, where found"),
        ("c3dsu-plain[pseudo=objects]", "detected objects"),
        (
            "ae-3d[pseudo=objects+patch,pseudo_loss=restore]",
            "detected objects; CIFAR-100, where found",
        ),
        ("ae-3d[pseudo=skip]", ""),
        ('lntra-patch[pseudo="patch[source=frames]"]', ""),
        ('lntra-patch[pseudo="patch[source=cifar100]"]', "CIFAR-100"),
        ("features-knn[features=random]", ""),
        ("tsc[features=random]", ""),
        ("srnn", "ResNet-50 (ImageNet)"),
    ],
)
def test_a_row_says_what_it_uses_beside_the_dataset(selection, expected):
    """This configured instance, not the method in general; and what is said of boxes only where
    boxes are used.
    """
    method = select_one("methods", selection, load()).make()
    assert method.extra_knowledge == expected
    if selection.startswith("c3dsu"):
        assert (BOXES in method.deviations) == ("tracks" in method.needs)


def test_what_methods_say_of_themselves_is_that_of_their_defaults():
    """`bench list` and the documentation print `info`, tables the instance."""
    methods = [one for one in load().methods.values() if not one.needs_parameters]
    said = {one.name: one.info.extra_knowledge for one in methods}
    assert {one.name: one().extra_knowledge for one in methods} == said
    assert "detected objects" in said.values()
