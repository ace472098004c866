// A cpu device whose kernels are right and are told, compiled or followed wrongly: what stands
// between the compiler and the verifier with one fault planted in it.
//
//   Fault{.compiled = {"k < q"}}                          kernels of another predicate
//   Fault{.tell = [](Told &told, LaunchShape &) { told.set("scale", 1.0f); }}
//   Fault{.after = [](Told &told, const LaunchShape &) { told.at<float>("out")[0] += 1; }}
//
// Memory around each allocation belongs to the device and is zero, so that a kernel that is told
// too much reads and writes there and ends nothing.
#pragma once

#include "kernel/Request.h"
#include "runtime/Device.h"

#include <functional>
#include <list>
#include <map>

namespace sparsec::testing {

/// The arguments of one launch, by name.
class Told {
public:
  Told(const Signature &signature, const void *from);

  // What was compiled.
  std::string operation;
  DType dtype = DType::F32;
  int headDim = 0, valueDim = 0;

  bool has(std::string_view name) const { return signature.find(name); }
  /// Null where the kernel does not take it.
  template <class T>
  T *find(std::string_view name) {
    const Field *field = signature.find(name);
    return field ? reinterpret_cast<T *>(bytes() + field->offset) : nullptr;
  }
  /// Of a field that the kernel takes.
  template <class T = int32_t>
  T get(std::string_view name) {
    return *find<T>(name);
  }
  template <class T>
  void set(std::string_view name, T value) {
    if (T *place = find<T>(name))
      *place = value;
  }
  void add(std::string_view name, int32_t more) {
    if (auto *place = find<int32_t>(name))
      *place += more;
  }
  /// What a pointer points to; null where the kernel does not take it.
  template <class T = float>
  T *at(std::string_view name) {
    T **place = find<T *>(name);
    return place ? *place : nullptr;
  }
  /// The strides of a view.
  int64_t *strides(const std::string &name) { return find<int64_t>(name + "_stride"); }
  /// Points `name` to a list that lives as long as this.
  void point(std::string_view name, std::vector<int32_t> list);

  const void *data() const { return memory.data(); }

private:
  std::byte *bytes() { return reinterpret_cast<std::byte *>(memory.data()); }

  const Signature &signature;
  std::vector<std::max_align_t> memory;
  std::list<std::vector<int32_t>> lists;
};

/// Visits (batch, head, row) of a launch of forward or of backward's pass over queries.
void forEachRow(Told &told, const LaunchShape &shape,
                const std::function<void(int64_t, int64_t, int64_t)> &visit);

/// The live blocks of each row of a launch by tables.
struct Rows {
  struct Row {
    std::vector<int32_t> partial, full;
  };
  std::vector<Row> rows; ///< of one head after another
  Rows(Told &told, const LaunchShape &shape);
  void tell(Told &told) const;
  Row &last() { return rows.back(); }
};

struct Fault {
  std::vector<std::string> compiled; ///< by entry, in place of the pattern's own; empty: those
  std::function<void(Told &, LaunchShape &)> tell;        ///< a grid of 0: the kernel does not run
  std::function<void(Told &, const LaunchShape &)> after; ///< of kernels that have run
};

class FaultyDevice : public Device {
public:
  explicit FaultyDevice(Fault fault);

  /// The entries of patterns are named head0, head1, ...
  Result<std::vector<Kernel>> compile(const Request &asked);

  std::string_view name() const override { return "cpu"; }
  std::string description() const override { return "with a fault"; }
  Result<DeviceAddress> allocate(size_t bytes) override;
  Result<void> free(DeviceAddress address) override { return inner.free(address - kAround); }
  Result<void> copyToDevice(DeviceAddress to, const void *from, size_t bytes) override {
    return inner.copyToDevice(to, from, bytes);
  }
  Result<void> copyToHost(void *to, DeviceAddress from, size_t bytes) override {
    return inner.copyToHost(to, from, bytes);
  }
  Result<std::unique_ptr<Executable>> load(const std::string &code,
                                           const std::string &entry) override;
  Result<void> synchronize() override { return inner.synchronize(); }
  Result<void> launch(const Executable &executable, const LaunchShape &shape,
                      std::span<const void *const> parameters) override;

private:
  static constexpr size_t kAround = size_t{1} << 19; ///< bytes before and after each allocation
  struct Made {
    Signature signature;
    std::string operation;
    DType dtype;
    int headDim, valueDim;
  };
  Fault fault;
  Device &inner;                    ///< one for all: kernels are loaded once
  std::map<std::string, Made> made; ///< by the symbol
  std::map<const Executable *, std::string> entries;
};

} // namespace sparsec::testing
