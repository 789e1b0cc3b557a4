"""my-network: predicts a frame from those before it; what it cannot predict is anomalous. Put your
own network into `build`, and what it learns into `loss`.
"""

from dataclasses import dataclass

from bench import FrameFormat, MethodInfo, NetworkMethod, Window, hookimpl, parameter

CHOSEN = "no source: chosen for this example"


@dataclass(frozen=True)
class MyNetworkParameters:
    """Parameters of my-network: set with 'my-network[width=32]'."""

    before: int = parameter(4, unit="frames", minimum=1, source=CHOSEN, doc="what it predicts from")
    width: int = parameter(16, unit="channels", minimum=1, source=CHOSEN)
    epochs: int = parameter(20, minimum=1, source=CHOSEN)
    batch: int = parameter(8, unit="windows", minimum=1, source=CHOSEN)
    learning_rate: float = parameter(1e-3, source=CHOSEN)
    every: int = parameter(1, unit="frames", minimum=1, source=CHOSEN, doc="between two windows")


class MyNetwork(NetworkMethod):
    """Three convolutions that predict a frame from those before it."""

    name = "my-network"
    version = 1  # raise it whenever the scores change: finished cells are then run again
    info = MethodInfo(title="my-network", family="own")
    Parameters = MyNetworkParameters
    # A profile is how much time there is: `smoke` seconds, `small` half an hour of two cores, ...
    profiles = {"smoke": {"epochs": 2, "every": 4}, "small": {"epochs": 5, "every": 2}}
    frames = FrameFormat((64, 64), channels=1)  # height and width, gray

    @property
    def window(self):
        """The frames that it sees at once, and which of them get a score: the last one."""
        before = self.parameters.before
        return Window(before + 1, targets=(before,))

    def build(self):
        """Return a new network; the harness has set the seed."""
        from torch import nn

        before, width = self.parameters.before, self.parameters.width
        return nn.Sequential(
            nn.Conv2d(before, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, 1, 3, padding=1),
        )

    def loss(self, network, batch, context):
        """Return what is minimised as 'loss'; other terms are columns of training.csv. The window
        is (B, channels, frames, H, W), from 0 to 1.
        """
        return {"loss": self._squares(network, batch).mean()}

    def error(self, network, batch):
        """Return the score of each window, (B, targets): higher is more anomalous."""
        return {"mse": self._squares(network, batch).flatten(1).mean(dim=1, keepdim=True)}

    def _squares(self, network, batch):
        frames = batch["window"][:, 0]
        return (network(frames[:, :-1]) - frames[:, -1:]).square()


@hookimpl
def bench_methods():
    """Offer the method to bench."""
    return [MyNetwork]
