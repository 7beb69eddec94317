"""The twin that computes with whole numbers: NAME.int8.onnx beside a model, and its sha256 in the card.

    pip install nncf; python benchmarks/quantize.py MODEL.json DATASET --chips 300

Post-training quantization by NNCF (A. Kozlov et al. 2020): chips of the training pictures go through the ONNX
twin, and the ranges of what its layers give become those of 8-bit numbers; the biases are corrected for what
rounding takes away. Weights have a range for each channel. Judge the result with ``georoads evaluate
DATASET --model MODEL.json --set predict.precision=int8``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from georoads.data.chip import ChipParams, cut_chip
from georoads.data.dataset import open_dataset
from georoads.data.picture_cache import read_picture
from georoads.data.split import split_dataset
from georoads.model.card import ModelCard
from georoads.model.checkpoint import add_int8, find_checkpoint
from georoads.model.pixels import fill_invalid, normalize


def chips(dataset: Path, card: ModelCard, count: int) -> Iterator[NDArray[np.float32]]:
    """Normalised chips (1, 3, tile, tile) of training pictures, always the same ones."""
    samples = split_dataset(open_dataset(dataset), "auto").subset("train")
    rng = np.random.default_rng(0)
    how = ChipParams(card.tile_px, card.gsd_m, scale=1.25, road_centred=0.3)
    for number in rng.permutation(len(samples) * (1 + count // len(samples)))[:count]:
        sample = samples[number % len(samples)]
        chip = cut_chip(read_picture(sample, white_is_nodata=False), sample.gsd_m, how, rng)
        shown = fill_invalid(np.ascontiguousarray(chip.image.transpose(2, 0, 1)), chip.valid)
        yield normalize(shown, card.mean, card.std)[None]


def with_full_weights(network: onnx.ModelProto) -> onnx.ModelProto:
    """The network with its weights as fp32 in place of fp16 and a cast, which NNCF does not know."""
    graph = network.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    casts = [node for node in graph.node if node.op_type == "Cast" and node.input[0] in stored]
    for node in casts:
        full = numpy_helper.to_array(stored[node.input[0]]).astype(np.float32)
        graph.initializer.append(numpy_helper.from_array(full, node.output[0]))
        graph.node.remove(node)
    for name in {node.input[0] for node in casts}:
        graph.initializer.remove(stored[name])
    return network


def main() -> None:
    """Quantize, write."""
    import nncf

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", help="card of a model with an ONNX twin")
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--chips", type=int, default=300)
    args = parser.parse_args()
    model = find_checkpoint(args.model)
    if model.onnx is None:
        raise SystemExit(f"{args.model} has no ONNX twin")
    network = with_full_weights(onnx.load(model.onnx))
    image = network.graph.input[0].name
    shown = nncf.Dataset([{image: chip} for chip in chips(args.dataset, model.card, args.chips)])
    whole = nncf.quantize(
        network, shown, subset_size=args.chips, preset=nncf.QuantizationPreset.MIXED,
        fast_bias_correction=True,
    )  # fmt: skip
    made = add_int8(model, whole.SerializeToString())
    assert made.int8 is not None
    print(f"{made.int8}: {made.int8.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
