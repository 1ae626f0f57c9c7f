"""The tables of the norms."""

from tables import print_table, speed_cell

COLUMNS = {
    "RMSNorm": "rms_norm/tensornorm",
    "SimpleNorm": "simple_norm/tensornorm",
    "LayerNorm": "layer_norm/tensornorm",
    "Eigen rows": "rms_norm/eigen_array",
    "Eigen expr": "rms_norm/eigen_tensor",
    "memcpy": "copy/memcpy",
    "past cache": "copy/non_temporal",
}

BACKWARD = {
    "RMSNorm": "rms_norm_backward/tensornorm",
    "SimpleNorm": "simple_norm_backward/tensornorm",
    "LayerNorm": "layer_norm_backward/tensornorm",
    "Eigen RMSNorm": "rms_norm_backward/eigen",
    "Eigen LayerNorm": "layer_norm_backward/eigen",
    "triad": "triad/plain",
    "past cache": "triad/non_temporal",
}

# What is fused with a norm, and the copy that moves as much.
SEQUENCES = {
    "residual_rms_norm": ("residual, RMSNorm", "copy_of_two"),
    "layer_norm_gelu": ("LayerNorm, gelu", "copy"),
    "layer_norm_silu": ("LayerNorm, silu", "copy"),
    "rms_norm_quantize": ("RMSNorm, to int8", "copy"),
}


def shape_row(data, key, scalar):
    """A line of the main table."""
    start = f"{key}/{scalar}/"
    layout = data.layout(key, scalar)
    memcpy = f"{start}rows/copy/memcpy"
    places = [f"{start}{'rows' if 'copy/' in what else layout}/{what}" for what in COLUMNS.values()]
    return [data.titles[key], *(speed_cell(data, name, memcpy) for name in places)]


def main_tables(data):
    scalars = dict.fromkeys(scalar for key in data.keys("norm") for scalar in data.scalars(key))
    for scalar in scalars:
        keys = [k for k in data.keys("norm") if scalar in data.scalars(k) and not data.is_tiny(k, scalar)]
        title = f"{scalar}, one thread: GB/s, each byte read once and written once (in brackets: of memcpy)"
        rows = [shape_row(data, key, scalar) for key in keys]
        print_table(title, ["shape", *COLUMNS], [row for row in rows if any(cell != "-" for cell in row[1:])])


def past_cache_table(data):
    """What is larger than the cache is best compared with a copy that goes past it, too."""
    rows = []
    for key in data.keys("norm"):
        if data.is_past_cache(key, "float") and f"{key}/float/rows/rms_norm/tensornorm" in data:
            copy = f"{key}/float/rows/copy/non_temporal"
            contenders = [c for c in COLUMNS.values() if "copy/" not in c]
            cells = [f"{data.ratio(f'{key}/float/rows/{c}', copy):.2f}" for c in contenders]
            rows.append([data.titles[key], *cells, f"{data.speed(copy):.1f} GB/s"])
    header = ["shape", *(label for label, what in COLUMNS.items() if what != "copy/memcpy")]
    print_table("float, larger than the cache: speed in units of a copy past the cache", header, rows)


def backward_table(data):
    rows = []
    for key in data.keys("norm"):
        triad = data.reference(key, "triad")
        cells = [speed_cell(data, f"{key}/float/rows/{what}", triad) for what in BACKWARD.values()]
        if any(cell != "-" for cell in cells[:5]):
            rows.append([data.titles[key], *cells])
    title = ("float, backward, one thread: GB/s, two arrays read once and one written (in brackets: of a triad, "
             "past the cache where data is larger)")
    print_table(title, ["shape", *BACKWARD], rows)


def fusion_table(data):
    rows = []
    for key in data.keys("norm"):
        for sequence, (label, moved_like) in SEQUENCES.items():
            start = f"{key}/float/rows/{sequence}/"
            if start + "fused" not in data:
                continue
            copy = data.reference(key, moved_like)
            cells = [speed_cell(data, start + who, copy) for who in ("fused", "unfused", "eigen")]
            gain = data.ratio(start + "fused", start + "unfused")
            megabytes = data.amounts["bytes"][start + "fused"] * 1e-6
            rows.append([f"{data.titles[key]}: {label}", f"{megabytes:.1f}", *cells,
                         "-" if gain is None else f"{gain:.1f}x", speed_cell(data, copy, copy)])
    title = ("float, fused with a norm, one thread: GB/s, each array read or written once (in brackets: of a "
             "copy of as many bytes)")
    print_table(title, ["shape", "MB", "fused", "norm, then Eigen", "Eigen alone", "gain", "copy"], rows)


def variant_table(data):
    """What layout, alignment and threads change."""
    norms = ["rms_norm", "simple_norm", "layer_norm"]
    kinds = {
        "column-major": "column_major/{}/tensornorm",
        "on 16 bytes, not on 64": "rows_on_16_bytes/{}/tensornorm",
        "channels, not last": "channels/{}/tensornorm",
        "two threads": "rows/{}/tensornorm/2_threads",
        "backward, column-major": "column_major/{}_backward/tensornorm",
        "backward, two threads": "rows/{}_backward/tensornorm/2_threads",
    }
    rows = []
    for key in data.keys("norm"):
        title = data.titles[key]
        for kind, pattern in kinds.items():
            start = f"{key}/float/"
            work = "{}_backward" if "_backward" in pattern else "{}"
            plain = f"{start}rows/{work}/tensornorm"
            ratios = [data.ratio(start + pattern.format(n), plain.format(n)) for n in norms]
            if any(ratios):
                rows.append([title, kind, *("-" if r is None else f"{r:.2f}" for r in ratios)])
    header = ["shape", "against plain rows", "RMSNorm", "SimpleNorm", "LayerNorm"]
    print_table("float: speed in units of the same work in plain rows on 64 bytes, one thread", header, rows)


def other_lines(data):
    """GroupNorm, and what a call costs where there is next to nothing to compute."""
    for key in data.keys("norm"):
        title = data.titles[key]
        name = f"{key}/float/channels/group_norm/"
        if name + "tensornorm" in data:
            memcpy = f"{key}/float/rows/copy/memcpy"
            cells = [speed_cell(data, name + who, memcpy) for who in ("tensornorm", "eigen_array")]
            print(f"GroupNorm of {title}: {cells[0]} GB/s, Eigen {cells[1]}")
        for scalar in data.scalars(key):
            if data.is_tiny(key, scalar):
                times = {w: f"{key}/{scalar}/rows/{what}" for w, what in COLUMNS.items() if w != "past cache"}
                text = ", ".join(f"{w} {data.seconds(n) * 1e9:.0f} ns" for w, n in times.items() if n in data)
                print(f"{title}, {scalar}:\n  {text}")
    print()


def print_all(data):
    if not data.keys("norm"):
        return
    main_tables(data)
    past_cache_table(data)
    backward_table(data)
    fusion_table(data)
    variant_table(data)
    other_lines(data)
    print("Eigen rows: RMSNorm row by row as arrays. Eigen expr: RMSNorm as an expression of Eigen tensors.")
    print(f"Both have the same flags. past cache: a copy with {data.context['non_temporal_copy']}.\n")
