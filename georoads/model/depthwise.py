"""Depthwise convolutions whose gradients are put together from what CPUs compute quickly.

oneDNN, which computes torch's convolutions on CPUs, has quick gradients of depthwise kernels of 3 x 3 without
dilation; those of larger and of dilated ones take ten times as long, in bfloat16 a hundred times. The forward
pass is quick for all of them, and both gradients can be written with these two quick operations:

* that for the input is a convolution of the output's gradient with the kernel turned round (V. Dumoulin and
  F. Visin, "A guide to convolution arithmetic for deep learning", 2016);
* that for a kernel of 5 x 5 falls into four of 3 x 3, which meet the output's gradient moved by a pixel
  towards each corner;
* a dilation by 2 is four undilated convolutions over the even and odd rows and columns, laid into the batch.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F


class DepthwiseConv2d(nn.Conv2d):
    """A depthwise convolution that, while training on a CPU under autocast, stays in float32.

    The backward pass in bfloat16 is several times slower than that in float32, and would take most of a
    training step; the dense convolutions around it gain from bfloat16.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """As torch.nn.Conv2d, on (N, C, H, W) float."""
        learns = torch.is_grad_enabled() and (input.requires_grad or self.weight.requires_grad)
        if not (learns and input.device.type == "cpu" and torch.is_autocast_enabled("cpu")):
            return super().forward(input)
        with torch.autocast("cpu", enabled=False):
            if not self._has_quick_gradients():
                return super().forward(input.float())
            out: torch.Tensor = _Depthwise.apply(input.float(), self.weight, self.dilation[0])  # type: ignore[no-untyped-call]
            return out if self.bias is None else out + self.bias[:, None, None]

    def _has_quick_gradients(self) -> bool:
        """Whether this is a kernel that the functions here are for: torch does as well by the others."""
        kinds = {(3, 2), (5, 1), (5, 2)}
        side, dilation = self.kernel_size[0], self.dilation[0]
        keeps_size = (side // 2 * dilation,) * 2
        return (
            (side, dilation) in kinds
            and self.kernel_size == (side, side)
            and self.dilation == (dilation, dilation)
            and self.stride == (1, 1)
            and self.padding == keeps_size
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
        grad: (N, C, H, W), of the output.
        x: (N, C, H, W), the input.
        side: of the kernel, 3 or 5.
        dilation: 1 or 2, of the convolution, whose padding is dilation * (side // 2).
    """
    if dilation == 2:
        grad, x = _to_phases(grad), _to_phases(x)
    if side == 3:
        return _kernel_gradient_3(grad, x)
    out = grad.new_empty((grad.shape[1], 1, 5, 5))
    rimmed = F.pad(x, (1, 1, 1, 1))
    for row in (0, 2):
        for col in (0, 2):
            # The middle of the kernel's rows 0 to 2 meets what lies a row higher than the middle of 2 to 4.
            moved = F.pad(grad, (col, 2 - col, row, 2 - row))
            out[:, :, row : row + 3, col : col + 3] = _kernel_gradient_3(moved, rimmed)
    return out


def _convolve(x: torch.Tensor, kernel: torch.Tensor, dilation: int) -> torch.Tensor:
    padding = dilation * (kernel.shape[-1] // 2)
    return F.conv2d(x, kernel, None, 1, padding, dilation, kernel.shape[0])


def _kernel_gradient_3(grad: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """(C, 1, 3, 3), of an undilated kernel of 3 x 3 with a padding of 1."""
    channels = x.shape[1]
    kernel = x.new_empty((channels, 1, 3, 3))
    d_kernel: torch.Tensor
    _, d_kernel, _ = torch.ops.aten.convolution_backward(
        grad, x, kernel, None, [1, 1], [1, 1], [1, 1], False, [0, 0], channels, [False, True, False]
    )
    return d_kernel


def _to_phases(x: torch.Tensor) -> torch.Tensor:
    """Even and odd rows and columns, filled up with zeros, as pictures: (4 N, C, H / 2, W / 2)."""
    x = F.pad(x, (0, x.shape[3] % 2, 0, x.shape[2] % 2))
    return torch.cat([x[:, :, row::2, col::2] for row in (0, 1) for col in (0, 1)])
