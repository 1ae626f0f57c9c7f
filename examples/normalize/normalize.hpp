// One norm over one array from a file.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <tensornorm/tensornorm.hpp>

#include "../npy/npy.hpp"

enum class norm { rms, simple, layer, group };

/// A norm and all that may be said about it. Fields that a norm does not have are not looked at.
struct norm_request {
  norm kind;
  int first_axis = -1;  // of the run of normalized axes; negative numbers count from the last
  int last_axis = -1;
  double eps = 0;
  Eigen::Index correction = 0;
  Eigen::Index groups = 1;
  tensornorm::rounding rounding = tensornorm::rounding::once;
  std::optional<npy::array> weight;
  std::optional<npy::array> bias;
};

/// A sentence that says why a request and an array do not fit.
struct misfit : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Lowest, average and highest of the finite numbers among some.
struct spread {
  double lowest = 0;
  double average = 0;
  double highest = 0;
  Eigen::Index finite = 0;
};

struct norm_report {
  Eigen::Index rows = 0;
  Eigen::Index size = 0;       // elements in each
  std::optional<spread> mean;  // rms_norm has none
  spread rstd;
};

/// Any array as three axes, those before, in and after the norm, so that one rank serves them all.
/// For group_norm: batch, channels, and all further axes.
struct three_axes {
  Eigen::Index before = 1;
  Eigen::Index normalized = 1;
  Eigen::Index after = 1;
};

/// Normalizes x in place.
///
/// Throws  misfit, before anything is written; std::invalid_argument if the library refuses.
norm_report normalize(npy::array& x, const norm_request& request);

/// The part of normalize() that is compiled for each scalar, in a file of its own. Weight and bias
/// have an element for each normalized one, in the storage order of x.
template <class Scalar>
norm_report normalize_values(std::vector<Scalar>& x, bool fortran_order, const three_axes& axes,
                             const norm_request& request,
                             const std::vector<tensornorm::accumulator_t<Scalar>>& weight,
                             const std::vector<tensornorm::accumulator_t<Scalar>>& bias);
