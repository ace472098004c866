// Programs and tensors of the C interface as tests write them.
#pragma once

#include "runtime/c/sparsec.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace sparsec::test {

#define EXPECT_OK(call) EXPECT_EQ(call, SPARSEC_OK) << sparsec_error()
#define ASSERT_OK(call) ASSERT_EQ(call, SPARSEC_OK) << sparsec_error()

template <auto Release>
struct Releaser {
  template <class T>
  void operator()(T *handle) const {
    Release(handle);
  }
};
using DeviceHandle = std::unique_ptr<sparsec_device, Releaser<sparsec_release_device>>;
using ProgramHandle = std::unique_ptr<sparsec_program, Releaser<sparsec_release_program>>;
using PlanHandle = std::unique_ptr<sparsec_plan, Releaser<sparsec_release_plan>>;

inline DeviceHandle openDevice(const char *name, int threads = 0) {
  sparsec_device_options options = {sizeof options, threads};
  sparsec_device *device = nullptr;
  EXPECT_OK(sparsec_open_device(name, &options, &device));
  return DeviceHandle(device);
}

inline ProgramHandle compile(const DeviceHandle &device, sparsec_pattern pattern,
                             sparsec_compile_options options) {
  pattern.size = sizeof pattern;
  options.size = sizeof options;
  sparsec_program *program = nullptr;
  EXPECT_OK(sparsec_compile(device.get(), &pattern, &options, &program));
  return ProgramHandle(program);
}

inline PlanHandle prepare(const ProgramHandle &program, sparsec_shape shape) {
  shape.size = sizeof shape;
  sparsec_plan *plan = nullptr;
  EXPECT_OK(sparsec_prepare(program.get(), &shape, nullptr, &plan));
  return PlanHandle(plan);
}

/// Of a launch of an operation.
struct Workspace {
  Workspace(const PlanHandle &plan, int32_t operation) {
    EXPECT_OK(sparsec_workspace_size(plan.get(), operation, &bytes));
    memory.resize(bytes + 256);
    address = memory.data() + (256 - reinterpret_cast<uintptr_t>(memory.data()) % 256) % 256;
  }
  std::vector<std::byte> memory;
  void *address = nullptr;
  size_t bytes = 0;
};

/// Values of f32 in the process's own memory, 64-byte aligned, as a dense DLTensor.
struct CpuTensor {
  CpuTensor(std::vector<int64_t> dims, uint64_t seed = 0) : shape(std::move(dims)) {
    size_t count = 1;
    for (int64_t extent : shape)
      count *= static_cast<size_t>(extent);
    memory.resize(count + 16);
    auto address = reinterpret_cast<uintptr_t>(memory.data());
    values = memory.data() + (64 - address % 64) % 64 / sizeof(float);
    size = count;
    for (size_t i = 0; seed && i < count; ++i) {
      seed = seed * 6364136223846793005u + 1442695040888963407u;
      values[i] = static_cast<float>(static_cast<int64_t>(seed) >> 40) * 0x1p-23f;
    }
    tensor.data = values;
    tensor.device.device_type = SPARSEC_DL_CPU;
    tensor.ndim = static_cast<int32_t>(shape.size());
    tensor.dtype = {SPARSEC_DL_FLOAT, 32, 1};
    tensor.shape = shape.data();
  }
  CpuTensor(const CpuTensor &) = delete;
  CpuTensor &operator=(const CpuTensor &) = delete;

  std::vector<float> copy() const { return {values, values + size}; }

  std::vector<int64_t> shape;
  std::vector<float> memory;
  float *values = nullptr;
  size_t size = 0;
  sparsec_tensor tensor = {};
};

/// Integers of the process's own memory.
struct CpuIntegers {
  CpuIntegers(std::vector<int32_t> given) : values(std::move(given)) {
    tensor.data = values.data();
    tensor.device.device_type = SPARSEC_DL_CPU;
    tensor.ndim = 1;
    tensor.dtype = {SPARSEC_DL_INT, 32, 1};
    tensor.shape = &count;
  }
  CpuIntegers(const CpuIntegers &) = delete;
  CpuIntegers &operator=(const CpuIntegers &) = delete;

  std::vector<int32_t> values;
  int64_t count = static_cast<int64_t>(values.size());
  sparsec_tensor tensor = {};
};

} // namespace sparsec::test
