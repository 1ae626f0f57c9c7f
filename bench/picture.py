"""Draws the speed of norms, backward passes, attention and Eigen by shape, as fractions of their references."""

import os
import textwrap

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend is chosen first: there may be no display)

# The palette of Okabe and Ito, which people with any colour vision can tell apart.
BLUE, SKY, GREEN, ORANGE, YELLOW, RED = "#0072B2", "#56B4E9", "#009E73", "#E69F00", "#F0E442", "#D55E00"
NORMS = [
    ("RMSNorm", "rms_norm/tensornorm", BLUE),
    ("SimpleNorm", "simple_norm/tensornorm", SKY),
    ("LayerNorm", "layer_norm/tensornorm", GREEN),
    ("RMSNorm as Eigen arrays, row by row", "rms_norm/eigen_array", ORANGE),
    ("RMSNorm as an Eigen Tensor expression", "rms_norm/eigen_tensor", YELLOW),
]
ATTENTION = [
    ("fused", "dense/fused", BLUE),
    ("fused, causal (what is seen counts)", "causal/fused", SKY),
    ("unfused", "dense/unfused", GREEN),
    ("Eigen's products, head by head", "dense/eigen", ORANGE),
]
BACKWARD = [
    ("RMSNorm", "rms_norm_backward/tensornorm", BLUE),
    ("SimpleNorm", "simple_norm_backward/tensornorm", SKY),
    ("LayerNorm", "layer_norm_backward/tensornorm", GREEN),
    ("RMSNorm as Eigen arrays, row by row", "rms_norm_backward/eigen", ORANGE),
    ("LayerNorm as Eigen arrays, row by row", "layer_norm_backward/eigen", YELLOW),
]
INK = "#333333"
BAR = 0.16


def draw_bars(axes, position, bars, labelled):
    """Side by side around a position; bars are (height or None, colour), the first `labelled` with figures.
    Missing bars leave no gap."""
    bars = [(number, *bar) for number, bar in enumerate(bars) if bar[0] is not None]
    for place, (number, height, colour) in enumerate(bars):
        x = position + (place - (len(bars) - 1) / 2) * BAR
        axes.bar(x, height, BAR * 0.92, color=colour, edgecolor=INK, linewidth=0.4, zorder=2)
        if number < labelled:
            axes.text(x, height + 0.015, f"{height:.2f}", ha="center", va="bottom", fontsize=6.5, color=INK,
                      rotation=90, zorder=4)


def lines_of(title):
    """Parts on lines of their own, none much wider than the bars."""
    return "\n".join(textwrap.fill(part, 15) for part in title.replace(", ", ",\n").split("\n"))


def dress(axes, data, keys, reference, label):
    """Everything but the bars: the reference as a line at 1, titles below, a grid."""
    axes.axhline(1, color=INK, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    axes.text(len(keys) - 0.45, 1.01, reference, ha="right", va="bottom", fontsize=8)
    axes.set_xticks(range(len(keys)), [lines_of(data.titles[key]) for key in keys], fontsize=8.5)
    axes.set_xlim(-0.55, len(keys) - 0.45)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(label)
    axes.grid(axis="y", color="#dddddd", linewidth=0.7, zorder=0)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def legend(where, bars, more=(), **options):
    handles = [plt.Rectangle((0, 0), 1, 1, facecolor=colour, edgecolor=INK, linewidth=0.4)
               for _, _, colour in bars] + [handle for _, handle in more]
    labels = [label for label, _, _ in bars] + [label for label, _ in more]
    where.legend(handles, labels, loc="upper center", frameon=False, fontsize=9, **options)


def machine(data):
    return f"{data.context['cpu']}, {data.context['isa']}"


def save(figure, folder, name):
    """Writes name.svg and name.png and returns their paths."""
    paths = [os.path.join(os.path.abspath(folder), f"{name}.{kind}") for kind in ("svg", "png")]
    for path in paths:
        no_date = {"Date": None} if path.endswith("svg") else None
        figure.savefig(path, dpi=160, bbox_inches="tight", metadata=no_date)
    plt.close(figure)
    return paths


def of_memcpy(data, key, what):
    layout = "rows" if what.startswith("copy/") else data.layout(key, "float")
    return data.ratio(f"{key}/float/{layout}/{what}", f"{key}/float/rows/copy/memcpy")


def draw_norms(data, folder):
    keys = [key for key in data.keys("norm")
            if of_memcpy(data, key, NORMS[0][1]) is not None and not data.is_tiny(key, "float")]
    if not keys:
        return []
    figure, axes = plt.subplots(figsize=(max(6.5, 1.15 * len(keys) + 1), 5.6))
    streams = False
    for position, key in enumerate(keys):
        bars = [(of_memcpy(data, key, what), colour) for _, what, colour in NORMS]
        draw_bars(axes, position, bars, labelled=3)
        if data.is_past_cache(key, "float"):
            streams = True
            reach = len(NORMS) * BAR / 2 + 0.04
            axes.hlines(of_memcpy(data, key, "copy/non_temporal"), position - reach, position + reach,
                        color=RED, linewidth=2, zorder=3)
    dress(axes, data, keys, "memcpy", "speed, in units of memcpy of the same bytes")
    axes.set_title(f"Normalizing float tensors on one thread: {machine(data)}", fontsize=12, pad=12)
    more = [("copy past the cache", plt.Line2D([], [], color=RED, linewidth=2))] if streams else []
    legend(axes, NORMS, more, bbox_to_anchor=(0.5, -0.13), ncol=3)
    return save(figure, folder, "norms")


def draw_backward(data, folder):
    def of_triad(key, what):
        return data.ratio(f"{key}/float/rows/{what}", data.reference(key, "triad"))

    keys = [key for key in data.keys("norm") if of_triad(key, BACKWARD[0][1]) is not None]
    if not keys:
        return []
    figure, axes = plt.subplots(figsize=(max(6.5, 1.15 * len(keys) + 1), 5.6))
    for position, key in enumerate(keys):
        draw_bars(axes, position, [(of_triad(key, what), colour) for _, what, colour in BACKWARD], labelled=3)
    dress(axes, data, keys, "triad", "speed, in units of reading two arrays and writing one")
    axes.set_title(f"Gradients of x, weight and bias in float, one thread: {machine(data)}", fontsize=12, pad=12)
    legend(axes, BACKWARD, bbox_to_anchor=(0.5, -0.13), ncol=3)
    return save(figure, folder, "backward")


def of_peak(data, key, what):
    """Of the multiply-add peak; a block over images stands in the place of dense attention."""
    start = f"{key}/float/heads_first/"
    if key in data.keys("block"):
        start = f"{key}/float/images/"
        what = what.replace("dense/", "block/")
    return data.ratio(start + what, f"{start}peak/multiply_adds", "flops")


def of_reading(data, key, what):
    start = f"{key}/float/heads_first/"
    return data.ratio(start + what, data.fastest(f"{start}read/"))


def draw_attention(data, folder):
    """Two panels: what computes, in units of multiply-adds, and what only reads, in units of reading."""
    panels = [
        ([*data.keys("attention"), *data.keys("block")], of_peak, "multiply-add peak",
         "speed, in units of fused multiply-adds alone"),
        (data.keys("decode"), of_reading, "reading", "speed, in units of reading keys and values alone"),
    ]
    panels = [([key for key in keys if fraction(data, key, ATTENTION[0][1]) is not None], fraction, *texts)
              for keys, fraction, *texts in panels]
    panels = [panel for panel in panels if panel[0]]
    if not panels:
        return []
    counts = [len(keys) for keys, *_ in panels]
    figure, row = plt.subplots(1, len(panels), figsize=(max(6.5, 1.15 * sum(counts) + 2), 5.6), squeeze=False,
                               gridspec_kw={"width_ratios": counts}, layout="constrained")
    for axes, (keys, fraction, *texts) in zip(row[0], panels):
        for position, key in enumerate(keys):
            bars = [(fraction(data, key, what), colour) for _, what, colour in ATTENTION]
            draw_bars(axes, position, bars, labelled=len(bars))
        dress(axes, data, keys, *texts)
        axes.set_ylim(top=max(1.08, axes.get_ylim()[1]))
    figure.suptitle(f"Attention in float on one thread: {machine(data)}", fontsize=12)
    legend(figure, ATTENTION, bbox_to_anchor=(0.5, 0), ncol=4)
    return save(figure, folder, "attention")


def draw(data, folder):
    """The pictures as .svg and .png, and their paths. Draws float alone, and nothing without it."""
    plt.rcParams.update({"font.family": "DejaVu Sans", "text.color": INK, "axes.labelcolor": INK,
                         "xtick.color": INK, "ytick.color": INK, "svg.hashsalt": "tensornorm"})
    return [*draw_norms(data, folder), *draw_backward(data, folder), *draw_attention(data, folder)]
