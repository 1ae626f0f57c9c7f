"""What the headers of golden values share: data from seeds, numbers as C++, arrays written once."""
import re
import textwrap

import torch


def normal(shape, seed, dtype, mean=0.0, deviation=1.0):
    generator = torch.Generator().manual_seed(seed)
    return (torch.randn(shape, generator=generator, dtype=torch.float64) * deviation + mean).to(dtype)


def number(value):
    """Hexadecimal, without trailing zeros: exact, and valid C++."""
    return re.sub(r"\.?0*p", "p", value.hex()).replace("inf", "INFINITY")


def numbers(tensor):
    return ", ".join(number(float(value)) for value in tensor.flatten().double())


def wrapped(text):
    """Lines of at most 106 columns. A non-breaking space keeps a field and its value together."""
    lines = textwrap.wrap(text, 106, initial_indent="    ", subsequent_indent="     ", break_on_hyphens=False)
    return [line.replace("\xa0", " ") for line in lines]


class Header:
    """Collects cases of type <topic>_case; arrays that several cases share are written once."""

    def __init__(self, topic, declarations):
        self.topic = topic
        self.declarations = declarations
        self.arrays = {}
        self.cases = []

    def array(self, tensor):
        """The name of a golden_data: the elements alone."""
        return self._name_of("golden_data", f"{{{numbers(tensor)}}}")

    def tensor(self, tensor):
        """The name of a golden_tensor: size and elements."""
        size = ", ".join(str(n) for n in tensor.shape)
        return self._name_of("golden_tensor", f"{{{{{size}}}, {{{numbers(tensor)}}}}}")

    def _name_of(self, kind, initializer):
        return self.arrays.setdefault((kind, initializer), f"{self.topic}_data_{len(self.arrays)}")

    def add(self, *values, **fields):
        named = [f".{name}\xa0=\xa0{value}" for name, value in fields.items()]
        self.cases.append(f"{{{', '.join([*values, *named])}}},")

    def text(self):
        lines = [f"// Made by make_golden.py with PyTorch {torch.__version__}. Do not edit.",
                 "#pragma once", "", "#include <cmath>", "", '#include "golden.hpp"', "",
                 "namespace tensornorm_test {", "", self.declarations]
        for (kind, initializer), name in self.arrays.items():
            lines += [f"inline const {kind} {name} =", *wrapped(initializer + ";")]
        lines += ["", f"inline const std::vector<{self.topic}_case> {self.topic}_cases = {{"]
        for case in self.cases:
            lines += wrapped(case)
        return "\n".join([*lines, "};", "", "}  // namespace tensornorm_test", ""])
