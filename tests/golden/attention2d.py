"""The attention block on images N,C,H,W, for attention2d_test.cpp.

A torch module as model libraries have it: a 1x1 convolution to q, k and v, attention between the
positions with scale = dim_head ** -0.5, a 1x1 convolution back. In float64 on float numbers.
"""
import math

import torch
from torch import nn

from header import Header, normal

HEAD = """\
/// The block as PyTorch computed it. What is null is absent. y in a type T may be off by
/// error_bound * epsilon(T).
struct attention2d_case {
  const char* name;
  std::ptrdiff_t dim, dim_out, heads;
  bool expand_first, head_first;
  const golden_tensor &x, &qkv_weight, &proj_weight, &y;
  double error_bound;
  const golden_tensor* qkv_bias = nullptr;
  const golden_tensor* proj_bias = nullptr;
  const golden_tensor* score_bias = nullptr;
};
"""
BATCH, HEIGHT, WIDTH = 2, 3, 2


class Attention2d(nn.Module):
    def __init__(self, dim, dim_out, heads, bias=True, expand_first=False, head_first=False):
        super().__init__()
        dim_attn = dim_out if expand_first else dim
        self.heads, self.dim_head, self.head_first = heads, dim_attn // heads, head_first
        self.qkv = nn.Conv2d(dim, 3 * dim_attn, kernel_size=1, bias=bias)
        self.proj = nn.Conv2d(dim_attn, dim_out, kernel_size=1, bias=bias)
        for seed, parameter in enumerate(self.parameters()):
            fan_in = dim_attn if parameter.shape[0] == dim_out else dim
            values = normal(parameter.shape, 10 + seed, torch.float32, 0, 1.5 / math.sqrt(fan_in))
            parameter.data = values.double()

    def split(self, qkv):
        """q, k and v as batch x heads x positions x dim_head."""
        batch = qkv.shape[0]
        if self.head_first:
            parts = qkv.reshape(batch, self.heads, 3 * self.dim_head, -1).chunk(3, dim=2)
        else:
            parts = qkv.reshape(batch, 3, self.heads, self.dim_head, -1).unbind(dim=1)
        return [part.transpose(-1, -2) for part in parts]

    def forward(self, x, score_bias):
        q, k, v = self.split(self.qkv(x))
        scores = q @ k.transpose(-1, -2) * self.dim_head ** -0.5 + score_bias
        o = scores.softmax(dim=-1) @ v
        return self.proj(o.transpose(-1, -2).reshape(x.shape[0], -1, *x.shape[2:]))

    def error_bound(self, x, score_bias):
        """How far the block may be off, in epsilons, to first order: any sum of n products by
        (n + 1) / 2 epsilons of their magnitudes, the attention by its own bound, and each of these
        carried through what follows it."""
        def convolved(convolution, values):
            bias = 0 if convolution.bias is None else convolution.bias.abs().view(-1, 1, 1)
            return nn.functional.conv2d(values, convolution.weight.abs()) + bias

        def own_error(convolution, values):
            return (convolution.in_channels + 1) / 2 * convolved(convolution, values.abs())

        q, k, v = self.split(self.qkv(x))
        dq, dk, dv = self.split(own_error(self.qkv, x))
        scaled = q @ k.transpose(-1, -2) * self.dim_head ** -0.5
        dscores = (dq @ k.abs().transpose(-1, -2) + q.abs() @ dk.transpose(-1, -2)) * self.dim_head ** -0.5
        p = (scaled + score_bias).softmax(dim=-1)
        o = p @ v
        attention_bound = 2 * (4 + scaled.abs().amax(-1, keepdim=True)) * o.abs().amax(-1, keepdim=True)
        do = 2 * dscores.amax(-1, keepdim=True) * (p @ v.abs()) + p @ dv + attention_bound
        o, do = (values.transpose(-1, -2).reshape(x.shape[0], -1, *x.shape[2:]) for values in (o, do))
        carried = nn.functional.conv2d(do, self.proj.weight.abs())
        return (carried + own_error(self.proj, o)).max().item()


def floats(*shape, seed):
    return normal(shape, seed, torch.float32).double()


def cases():
    narrow_to_wide, wide_to_narrow = dict(dim=6, dim_out=8, heads=2), dict(dim=8, dim_out=6, heads=2)
    for head_first in (False, True):
        order = "head_first" if head_first else "heads_in_thirds"
        yield order, dict(dim=6, dim_out=6, heads=2, head_first=head_first), None
        yield f"{order}_expand_first", dict(narrow_to_wide, expand_first=True, head_first=head_first), None
        yield f"{order}_expand_last", dict(narrow_to_wide, heads=3, head_first=head_first), None
    yield "reduce_first", dict(wide_to_narrow, expand_first=True, heads=3), None
    yield "reduce_last", wide_to_narrow, None
    yield "without_bias", dict(dim=6, dim_out=6, heads=3, bias=False), None
    positions = HEIGHT * WIDTH
    mask = floats(2, positions, positions, seed=7)
    mask[0, 1, 4] = mask[1, 0, 0] = -math.inf
    yield "score_bias", dict(dim=6, dim_out=6, heads=2), mask


def header():
    result = Header("attention2d", HEAD)
    for name, options, mask in cases():
        block = Attention2d(**options)
        x = floats(BATCH, options["dim"], HEIGHT, WIDTH, seed=1)
        score_bias = torch.zeros(1) if mask is None else mask
        with torch.no_grad():
            y, error_bound = block(x, score_bias), block.error_bound(x, score_bias)
        weights = [conv.weight.data[:, :, 0, 0] for conv in (block.qkv, block.proj)]
        optional = dict(qkv_bias=block.qkv.bias, proj_bias=block.proj.bias, score_bias=mask)
        result.add(
            name=f'"{name}"', dim=options["dim"], dim_out=options["dim_out"], heads=options["heads"],
            expand_first=str(options.get("expand_first", False)).lower(),
            head_first=str(options.get("head_first", False)).lower(), x=result.tensor(x),
            qkv_weight=result.tensor(weights[0]), proj_weight=result.tensor(weights[1]), y=result.tensor(y),
            error_bound=f"{error_bound:.1f}",
            **{key: f"&{result.tensor(value)}" for key, value in optional.items() if value is not None})
    return result
