"""The attention layer, for attention_layer_test.cpp: torch.nn.MultiheadAttention in float64 on float numbers, and
its gradients by autograd. Self-attention has q, k and v packed in one weight, cross-attention has them apart.
"""
import torch
from torch import nn

from attention import floats
from header import Header

HEAD = """\
/// A layer as PyTorch computed it: parameters as they are loaded, and gradients of sum(dy y), by name. Without a
/// context it is self-attention.
struct attention_layer_case {
  using named = std::vector<std::pair<const char*, const golden_tensor*>>;
  const char* name;
  std::ptrdiff_t heads;
  bool causal, bias;
  const golden_tensor &x, &dy, &y, &dx;
  named parameters, gradients;
  const golden_tensor* context = nullptr;
  const golden_tensor* dcontext = nullptr;
};
"""
BATCH, TOKENS, CONTEXT_TOKENS, DIM, DIM_CONTEXT = 2, 4, 3, 6, 5


def cases():
    yield "packed", dict(num_heads=2), True
    yield "packed without bias", dict(num_heads=3, bias=False), False
    yield "apart, of a context", dict(num_heads=3, kdim=DIM_CONTEXT, vdim=DIM_CONTEXT), False


def named(result, values):
    pairs = (f'{{"{name}",\xa0&{result.tensor(value)}}}' for name, value in values.items())
    return f"{{{', '.join(pairs)}}}"


def apart(layer, of):
    """of(parameter) for each parameter of ours."""
    all = {"out_weight": of(layer.out_proj.weight)}
    if layer.in_proj_weight is None:
        weights = [of(weight) for weight in (layer.q_proj_weight, layer.k_proj_weight, layer.v_proj_weight)]
    else:
        weights = of(layer.in_proj_weight).chunk(3)
    all.update(zip(("q_weight", "k_weight", "v_weight"), weights))
    if layer.in_proj_bias is not None:
        all["out_bias"] = of(layer.out_proj.bias)
        all.update(zip(("q_bias", "k_bias", "v_bias"), of(layer.in_proj_bias).chunk(3)))
    return all


def packed(layer):
    if layer.in_proj_weight is None:
        return apart(layer, lambda parameter: parameter.data)
    all = {"qkv_weight": layer.in_proj_weight.data, "out_weight": layer.out_proj.weight.data}
    if layer.in_proj_bias is not None:
        all.update(qkv_bias=layer.in_proj_bias.data, out_bias=layer.out_proj.bias.data)
    return all


def header():
    result = Header("attention_layer", HEAD)
    for name, options, causal in cases():
        layer = nn.MultiheadAttention(DIM, batch_first=True, dtype=torch.float64, **options)
        for seed, parameter in enumerate(layer.parameters()):
            parameter.data = floats(*parameter.shape, seed=41 + seed, deviation=0.5)
        x = floats(BATCH, TOKENS, DIM, seed=31).requires_grad_()
        crosses = "kdim" in options
        context = floats(BATCH, CONTEXT_TOKENS, DIM_CONTEXT, seed=32).requires_grad_() if crosses else x
        hidden = torch.ones(TOKENS, TOKENS).triu(1).bool() if causal else None
        y, _ = layer(x, context, context, attn_mask=hidden)
        dy = floats(*y.shape, seed=33)
        (y * dy).sum().backward()
        optional = dict(context=context.detach(), dcontext=context.grad) if crosses else {}
        result.add(
            name=f'"{name}"', heads=options["num_heads"], causal=str(causal).lower(),
            bias=str(options.get("bias", True)).lower(), x=result.tensor(x.detach()), dy=result.tensor(dy),
            y=result.tensor(y.detach()), dx=result.tensor(x.grad), parameters=named(result, packed(layer)),
            gradients=named(result, apart(layer, lambda parameter: parameter.grad)),
            **{key: f"&{result.tensor(value)}" for key, value in optional.items()})
    return result
