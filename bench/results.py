"""What the benchmark programs measured: reading, merging, medians and ratios.

A benchmark is named  shape/scalar/layout/norm/contender  with /2_threads behind it where it ran on a pool
of two.
The references are  shape/scalar/layout/copy/memcpy  and  .../copy/non_temporal.
"""

import json
import statistics

SUFFIX = "/real_time"
TWO_THREADS = "/2_threads"

# Bytes read and written: from here on few caches hold them, and streaming stores pay.
PAST_CACHE = 96e6
# Below this there is next to nothing to compute: a call is told in nanoseconds.
TINY = 4096


def plain_name(name):
    return name[: -len(SUFFIX)] if name.endswith(SUFFIX) else name


class Results:
    """The repetitions of every benchmark, in seconds for one pass over the data: of processor time where it
    ran on one thread, and else of the clock on the wall."""

    def __init__(self, report):
        self.context = report["context"]
        self.titles = {}  # by shape, in the order measured
        self.processor = {}  # by name, one for each repetition
        self.wall = {}
        self.bytes = {}  # by name, read once and written once
        for run in report["benchmarks"]:
            if run.get("run_type") == "aggregate":
                continue
            name = plain_name(run["run_name"])
            self.titles.setdefault(name.split("/")[0], run["label"])
            unit = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}[run["time_unit"]]
            self.processor.setdefault(name, []).append(run["cpu_time"] * unit)
            self.wall.setdefault(name, []).append(run["real_time"] * unit)
            self.bytes[name] = run["bytes"]

    def __contains__(self, name):
        return name in self.wall

    def seconds(self, name):
        return statistics.median((self.wall if name.endswith(TWO_THREADS) else self.processor)[name])

    def speed(self, name):
        """GB/s."""
        return self.bytes[name] / self.seconds(name) * 1e-9

    def ratio(self, name, reference):
        """How fast `name` is in units of the speed of `reference`: the median over the repetitions, which
        were interleaved, so that a noisy moment meets both. None if one of them was not measured."""
        if name not in self or reference not in self:
            return None
        threads = any(n.endswith(TWO_THREADS) for n in (name, reference))
        times = self.wall if threads else self.processor
        pairs = zip(times[name], times[reference])
        return statistics.median(r / t for t, r in pairs) * self.bytes[name] / self.bytes[reference]

    def scalars(self, key):
        """The scalar types in which a shape was measured."""
        return list(dict.fromkeys(name.split("/")[1] for name in self.wall if name.startswith(key + "/")))

    def layout(self, key, scalar):
        """What stands for a shape: an image is normalized over its channels, everything else in rows."""
        return "channels" if f"{key}/{scalar}/channels/rms_norm/tensornorm" in self else "rows"

    def is_tiny(self, key, scalar):
        return self.bytes[f"{key}/{scalar}/rows/copy/memcpy"] < TINY

    def is_past_cache(self, key, scalar):
        """Whether the shape is compared with a copy past the cache."""
        copy = f"{key}/{scalar}/rows/copy/non_temporal"
        return copy in self and self.bytes[copy] > PAST_CACHE

    def machine(self):
        """One line on where the numbers come from."""
        context = self.context
        line = f"{context['cpu']}, {context['isa']}, {context['compiler'].strip()}, {context['date'][:10]}"
        return line + (", WITH ASSERTIONS: not a Release build" if context["assertions"] == "on" else "")


def merge(reports):
    """Joins the reports of several runs on one machine: the first context stands for all."""
    return {"context": reports[0]["context"], "benchmarks": [run for r in reports for run in r["benchmarks"]]}


def load(path):
    with open(path, encoding="utf-8") as file:
        return Results(json.load(file))
