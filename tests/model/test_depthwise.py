"""Gradients of depthwise convolutions against torch's own, in float64."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from georoads.model.depthwise import DepthwiseConv2d, input_gradient, kernel_gradient


@pytest.mark.parametrize(("side", "dilation"), [(3, 1), (3, 2), (5, 1), (5, 2), (3, 6)])
@pytest.mark.parametrize("size", [(11, 14), (12, 13), (4, 3)])
def test_gradients_are_those_of_torch(side: int, dilation: int, size: tuple[int, int]) -> None:
    torch.manual_seed(7)
    x = torch.randn(2, 3, *size, dtype=torch.float64, requires_grad=True)
    kernel = torch.randn(3, 1, side, side, dtype=torch.float64, requires_grad=True)
    out = F.conv2d(x, kernel, None, 1, dilation * (side // 2), dilation, groups=3)
    grad = torch.randn_like(out)
    out.backward(grad)
    assert x.grad is not None and kernel.grad is not None
    torch.testing.assert_close(input_gradient(grad, kernel.detach(), dilation), x.grad)
    torch.testing.assert_close(kernel_gradient(grad, x.detach(), side, dilation), kernel.grad)


@pytest.mark.parametrize(("side", "dilation", "stride"), [(5, 1, 1), (5, 2, 1), (3, 6, 1), (5, 1, 2)])
def test_a_layer_learns_as_torchs_own(side: int, dilation: int, stride: int) -> None:
    torch.manual_seed(7)
    layer = DepthwiseConv2d(8, 8, side, stride, dilation * (side // 2), dilation, groups=8)
    plain = nn.Conv2d(8, 8, side, stride, dilation * (side // 2), dilation, groups=8)
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(2, 8, 20, 20)

    def gradients(module: nn.Module, autocast: bool) -> list[torch.Tensor | None]:
        module.zero_grad()
        shown = x.clone().requires_grad_(True)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
            out = module(shown)
        out.square().sum().backward()
        return [shown.grad, *(parameter.grad for parameter in module.parameters())]

    exact = gradients(plain, autocast=False)
    assert len(exact) == 3
    for autocast in (False, True):
        torch.testing.assert_close(gradients(layer, autocast), exact, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(gradients(layer.eval(), autocast=False), exact)


def test_a_layer_of_double_precision_is_torchs() -> None:
    layer = DepthwiseConv2d(8, 8, 5, 1, 2, groups=8).double()
    x = torch.randn(2, 8, 20, 20, dtype=torch.float64)
    out = layer(x)
    out.sum().backward()
    torch.testing.assert_close(out, F.conv2d(x, layer.weight, layer.bias, 1, 2, groups=8))
