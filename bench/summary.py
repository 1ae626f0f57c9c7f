#!/usr/bin/env python3
"""Sums up what the benchmarks measured: tables, a picture, and with --budget the targets and whether they are met."""

import argparse
import os

import results
import targets

COLUMNS = {
    "RMSNorm": "rms_norm/tensornorm",
    "SimpleNorm": "simple_norm/tensornorm",
    "LayerNorm": "layer_norm/tensornorm",
    "Eigen rows": "rms_norm/eigen_array",
    "Eigen tensor": "rms_norm/eigen_tensor",
    "memcpy": "copy/memcpy",
    "past cache": "copy/non_temporal",
}
WIDTH = 110
TINY = 4096  # bytes: below this a call is told in nanoseconds


def print_table(title, header, rows):
    """The first column to the left, the others to the right, as wide as they must be."""
    if not rows:
        return
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    print(title)
    for row in [header, *rows]:
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        print("  ".join(cells).rstrip()[:WIDTH])
    print()


def speed_cell(data, name, reference):
    """GB/s and, in brackets, the fraction of the reference."""
    if name not in data:
        return "-"
    ratio = data.ratio(name, reference)
    plain = f"{data.speed(name):.1f}"
    return plain if ratio is None or name == reference else f"{plain} ({ratio:.2f})"


def shape_row(data, key, scalar):
    """A line of the main table: an image is normalized over its channels, everything else in rows."""
    start = f"{key}/{scalar}/"
    layout = "channels" if f"{start}channels/rms_norm/tensornorm" in data else "rows"
    memcpy = f"{start}rows/copy/memcpy"
    places = [f"{start}{'rows' if 'copy/' in what else layout}/{what}" for what in COLUMNS.values()]
    return [data.titles[key], *(speed_cell(data, name, memcpy) for name in places)]


def main_tables(data):
    scalars = dict.fromkeys(scalar for key in data.titles for scalar in data.scalars(key))
    for scalar in scalars:
        keys = [k for k in data.titles if scalar in data.scalars(k) and not is_tiny(data, k, scalar)]
        title = f"{scalar}, one thread: GB/s, each byte read once and written once (in brackets: of memcpy's speed)"
        print_table(title, ["shape", *COLUMNS], [shape_row(data, key, scalar) for key in keys])


def is_tiny(data, key, scalar):
    return any(size < TINY for name, size in data.bytes.items() if name.startswith(f"{key}/{scalar}/"))


def variant_table(data):
    """What layout, alignment and threads change: speeds in units of the same norm in plain rows on one thread."""
    norms = ["rms_norm", "simple_norm", "layer_norm"]
    kinds = {
        "column-major": "column_major/{}/tensornorm",
        "on 16 bytes, not on 64": "rows_on_16_bytes/{}/tensornorm",
        "channels, not last": "channels/{}/tensornorm",
        "two threads": "rows/{}/tensornorm/2_threads",
    }
    rows = []
    for key, title in data.titles.items():
        for kind, pattern in kinds.items():
            start = f"{key}/float/"
            ratios = [data.ratio(start + pattern.format(n), f"{start}rows/{n}/tensornorm") for n in norms]
            if any(ratios):
                rows.append([title, kind, *("-" if r is None else f"{r:.2f}" for r in ratios)])
    header = ["shape", "against plain rows", "RMSNorm", "SimpleNorm", "LayerNorm"]
    print_table("float: speed in units of the same norm in contiguous rows on 64 bytes, one thread", header, rows)


def other_lines(data):
    """GroupNorm, and what a call costs where there is next to nothing to compute."""
    for key, title in data.titles.items():
        name = f"{key}/float/channels/group_norm/"
        if name + "tensornorm" in data:
            memcpy = f"{key}/float/rows/copy/memcpy"
            cells = [speed_cell(data, name + who, memcpy) for who in ("tensornorm", "eigen_array")]
            print(f"GroupNorm of {title}: {cells[0]} GB/s, Eigen {cells[1]}")
        for scalar in data.scalars(key):
            if is_tiny(data, key, scalar):
                times = {label: f"{key}/{scalar}/rows/{what}" for label, what in COLUMNS.items()}
                text = ", ".join(f"{w} {data.seconds(n) * 1e9:.0f} ns" for w, n in times.items() if n in data)
                print(f"{title}, {scalar}: {text}")
    print()


def report(path, folder, show_targets):
    data = results.load(path)
    print(data.machine(), "\n")
    main_tables(data)
    variant_table(data)
    other_lines(data)
    print(
        "Eigen rows: an RMSNorm row by row as Eigen arrays; Eigen tensor: as one expression of the Tensor module;\n"
        f"both built with the same flags. past cache: a copy with {data.context['non_temporal_copy']}.\n"
    )
    if show_targets:
        targets.print_targets(data)
    try:
        import picture
    except ModuleNotFoundError as missing:
        print(f"no picture: {missing.name} is missing (apt-get install python3-matplotlib)")
    else:
        for drawn in picture.draw(data, folder):
            print(f"picture: {drawn}")
    print(f"all figures: {os.path.abspath(path)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", help="results.json of a run")
    parser.add_argument("--budget", action="store_true", help="print the targets alone: target, measured, met or missed")
    parser.add_argument("--out", help="folder for the picture; that of the results unless given")
    options = parser.parse_args()
    if options.budget:
        targets.print_targets(results.load(options.results))
    else:
        report(options.results, options.out or os.path.dirname(os.path.abspath(options.results)), show_targets=False)


if __name__ == "__main__":
    main()
