#!/usr/bin/env python3
"""Runs the benchmark programs one shape at a time, keeps the JSON, prints the summary and draws the picture.

All benchmarks of a shape, the references among them, are repeated in random order within one process, so
that the moments in which a shared machine is busy meet all of them alike.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time

import results
import summary

# Seconds for a repetition, and repetitions. A repetition makes at least one pass over the data.
EFFORT = {"quick": (0.015, 7), "full": (0.05, 15)}
# So many times the repetitions for what is measured against the fastest of several loops, or it would be
# measured against the luckiest.
EFFORT_OF_DECODING = 4


def call(program, *options):
    """Google Benchmark's own chatter goes to the error output, which is shown only if something failed."""
    done = subprocess.run([program, *options], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join([program, *options])}\n{done.stderr}\nfailed with exit code {done.returncode}")
    return done.stdout


def plan(programs, sweep, wanted):
    """The benchmarks by program and shape: what runs together."""
    groups = {}
    for program in programs:
        for name in call(program, f"--sweep={sweep}", "--benchmark_list_tests=true").split():
            if wanted.search(name):
                shape, scalar = name.split("/")[:2]
                groups.setdefault((program, shape, scalar), []).append(name)
    return groups


def run_group(program, shape, names, options, part):
    min_time, repetitions = EFFORT[options.sweep]
    if shape.startswith("attention_decode"):
        repetitions *= EFFORT_OF_DECODING
    call(
        program,
        f"--sweep={options.sweep}",
        f"--benchmark_filter=^({'|'.join(names)})$",
        f"--benchmark_min_time={options.min_time or min_time}",
        f"--benchmark_repetitions={options.repetitions or repetitions}",
        "--benchmark_enable_random_interleaving=true",
        f"--benchmark_out={part}",
        "--benchmark_out_format=json",
    )
    with open(part, encoding="utf-8") as file:
        report = json.load(file)
    os.remove(part)
    return report


def parse_arguments():
    parser = argparse.ArgumentParser(description="Runs the benchmarks and sums them up.")
    parser.add_argument("programs", nargs="+", help="tensornorm_bench_float and its sisters")
    parser.add_argument("--sweep", choices=EFFORT, default="quick")
    parser.add_argument("--out", default=".", help="folder for results.json and the pictures")
    parser.add_argument("--filter", default=".", help="regular expression for the names to run")
    parser.add_argument("--min-time", type=float, help="seconds for a repetition")
    parser.add_argument("--repetitions", type=int)
    return parser.parse_args()


def main():
    options = parse_arguments()
    os.makedirs(options.out, exist_ok=True)
    groups = plan(options.programs, options.sweep, re.compile(options.filter))
    if not groups:
        sys.exit(f"no benchmark matches {options.filter}")
    start = time.monotonic()
    reports = []
    for number, ((program, shape, scalar), names) in enumerate(groups.items(), 1):
        what = f"{shape}, {scalar}: {len(names)} benchmarks"
        print(f"[{number:2}/{len(groups)}] {what} ...", end=" ", flush=True)
        began = time.monotonic()
        reports.append(run_group(program, shape, names, options, os.path.join(options.out, "part.json")))
        print(f"{time.monotonic() - began:.1f} s", flush=True)
    path = os.path.join(options.out, "results.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(results.merge(reports), file, indent=1)
    print(f"measured in {time.monotonic() - start:.0f} s\n")
    summary.report(path, options.out, show_targets=options.sweep == "full")


if __name__ == "__main__":
    main()
