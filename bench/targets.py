"""The speeds that tensornorm aims at on one thread in a default Release build, beside what was measured."""

NORMS = {"rms_norm": "RMSNorm", "simple_norm": "SimpleNorm", "layer_norm": "LayerNorm"}

# Two speeds that are the same come out of the clock a little apart.
NOISE = 0.02

# (what, benchmark, its reference, the least fraction). Shapes that a sweep did not run are left out.
FRACTIONS = [
    *(
        (f"{name}, larger than the cache, {shape[13:]}: of a copy past it",
         f"{shape}/float/rows/{norm}/tensornorm", f"{shape}/float/rows/copy/non_temporal", least)
        for shape, least in {
            "beyond_cache_16384x1024": 0.90,
            "beyond_cache_65536x1024": 0.90,
            "beyond_cache_131072x1024": 0.90,
            "beyond_cache_4096x4096": 0.75,
            "beyond_cache_16384x4096": 0.75,
            "beyond_cache_32768x4096": 0.75,
        }.items()
        for norm, name in NORMS.items()
    ),
    *(
        (f"{NORMS[norm]}, {what}: of memcpy", f"{shape}/float/rows/{norm}/tensornorm",
         f"{shape}/float/rows/copy/memcpy", least)
        for shape, what, norm, least in [
            ("few_tokens_64x768", "in cache, 64x768", "rms_norm", 0.75),
            ("in_cache_512x1024", "in cache, 512x1024", "rms_norm", 0.75),
            ("few_tokens_64x768", "in cache, 64x768", "layer_norm", 0.58),
            ("in_cache_512x1024", "in cache, 512x1024", "layer_norm", 0.58),
            ("small_rows_65536x64", "65536 rows of 64", "rms_norm", 0.85),
            ("small_rows_65536x64", "65536 rows of 64", "layer_norm", 0.72),
        ]
    ),
    *(
        (f"{name} backward, larger than the cache, {shape[13:]}: of a triad past it",
         f"{shape}/float/rows/{norm}_backward/tensornorm", f"{shape}/float/rows/triad/non_temporal", 0.75)
        for shape in ("beyond_cache_16384x1024", "beyond_cache_4096x4096", "beyond_cache_65536x1024",
                      "beyond_cache_16384x4096", "beyond_cache_131072x1024", "beyond_cache_32768x4096")
        for norm, name in NORMS.items()
    ),
    *(
        (f"{name} backward, in cache, 512x1024: of that triad",
         f"in_cache_512x1024/float/rows/{norm}_backward/tensornorm",
         "in_cache_512x1024/float/rows/triad/non_temporal", 0.55)
        for norm, name in NORMS.items()
    ),
    *(
        (f"{name}, {what}", f"{shape}/float/{layout}/{norm}/tensornorm",
         f"{shape}/float/rows/{norm}/tensornorm", 0.80)
        for what, shape, layout in [
            ("512x1024 on 16 bytes: of 64", "in_cache_512x1024", "rows_on_16_bytes"),
            ("1024x768 on 16 bytes: of 64", "gpt2_small_1024x768", "rows_on_16_bytes"),
            ("512x1024 column-major: of rows", "in_cache_512x1024", "column_major"),
            ("1024x768 column-major: of rows", "gpt2_small_1024x768", "column_major"),
            ("8x96x56x56 over channels: of channels last", "convnext_8x96x56x56", "channels"),
        ]
        for norm, name in NORMS.items()
    ),
    *(
        (f"{name}, two threads, {what}: of one", f"{shape}/float/rows/{norm}/tensornorm/2_threads",
         f"{shape}/float/rows/{norm}/tensornorm", 1.85)
        for what, shape in [("512x1024", "in_cache_512x1024"), ("1024x768", "gpt2_small_1024x768")]
        for norm, name in NORMS.items()
    ),
]

# (what, benchmark, its reference, the least fraction), by GFLOP/s.
# With causal the visible half is counted.
ATTENTION = [
    *(
        (f"attention, {what}: of the multiply-add peak", f"{shape}/float/heads_first/{seen}/fused",
         f"{shape}/float/heads_first/peak/multiply_adds", least)
        for what, shape, seen, least in [
            ("128 tokens, 12 heads of 64", "attention_1x12x128x64", "dense", 0.80),
            ("512 tokens, 12 heads of 64", "attention_1x12x512x64", "dense", 0.82),
            ("1024 tokens, 12 heads of 64", "attention_1x12x1024x64", "dense", 0.85),
            ("2048 tokens, 12 heads of 64", "attention_1x12x2048x64", "dense", 0.85),
            ("2048 tokens, 12 heads of 64, causal", "attention_1x12x2048x64", "causal", 0.75),
            ("1024 tokens, 8 heads of 128", "attention_1x8x1024x128", "dense", 0.88),
            ("2048 tokens, 8 heads of 128", "attention_1x8x2048x128", "dense", 0.88),
        ]
    ),
    *(
        (f"attention in {scalar}, {tokens} tokens, 12 heads of 64: of float",
         f"attention_1x12x{tokens}x64/{scalar}/heads_first/dense/fused",
         f"attention_1x12x{tokens}x64/{scalar}/heads_first/dense/fused_in_float", least)
        # With products of bfloat16 of the machine; elsewhere both types are only half the memory of float.
        for scalar, least in [("bfloat16", 1.50), ("half", 0.90)]
        for tokens in (1024, 2048)
    ),
    *(
        (f"attention backward, {what}: of the multiply-add peak", f"{shape}/float/heads_first/dense/backward",
         f"{shape}/float/heads_first/peak/multiply_adds", 0.65)
        for what, shape in [("1024 tokens, 12 heads of 64", "attention_1x12x1024x64")]
    ),
    *(
        (f"attention, two threads, {what}: of one", f"{shape}/float/heads_first/{seen}/fused/2_threads",
         f"{shape}/float/heads_first/{seen}/fused", 1.85)
        for what, shape, seen in [
            ("1024 tokens, 12 heads of 64", "attention_1x12x1024x64", "dense"),
            ("1024 tokens, 12 heads of 64, causal", "attention_1x12x1024x64", "causal"),
        ]
    ),
    *(
        (f"Attention2d {sizes}, its projections: of the multiply-add peak",
         f"attention2d_{sizes}/float/images/block/projections",
         f"attention2d_{sizes}/float/images/peak/multiply_adds", 0.75)
        for sizes in ("8x512x14x14", "2x512x32x32")
    ),
]

# (what, shape, the least fraction of reading the keys and values alone)
DECODE = [("one query, 4096 keys, 32 heads of 128: of reading them", "attention_decode_1x32x4096x128", 0.95)]

# (what, benchmark, the most nanoseconds)
CALLS = [
    ("RMSNorm, one call of 1x16: the fixed cost", "one_call_1x16/float/rows/rms_norm/tensornorm", 100),
    ("RMSNorm, one call of 1x4096", "llama_7b_decode_1x4096/float/rows/rms_norm/tensornorm", 450),
]


def verdict(met):
    return "met" if met else "MISSED"


def slowest_rms_norm(data):
    """The place where RMSNorm comes out worst against LayerNorm: (speed in units of LayerNorm, name)."""
    found = []
    for name in data.wall:
        if "/rms_norm/tensornorm" in name:
            found.append((data.ratio(name, name.replace("rms_norm", "layer_norm")), name))
    return min((ratio, name) for ratio, name in found if ratio is not None) if found else None


def fractions(data):
    """(what, measured, the least) of every target that is a fraction; measured is None without a figure."""
    for what, name, reference, least in FRACTIONS:
        yield what, data.ratio(name, reference), least
    for what, name, reference, least in ATTENTION:
        yield what, data.ratio(name, reference, "flops"), least
    for what, key, least in DECODE:
        start = f"{key}/float/heads_first/"
        yield what, data.ratio(f"{start}dense/fused", data.fastest(f"{start}read/")), least


def print_targets(data):
    rows = []
    for what, ratio, least in fractions(data):
        if ratio is not None:
            rows.append((what, f">= {least:.2f}", f"{ratio:.2f}", verdict(ratio >= least)))
    worst = slowest_rms_norm(data)
    if worst:
        what = f"RMSNorm against LayerNorm, slowest at {worst[1].replace('/rms_norm/tensornorm', '')}"
        rows.append((what, ">= 1.00", f"{worst[0]:.2f}", verdict(worst[0] >= 1 - NOISE)))
    for what, name, most in CALLS:
        if name in data:
            nanoseconds = data.seconds(name) * 1e9
            rows.append((what, f"<= {most} ns", f"{nanoseconds:.0f} ns", verdict(nanoseconds <= most)))
    print(f"targets on {data.machine()}")
    for row in [("", "target", "measured", ""), *rows]:
        print(f"{row[0]:82} {row[1]:>9} {row[2]:>9} {row[3]:>6}".rstrip())
    print()
