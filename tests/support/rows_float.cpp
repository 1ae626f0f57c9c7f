#include "rows_impl.hpp"

namespace tensornorm_test {

template void normalize_rows(const formula&, const row_block&, const row_memory<float, float>&,
                             const call_options&, const Eigen::ThreadPoolDevice*);
template void normalize_rows(const formula&, const row_block&, const row_memory<float, double>&,
                             const call_options&, const Eigen::ThreadPoolDevice*);

}  // namespace tensornorm_test
