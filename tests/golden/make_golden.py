#!/usr/bin/env python3
"""Writes norms.hpp, norm_gradients.hpp, attention.hpp, attention_gradients.hpp, attention2d.hpp and
attention_layer.hpp: values computed by PyTorch, for the tests here.

    python3 tests/golden/make_golden.py

Needs torch (Debian: python3-torch).
"""
import pathlib

import attention
import attention2d
import attention_gradients
import attention_layer
import norm_gradients
import norms

for topic in (norms, norm_gradients, attention, attention_gradients, attention2d, attention_layer):
    text = topic.header().text()
    (pathlib.Path(__file__).parent / f"{topic.__name__}.hpp").write_text(text, encoding="utf-8")
