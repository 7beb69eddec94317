"""Depthwise convolutions whose gradients CPUs compute quickly.

The forward pass of a depthwise convolution is quick on CPUs, but oneDNN, which computes torch's convolutions
there, takes three to fifty times as long for its gradients as their arithmetic needs: with the kernel's side,
its dilation, the precision and the kind of processor. Here the gradient

* for the input is a convolution of the output's gradient with the kernel turned round (V. Dumoulin and
  F. Visin, "A guide to convolution arithmetic for deep learning", 2016), which is a forward pass;
* for the kernel is a sum of products, channel by channel, in a compiled loop whose innermost stretch lies
  side by side in memory (channels last), with the channels dealt out over torch's threads.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from georoads.compiled import compiled

_CHANNELS_AT_A_TIME = 128  # 5 x 5 sums of them fit into the first cache


class DepthwiseConv2d(nn.Conv2d):
    """A depthwise convolution that, while training on a CPU, has quick gradients and stays in float32.

    Under autocast too: bfloat16 gains nothing where there is one product for each number that is read; the
    dense convolutions around it gain.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """As torch.nn.Conv2d, on (N, C, H, W) float."""
        learns = torch.is_grad_enabled() and (input.requires_grad or self.weight.requires_grad)
        is_single = self.weight.dtype == torch.float32
        if not (learns and self.training and is_single and input.device.type == "cpu"):
            return super().forward(input)
        with torch.autocast("cpu", enabled=False):
            if not self._keeps_size():
                return super().forward(input.float())
            out: torch.Tensor = _Depthwise.apply(input.float(), self.weight, self.dilation[0])  # type: ignore[no-untyped-call]
            return out if self.bias is None else out + self.bias[:, None, None]

    def _keeps_size(self) -> bool:
        """Whether the functions here are for such a kernel; torch's gradients serve for the others."""
        side, dilation = self.kernel_size[0], self.dilation[0]
        return (
            side % 2 == 1
            and self.kernel_size == (side, side)
            and self.dilation == (dilation, dilation)
            and self.stride == (1, 1)
            and self.padding == (side // 2 * dilation,) * 2
            and self.padding_mode == "zeros"
        )


class _Depthwise(torch.autograd.Function):
    """The convolution that keeps the size, and its gradients."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, kernel: torch.Tensor, dilation: int) -> torch.Tensor:
        ctx.save_for_backward(x, kernel)
        ctx.dilation = dilation
        return _convolve(x, kernel, dilation)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, kernel = ctx.saved_tensors
        grad = grads[0].contiguous(memory_format=torch.channels_last)
        d_x = input_gradient(grad, kernel, ctx.dilation) if ctx.needs_input_grad[0] else None
        d_kernel = (
            kernel_gradient(grad, x, kernel.shape[-1], ctx.dilation) if ctx.needs_input_grad[1] else None
        )
        return d_x, d_kernel, None


def input_gradient(grad: torch.Tensor, kernel: torch.Tensor, dilation: int) -> torch.Tensor:
    """The gradient for the input of a depthwise convolution that keeps the size: (N, C, H, W).

    Args:
        grad: (N, C, H, W), of the output.
        kernel: (C, 1, K, K), K odd.
        dilation: of the convolution, whose padding is dilation * (K // 2).
    """
    return _convolve(grad, kernel.flip(2, 3), dilation)


def kernel_gradient(grad: torch.Tensor, x: torch.Tensor, side: int, dilation: int) -> torch.Tensor:
    """The gradient for the kernel of a depthwise convolution that keeps the size: (C, 1, side, side).

    Args:
        grad: (N, C, H, W) float on the CPU, of the output.
        x: (N, C, H, W), the input, likewise.
        side: of the kernel, odd.
        dilation: of the convolution, whose padding is dilation * (side // 2).
    """
    seen, wanted = _channels_last(x), _channels_last(grad)
    channels = x.shape[1]
    sums = np.zeros((side, side, channels))

    def add(first: int) -> None:
        _add_products(seen, wanted, dilation, first, min(channels, first + _CHANNELS_AT_A_TIME), sums)

    with ThreadPoolExecutor(torch.get_num_threads()) as threads:
        list(threads.map(add, range(0, channels, _CHANNELS_AT_A_TIME)))
    return torch.from_numpy(sums).permute(2, 0, 1)[:, None].to(x.dtype)


@compiled
def _add_products(
    x: np.ndarray, grad: np.ndarray, dilation: int, first: int, last: int, sums: np.ndarray
) -> None:
    """To channels first to last of ``sums``, add the products that each place of the kernel sees.

    Args:
        x: (N, H, W, C) contiguous, float32 or float64.
        grad: likewise.
        dilation: of the kernel.
        first: channel.
        last: channel, not included.
        sums: (K, K, C) float64. A picture at a time is summed in the precision of ``x``.
    """
    side, (_, height, width, _) = sums.shape[0], x.shape
    for n in range(x.shape[0]):
        part = np.zeros((side, side, last - first), x.dtype)
        for row in range(height):
            for i in range(side):
                seen_row = row + (i - side // 2) * dilation
                if not 0 <= seen_row < height:
                    continue
                for j in range(side):
                    right, place = (j - side // 2) * dilation, part[i, j]
                    for col in range(max(0, -right), min(width, width - right)):
                        seen, wanted = x[n, seen_row, col + right, first:last], grad[n, row, col, first:last]
                        for c in range(last - first):
                            place[c] += seen[c] * wanted[c]
        sums[:, :, first:last] += part


def _channels_last(x: torch.Tensor) -> np.ndarray:
    """The memory of (N, C, H, W) as a contiguous (N, H, W, C)."""
    out: np.ndarray = x.detach().permute(0, 2, 3, 1).contiguous().numpy()
    return out


def _convolve(x: torch.Tensor, kernel: torch.Tensor, dilation: int) -> torch.Tensor:
    padding = dilation * (kernel.shape[-1] // 2)
    return F.conv2d(x, kernel, None, 1, padding, dilation, kernel.shape[0])
