#include "normalize_values.hpp"

template norm_report normalize_values(std::vector<double>&, bool, const three_axes&, const norm_request&,
                                      const std::vector<double>&, const std::vector<double>&);
