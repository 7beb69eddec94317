"""What a network is: a frozen description from which it can be built again, and its input's scale."""

from __future__ import annotations

import re
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
        in_channels: bands of the picture: 3, for red, green and blue.
        classes: output channels: 1 (road) or 2 (background, road).
        norm_eps: epsilon of the batch norms; the Lite weights were trained with 1e-3, torch's own
            value is 1e-5, and features differ visibly between them.
        drop_path: stochastic depth of the encoder where it has it, while training.
        options: further arguments of the smp constructor: texts, numbers up to 4096, or lists of up to 16
            of them, so that no card can ask for more memory than a machine has. Not those that the other
            attributes state.

    Raises:
        ValueError: naming the value that is out of range.
    """

    architecture: str = "DeepLabV3Plus"
    encoder: str = "resnet50"
    in_channels: int = 3
    classes: int = 1
    norm_eps: float = 1e-5
    drop_path: float = 0.0
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # timm takes "hf-hub:…" for an address, and asks it.
        _check(all(map(_NAME.fullmatch, (self.architecture, self.encoder))), "names are plain words")
        _check(self.in_channels == 3, f"in_channels must be 3 (red, green, blue), not {self.in_channels}")
        _check(self.classes in (1, 2), "classes must be 1 (road) or 2 (background, road)")
        _check(0 < self.norm_eps < 1, "norm_eps must be between 0 and 1")
        _check(0 <= self.drop_path < 1, "drop_path must be 0 to 1")
        for name, value in self.options.items():
            _check(name not in _STATED, f"options.{name} is stated elsewhere: expected none")
            parts = value if isinstance(value, list | tuple) else [value]
            _check(
                len(parts) <= _MOST_PARTS and all(map(_is_modest, parts)),
                f"options.{name} must be a text, a number up to {_LARGEST}, or a short list of them",
            )


_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,100}")
_LARGEST, _MOST_PARTS = 4096, 16
_STATED = ("encoder_name", "encoder_weights", "in_channels", "classes", "activation")
"""Arguments of the smp constructor that ``build`` gives."""


def _is_modest(value: Any) -> bool:
    return (
        value is None or isinstance(value, str) or (isinstance(value, int | float) and abs(value) <= _LARGEST)
    )


def _check(holds: bool, expected: str) -> None:
    if not holds:
        raise ValueError(expected)
