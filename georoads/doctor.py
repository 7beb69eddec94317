"""What a machine offers georoads and what is wrong with it: each finding with what to do about it."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from georoads import __version__
from georoads.errors import GeoroadsError

CORE = (
    "numpy", "scipy", "rasterio", "pyogrio", "pyproj", "shapely", "geopandas", "opencv-python-headless",
    "numba",
)  # fmt: skip
"""Distributions that every command may need."""
TRAIN = ("torch", "segmentation-models-pytorch", "scikit-image", "albumentations", "matplotlib")
"""Distributions of the extra ``train``."""
RUNTIMES = {"openvino": "openvino", "onnx": "onnxruntime", "torch": "torch"}


class State(Enum):
    """How bad a finding is."""

    FINE = "ok"
    POOR = "note"
    BROKEN = "BROKEN"


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes:
        state: fine, could be better, or broken.
        what: was looked at.
        seen: what was found.
        remedy: what to do; "" where all is well.
    """

    state: State
    what: str
    seen: str
    remedy: str = ""


def examine() -> Iterator[Finding]:
    """All findings, one after another; imports torch where it is installed, and takes a few seconds."""
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs"
    seen = f"{__version__}, Python {platform.python_version()}, {machine}"
    yield Finding(State.FINE, "georoads", seen)
    yield from _packages()
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _torchvision, _gpu, _runtimes, _projections, _drivers, _models, _caches,
    )  # fmt: skip
    for check in checks:
        try:
            yield from check()
        except GeoroadsError as e:
            yield Finding(State.BROKEN, check.__name__.strip("_"), e.message, e.hint)
        except Exception as e:  # noqa: BLE001  # whatever breaks here is what is looked for
            seen = f"{type(e).__name__}: {e}".splitlines()[0][:200]
            remedy = "make a fresh virtual environment and install georoads there"
            yield Finding(State.BROKEN, check.__name__.strip("_"), seen, remedy)


def _packages() -> Iterator[Finding]:
    seen = {name: _version_of(name) for name in (*CORE, *TRAIN, "torchvision", "kaggle")}
    yield Finding(State.FINE, "packages", ", ".join(f"{name} {v}" for name, v in seen.items() if v))
    missing = [name for name in CORE if not seen[name]]
    if missing:
        remedy = "python -m pip install --force-reinstall georoads"
        yield Finding(State.BROKEN, "packages", f"missing: {', '.join(missing)}", remedy)
    for extra, names, commands in (
        ("train", TRAIN, "train, evaluate and export"),
        ("download", ("kaggle",), "download"),
    ):
        absent = [name for name in names if not seen[name]]
        if absent:
            brings = f'not installed: python -m pip install "georoads[{extra}]" brings it'
            yield Finding(State.FINE, f"not {commands}", f"{', '.join(absent)} {brings}")


def _version_of(name: str) -> str:
    """Version of an installed distribution; "" where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _torchvision() -> Iterator[Finding]:
    """Its compiled operators come from another build than torch wherever the two were installed apart."""
    if find_spec("torch") is None:
        return
    import torch

    from georoads.model.guard import import_smp, torchvision_is_usable

    usable = torchvision_is_usable()
    import_smp()
    if not usable:
        seen = f"its compiled part does not fit torch {torch.__version__}; georoads does without it"
        remedy = "nothing for georoads; other programs may need torch and torchvision from one place"
        yield Finding(State.POOR, "torchvision", seen, remedy)


def _gpu() -> Iterator[Finding]:
    if find_spec("torch") is None:
        if _driver_is_there():
            unused = "there is an NVIDIA GPU, but torch, which would use it, is not installed"
            yield Finding(State.POOR, "GPU", unused, 'python -m pip install "georoads[train]"')
        else:
            yield Finding(State.FINE, "GPU", "none")
        return
    import torch

    from georoads.inference.cuda import describe_gpu, gpu_count, torch_cuda

    count = gpu_count(torch_cuda())
    for index in range(count):
        yield Finding(State.FINE, f"GPU {index}", describe_gpu(torch_cuda(), index))
    if count:
        return
    if torch.backends.mps.is_available():
        yield Finding(State.FINE, "GPU", "Apple's, by --device mps; auto takes the CPU", "")
    elif _driver_is_there():
        built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built without CUDA"
        seen = f"there is an NVIDIA GPU, but torch {torch.__version__} ({built}) cannot use it"
        remedy = "install a torch build for the driver's CUDA version, or update the driver"
        yield Finding(State.BROKEN, "GPU", seen, remedy)
    else:
        yield Finding(State.FINE, "GPU", "none")


def _driver_is_there() -> bool:
    return Path("/dev/nvidia0").exists() or shutil.which("nvidia-smi") is not None


def _runtimes() -> Iterator[Finding]:
    from georoads.inference.select import fastest_runtime, has_gpu

    chosen = fastest_runtime("auto")
    if find_spec(RUNTIMES[chosen]) is None:
        install = 'python -m pip install "georoads[openvino]"'
        yield Finding(State.BROKEN, "auto takes", "nothing: no runtime is installed", install)
        return
    device = "GPU" if has_gpu() else "CPU"
    precision = _cpu_precision()
    how = f"CPU, {precision}" if device == "CPU" else device
    yield Finding(State.FINE, "auto takes", f"{chosen} on the {how}")
    for runtime, module in RUNTIMES.items():
        if runtime == chosen:
            continue
        if find_spec(module) is None and chosen == "torch" and device == "CPU":
            install = f'python -m pip install "georoads[{runtime}]"'
            seen = "not installed, and two to three times as fast on a CPU"
            yield Finding(State.POOR, f"not {runtime}", seen, install)
        elif find_spec(module) is None:
            yield Finding(State.FINE, f"not {runtime}", "not installed")
        else:
            slower = "slower on this device" if device == "CPU" else "it would take the CPU"
            yield Finding(State.FINE, f"not {runtime}", f"{version(module)} is installed: {slower}")


def _cpu_precision() -> str:
    """What ``auto`` computes with on this CPU, and why it is not bf16."""
    no_bf16 = "(this CPU does not multiply bf16)"
    if find_spec("openvino") is not None:
        from georoads.inference.openvino_runtime import cpu_precision
        from georoads.model.checkpoint import find_checkpoint

        with suppress(GeoroadsError):  # a damaged model is told of below
            found = cpu_precision(has_int8=find_checkpoint("default").int8 is not None)
            return found if found == "bf16" else f"{found} {no_bf16}"
    if find_spec("onnxruntime") is not None or find_spec("torch") is None:
        return "fp32"
    from georoads.inference.torch_runtime import cpu_has_fast_bf16

    return "bf16" if cpu_has_fast_bf16() else f"fp32 {no_bf16}"


def _projections() -> Iterator[Finding]:
    """Another program's PROJ or GDAL data, named by the environment, breaks that of the wheels."""
    from pyproj import Transformer
    from rasterio.crs import CRS
    from rasterio.warp import transform

    variables = [key for key in ("PROJ_LIB", "PROJ_DATA", "GDAL_DATA") if key in os.environ]
    named = ", ".join(f"{key}={os.environ[key]}" for key in variables)
    remedy = f"unset {' '.join(variables)}" if named else "reinstall pyproj and rasterio"
    try:
        x, _ = Transformer.from_crs("EPSG:4326", "EPSG:32633", always_xy=True).transform(15.0, 50.0)
        (u,), _ = transform(CRS.from_epsg(4326), CRS.from_epsg(32633), [15.0], [50.0])
    except Exception as e:  # noqa: BLE001  # pyproj and rasterio raise errors of many kinds
        yield Finding(State.BROKEN, "projections", f"{str(e)[:160]}; {named or 'no variable set'}", remedy)
        return
    if abs(x - 500_000) > 0.01 or abs(u - 500_000) > 0.01:
        yield Finding(State.BROKEN, "projections", f"15°E is {x:.1f} and {u:.1f} m instead of 500000", remedy)
    elif named:
        yield Finding(State.POOR, "projections", f"work, with {named}", f"{remedy}, if CRS errors come up")
    else:
        yield Finding(State.FINE, "projections", "work")


def _drivers() -> Iterator[Finding]:
    import pyogrio
    import rasterio
    from rasterio.drivers import raster_driver_extensions

    raster = {"GTiff"} - set(raster_driver_extensions().values())
    vector = {"GPKG", "GeoJSON"} - {k for k, v in pyogrio.list_drivers().items() if "w" in v}
    lacking = sorted(raster | vector)
    seen = f"GDAL {rasterio.__gdal_version__} (rasters), {pyogrio.__gdal_version_string__} (vectors)"
    if lacking:
        seen += f" lack {', '.join(lacking)}"
        yield Finding(State.BROKEN, "formats", seen, "reinstall rasterio and pyogrio from wheels")
    else:
        yield Finding(State.FINE, "formats", seen)


def _models() -> Iterator[Finding]:
    from georoads.model.checkpoint import find_checkpoint, shipped_models

    for name in shipped_models():
        checkpoint = find_checkpoint(name)
        twin = "with" if checkpoint.onnx is not None else "without"
        yield Finding(State.FINE, "model", f"{name}, {twin} its ONNX twin; files are as the card says")


def _caches() -> Iterator[Finding]:
    from georoads.model.cache import cache_folder

    folder = cache_folder()
    size = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) / 1e6
    if folder.name.startswith("georoads-"):
        seen = "no folder of this user can be written to: models are converted anew in each run"
        yield Finding(State.POOR, "cache", seen, "set GEOROADS_CACHE to a folder that can")
        folder.rmdir()
    else:
        free = shutil.disk_usage(folder).free / 1e9
        yield Finding(State.FINE, "cache", f"{folder}: {size:.0f} MB, {free:.0f} GB free")
