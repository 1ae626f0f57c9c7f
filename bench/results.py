"""What the benchmark programs measured: reading, merging, medians and ratios.

A benchmark is named  shape/scalar/layout/work/contender  with /2_threads behind it where it ran on a pool
of two. The work is a norm, its backward pass, or what is fused with it; for attention which keys are seen:
dense or causal; for its layer forward, backward or decode. The references are named alike: copy/memcpy and copy/non_temporal for norms, copy_of_two/
where two arrays are read and two written, triad/plain and triad/non_temporal for backward passes;
peak/multiply_adds, and the variants of read/, for attention.
"""

import json
import statistics

SUFFIX = "/real_time"
TWO_THREADS = "/2_threads"

# Bytes read and written: from here on few caches hold them, and streaming stores pay.
PAST_CACHE = 96e6
# Below this there is next to nothing to compute: a call is told in nanoseconds.
TINY = 4096

# The kinds of shapes and how their keys start; the first that fits.
KINDS = {"block": "attention2d_", "layer": "attention_layer_", "decode": "attention_decode_",
         "grid": "attention_grid_", "attention": "attention_", "norm": ""}


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
        # By quantity and name: bytes read once and written once, operations, memory beside the arguments.
        self.amounts = {"bytes": {}, "flops": {}, "scratch": {}}
        for run in report["benchmarks"]:
            if run.get("run_type") == "aggregate":
                continue
            name = plain_name(run["run_name"])
            self.titles.setdefault(name.split("/")[0], run["label"])
            unit = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}[run["time_unit"]]
            self.processor.setdefault(name, []).append(run["cpu_time"] * unit)
            self.wall.setdefault(name, []).append(run["real_time"] * unit)
            for quantity, of_name in self.amounts.items():
                if quantity in run:
                    of_name[name] = run[quantity]

    def __contains__(self, name):
        return name in self.wall

    def seconds(self, name):
        return statistics.median((self.wall if name.endswith(TWO_THREADS) else self.processor)[name])

    def speed(self, name, quantity="bytes"):
        """GB/s, or GFLOP/s."""
        return self.amounts[quantity][name] / self.seconds(name) * 1e-9

    def ratio(self, name, reference, quantity="bytes"):
        """How fast `name` is in units of the speed of `reference`: the median over the repetitions, which
        were interleaved, so that a noisy moment meets both. None if one of them was not measured."""
        if name not in self or reference not in self:
            return None
        threads = any(n.endswith(TWO_THREADS) for n in (name, reference))
        times = self.wall if threads else self.processor
        pairs = zip(times[name], times[reference])
        amount = self.amounts[quantity]
        return statistics.median(r / t for t, r in pairs) * amount[name] / amount[reference]

    def fastest(self, start):
        """The fastest in GB/s of the benchmarks whose names begin so."""
        return max((name for name in self.wall if name.startswith(start)), key=self.speed, default=None)

    def keys(self, kind):
        """The shapes of a kind, in the order measured."""
        return [key for key in self.titles
                if next(k for k, start in KINDS.items() if key.startswith(start)) == kind]

    def scalars(self, key):
        """The scalar types in which a shape was measured."""
        return list(dict.fromkeys(name.split("/")[1] for name in self.wall if name.startswith(key + "/")))

    def layout(self, key, scalar):
        """What stands for a shape: an image is normalized over its channels, everything else in rows."""
        return "channels" if f"{key}/{scalar}/channels/rms_norm/tensornorm" in self else "rows"

    def is_tiny(self, key, scalar):
        return self.amounts["bytes"].get(f"{key}/{scalar}/rows/copy/memcpy", TINY) < TINY

    def reference(self, key, work, scalar="float"):
        """What a work (copy, copy_of_two, triad) is compared with: past the cache where the data is larger."""
        start = f"{key}/{scalar}/rows/{work}/"
        streaming = start + "non_temporal"
        if self.amounts["bytes"].get(streaming, 0) > PAST_CACHE:
            return streaming
        return start + ("plain" if work == "triad" else "memcpy")

    def is_past_cache(self, key, scalar):
        """Whether the shape is compared with a copy past the cache."""
        copy = f"{key}/{scalar}/rows/copy/non_temporal"
        return copy in self and self.amounts["bytes"][copy] > PAST_CACHE

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
