// A tile program of a test, on the device of the test.
//
//   Program program(*device, R"(tile.kernel @program(%x: !tile.view<f32, 1>, %items: i32) ...)");
//   program.tensor("x", values, {columns});
//   program.set("items", 2);
//   program.run(2);
//   program.read<float>("x")
#pragma once

#include "codegen/CompileTileProgram.h"
#include "runtime/Buffer.h"
#include "runtime/Launch.h"
#include "tests/runtime/TestDevice.h"

#include <gtest/gtest.h>

#include <map>

namespace sparsec::testing {

/// What it reads and writes has names.
class Program {
public:
  Program(Device &device, const std::string &text) : device(device) {
    Result<Kernel> made = compileTileProgram(text, "program", targetOf(device));
    EXPECT_TRUE(made) << (made ? "" : made.error().render());
    if (!made)
      return;
    kernel = std::move(*made);
    auto loaded = device.load(kernel.code, kernel.entry);
    EXPECT_TRUE(loaded) << (loaded ? "" : loaded.error().render());
    executable = std::move(*loaded);
    arguments.emplace(kernel.signature);
  }

  template <class T>
  void tensor(const std::string &name, const std::vector<T> &values,
              std::vector<int64_t> strides = {}) {
    buffers[name] = std::move(*Buffer::upload(device, std::as_bytes(std::span(values))));
    arguments->setView(ViewSlot(kernel.signature, name), buffers[name].address(), strides);
  }
  template <class T>
  void set(std::string_view name, T value) {
    arguments->set(Slot(kernel.signature, name), value);
  }
  void run(int64_t items) {
    const void *parameters[] = {arguments->data()};
    auto ran = device.launch(*executable, launchShape(kernel, items, 1, 1), parameters);
    ASSERT_TRUE(ran) << ran.error().render();
    ran = device.synchronize();
    ASSERT_TRUE(ran) << ran.error().render();
  }
  template <class T>
  std::vector<T> read(const std::string &name) {
    std::vector<T> values(buffers[name].bytes() / sizeof(T));
    auto copied = device.copyToHost(values.data(), buffers[name].address(), buffers[name].bytes());
    EXPECT_TRUE(copied);
    return values;
  }

private:
  Device &device;
  Kernel kernel;
  std::unique_ptr<Executable> executable;
  std::optional<Arguments> arguments;
  std::map<std::string, Buffer> buffers;
};

} // namespace sparsec::testing
