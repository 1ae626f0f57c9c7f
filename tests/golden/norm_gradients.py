"""Gradients of norms, for norm_gradients_test.cpp.

PyTorch's autograd in float64, on inputs that are float, half or bfloat16 numbers: of F.layer_norm and
F.group_norm, and of the formulas of the norms that PyTorch has no function for.
"""
import torch
import torch.nn.functional as F

import norms
from header import Header, normal

HEAD = """\
/// The gradients of sum(dy y) as PyTorch computed them. last_argument is the number of groups, or the correction.
struct norm_gradient_case {
  const char* name;
  const char* function;
  const char* scalar;
  double eps;
  int last_argument;
  std::vector<std::ptrdiff_t> size;
  const golden_data &dy, &x, &weight, &dx, &dweight, &dbias;
};
"""


def add(header, name, function, forward, dy, x, weight, eps, last_argument=0):
    """forward(x, weight, bias) is differentiated at a bias of zeros."""
    leaves = [t.double().requires_grad_() for t in (x, weight, torch.zeros_like(weight))]
    forward(*leaves).backward(dy.double())
    gradients = [t.grad if t.grad is not None else torch.empty(0) for t in leaves]
    sizes = ", ".join(str(n) for n in x.shape)
    header.add(f'"{name}"', f'"{function}"', f'"{norms.SCALARS[x.dtype]}"', repr(eps), str(last_argument),
               f"{{{sizes}}}", *(header.array(tensor) for tensor in (dy, x, weight, *gradients)))


def add_cases_of(header, dtype, label):
    eps = 1e-5
    data = [("plain", normal((3, 40), 1, dtype, 0.5, 2))]
    if dtype == torch.float32:
        data.append(("far_from_zero", normal((3, 65), 2, dtype, 1e4, 1e-2)))
    for kind, x in data:
        size = x.shape[-1:]
        dy, weight = normal(x.shape, 9, dtype, 0.25), normal(size, 3, dtype, 1, 0.5)
        add(header, f"{label}_{kind}", "layer_norm", lambda x, w, b: F.layer_norm(x, size, w, b, eps),
            dy, x, weight, eps)
        add(header, f"{label}_{kind}", "rms_norm", lambda x, w, b: norms.rms_norm(x, w, eps), dy, x, weight, eps)
        add(header, f"{label}_{kind}", "simple_norm", lambda x, w, b: norms.simple_norm(x, w, eps),
            dy, x, weight, eps)

    x, dy = normal((2, 6, 7), 5, dtype, -1, 2), normal((2, 6, 7), 10, dtype, 0.25)
    weight = normal((6,), 6, dtype, 1, 0.5)
    for groups in (1, 2, 3, 6):
        add(header, f"{label}_{groups}_groups", "group_norm",
            lambda x, w, b, groups=groups: F.group_norm(x, groups, w, b, eps), dy, x, weight, eps, groups)
    add(header, f"{label}_custom", "custom_norm", lambda x, w, b: norms.custom_norm(x, w, b, eps),
        dy, x, weight, eps, 1)


def header():
    header = Header("norm_gradient", HEAD)
    for dtype, label in norms.SCALARS.items():
        add_cases_of(header, dtype, label)
    return header
