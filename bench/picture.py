"""Draws the speed of the norms and of Eigen, as fractions of memcpy, by shape."""

import os
import textwrap

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402  (the backend is chosen first: there may be no display)

# The palette of Okabe and Ito, which people with any colour vision can tell apart.
BARS = [
    ("RMSNorm", "rms_norm/tensornorm", "#0072B2"),
    ("SimpleNorm", "simple_norm/tensornorm", "#56B4E9"),
    ("LayerNorm", "layer_norm/tensornorm", "#009E73"),
    ("RMSNorm as Eigen arrays, row by row", "rms_norm/eigen_array", "#E69F00"),
    ("RMSNorm as an Eigen Tensor expression", "rms_norm/eigen_tensor", "#F0E442"),
]
INK = "#333333"
BAR = 0.16


def fraction(data, key, what):
    layout = "rows" if what.startswith("copy/") else data.layout(key, "float")
    return data.ratio(f"{key}/float/{layout}/{what}", f"{key}/float/rows/copy/memcpy")


def draw_shape(axes, data, key, position):
    for number, (_, what, colour) in enumerate(BARS):
        height = fraction(data, key, what)
        if height is None:
            continue
        x = position + (number - (len(BARS) - 1) / 2) * BAR
        axes.bar(x, height, BAR * 0.92, color=colour, edgecolor=INK, linewidth=0.4, zorder=2)
        if number < 3:
            axes.text(x, height + 0.015, f"{height:.2f}", ha="center", va="bottom", fontsize=6.5, color=INK,
                      rotation=90, zorder=4)
    if data.is_past_cache(key, "float"):
        streamed = fraction(data, key, "copy/non_temporal")
        reach = len(BARS) * BAR / 2 + 0.04
        axes.hlines(streamed, position - reach, position + reach, color="#D55E00", linewidth=2, zorder=3)


def legend(axes, has_streamed):
    handles = [plt.Rectangle((0, 0), 1, 1, facecolor=colour, edgecolor=INK, linewidth=0.4)
               for _, _, colour in BARS]
    labels = [label for label, _, _ in BARS]
    if has_streamed:
        handles.append(plt.Line2D([], [], color="#D55E00", linewidth=2))
        labels.append("copy past the cache")
    axes.legend(handles, labels, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncol=3, frameon=False,
                fontsize=9)


def draw(data, folder):
    """Writes norms.svg and norms.png and returns their paths. Draws float alone, and nothing without it."""
    keys = [key for key in data.titles
            if fraction(data, key, BARS[0][1]) is not None and not data.is_tiny(key, "float")]
    if not keys:
        return []
    plt.rcParams.update({"font.family": "DejaVu Sans", "text.color": INK, "axes.labelcolor": INK,
                         "xtick.color": INK, "ytick.color": INK, "svg.hashsalt": "tensornorm"})
    figure, axes = plt.subplots(figsize=(max(6.5, 1.15 * len(keys) + 1), 5.6))
    for position, key in enumerate(keys):
        draw_shape(axes, data, key, position)
    axes.axhline(1, color=INK, linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    axes.text(len(keys) - 0.45, 1.01, "memcpy", ha="right", va="bottom", fontsize=8)
    axes.set_xticks(range(len(keys)), [textwrap.fill(data.titles[key], 12) for key in keys], fontsize=8.5)
    axes.set_xlim(-0.55, len(keys) - 0.45)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("speed, in units of memcpy of the same bytes")
    axes.set_title(f"Normalizing float tensors on one thread: {data.context['cpu']}, {data.context['isa']}",
                   fontsize=12, pad=12)
    axes.grid(axis="y", color="#dddddd", linewidth=0.7, zorder=0)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    legend(axes, any(data.is_past_cache(key, "float") for key in keys))
    paths = [os.path.join(os.path.abspath(folder), f"norms.{kind}") for kind in ("svg", "png")]
    for path in paths:
        no_date = {"Date": None} if path.endswith("svg") else None
        figure.savefig(path, dpi=160, bbox_inches="tight", metadata=no_date)
    plt.close(figure)
    return paths
