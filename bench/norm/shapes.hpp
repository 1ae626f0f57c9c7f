// The shapes that are measured, by the names under which models and papers know them.
#pragma once

#include "../suite.hpp"

namespace bench {

/// Rows of dim neighbours. `key` starts the name of every benchmark of the shape, `title` is for people.
struct row_shape {
  const char* key;
  const char* title;
  index rows;
  index dim;
  sweep smallest;  // the smallest sweep that has this shape
};

inline constexpr row_shape row_shapes[] = {
    {"gpt2_small_1024x768", "GPT-2 small 1024x768", 1024, 768, sweep::quick},
    {"in_cache_512x1024", "in cache 512x1024", 512, 1024, sweep::quick},
    {"vit_b_197x768", "ViT-B 197x768", 197, 768, sweep::quick},
    {"few_tokens_64x768", "few tokens 64x768", 64, 768, sweep::quick},
    {"llama_7b_prefill_512x4096", "LLaMA-7B prefill 512x4096", 512, 4096, sweep::quick},
    {"llama_7b_decode_1x4096", "LLaMA-7B decode 1x4096", 1, 4096, sweep::quick},
    {"one_call_1x16", "one call 1x16", 1, 16, sweep::quick},
    {"small_rows_65536x64", "small rows 65536x64", 65536, 64, sweep::quick},
    {"million_1x1048576", "one long row 1x1048576", 1, 1048576, sweep::quick},
    {"million_4x1048576", "long rows 4x1048576", 4, 1048576, sweep::full},
    {"beyond_cache_16384x1024", "64 MiB 16384x1024", 16384, 1024, sweep::quick},
    {"beyond_cache_4096x4096", "64 MiB 4096x4096", 4096, 4096, sweep::full},
    {"beyond_cache_65536x1024", "256 MiB 65536x1024", 65536, 1024, sweep::full},
    {"beyond_cache_16384x4096", "256 MiB 16384x4096", 16384, 4096, sweep::quick},
    {"beyond_cache_131072x1024", "512 MiB 131072x1024", 131072, 1024, sweep::full},
    {"beyond_cache_32768x4096", "512 MiB 32768x4096", 32768, 4096, sweep::full},
};

/// Images in N,C,H,W order, normalized over the channels or over groups of them.
struct image_shape {
  const char* key;
  const char* title;
  index batch;
  index channels;
  index height;
  index width;
  index groups;
  sweep smallest;
};

inline constexpr image_shape image_shapes[] = {
    {"convnext_8x96x56x56", "ConvNeXt 8x96x56x56", 8, 96, 56, 56, 32, sweep::quick},
    {"unet_2x320x64x64", "UNet 2x320x64x64", 2, 320, 64, 64, 32, sweep::full},
};

}  // namespace bench
