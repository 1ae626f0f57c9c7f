// tensornorm: normalization and attention kernels over Eigen tensors. Include this.
#pragma once

#include "config.hpp"

#include "eigen/attention.hpp"
#include "eigen/attention_backward.hpp"
#include "eigen/functions.hpp"
#include "eigen/group_norm.hpp"
#include "eigen/group_norm_backward.hpp"
#include "eigen/layer_norm.hpp"
#include "eigen/layer_norm_backward.hpp"
#include "eigen/quantize.hpp"
#include "eigen/residual.hpp"
#include "eigen/rms_norm.hpp"
#include "eigen/rms_norm_backward.hpp"
#include "eigen/simple_norm.hpp"
#include "eigen/simple_norm_backward.hpp"
#include "nn/attention.hpp"
#include "nn/attention2d.hpp"
#include "nn/group_norm.hpp"
#include "nn/layer_norm.hpp"
#include "nn/rms_norm.hpp"
#include "nn/simple_norm.hpp"
#include "nn/tanh_norm.hpp"

#if defined(TENSORNORM_EXTERN_KERNELS)
#include "kernels.hpp"
#endif
