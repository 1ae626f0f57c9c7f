"""Attention, for attention_test.cpp.

softmax(scale * q @ k^T, modified) @ v, composed of plain operations in float64 on inputs that are
float numbers. Where no key is visible the output is 0.
"""
import math

import torch

from header import Header, normal

HEAD = """\
/// Attention as PyTorch computed it. What is null, 0 or -1 is not in force; the name says how queries
/// and keys are aligned, if they are. score_peak is max|scale q k| over the visible keys, rounded down.
struct attention_case {
  const char* name;
  const golden_tensor &q, &k, &v, &o, &lse, &score_peak;
  const golden_tensor* keep_mask = nullptr;
  const golden_tensor* score_bias = nullptr;
  const golden_tensor* slopes = nullptr;
  const golden_tensor* sinks = nullptr;
  const golden_tensor* key_lengths = nullptr;
  double softcap = 0;
  std::ptrdiff_t left = -1, right = -1;
};
"""
BATCH, HEADS, FEW, MANY, DIM = 2, 2, 5, 7, 4


def attention(q, k, v, align="bottom_right", keep_mask=None, score_bias=None, slopes=None, sinks=None,
              key_lengths=None, softcap=None, left=None, right=None):
    """Output, log of the softmax's denominator, largest scaled score, by query. Causal is right = 0."""
    batch, heads, queries, dim = q.shape
    keys = k.shape[2]
    k, v = (x.repeat_interleave(heads // x.shape[1], dim=1) for x in (k, v))
    ends = torch.full((batch,), keys) if key_lengths is None else key_lengths
    ends = ends.view(-1, 1, 1, 1)
    i = torch.arange(queries).view(-1, 1) + (ends - queries if align == "bottom_right" else 0)
    j = torch.arange(keys)

    scaled = q @ k.transpose(-1, -2) / math.sqrt(dim)
    scores = scaled
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    if score_bias is not None:
        scores = scores + score_bias
    if slopes is not None:
        scores = scores - slopes.view(-1, 1, 1) * (i - j).abs()
    visible = (j < ends) & ~torch.isneginf(scores)
    if keep_mask is not None:
        visible = visible & keep_mask
    if left is not None:
        visible = visible & (j >= i - left)
    if right is not None:
        visible = visible & (j <= i + right)

    logits = scores.masked_fill(~visible, -math.inf)
    if sinks is not None:
        logits = torch.cat([logits, sinks.view(-1, 1, 1).expand(batch, heads, queries, 1)], dim=-1)
    # A row of -inf alone has no softmax, and autograd would carry its NaN on.
    without_empty = logits.masked_fill(torch.isneginf(logits).all(-1, keepdim=True), 0.0)
    weights = torch.where(visible, torch.softmax(without_empty, dim=-1)[..., :keys], 0.0)
    peak = scaled.abs().masked_fill(~visible, 0).amax(-1)
    return weights @ v, torch.logsumexp(logits, dim=-1), torch.floor(16 * peak) / 16


def floats(*shape, seed, mean=0.0, deviation=1.0):
    return normal(shape, seed, torch.float32, mean, deviation).double()


def qkv(queries, keys, heads=HEADS, key_heads=HEADS, dim=DIM, value_dim=DIM):
    """Scores of some size: the softmax is neither flat nor one key alone. Values around 1: the promised
    error is relative to the largest output of a query, which is fair where values do not cancel."""
    return (floats(BATCH, heads, queries, dim, seed=1, deviation=1.5),
            floats(BATCH, key_heads, keys, dim, seed=2, deviation=1.5),
            floats(BATCH, key_heads, keys, value_dim, seed=3, mean=1.0, deviation=0.5))


def keep_mask():
    """The same for all heads. One query sees nothing, and the one before it a single key."""
    mask = torch.rand(BATCH, 1, FEW, MANY, generator=torch.Generator().manual_seed(4)) < 0.6
    mask[1, 0, 2] = torch.arange(MANY) == 3
    mask[1, 0, 3] = False
    return mask


def score_bias():
    """The same for the batch, and absent keys among the others."""
    bias = floats(HEADS, FEW, MANY, seed=5)
    bias[0, 1, 4] = bias[1, 0, 0] = -math.inf
    return bias


def cases():
    few_queries, few_keys = qkv(FEW, MANY), qkv(MANY, FEW)
    grouped = qkv(FEW, MANY, heads=4)
    slopes, sinks = torch.tensor([0.5, 0.125, 0.25, 1]), torch.tensor([1.5, -0.25, 0, 2])
    lengths = torch.tensor([MANY, 4])

    yield "no_modifiers", few_queries, {}
    yield "values_of_another_head_size", qkv(9, 9, dim=8, value_dim=5), {}
    yield "key_heads_in_groups", grouped, {}
    yield "keep_mask", few_queries, {"keep_mask": keep_mask()}
    yield "score_bias", few_queries, {"score_bias": score_bias()}
    yield "softcap", few_queries, {"softcap": 1.5}
    yield "sinks", few_queries, {"sinks": sinks[:HEADS]}
    yield "key_lengths", few_queries, {"key_lengths": torch.tensor([4, 0])}
    for align in ("top_left", "bottom_right"):
        yield f"causal_{align}_few_queries", few_queries, {"align": align, "right": 0}
        yield f"causal_{align}_few_keys", few_keys, {"align": align, "right": 0}
        yield f"window_{align}", few_queries, {"align": align, "left": 2, "right": 1}
        yield f"window_to_the_left_{align}", few_keys, {"align": align, "left": 1}
        yield f"alibi_{align}", few_queries, {"align": align, "slopes": slopes[:HEADS]}
    yield "causal_key_lengths", few_queries, {"key_lengths": lengths, "right": 0}
    yield "causal_with_sinks", few_keys, {"sinks": sinks[:HEADS], "right": 0}
    yield "all", grouped, {
        "softcap": 3, "score_bias": floats(FEW, MANY, seed=6), "slopes": slopes, "sinks": sinks,
        "keep_mask": keep_mask(), "left": 4, "right": 1, "key_lengths": lengths}


def header():
    result = Header("attention", HEAD)
    optional = ("keep_mask", "score_bias", "slopes", "sinks", "key_lengths", "softcap", "left", "right")
    for name, inputs, modifiers in cases():
        tensors = (*inputs, *attention(*inputs, **modifiers))
        fields = dict(zip(("q", "k", "v", "o", "lse", "score_peak"), map(result.tensor, tensors)))
        for key in optional:
            value = modifiers.get(key)
            if value is not None:
                fields[key] = f"&{result.tensor(value)}" if torch.is_tensor(value) else value
        result.add(name=f'"{name}"', **fields)
    return result
