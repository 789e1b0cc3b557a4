"""Going on where a device is out of memory."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from bench.contracts.method import Context

Result = TypeVar("Result")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that a device, or the machine, has no memory left. No torch is
    imported: its errors are told by their names and texts.
    """
    text = str(error)
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or "not enough memory" in text
        or "can't allocate memory" in text
        or "CUBLAS_STATUS_ALLOC_FAILED" in text
        or "CUDNN_STATUS_ALLOC_FAILED" in text
    )


def release() -> None:
    """Give back what is not used any more. To be called when the error is gone: its traceback
    holds tensors.
    """
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def in_fitting_batches(context: Context, there: int, score: Callable[[int], Result]) -> Result:
    """Return `score(size)`, with as many of the windows or frames that are `there` as the context
    scores at once. Where they are too many for the memory, half as many are tried, and the context
    scores no more from then on.
    """
    while True:
        size = min(context.compute.scoring_batch, there)
        try:
            return score(size)
        except Exception as error:
            if size == 1 or not is_out_of_memory(error):
                raise
        release()
        context.logger.info("out of memory: from now on %d are scored at once", size // 2)
        context.compute = replace(context.compute, batch=size // 2)
