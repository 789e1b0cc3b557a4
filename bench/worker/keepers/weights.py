"""The fitted method."""

from __future__ import annotations

from bench.errors import MethodError
from bench.worker.fitting import save_fitted
from bench.worker.keepers.keeper import Keeper
from bench.worker.open_cell import OpenCell


class WeightKeeper(Keeper):
    """Keeps what the method learned, as it saves it itself."""

    @classmethod
    def of(cls, cell: OpenCell) -> Keeper | None:
        """Return the keeper of any method."""
        return cls()

    def before_scoring(self, cell: OpenCell) -> None:
        """Save the method; where it cannot save itself, the row says so, and the scores stay."""
        try:
            save_fitted(cell.method, cell.scratch / "weights.new", cell.files.weights)
        except MethodError as error:
            cell.logger.warning("its weights are not kept: %s", error)
