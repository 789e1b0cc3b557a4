"""Training with pseudo-anomalies: any creator with any network that reconstructs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from bench import Context, Creator, NetworkMethod, OpenClip, RequestError, make_creators

from .parameters import FIELDS, PROBABILITIES, PseudoAnomalyParameters, idle_parameters

if TYPE_CHECKING:
    import torch


class PseudoAnomalyTraining(NetworkMethod):
    """A network method that reconstructs frames, and may be trained with pseudo-anomalies.

    A subclass writes `window`, `build_network`, `reconstruct`, `reconstructed_frames`,
    `reconstruction_loss` and `error`. With the distinction loss normal and pseudo-anomalous windows
    pass the network one after the other, so that batch statistics of each kind stay apart (DDL,
    code); with the other losses they share one batch (LNTRA, STEAL).
    """

    Parameters: ClassVar[type] = PseudoAnomalyParameters
    training_parameters = NetworkMethod.training_parameters | set(FIELDS)
    training_parts = ("anomaly_weight",)
    on_cpu = frozenset({"masked", "inside"})

    def __init__(self, parameters: Any = None) -> None:
        super().__init__(parameters)
        usual = PROBABILITIES[self.parameters.pseudo_loss]
        if self.parameters.probability is None:
            self.parameters = replace(self.parameters, probability=usual)
        self._creators: list[Creator] = []
        if self.parameters.pseudo != "none":
            self._creators = make_creators(
                self.parameters.pseudo,
                self.training_window,
                lambda frames: self.to_range(frames).numpy(),
            )
            share = self.parameters.probability * len(self._creators)
            if share > 1:
                raise RequestError(
                    f"{self.name}: probability {self.parameters.probability:g} of each of {len(self._creators)} creators is more than 1 in all; "
                    f"set probability to at most {int(100 / len(self._creators)) / 100:g}"
                )
            if not share and self.parameters.pseudo_loss == "distinction":
                raise RequestError(
                    f"{self.name}: with probability 0 no window is pseudo-anomalous, and the distinction loss makes no step without one; "
                    "raise probability, or set pseudo=none"
                )
        if problem := idle_parameters(self.parameters, bool(self._creators), self.profiles):
            raise RequestError(f"{self.name}: {problem}")
        self.version = type(self).version + sum(creator.version - 1 for creator in self._creators)
        if self._creators and self.parameters.pseudo_loss == "distinction":
            # 2: a batch without a mask in its scored frames makes a step, as in the authors' code.
            self.version += 1
            self.bf16_version += 1  # norms over channels are roots under automatic casts
        if self.weights_file is None:
            self.needs = self.needs.union(*(creator.needs for creator in self._creators))

    @property
    def extra_knowledge(self) -> str:
        """What the creators use: the networks know nothing beside the dataset."""
        return "; ".join(
            dict.fromkeys(filter(None, (creator.extra_knowledge for creator in self._creators)))
        )

    @property
    def why_no_step(self) -> str:  # type: ignore[override]
        """What to tell a user when an epoch ends without a pseudo-anomaly."""
        if all("tracks" in creator.needs for creator in self._creators):
            return (
                "no window of the training split has a tracked object in all of its frames. Look at what the detector finds "
                "(datasets/*.json of the run), or choose another --detector"
            )
        names = " and ".join(creator.name for creator in self._creators)
        return (
            f"{names} made no pseudo-anomaly in a whole epoch, of probability {self.parameters.probability:g} each; "
            "raise probability, lower every, or choose other creators (bench list creators)"
        )

    # -- what a subclass writes --------------------------------------------------------------------

    def build_network(self) -> torch.nn.Module:
        """Return the network with fresh weights."""
        raise NotImplementedError

    def reconstruct(self, network: torch.nn.Module, windows: torch.Tensor) -> torch.Tensor:
        """Return the reconstruction of the `reconstructed_frames` of (B, C, T, H, W) windows, (B,
        C, K, H, W).
        """
        raise NotImplementedError

    @property
    def reconstructed_frames(self) -> Sequence[int]:
        """Return the K frames of a training window that `reconstruct` gives. Default: all."""
        return range(self.training_window.length)

    def reconstruction_loss(self, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Return the loss of a reconstruction, a scalar. Default: the mean squared error."""
        return (output - target).square().mean()

    # -- what training does ------------------------------------------------------------------------

    def optimiser(self, network: torch.nn.Module) -> torch.optim.Optimizer:
        """Adam at the method's learning rate, for the learned weight of pseudo-anomalies at its
        own.
        """
        return self.with_anomaly_rate(super().optimiser(network), network)

    def with_anomaly_rate(
        self, optimiser: torch.optim.Optimizer, network: torch.nn.Module
    ) -> torch.optim.Optimizer:
        """Return a new optimiser with l in a group of its own, where it has a rate of its own."""
        rate, weight = (
            self.parameters.anomaly_learning_rate,
            getattr(network, "anomaly_weight", None),
        )
        if rate is None or weight is None:
            return optimiser
        for group in list(optimiser.param_groups):
            if any(parameter is weight.logit for parameter in group["params"]):
                group["params"] = [
                    parameter for parameter in group["params"] if parameter is not weight.logit
                ]
                optimiser.add_param_group({**group, "params": [weight.logit], "lr": rate})
        return optimiser

    def build(self) -> torch.nn.Module:
        """Return the network; where a weight of pseudo-anomalies belongs to it, as its part
        `anomaly_weight`.
        """
        network = self.build_network()
        if (
            self._creators
            and self.parameters.pseudo_loss == "distinction"
            and self.weights_file is None
        ):
            from .losses import AnomalyWeight

            network.anomaly_weight = AnomalyWeight(self.parameters.anomaly_weight == "learned")
        return network

    def fit(self, clips: Sequence[OpenClip], context: Context) -> None:
        """Let the creators look at the training clips, then train."""
        if self.weights_file is None:
            for creator in self._creators:
                creator.prepare(clips, context)
        super().fit(clips, context)

    def sample(
        self, clip: OpenClip, start: int, generator: np.random.Generator
    ) -> dict[str, torch.Tensor]:
        """Return the frames of a window, and with pseudo-anomalies their content and mask, (C, T,
        H, W) and (1, T, H, W), which creator made them, whether any pixel is `masked`, and the
        number of masked pixels `inside` the reconstructed frames.

        One number is drawn; each creator has an interval of it as wide as its probability (LNTRA,
        code). Outside of all of them the window stays normal: creator -1, an empty mask.
        """
        import torch

        if not self._creators:
            return super().sample(clip, start, generator)
        drawn_number = generator.random()
        kind = (
            int(drawn_number / self.parameters.probability)
            if self.parameters.probability
            else len(self._creators)
        )
        if kind < len(self._creators):
            drawn = self._creators[kind].draw(clip, start, generator)
            parts = {name: torch.from_numpy(array) for name, array in drawn.items()}
            window = parts.pop("window", None)
        else:
            kind, window, parts = -1, None, {}
        if window is None:
            window = super().sample(clip, start, generator)["window"]
        if kind < 0:
            assert self.frames is not None
            shape = (self.training_window.length, *self.frames.size)
            parts = {
                "content": torch.zeros(self.frames.channels, *shape),
                "mask": torch.zeros(1, *shape),
            }
        return {
            "window": window,
            **parts,
            "creator": torch.tensor(kind),
            **self.counted(parts["mask"]),
        }

    def counted(self, mask: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return what the loss has to know of a mask (1, T, H, W) before a device can tell."""
        return {
            "masked": mask.any(),
            "inside": (mask[:, list(self.reconstructed_frames)] > 0).sum(),
        }

    def loss(
        self, network: torch.nn.Module, batch: dict[str, torch.Tensor], context: Context
    ) -> dict[str, torch.Tensor] | None:
        """Return the loss and its terms; None where pseudo-anomalies are wanted and no window of
        the batch has one.
        """
        if not self._creators:
            loss = self.reconstruction_loss(
                self.reconstruct(network, batch["window"]), self._frames_of(batch["window"])
            )
            return {"loss": loss, "reconstruction": loss}
        if self.parameters.pseudo_loss == "distinction":
            return self._distinction_loss(network, batch)
        return self._mixed_loss(network, batch)

    def pseudo_anomaly(
        self, clip: OpenClip, start: int, generator: np.random.Generator, sigmas: Sequence[float]
    ) -> dict[str, np.ndarray] | None:
        """Return the middle one of the reconstructed frames, normal and pseudo-anomalous, and the
        outputs for both.
        """
        import torch

        if (
            not self._creators
            or self.parameters.pseudo_loss != "distinction"
            or self.weights_file is not None
        ):
            return None
        assert self.network is not None, "neither trained nor loaded"
        batch = {name: part[None] for name, part in self.sample(clip, start, generator).items()}
        if batch["window"].dtype == torch.uint8:
            batch["window"] = self.to_range(batch["window"])
        place = len(self.reconstructed_frames) // 2
        frame = list(self.reconstructed_frames)[place]
        if not bool(batch["mask"][:, :, frame].any()):
            return None
        network = self.network.eval()
        device = next(network.parameters()).device
        with torch.inference_mode():
            sigma = network.anomaly_weight()  # type: ignore[operator]
            windows = [
                batch["window"],
                *(self._blend(batch, torch.as_tensor(one)) for one in (float(sigma), *sigmas)),
            ]
            outputs = [
                self.reconstruct(network, windows[kind].to(device))[0, :, place].cpu()
                for kind in (0, 1)
            ]
        normal, pseudo, *blends = (window[0, :, frame].numpy() for window in windows)
        return {
            "normal": normal,
            "pseudo_anomaly": pseudo,
            "of_normal": outputs[0].numpy(),
            "of_pseudo_anomaly": outputs[1].numpy(),
            "blends": np.stack(blends),
            "sigma": np.asarray(float(sigma)),
            "frame": np.asarray(frame * self.training_window.step),
        }

    def judge(self, history: Sequence[Mapping[str, float]], context: Context) -> None:
        """Warn where no pseudo-anomaly was drawn in the whole training, and where a negative loss
        drove the network away from what is normal.
        """
        if not self._creators:
            return
        if not any(row["masked"] for row in history):
            context.logger.warning(
                "no pseudo-anomaly was drawn in training: the network saw normal windows alone"
            )
        if self.parameters.pseudo_loss != "negative":
            return
        if all(row["masked"] == 1 for row in history):
            context.logger.warning(
                f"every training window was pseudo-anomalous, and its error was maximised: lower probability from {self.parameters.probability:g}"
            )
            return
        errors = [row["normal"] / (1 - row["masked"]) for row in history if row["masked"] < 1]
        if errors[-1] > errors[0]:
            context.logger.warning(
                f"the error of normal windows grew in training, from {errors[0]:.3g} to {errors[-1]:.3g}: that of pseudo-anomalies, which is "
                f"maximised, outweighs it; lower probability from {self.parameters.probability:g}"
            )

    def _blend(
        self, batch: dict[str, torch.Tensor], sigma: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the windows of a batch with their pseudo-anomalies, of the learned weight or each
        of its creator's own.
        """
        import torch

        blended = batch["window"]
        for kind, creator in enumerate(self._creators):
            made = creator.blend(
                batch["window"],
                batch["content"],
                batch["mask"],
                creator.sigma if sigma is None else sigma,
            )
            chosen = (batch["creator"] == kind)[:, None, None, None, None]
            blended = torch.where(chosen, made, blended)
        return blended

    def _distinction_loss(
        self, network: torch.nn.Module, batch: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor] | None:
        from .losses import distinction_of_norms, distinction_ratios

        # A batch without any mask makes no step; one whose masks miss the scored frames makes one
        # on reconstruction alone (DDL, code).
        if not bool(batch["masked"].any()):
            return None
        mask = self._frames_of(batch["mask"])
        sigma = network.anomaly_weight()  # type: ignore[operator]
        pseudo = self._blend(batch, sigma)
        normal = self._frames_of(batch["window"])
        reconstruction = self.reconstruction_loss(
            self.reconstruct(network, batch["window"]), normal
        )
        ratio = (
            distinction_ratios if self.parameters.distinction == "pixel" else distinction_of_norms
        )
        ratios = ratio(
            normal,
            self._frames_of(pseudo),
            self.reconstruct(network, pseudo),
            mask,
            batch["inside"].tolist(),
        )
        if not len(ratios):
            ratios = ratios.new_zeros(1)
        distinction = ratios.mean()
        return {
            "loss": reconstruction + self.parameters.distinction_weight * distinction,
            "reconstruction": reconstruction,
            "distinction": distinction,
            # The ratio is heavy-tailed: one pixel can carry the mean.
            "distinction_median": ratios.detach().median(),
            "sigma": sigma,
            "masked": batch["mask"].flatten(1).any(dim=1).float().mean(),
        }

    def _mixed_loss(
        self, network: torch.nn.Module, batch: dict[str, torch.Tensor]
    ) -> dict[str, torch.Tensor]:
        import torch

        pseudo = self._blend(batch)
        is_pseudo = batch["mask"].flatten(1).any(dim=1)
        output = self.reconstruct(network, pseudo)
        restores = self.parameters.pseudo_loss == "restore"
        target = self._frames_of(batch["window"] if restores else pseudo)
        errors = torch.stack(
            [self.reconstruction_loss(one[None], other[None]) for one, other in zip(output, target)]
        )
        signs = torch.ones_like(errors) if restores else torch.where(is_pseudo, -1.0, 1.0)
        return {
            "loss": (signs * errors).mean(),
            "reconstruction": errors.mean(),
            "normal": torch.where(is_pseudo, 0.0, errors).mean(),  # what normal windows have of it
            "masked": is_pseudo.float().mean(),
        }

    def _frames_of(self, windows: torch.Tensor) -> torch.Tensor:
        import torch

        # Not windows[:, :, list(...)]: torch would copy the list to the device and wait for that.
        frames = self.reconstructed_frames
        if isinstance(frames, range):
            return windows[:, :, frames.start : frames.stop : frames.step]
        return torch.stack([windows[:, :, frame] for frame in frames], dim=2)
