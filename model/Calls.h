// A step of a model as a list of calls on operations, which prints itself and runs on any device.
//
//   CallList list = ...                        pure data: buffers, and calls that name them
//   MemoryPlan plan = list.plan();             where each buffer lies
//   Result<RunningList> run = RunningList::load(machine, list)     kernels compiled, memory there
//   run->enqueue();                            every call in turn
//
// An operation (model/ops/, a file each) says what it reads and writes, how it prints, and how it
// is launched: the only place that knows the call of the runtime behind it.
#pragma once

#include "kernel/ops/Attention.h"
#include "kernel/ops/AttentionBackward.h"
#include "model/Memory.h"
#include "runtime/Buffer.h"
#include "runtime/Device.h"
#include "runtime/KernelStore.h"
#include "runtime/Tensor.h"

#include <any>
#include <functional>
#include <map>

namespace sparsec {

class Loader;

/// Enqueues a call's launches. `position`: of the token that a list for decoding computes, else 0.
using Launch = std::function<Result<void>(int64_t position)>;

/// One operation with its tensors.
class CallOperation {
public:
  virtual ~CallOperation() = default;
  virtual std::string_view operation() const = 0; ///< "matmul"
  virtual std::vector<Use> uses() const = 0;
  /// Sizes, for whoever reads the list: "4096 x 128 -> 384, bias".
  virtual std::string shape() const = 0;
  /// Multiplications and additions, as the operation is defined.
  virtual double flops() const { return 0; }
  virtual Result<Launch> load(Loader &loader) const = 0;
};

struct Call {
  std::string name; ///< "layers.0.attention.norm"
  std::shared_ptr<const CallOperation> operation;
};

/// What a request of attention is weighed for.
struct AttentionWeight {
  Schedule schedule;  ///< what the pattern asks for
  int64_t n = 0;      ///< tokens
  int64_t copies = 1; ///< heads x batch
};
/// The parts of a request in their blocks and orders (codegen/ChooseSchedule.h, which no model
/// sees).
template <class R>
using ChooseParts = std::function<Result<std::vector<R>>(const R &, const AttentionWeight &)>;

/// A device, what compiles for it, and what was loaded on it: equal requests share it.
struct Machine {
  Device &device;
  KernelStore &store;
  Target target;
  ChooseParts<AttentionRequest> chooseForward;
  ChooseParts<AttentionBackwardRequest> chooseBackward;
  std::map<std::string, std::any> loaded;
};

class CallList {
public:
  int addBuffer(std::string name, BufferKind kind, int64_t bytes);
  /// A passing buffer of its own for a dense matrix.
  BufferView passing(std::string name, int64_t rows, int64_t columns, ElementType type);
  BufferView kept(std::string name, int64_t rows, int64_t columns, ElementType type);
  void add(std::string name, std::shared_ptr<const CallOperation> operation) {
    calls.push_back({std::move(name), std::move(operation)});
  }

  MemoryPlan plan() const;
  const std::vector<BufferInfo> &allBuffers() const { return buffers; }
  const std::vector<Call> &all() const { return calls; }
  /// A line a call: name, operation, shape, bytes that it touches.
  std::string print() const;

private:
  std::vector<BufferInfo> buffers;
  std::vector<Call> calls;
};

/// What an operation loads its kernels with.
class Loader {
public:
  Loader(Machine &machine, std::vector<DeviceAddress> addresses, std::vector<int64_t> bytes)
      : used(machine), where(std::move(addresses)), sizes(std::move(bytes)) {}

  Machine &machine() const { return used; }
  /// The kernels of a request, compiled once.
  Result<std::vector<Kernel>> kernels(const Request &request) const;
  DeviceAddress address(const BufferView &matrix) const;
  /// As [1, 1, rows, columns].
  Tensor tensor(const BufferView &matrix) const;
  /// What was loaded under a key, or what `make` makes now.
  template <class T>
  Result<std::shared_ptr<T>> shared(const std::string &key,
                                    const std::function<Result<T>()> &make) {
    std::any &entry = used.loaded[key];
    if (entry.has_value())
      return std::any_cast<std::shared_ptr<T>>(entry);
    Result<T> fresh = make();
    if (!fresh)
      return fresh.error();
    auto kept = std::make_shared<T>(*std::move(fresh));
    entry = kept;
    return kept;
  }

  /// An operation of the runtime by its request: T::load(device, kernels, request).
  template <class T, class R>
  Result<std::shared_ptr<T>> load(const R &request) {
    Request whole(request);
    return shared<T>(whole.text(), [&]() -> Result<T> {
      auto compiled = kernels(whole);
      if (!compiled)
        return compiled.error();
      return T::load(used.device, std::move(*compiled), request);
    });
  }

private:
  Machine &used;
  std::vector<DeviceAddress> where; ///< of each buffer
  std::vector<int64_t> sizes;
};

/// The memory of lists that run in turn: kept buffers by name, and one arena for all.
class ListMemory {
public:
  static Result<ListMemory> allocate(Device &device, std::span<const CallList *const> lists);
  /// Of a kept buffer.
  DeviceAddress address(const std::string &name) const;
  DeviceAddress arenaAddress() const { return arena.address(); }
  int64_t bytes() const; ///< of all, as they were asked for

private:
  Buffer arena;
  std::map<std::string, Buffer> kept;
};

/// A list on a device, its kernels loaded.
class RunningList {
public:
  static Result<RunningList> load(Machine &machine, const CallList &list, const ListMemory &memory);
  /// Enqueues every call; errors name it.
  Result<void> enqueue(int64_t position = 0) const;
  /// Runs every call alone; of each its name and seconds.
  struct Timed {
    std::string name;
    double seconds = 0;
  };
  Result<std::vector<Timed>> timed(Device &device) const;
  /// Runs the calls one at a time and looks at what each wrote: the first matrix with an element
  /// that is not finite, in words; empty where there is none.
  Result<std::string> firstNotFinite(Device &device) const;
  /// The memory of a buffer; passing ones hold their contents while their calls run.
  DeviceAddress address(const std::string &name) const;

private:
  struct Written {
    std::string name;
    DeviceAddress address = 0;
    BufferView matrix;
  };
  struct Loaded {
    std::string name;
    Launch launch;
    std::vector<Written> written;
  };
  std::map<std::string, DeviceAddress> addresses;
  std::vector<Loaded> loaded;
};

} // namespace sparsec
