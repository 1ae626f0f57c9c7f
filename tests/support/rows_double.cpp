#include "rows_impl.hpp"

template void tensornorm_test::normalize_rows(const formula&, const row_block&,
                                              const row_memory<double, double>&, const call_options&,
                                              const Eigen::ThreadPoolDevice*);
