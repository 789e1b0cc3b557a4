"""Sparse coding of a sequence, unrolled into a stacked recurrent network: TSC and sRNN, Luo et al.,
2017 and 2019; code at commit 8c942cb.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

DISTANCE = 100.0
"""Squared distance of two vectors at which their coherence has fallen to 1/e (code)."""


class State(NamedTuple):
    """What the network keeps from one vector of each of S sequences to the next."""

    codes: torch.Tensor
    """(S, N): of the last vectors, from the last layer."""
    vectors: torch.Tensor
    """(S, F): the last vectors."""
    gram: torch.Tensor
    """(N, N): A'A, which does not change within a sequence."""


class SparseCoding(nn.Module):
    """Codes h of vectors x over time that are sparse and change little: min ||x - A h||^2 + l1
    |h|_1 + l2 S ||h - h'||^2.

    h' is the code of the vector before, and S the coherence of both vectors. K steps of iterative
    shrinkage are K layers; only the last one's code feeds back. The first layer starts at h' with
    l2 A'A where the derivation has A'A: so it is in the authors' code.

    Parameters
    ----------
    features, codes : lengths F of x and N of h.
    layers : K.
    gamma, lambda1, lambda2 : inverse step, and weights of sparsity and of coherence. They are
        learned where there is a decoder.
    decoder : False reconstructs A h and learns A alone (TSC); True reconstructs Z h with a matrix Z
        of its own (sRNN).
    projection : 0 takes S = exp(-||x - x'||^2 / 100) (ICCV 2017); more is the number of rows of a
        learned matrix G in S = cos(relu(G x'), relu(G x)), and lambda2 is then not learned (TPAMI
        2019, code).
    """

    gamma: torch.Tensor
    lambda1: torch.Tensor
    lambda2: torch.Tensor

    def __init__(
        self,
        features: int,
        codes: int,
        layers: int = 3,
        gamma: float = 1.0,
        lambda1: float = 0.1,
        lambda2: float = 0.1,
        decoder: bool = False,
        projection: int = 0,
    ) -> None:
        super().__init__()
        self.layers = layers
        self.dictionary = _drawn(features, codes)
        self.decoder = _drawn(features, codes) if decoder else None
        self.projection = _drawn(projection, features) if projection else None
        for name, value, learned in (
            ("gamma", gamma, decoder),
            ("lambda1", lambda1, decoder),
            ("lambda2", lambda2, decoder and not projection),
        ):
            scalar = torch.tensor(float(value))
            if learned:
                self.register_parameter(name, nn.Parameter(scalar))
            else:
                self.register_buffer(name, scalar)

    def forward(
        self, vectors: torch.Tensor, state: State | None = None
    ) -> tuple[torch.Tensor, torch.Tensor, State]:
        """Code the next T vectors of S sequences.

        Parameters
        ----------
        vectors : (S, T, F), T >= 1.
        state : what an earlier call returned; None at the beginning of a sequence, where x' and h'
            are 0.

        Returns
        -------
        codes (S, T, N), coherence of each vector with the one before (S, T), and the new state.
        """
        if state is None:
            gram = self.dictionary.T @ self.dictionary
            state = State(
                vectors.new_zeros(len(vectors), len(gram)), torch.zeros_like(vectors[:, 0]), gram
            )
        coherence = self.coherence(
            torch.cat([state.vectors[:, None], vectors[:, :-1]], dim=1), vectors
        )
        drive = vectors @ self.dictionary / self.gamma
        threshold, pull = self.lambda1 / self.gamma, self.lambda2 / self.gamma
        before, found = state.codes, []
        for now, weight in zip(drive.unbind(1), (pull * coherence).unsqueeze(2).unbind(1)):
            code = soft(before - pull * (before @ state.gram) + now, threshold)
            for _ in range(1, self.layers):
                code = soft(
                    weight * (before - code) + code - code @ state.gram / self.gamma + now,
                    threshold,
                )
            found.append(code)
            before = code
        return torch.stack(found, dim=1), coherence, State(before, vectors[:, -1], state.gram)

    def coherence(self, before: torch.Tensor, now: torch.Tensor) -> torch.Tensor:
        """Return S, (...), of vectors (..., F): 1 where they are equal; learned, 0 where one of
        them is 0.
        """
        if self.projection is None:
            return torch.exp(-(now - before).square().sum(dim=-1) / DISTANCE)
        # The floor is that of TensorFlow's l2_normalize: 1e-12 of the squared norm.
        units = [
            functional.normalize(functional.relu(vectors @ self.projection.T), dim=-1, eps=1e-6)
            for vectors in (before, now)
        ]
        return (units[0] * units[1]).sum(dim=-1)

    def reconstruct(self, codes: torch.Tensor) -> torch.Tensor:
        """Return the vectors (..., F) that codes (..., N) stand for."""
        return codes @ (self.dictionary if self.decoder is None else self.decoder).T

    def expansion(self) -> float:
        """Return ||A'A|| / gamma: up to 1 the layers approach the minimum, above 2 they move away
        from it.
        """
        with torch.no_grad():
            dictionary = self.dictionary
            smaller = (
                dictionary @ dictionary.T
                if len(dictionary) < dictionary.shape[1]
                else dictionary.T @ dictionary
            )
            return float(torch.linalg.eigvalsh(smaller)[-1] / self.gamma)


def _drawn(rows: int, columns: int) -> nn.Parameter:
    """Return half of what Glorot and Bengio draw (code)."""
    bound = (6 / (rows + columns)) ** 0.5 / 2
    return nn.Parameter(torch.empty(rows, columns).uniform_(-bound, bound))


def soft(values: torch.Tensor, threshold: torch.Tensor) -> torch.Tensor:
    """Return values moved towards 0 by the threshold, and 0 where it is farther away than they are;
    differentiable in both.
    """
    return values.sign() * functional.relu(values.abs() - threshold)


def half_squared_error(vectors: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
    """Return ||x - y||^2 / 2, (...), of (..., F)."""
    return (vectors - output).square().sum(dim=-1) / 2
