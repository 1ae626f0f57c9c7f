#!/usr/bin/env python3
"""Sums up what the benchmarks measured: tables, a picture, and with --budget the targets."""

import argparse
import os
import sys

import attention_tables
import norm_tables
import results
import targets


def report(path, folder, show_targets):
    data = results.load(path)
    print(data.machine(), "\n")
    norm_tables.print_all(data)
    attention_tables.print_all(data)
    if show_targets:
        targets.print_targets(data)
    try:
        import picture
    except ModuleNotFoundError as missing:
        print(f"no picture: {sys.executable} has no {missing.name} (apt-get install python3-matplotlib)")
    else:
        for drawn in picture.draw(data, folder):
            print(f"picture: {drawn}")
    print(f"all figures: {os.path.abspath(path)}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", help="results.json of a run")
    parser.add_argument("--budget", action="store_true", help="print the targets alone: met or missed")
    parser.add_argument("--out", help="folder for the picture; that of the results unless given")
    options = parser.parse_args()
    if options.budget:
        targets.print_targets(results.load(options.results))
    else:
        folder = options.out or os.path.dirname(os.path.abspath(options.results))
        report(options.results, folder, show_targets=False)


if __name__ == "__main__":
    main()
