// The tensors of one run by name, each guarded (HostTensor.h): inputs, outputs, and outputs that
// the run was not asked for.
#pragma once

#include "tools/verify/HostTensor.h"

#include <vector>

namespace sparsec {

class Tensors {
public:
  /// Values in dense order, which the tensor's type holds exactly.
  void input(std::string name, const TensorSpec &spec, std::span<const float> values);
  void output(std::string name, const TensorSpec &spec);
  /// An output that holds values before the run, which it may read.
  void updated(std::string name, const TensorSpec &spec, std::span<const float> values);
  /// An output whose address is not handed to the kernel: it has to stay as it is.
  void unasked(std::string name, const TensorSpec &spec);

  const HostTensor &operator[](std::string_view name) const;

  Result<void> upload(Device &device);
  Result<void> download(Device &device); ///< what is no input
  /// What a run did to memory that it should not have, or did not and should have; empty: nothing.
  Result<std::string> inspect(Device &device) const;
  /// Whether the same bytes were downloaded.
  bool sameOutputs(const Tensors &other) const;

private:
  enum class Use : uint8_t { Input, Output, Unasked };
  struct Named {
    std::string name;
    Use use;
    HostTensor tensor;
  };
  std::vector<Named> all; ///< what is wrong is said of the first one
};

} // namespace sparsec
