"""The peers' part of the comparison, run by the Python that has them, which need not have georoads.

Each is used as its documentation shows, with tiles of 512 px and the same overlap. torchgeo samples and loads
the tiles; putting them together and writing is left to its users: a plain loop does it. See compare.py.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

TILE, OVERLAP = 512, 128


def mend_torchvision() -> None:
    """Where torch and torchvision come from different places, torchvision's import stops at an operator that
    nobody here uses: declare it."""
    import torch

    boxes = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"

    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        torch.library.define("torchvision::nms", boxes)
        torch.library.define("torchvision::qnms", boxes)
        for name in [m for m in sys.modules if m.split(".")[0] == "torchvision"]:
            del sys.modules[name]


def geodeep(folder: Path) -> float:
    """GeoDeep: ONNX Runtime, a tile at a time, the mask written by its own function."""
    from geodeep import segment
    from geodeep.segmentation import save_mask_to_raster

    scene = str(folder / "scene.tif")
    started = time.perf_counter()  # it loads the network in the call: about 0.2 s
    mask = segment(scene, str(folder / "geodeep.onnx"))
    save_mask_to_raster(scene, mask, str(folder / "geodeep.tif"))
    return time.perf_counter() - started


def torch_network(folder: Path) -> object:
    """The network from the state dict."""
    import segmentation_models_pytorch as smp
    import torch

    network = smp.DeepLabV3Plus("resnet18", encoder_weights=None, classes=2)
    network.load_state_dict(torch.load(folder / "peers.pth", weights_only=True))
    return network.eval()


def geoai(folder: Path) -> float:
    """geoai: its sliding window over a GeoTIFF."""
    import torch
    from geoai.train import semantic_inference_on_geotiff

    network = torch_network(folder)
    started = time.perf_counter()
    semantic_inference_on_geotiff(
        network, str(folder / "scene.tif"), str(folder / "geoai.tif"), window_size=TILE, overlap=OVERLAP,
        batch_size=4, device=torch.device("cpu"), quiet=True,
    )  # fmt: skip
    return time.perf_counter() - started


def torchgeo(folder: Path) -> float:
    """torchgeo: its raster data set and grid sampler, and a plain loop around the network."""
    import numpy as np
    import rasterio
    import torch
    from torch.utils.data import DataLoader
    from torchgeo.datasets import RasterDataset, stack_samples
    from torchgeo.samplers import GridGeoSampler

    network = torch_network(folder)
    scene = folder / "scene.tif"
    started = time.perf_counter()
    dataset = RasterDataset(paths=[str(scene)])
    sampler = GridGeoSampler(dataset, size=TILE, stride=TILE - OVERLAP)
    loader = DataLoader(dataset, batch_size=4, sampler=sampler, collate_fn=stack_samples)
    with rasterio.open(scene) as source:
        profile, inverse = source.profile, ~source.transform
        mask = np.zeros(source.shape, dtype=np.uint8)
    mean = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    corners = iter(sampler)
    half = OVERLAP // 2
    with torch.inference_mode():
        for batch in loader:
            classes = network((batch["image"] / 255 - mean) / std).argmax(1).to(torch.uint8).numpy()
            for tile in classes:
                x, y = next(corners)[:2]
                col, row = (round(v) for v in inverse * (x.start, y.stop))
                top, left = (half if row else 0), (half if col else 0)
                part = mask[row + top : row + TILE, col + left : col + TILE]
                part[:] = tile[top:, left:][: part.shape[0], : part.shape[1]]
    profile.update(count=1, photometric="MINISBLACK")
    with rasterio.open(folder / "torchgeo.tif", "w", **profile) as out:
        out.write(mask, 1)
    return time.perf_counter() - started


if __name__ == "__main__":
    if sys.argv[1] != "geodeep":
        mend_torchvision()
    seconds = {"geodeep": geodeep, "geoai": geoai, "torchgeo": torchgeo}[sys.argv[1]](Path(sys.argv[2]))
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(json.dumps({"seconds": seconds, "peak_mb": peak_mb}))
