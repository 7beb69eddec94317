"""From a config to a torch module."""

from __future__ import annotations

from typing import Any

from torch import nn

from georoads.errors import CheckpointError
from georoads.model.config import ModelConfig
from georoads.model.depthwise import DepthwiseConv2d
from georoads.model.guard import import_smp


def build(config: ModelConfig) -> nn.Module:
    """A network with random weights that maps (N, in_channels, H, W) to logits (N, classes, H, W).

    H and W must be multiples of 16 (DeepLabV3+) or 32 (most others).

    Raises:
        CheckpointError: for an architecture, encoder or option that smp does not know.
    """
    smp = import_smp()
    architectures = {name: cls for name, cls in vars(smp).items() if _is_architecture(cls)}
    if config.architecture not in architectures:
        raise CheckpointError(
            f"unknown architecture {config.architecture!r}", f"known: {', '.join(sorted(architectures))}"
        )
    try:
        model: nn.Module = architectures[config.architecture](
            encoder_name=config.encoder,
            encoder_weights=None,
            in_channels=config.in_channels,
            classes=config.classes,
            activation=None,
            **config.options,
        )
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, AssertionError, RuntimeError) as e:
        raise CheckpointError(
            f"{config.architecture} with encoder {config.encoder!r} cannot be built: {e}",
            "see the encoders and options of segmentation-models-pytorch",
        ) from e
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = config.norm_eps
        if type(module).__name__ == "DropPath":
            module.drop_prob = config.drop_path  # type: ignore[assignment]
        if type(module) is nn.Conv2d and 1 < module.groups == module.in_channels:
            module.__class__ = DepthwiseConv2d
    return model


def _is_architecture(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, nn.Module) and hasattr(value, "predict")
