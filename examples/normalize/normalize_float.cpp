#include "normalize_values.hpp"

template norm_report normalize_values(std::vector<float>&, bool, const three_axes&, const norm_request&,
                                      const std::vector<float>&, const std::vector<float>&);
