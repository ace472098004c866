// The structs that kernels take, as the C header declares them.
//
//   strided_row_forward          on sm_80 and cpu the same fields: strided_row_forward_arguments
//   strided_column_forward       tables alone on sm_80:            strided_column_forward_arguments
//                                its forms too on the cpu:         ..._forward_cpu_arguments
#pragma once

#include "kernel/Kernel.h"

#include <map>

namespace sparsec::cli {

class ArgumentStructs {
public:
  /// Kernels of one name and equal Signatures share a struct.
  explicit ArgumentStructs(const std::vector<const Kernel *> &kernels);

  const std::string &nameOf(const Kernel &kernel) const { return names.at(&kernel); }
  /// Its declaration, with every offset asserted (SPARSEC_ASSERT), where the kernel is the first of
  /// its struct; else nothing.
  std::string declare(const Kernel &kernel) const;

private:
  std::map<const Kernel *, std::string> names;
  std::map<std::string, const Kernel *> first; ///< by name of the struct
};

} // namespace sparsec::cli
