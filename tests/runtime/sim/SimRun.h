// Runs small PTX kernels on sim for tests.
#pragma once

#include "runtime/sim/SimDevice.h"

#include <gtest/gtest.h>

#include <cstring>

namespace sparsec::test {

/// A module around one kernel, k. The body may use registers %p, %h (16 bits), %r, %f, %d (64-bit
/// integers) and %fd, 64 of each, and the parameters listed.
inline std::string kernelText(const std::string &body, const std::string &parameters,
                              const std::string &declarations = "") {
  return ".version 8.0\n.target sm_80\n.address_size 64\n" + declarations + "\n.visible .entry k(" +
         parameters +
         ")\n{\n.reg .pred %p<64>;\n.reg .b16 %h<64>;\n.reg .b32 %r<64>;\n.reg .f32 %f<64>;\n"
         ".reg .b64 %d<64>;\n.reg .f64 %fd<64>;\n" +
         body + "\nret;\n}\n";
}

/// A device with buffers that live as long as it does.
class Runner {
public:
  explicit Runner(SimOptions options = {}) : device(openSimDevice(options)) {}

  template <class T>
  DeviceAddress upload(const std::vector<T> &values) {
    DeviceAddress address = allocate(values.size() * sizeof(T));
    EXPECT_TRUE(device->copyToDevice(address, values.data(), values.size() * sizeof(T)));
    return address;
  }
  DeviceAddress allocate(size_t bytes) {
    Result<DeviceAddress> address = device->allocate(bytes);
    EXPECT_TRUE(address);
    return *address;
  }
  template <class T>
  std::vector<T> download(DeviceAddress address, size_t count) {
    std::vector<T> values(count);
    Result<void> done = device->copyToHost(values.data(), address, count * sizeof(T));
    EXPECT_TRUE(done) << done.error().render();
    return values;
  }

  /// Loads entry k and runs it; the Error of either.
  template <class... Parameters>
  Result<void> run(const std::string &ptx, const LaunchShape &shape, Parameters... parameters) {
    Result<std::unique_ptr<Executable>> kernel = device->load(ptx, "k");
    if (!kernel)
      return kernel.error();
    std::vector<const void *> pointers = {&parameters...};
    if (Result<void> launched = device->launch(**kernel, shape, pointers); !launched)
      return launched;
    return device->synchronize();
  }

  std::unique_ptr<Device> device;
};

inline std::string messageOf(const Result<void> &result) {
  return result ? "no error" : result.error().render();
}

} // namespace sparsec::test
