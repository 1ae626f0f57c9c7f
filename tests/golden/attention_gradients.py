"""Gradients of attention, for attention_gradients_test.cpp.

PyTorch's autograd in float64 of the formula in attention.py, on inputs that are float numbers.
"""
import math

import torch

from attention import attention, floats
from header import Header

HEAD = """\
/// The gradients of sum(dout o) as PyTorch computed them. What is null, 0 or -1 is not in force; queries and keys
/// are aligned bottom right unless the name says top left. score_peak is max|scale q k| over the visible keys,
/// rounded down.
struct attention_gradient_case {
  const char* name;
  const golden_tensor &q, &k, &v, &dout, &dq, &dk, &dv;
  double score_peak;
  const golden_tensor* score_bias = nullptr;
  const golden_tensor* dscore_bias = nullptr;
  const golden_tensor* sinks = nullptr;
  const golden_tensor* dsinks = nullptr;
  const golden_tensor* keep_mask = nullptr;
  const golden_tensor* slopes = nullptr;
  const golden_tensor* key_lengths = nullptr;
  double softcap = 0;
  std::ptrdiff_t left = -1, right = -1;
};
"""
BATCH, HEADS, FEW, MANY = 2, 2, 3, 5


def inputs(queries, keys, heads=HEADS, key_heads=HEADS, dim=3, value_dim=2):
    return (floats(BATCH, heads, queries, dim, seed=11, deviation=1.5),
            floats(BATCH, key_heads, keys, dim, seed=12, deviation=1.5),
            floats(BATCH, key_heads, keys, value_dim, seed=13),
            floats(BATCH, heads, queries, value_dim, seed=14, mean=0.25))


def keep_mask():
    """The same for all heads. One query sees nothing, and one key is seen by nobody."""
    mask = torch.rand(BATCH, 1, FEW, MANY, generator=torch.Generator().manual_seed(15)) < 0.6
    mask[1, 0, 1] = False
    mask[0, 0, :, 2] = False
    return mask


def score_bias():
    """The same for the batch and all queries, so that its gradient is a sum; a key is absent."""
    bias = floats(HEADS, 1, MANY, seed=16)
    bias[1, 0, 3] = -math.inf
    return bias


def cases():
    few_queries, few_keys, grouped = inputs(FEW, MANY), inputs(MANY, FEW), inputs(FEW, MANY, key_heads=1)
    sinks, slopes = torch.tensor([0.5, -1.25]).double(), torch.tensor([0.5, 0.125]).double()
    yield "no_modifiers", few_queries, {}
    yield "key_heads_in_groups", inputs(FEW, MANY, heads=4), {}
    yield "keep_mask", few_queries, {"keep_mask": keep_mask()}
    yield "score_bias", few_queries, {"score_bias": score_bias()}
    yield "softcap", few_queries, {"softcap": 1.5}
    yield "sinks", few_queries, {"sinks": sinks}
    yield "causal_top_left", few_queries, {"align": "top_left", "right": 0}
    yield "causal_few_keys", few_keys, {"right": 0}
    yield "key_lengths", few_queries, {"key_lengths": torch.tensor([3, 0]), "right": 0}
    yield "all", grouped, {
        "softcap": 2, "score_bias": score_bias(), "slopes": slopes, "sinks": sinks, "keep_mask": keep_mask(),
        "left": 3, "right": 1, "key_lengths": torch.tensor([MANY, 4])}


def header():
    result = Header("attention_gradient", HEAD)
    optional = ("score_bias", "sinks", "keep_mask", "slopes", "key_lengths", "softcap", "left", "right")
    for name, (*leaves, dout), modifiers in cases():
        leaves = [leaf.clone().requires_grad_() for leaf in leaves]
        learned = {key: modifiers[key].clone().requires_grad_()
                   for key in ("score_bias", "sinks") if key in modifiers}
        o, _, peak = attention(*leaves, **{**modifiers, **learned})
        o.backward(dout)
        tensors = [leaf.detach() for leaf in leaves] + [dout] + [leaf.grad for leaf in leaves]
        fields = dict(zip(("q", "k", "v", "dout", "dq", "dk", "dv"), map(result.tensor, tensors)))
        fields["score_peak"] = float(peak.max())
        for key in optional:
            value = modifiers.get(key)
            if value is not None:
                fields[key] = f"&{result.tensor(value)}" if torch.is_tensor(value) else value
            if key in learned:
                fields[f"d{key}"] = f"&{result.tensor(learned[key].grad)}"
        order = ("q", "k", "v", "dout", "dq", "dk", "dv", "score_peak", "score_bias", "dscore_bias", "sinks",
                 "dsinks", "keep_mask", "slopes", "key_lengths", "softcap", "left", "right")
        result.add(name=f'"{name}"', **{key: fields[key] for key in order if key in fields})
    return result
