"""What tables are made of."""


def print_table(title, header, rows):
    """The first column to the left, the others to the right, as wide as they must be."""
    if not rows:
        return
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    print(title)
    for row in [header, *rows]:
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        print("  ".join(cells).rstrip())
    print()


def short(number):
    return f"{number:.1f}" if number < 100 else f"{number:.0f}"


def speed_cell(data, name, reference, quantity="bytes"):
    """GB/s or GFLOP/s and, in brackets, the fraction of the reference."""
    if name not in data:
        return "-"
    ratio = data.ratio(name, reference, quantity)
    plain = short(data.speed(name, quantity))
    is_reference = name.split("/")[3] in ("copy", "copy_of_two", "triad", "read", "peak")
    return plain if ratio is None or is_reference else f"{plain} ({ratio:.2f})"
