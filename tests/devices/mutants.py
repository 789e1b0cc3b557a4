"""Planted device bugs, to see whether the scenarios notice them: `python tests/devices/mutants.py`
prints each with what noticed it, and the score. Each is a change of one line, made while the module
is imported, in a process of its own; nothing on disk changes."""

import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

# What takes long to import is imported once; the processes are forked from this one. No part of
# bench: it is imported with the bug.
import cv2  # noqa: F401
import numpy  # noqa: F401
import scipy.ndimage  # noqa: F401
import torch
import torchvision  # noqa: F401

CHECK_C3DSU = "trains_alike:c3dsu"


@dataclass(frozen=True)
class Mutant:
    title: str
    module: str
    old: str
    new: str
    scenarios: tuple[str, ...]


LOSSES, TRAINING = (
    "bench.methods.pseudo_anomalies.losses",
    "bench.methods.pseudo_anomalies.training",
)
MUTANTS = (
    Mutant(
        "a tensor made on the CPU in the first state of a ConvLSTM",
        "bench.methods.networks.conv_lstm",
        "windows.new_zeros(batch, self.hidden, height, width)",
        "torch.zeros(batch, self.hidden, height, width)",
        ("trains_alike:ae-convlstm",),
    ),
    Mutant(
        "a memory that is no registered buffer",
        "bench.methods.networks.mnad",
        'self.register_buffer("items", functional.normalize(torch.rand(items, fourth), dim=1))',
        "self.items = functional.normalize(torch.rand(items, fourth), dim=1)",
        ("trains_alike:mnad",),
    ),
    Mutant(
        "a mask left on the CPU",
        TRAINING,
        'on_cpu = frozenset({"masked", "inside"})',
        'on_cpu = frozenset({"masked", "inside", "mask"})',
        (CHECK_C3DSU,),
    ),
    Mutant(
        "a mask moved to the CPU to find its pixels",
        LOSSES,
        "torch.nonzero_static(wanted.flatten(), size=count)[:, 0]",
        "torch.nonzero_static(wanted.cpu().flatten(), size=count)[:, 0]",
        (CHECK_C3DSU,),
    ),
    Mutant(
        "pixels found by boolean indexing",
        LOSSES,
        "torch.nonzero_static(wanted.flatten(), size=count)[:, 0]",
        "torch.nonzero(wanted.flatten())[:, 0]",
        (CHECK_C3DSU,),
    ),
    Mutant(
        "the loss asks the device whether there is a mask",
        TRAINING,
        'if not bool(batch["masked"].any()):',
        'if not bool(batch["mask"].any()):',
        (CHECK_C3DSU,),
    ),
    Mutant(
        "frames chosen by a list of numbers",
        TRAINING,
        "return torch.stack([windows[:, :, frame] for frame in frames], dim=2)",
        "return windows[:, :, list(frames)]",
        (CHECK_C3DSU,),
    ),
    Mutant(
        "NumPy of a tensor on the device, in the score",
        "bench.methods.c3dsu",
        "maps = (frames - output).square().sum(dim=1).sqrt() / 3**0.5",
        "import torch\n        maps = torch.from_numpy((frames - output).square().sum(dim=1).sqrt().numpy()) / 3**0.5",
        (CHECK_C3DSU,),
    ),
    Mutant(
        "a random generator of the CPU for numbers on the device",
        TRAINING,
        "sigma = network.anomaly_weight()  # type: ignore[operator]\n        pseudo",
        "import torch\n        sigma = network.anomaly_weight() + 0 * torch.rand((), "
        'generator=torch.Generator(), device=batch["mask"].device)\n        pseudo',
        (CHECK_C3DSU,),
    ),
    Mutant(
        "a folded network with a constant on the CPU",
        "bench.methods.networks.c3dsu_folded",
        "torch.eye(4, device=mix.device)",
        "torch.eye(4)",
        ("reload:unet", "reload:c3dsu"),
    ),
    Mutant(
        "the example of a pseudo-anomaly read from the device as it is",
        TRAINING,
        "self.reconstruct(network, windows[kind].to(device))[0, :, place].cpu()",
        "self.reconstruct(network, windows[kind])[0, :, place]",
        ("keep:unet",),
    ),
    Mutant(
        "batches left on the CPU",
        "bench.engine.batches",
        "on_device(tensor, device)",
        "tensor",
        ("resume",),
    ),
    Mutant(
        "batches moved without pinned memory",
        "bench.hardware.accelerators",
        "return tensor.pin_memory()",
        "return tensor",
        (CHECK_C3DSU,),
    ),
    Mutant(
        "the terms of every step read at once",
        "bench.engine.training",
        "self.last_kept = step\n",
        "self.last_kept = step\n                _terms_of_step(step, parts)\n",
        (CHECK_C3DSU,),
    ),
    Mutant(
        "a look at loss and gradients in every step",
        "bench.engine.training",
        "if epoch.made % WATCH_EVERY == 0:",
        "if True:",
        (CHECK_C3DSU,),
    ),
    Mutant(
        "the last look at a trained network, on the CPU",
        "bench.engine.learning_checks",
        "    ).to(device)\n    if len(inputs) < 2",
        "    )\n    if len(inputs) < 2",
        ("resume",),
    ),
    Mutant(
        "the device's random state not restored",
        "bench.engine.checkpoint",
        'set_random_state(torch.device(context.device), state.get("random_of_device"))',
        "pass",
        ("resume",),
    ),
    Mutant(
        "the device's random state not written",
        "bench.engine.checkpoint",
        '"random_of_device": random_state(self.device)',
        '"random_of_device": None',
        ("resume",),
    ),
    Mutant(
        "weights of a checkpoint loaded on the CPU",
        "bench.engine.checkpoint",
        'network.load_state_dict(state["network"])',
        'network.load_state_dict(state["network"], assign=True)',
        ("resume",),
    ),
    Mutant(
        "a difference of device and CPU, in what is explained",
        "bench.engine.learning_checks",
        'terms["reconstruction"].cpu().double()',
        'terms["reconstruction"].double()',
        ("resume",),
    ),
    Mutant(
        "scores read as NumPy from the device",
        "bench.engine.inference",
        "collected.setdefault(name, []).append(values.float().cpu().numpy())",
        "collected.setdefault(name, []).append(values.float().numpy())",
        ("reload:unet",),
    ),
    Mutant(
        "a loaded network left on the CPU",
        "bench.engine.inference",
        "laid_out(method, network.to(context.device), context.compute.precision)\n    collected",
        "laid_out(method, network, context.compute.precision)\n    collected",
        ("reload:unet",),
    ),
    Mutant(
        "frames of a stream left on the CPU",
        "bench.engine.inference",
        "torch.from_numpy(np.array(frames[:count])).to(context.device)",
        "torch.from_numpy(np.array(frames[:count]))",
        ("stream:unet",),
    ),
    Mutant(
        "casts to bfloat16 for the CPU alone",
        "bench.engine.precision",
        "torch.autocast(device.type, torch.bfloat16)",
        'torch.autocast("cpu", torch.bfloat16)',
        ("bf16",),
    ),
)


class _Changing(importlib.abc.MetaPathFinder):
    """Finds one module as ever, and changes its source."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def find_spec(self, name, path=None, target=None):
        if name != self.mutant.module:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        source = Path(spec.origin).read_text()
        assert source.count(self.mutant.old) == 1, (
            f"{name} has {source.count(self.mutant.old)} times: {self.mutant.old}"
        )
        changed = source.replace(self.mutant.old, self.mutant.new)

        class Loader(importlib.machinery.SourceFileLoader):
            def get_code(self, fullname):
                return compile(changed, spec.origin, "exec")

        return importlib.util.spec_from_loader(name, Loader(name, spec.origin))


def notice(mutant: Mutant | None, scenarios: tuple[str, ...]) -> str:
    """What the scenarios say of a bug, in a process of its own; empty where they notice nothing."""
    read, write = os.pipe()
    if not (pid := os.fork()):
        text = ""
        try:
            os.close(read)
            torch.set_num_threads(1)
            if mutant is not None:
                sys.meta_path.insert(0, _Changing(mutant))
            import scenarios as known

            for scenario in scenarios:
                name, *arguments = scenario.split(":")
                getattr(known, name)(*arguments)
            if mutant is not None and mutant.module not in sys.modules:
                text = "IMPORT: the changed module was never imported"
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            text = f"{type(error).__name__}: {str(error)[:300]} ({Path(last.filename).name})"
            if isinstance(error, AssertionError) and " times: " in text:
                text = f"IMPORT: {text}"
        os.write(write, text.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        text = answer.read()
    os.waitpid(pid, 0)
    return text


def main(wanted: list[str]) -> int:
    sys.path.insert(0, str(Path(__file__).parent))
    chosen = [one for one in MUTANTS if not wanted or any(word in one.title for word in wanted)]
    for scenario in dict.fromkeys(name for one in chosen for name in one.scenarios):
        if found := notice(None, (scenario,)):
            print(f"{scenario} fails without any bug: {found}")
            return 2
    caught = 0
    for mutant in chosen:
        found = notice(mutant, mutant.scenarios)
        good = bool(found) and not found.startswith("IMPORT")
        caught += good
        print(f"{'caught' if good else 'MISSED'}  {mutant.title}\n        {found}", flush=True)
    print(f"{caught} of {len(chosen)} planted bugs are caught")
    return int(caught < len(chosen))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
