// What the translation units of a program with different flags tell each other: raw pointers only, since
// Eigen's own classes are aligned as the flags of the unit say.
#pragma once

constexpr int rows = 7;
constexpr int size = 259;
constexpr int norms = 4;

/// Writes rms_norm, simple_norm, layer_norm and group_norm of x, one after another. x is rows x size and
/// row-major, weight and bias have `size` elements.
using unit_function = void(const float* x, const float* weight, const float* bias, float* y);

unit_function plain_unit;
unit_function other_unit;
