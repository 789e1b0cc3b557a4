"""Weights are looked for, checked and never downloaded."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.contracts.clip import Clip
from bench.errors import DataError
from bench.files.download import weights_folder
from bench.objects import fasterrcnn
from bench.objects.fasterrcnn import WEIGHTS, FasterRCNNDetector

CLIP = Clip("01", "train")
BUILD = fasterrcnn._build


class Small(torch.nn.Module):
    """Answers like torchvision's detectors: the brightest pixel as a box, and a weak one."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.tensor(1.0))

    def forward(self, images: list[torch.Tensor]) -> list[dict[str, torch.Tensor]]:
        assert not self.training
        results = []
        for image in images:
            assert (
                image.dtype == torch.float32
                and image.shape[0] == 3
                and image.min() >= 0
                and image.max() <= 1
            )
            place = int(image[0].argmax())
            y, x = divmod(place, image.shape[2])
            boxes = (
                torch.tensor([[x, y, x + 1, y + 1], [0, 0, 2, 2]], dtype=torch.float32) * self.scale
            )
            results.append(
                {"boxes": boxes, "labels": torch.tensor([1, 3]), "scores": torch.tensor([0.9, 0.4])}
            )
        self.sizes = [*getattr(self, "sizes", []), len(images)]
        return results


@pytest.fixture(autouse=True)
def empty_torch_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(fasterrcnn, "_build", Small)


def detector(**values: Any) -> FasterRCNNDetector:
    return FasterRCNNDetector(FasterRCNNDetector.Parameters(device="cpu", **values))


def save(folder: Path, state: Any = None) -> Path:
    """Write weights whose name carries their hash, as torchvision's do."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "new.pth"
    torch.save(Small().state_dict() if state is None else state, path)
    return path.rename(folder / f"small-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}.pth")


def frames(count: int) -> list[np.ndarray]:
    images = np.zeros((count, 10, 12, 3), np.uint8)
    for index in range(count):
        images[index, index, 2 * index, 0] = 255
    images.flags.writeable = False
    return list(images)


def test_file_name_and_cache_are_torchvisions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from torchvision.models.detection import FasterRCNN_ResNet50_FPN_V2_Weights

    found = FasterRCNN_ResNet50_FPN_V2_Weights.COCO_V1
    one = WEIGHTS.download
    assert found.url == one.url and one.url.endswith(f"/{one.file}")
    assert one.file.endswith(f"-{one.sha256[:8]}.pth")
    assert round(one.size / 2**20, 3) == found.meta["_file_size"]
    assert (
        weights_folder()
        == Path(torch.hub.get_dir()) / "checkpoints"
        == tmp_path / "torch" / "hub" / "checkpoints"
    )
    monkeypatch.delenv("TORCH_HOME")
    for cache in (None, str(tmp_path / "xdg")):
        monkeypatch.delenv(
            "XDG_CACHE_HOME", raising=False
        ) if cache is None else monkeypatch.setenv("XDG_CACHE_HOME", cache)
        assert weights_folder() == Path(torch.hub.get_dir()) / "checkpoints"


def test_missing_weights_say_where_and_how(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        detector().check("ped2")
    text = str(caught.value)
    assert str(tmp_path / "torch" / "hub" / "checkpoints" / WEIGHTS.download.file) in text
    assert text.startswith("detector fasterrcnn: no weights of Faster R-CNN at ")
    assert "fasterrcnn[weights=FILE]" in text and "--detector motion" in text
    assert text.endswith("; bench download fasterrcnn")


def test_a_missing_file_of_ones_own_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"mine\.pth \(No such file"):
        detector(weights=str(tmp_path / "mine.pth")).check("ped2")


def test_weights_are_checked_against_the_hash_in_their_name(tmp_path: Path) -> None:
    (weights_folder()).mkdir(parents=True)
    (weights_folder() / WEIGHTS.download.file).write_bytes(b"half a download")
    with pytest.raises(
        DataError,
        match=r"is damaged or another file: its SHA-256 begins with [0-9a-f]{8}, its name says dd69338a",
    ):
        detector().check("ped2")
    good = save(tmp_path)
    detector(weights=str(good)).check("ped2")
    content = bytearray(good.read_bytes())
    content[-1] ^= 1
    good.write_bytes(content)
    with pytest.raises(DataError, match="its name says"):
        detector(weights=str(good)).check("ped2")


def test_an_lfs_pointer_is_named(tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(DataError, match=r"w\.pth is a Git LFS pointer.*git lfs pull"):
        detector(weights=str(tmp_path / "w.pth")).check("ped2")


@pytest.mark.parametrize("content", [b"no weights at all", b"", b"\x80\x04\x95"])
def test_what_is_no_weights_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(DataError, match=r"w\.pth cannot be read as weights"):
        detector(weights=str(tmp_path / "w.pth")).begin(CLIP, "ped2")


def test_whole_objects_are_not_unpickled(tmp_path: Path) -> None:
    torch.save(Small(), tmp_path / "w.pth")
    with pytest.raises(
        DataError, match=r"w\.pth cannot be read as weights \(a state dict of tensors\)"
    ):
        detector(weights=str(tmp_path / "w.pth")).begin(CLIP, "ped2")


@pytest.mark.parametrize("state", [{"other": torch.zeros(3)}, {"scale": torch.zeros(3, 3)}, [1, 2]])
def test_weights_of_another_network_are_refused(tmp_path: Path, state: Any) -> None:
    with pytest.raises(DataError, match="has no weights of torchvision's Faster R-CNN"):
        detector(weights=str(save(tmp_path, state))).begin(CLIP, "ped2")


def test_boxes_above_the_threshold_come_out_in_order(tmp_path: Path) -> None:
    found = detector(weights=str(save(tmp_path)), batch=2)
    found.begin(CLIP, "ped2")
    boxes = found.detect(CLIP, frames(5))
    assert [frame.shape for frame in boxes] == [(1, 5)] * 5
    for index, frame in enumerate(boxes):
        np.testing.assert_allclose(
            frame[0], [2 * index, index, 2 * index + 1, index + 1, 0.9], atol=1e-6
        )
    assert found._network.sizes == [2, 2, 1]
    all_of_them = detector(weights=str(save(tmp_path)), threshold=0.3)
    all_of_them.begin(CLIP, "ped2")
    assert all_of_them.detect(CLIP, frames(1))[0].shape == (2, 5)


def test_an_unusable_device_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="device 'tpu9' cannot be used"):
        FasterRCNNDetector(
            FasterRCNNDetector.Parameters(weights=str(save(tmp_path)), device="tpu9")
        ).begin(CLIP, "ped2")


def test_the_key_is_the_content_of_the_weights(tmp_path: Path) -> None:
    first = save(tmp_path / "a")
    second = save(tmp_path / "b", {"scale": torch.tensor(2.0)})
    assert (
        detector(weights=str(first)).key("ped2") == hashlib.sha256(first.read_bytes()).hexdigest()
    )
    assert detector(weights=str(first)).key("ped2") != detector(weights=str(second)).key("ped2")


def test_the_network_is_built_without_a_download(monkeypatch: pytest.MonkeyPatch) -> None:
    for loader in ("torch.hub.download_url_to_file", "torch.hub.load_state_dict_from_url"):
        monkeypatch.setattr(loader, lambda *_, **__: pytest.fail("download"))
    with torch.device("meta"):  # without memory or initialisation
        network = BUILD()
    assert network.roi_heads.box_predictor.cls_score.out_features == 91
    assert sum(value.numel() for value in network.parameters()) == 43_712_278
