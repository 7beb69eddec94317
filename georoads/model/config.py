"""What a network is: a frozen description from which it can be built again, and its input's scale."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
# EfficientNet-Lite was trained on (pixel - 127) / 128 (tensorflow/tpu, efficientnet/lite).
LITE = ((127 / 255,) * 3, (128 / 255,) * 3)
INCEPTION = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


def input_normalization(encoder: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation (of values 0..1) that an encoder's ImageNet weights expect.

    smp asks a hub for these; a model must be usable without one, so they stand here.
    """
    if "efficientnet_lite" in encoder:
        return LITE
    if encoder in ("inceptionv4", "inceptionresnetv2", "xception") or encoder.startswith("dpn"):
        return INCEPTION
    return IMAGENET


@dataclass(frozen=True)
class ModelConfig:
    """A segmentation network of segmentation-models-pytorch.

    Attributes:
        architecture: name of an smp architecture, as in ``DeepLabV3Plus``.
        encoder: name of an smp encoder, as in ``resnet50`` or ``timm-tf_efficientnet_lite2``.
        in_channels: bands of the picture.
        classes: output channels: 1 (road) or 2 (background, road).
        norm_eps: epsilon of the batch norms; the Lite weights were trained with 1e-3, torch's own
            value is 1e-5, and features differ visibly between them.
        drop_path: stochastic depth of the encoder where it has it, while training.
        options: further arguments of the smp constructor.
    """

    architecture: str = "DeepLabV3Plus"
    encoder: str = "resnet50"
    in_channels: int = 3
    classes: int = 1
    norm_eps: float = 1e-5
    drop_path: float = 0.0
    options: dict[str, Any] = field(default_factory=dict)
