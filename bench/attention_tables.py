"""The tables of attention."""

from tables import print_table, short, speed_cell

CONTENDERS = {"fused": "fused", "unfused": "unfused", "Eigen": "eigen"}


def without_empty_columns(header, rows):
    kept = [i for i in range(len(header)) if i == 0 or any(row[i] != "-" for row in rows)]
    return [header[i] for i in kept], [[row[i] for i in kept] for row in rows]


def shape_row(data, key, scalar):
    """A line of the main table: GFLOP/s by contender, dense and causal."""
    start = f"{key}/{scalar}/heads_first/"
    peak = f"{start}peak/multiply_adds"
    speeds = [speed_cell(data, f"{start}{seen}/{contender}", peak, "flops")
              for seen in ("dense", "causal") for contender in CONTENDERS.values()]
    return [data.titles[key], *speeds, speed_cell(data, peak, peak, "flops")]


def main_tables(data):
    header = ["shape", *CONTENDERS, *(f"causal {label}" for label in CONTENDERS), "peak"]
    for kind, text in (("attention", ""), ("grid", ", batch x tokens x heads")):
        for scalar in dict.fromkeys(s for key in data.keys(kind) for s in data.scalars(key)):
            rows = [shape_row(data, key, scalar) for key in data.keys(kind) if scalar in data.scalars(key)]
            title = (f"attention{text}, {scalar}, one thread: GFLOP/s of what is seen "
                     "(in brackets: of the multiply-add peak)")
            print_table(title, *without_empty_columns(header, rows))


def narrow_table(data):
    """Types of 16 bits beside float, both on the same shape in the same run."""
    rows = []
    for scalar in ("bfloat16", "half"):
        for key in data.keys("attention"):
            start = f"{key}/{scalar}/heads_first/dense/"
            wide = f"{start}fused_in_float"
            if wide in data:
                rows.append([data.titles[key], scalar, speed_cell(data, f"{start}fused", wide, "flops"),
                             speed_cell(data, wide, "", "flops")])
    print_table("fused attention in 16 bits, one thread: GFLOP/s (in brackets: of float)",
                ["shape", "type", "fused", "in float"], rows)


def backward_table(data):
    rows = []
    for key in data.keys("attention"):
        start = f"{key}/float/heads_first/"
        peak = f"{start}peak/multiply_adds"
        cells = [speed_cell(data, f"{start}{seen}/{contender}", peak, "flops")
                 for seen in ("dense", "causal") for contender in ("backward", "unfused_backward")]
        if any(cell != "-" for cell in cells):
            rows.append([data.titles[key], *cells])
    print_table("gradients of attention, float, one thread: GFLOP/s of five products (in brackets: of the "
                "multiply-add peak)", ["shape", "fused", "unfused", "causal fused", "causal unfused"], rows)


def decode_table(data):
    """A single query reads every key and value once, and computes next to nothing with it."""
    rows = []
    for key in data.keys("decode"):
        for scalar in ("float", "bfloat16", "half"):
            start = f"{key}/{scalar}/heads_first/"
            read = data.fastest(f"{start}read/")
            if read is None:
                continue
            names = [f"{start}dense/{contender}" for contender in CONTENDERS.values()]
            names += [f"{key}/{scalar}/tokens_first/dense/fused", f"{start}dense/fused/2_threads"]
            cells = [speed_cell(data, name, read) for name in names]
            rows.append([data.titles[key], scalar, *cells, f"{short(data.speed(read))} by {read.split('/')[-1]}"])
    header = ["shape", "scalar", *CONTENDERS, "tokens first", "two threads", "reading alone"]
    print_table("one query: GB/s of keys and values (in brackets: of reading them and nothing else)",
                *without_empty_columns(header, rows))


def memory(size):
    if size is None:
        return "-"
    for unit, scale in (("MB", 1e6), ("kB", 1e3)):
        if size >= scale:
            return f"{size / scale:.{0 if size >= 10 * scale else 1}f} {unit}"
    return f"{size:.0f} bytes"


def memory_table(data):
    scratch = data.amounts["scratch"]
    rows = []
    for key in [*data.keys("attention"), *data.keys("decode")]:
        names = [f"{key}/float/heads_first/dense/{contender}" for contender in CONTENDERS.values()]
        if any(name in scratch for name in names):
            rows.append([data.titles[key], *(memory(scratch.get(name)) for name in names)])
    print_table("attention, float, one thread: memory beside q, k, v and o", ["shape", *CONTENDERS], rows)


def variant_table(data):
    """What layout and threads change."""
    kinds = {"tokens first": "tokens_first/{}/fused", "two threads": "heads_first/{}/fused/2_threads"}
    rows = []
    for key in data.keys("attention"):
        for kind, pattern in kinds.items():
            start = f"{key}/float/"
            ratios = [data.ratio(start + pattern.format(seen), f"{start}heads_first/{seen}/fused", "flops")
                      for seen in ("dense", "causal")]
            if any(ratios):
                rows.append([data.titles[key], kind, *("-" if r is None else f"{r:.2f}" for r in ratios)])
    print_table("fused attention, float: speed in units of heads first on one thread",
                ["shape", "against it", "dense", "causal"], rows)


def block_table(data):
    rows = []
    for key in data.keys("block"):
        start = f"{key}/float/images/"
        peak = f"{start}peak/multiply_adds"
        names = [f"{start}block/{what}" for what in [*CONTENDERS.values(), "projections"]]
        names.append(peak)
        rows.append([data.titles[key], *(speed_cell(data, name, peak, "flops") for name in names)])
    header = ["shape", *CONTENDERS, "projections", "peak"]
    title = "Attention2d, float, one thread: GFLOP/s (in brackets: of the multiply-add peak)"
    print_table(title, header, rows)


def layer_table(data):
    works = ("forward", "backward", "decode")
    rows = []
    for key in data.keys("layer"):
        start = f"{key}/float/tokens/"
        peak = f"{start}peak/multiply_adds"
        names = [f"{start}{work}/{path}" for work in works for path in ("fused", "unfused")]
        rows.append([data.titles[key], *(speed_cell(data, name, peak, "flops") for name in [*names, peak])])
    header = ["shape", *(f"{work}{path}" for work in works for path in ("", ", unfused")), "peak"]
    print_table("the layer Attention, float, causal, one thread: GFLOP/s of what is seen; decode is 1 token "
                "after 1023 (in brackets: of the multiply-add peak)", header, rows)


def print_all(data):
    if not any(data.keys(kind) for kind in ("attention", "grid", "decode", "block", "layer")):
        return
    main_tables(data)
    narrow_table(data)
    backward_table(data)
    variant_table(data)
    decode_table(data)
    block_table(data)
    layer_table(data)
    memory_table(data)
    print("Eigen: head by head with Eigen's own matrix products and the same flags.")
    print("peak: independent fused multiply-adds of the widest vectors in use, and nothing else.\n")
