"""Norms, for norms_test.cpp.

Values are computed by PyTorch in float64 on inputs that are float, half or bfloat16 numbers, so that
they carry none of PyTorch's own rounding in float. The cases named before_weight are computed in the
order of the LLaMA class, in the types it uses,

    x = x.float(); x = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps); weight * x.to(dtype)

and are to be met bit for bit. That is only fair where the formula decides the bits: data are
chosen (by seed) such that every x * r lies farther from a boundary between two roundings than the
error bound of a float norm.
"""
import torch
import torch.nn.functional as F

from header import Header, normal

SCALARS = {torch.float32: "float", torch.float16: "half", torch.bfloat16: "bfloat16"}
HEAD = """\
/// A norm as PyTorch computed it. last_argument is the number of groups, or the correction.
struct norm_case {
  const char* name;
  const char* function;
  const char* scalar;
  double eps;
  int last_argument;
  std::vector<std::ptrdiff_t> size;
  const golden_data &x, &weight, &bias, &y;
};
"""
FLOAT_BOUND = 8 * torch.finfo(torch.float32).eps


def rms_norm(x, weight, eps):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * weight


def simple_norm(x, weight, eps):
    return x * torch.rsqrt(torch.var(x, dim=-1, unbiased=True, keepdim=True) + eps) * weight


def custom_norm(x, gamma, beta, eps):
    """LayerNorm over axis 1 with the unbiased variance."""
    shape = [1, -1] + [1] * (x.dim() - 2)
    centred = x - x.mean(dim=1, keepdim=True)
    deviation = torch.sqrt(x.var(dim=1, unbiased=True, keepdim=True) + eps)
    return gamma.view(shape) * centred / deviation + beta.view(shape)


def llama_norm(x, weight, eps):
    wide = x.float()
    wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)
    return weight * wide.to(x.dtype)


def is_decided_by_the_formula(x, eps):
    """Whether no x * r is so near a rounding boundary that an error in float could cross it."""
    exact = rms_norm(x.double(), 1, eps)
    bound = FLOAT_BOUND * exact.abs().amax(-1, keepdim=True).clamp(min=1)
    return torch.equal((exact - bound).to(x.dtype), (exact + bound).to(x.dtype))


def decided_data(shape, dtype, eps):
    seed = next(s for s in range(100000) if is_decided_by_the_formula(normal(shape, s, dtype, 0.25, 2), eps))
    return normal(shape, seed, dtype, 0.25, 2)


def add(header, name, function, x, weight, bias, y, eps, last_argument=0):
    sizes = ", ".join(str(n) for n in x.shape)
    header.add(f'"{name}"', f'"{function}"', f'"{SCALARS[x.dtype]}"', repr(eps), str(last_argument),
               f"{{{sizes}}}", *(header.array(tensor) for tensor in (x, weight, bias, y)))


def add_cases_of(header, dtype, label):
    eps = 1e-5
    none = torch.empty(0, dtype=dtype)
    data = [("plain", normal((3, 40), 1, dtype, 0.5, 2))]
    if dtype == torch.float32:
        data.append(("far_from_zero", normal((3, 65), 2, dtype, 1e4, 1e-2)))
        data.append(("from_40000", (40000 + torch.arange(8) % 4).to(dtype).view(1, 8)))
    for kind, x in data:
        size = x.shape[-1:]
        weight, bias = normal(size, 3, dtype, 1, 0.5), normal(size, 4, dtype)
        wide_x, wide_weight, wide_bias = x.double(), weight.double(), bias.double()
        add(header, f"{label}_{kind}", "layer_norm", x, weight, bias,
                   F.layer_norm(wide_x, size, wide_weight, wide_bias, eps), eps)
        add(header, f"{label}_{kind}", "rms_norm", x, weight, none, rms_norm(wide_x, wide_weight, eps), eps)
        add(header, f"{label}_{kind}", "simple_norm", x, weight, none,
                   simple_norm(wide_x, wide_weight, eps), eps)

    x = normal((2, 6, 7), 5, dtype, -1, 2)
    weight, bias = normal((6,), 6, dtype, 1, 0.5), normal((6,), 7, dtype)
    wide = (x.double(), weight.double(), bias.double())
    for groups in (1, 2, 3, 6):
        add(header, f"{label}_{groups}_groups", "group_norm", x, weight, bias,
                   F.group_norm(wide[0], groups, *wide[1:], eps), eps, groups)
    add(header, f"{label}_instance", "group_norm", x, weight, bias,
               F.instance_norm(wide[0], weight=wide[1], bias=wide[2], eps=eps), eps, 6)
    add(header, f"{label}_custom", "custom_norm", x, weight, bias, custom_norm(*wide, eps), eps, 1)


def header():
    header = Header("norm", HEAD)
    for dtype, label in SCALARS.items():
        add_cases_of(header, dtype, label)
    for dtype in (torch.float16, torch.bfloat16):
        x = decided_data((4, 24), dtype, 1e-6)
        weight = normal((24,), 8, dtype, 1, 0.5)
        add(header, "llama", "before_weight", x, weight, torch.empty(0), llama_norm(x, weight, 1e-6), 1e-6)
    return header
