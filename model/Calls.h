// A step of a model as a list of calls on operations, which prints itself and runs on any device.
//
//   CallList list = ...                        pure data: buffers, and calls that name them
//   list.load(machine);                        kernels compiled; what each call needs beside its
//                                              tensors is known
//   MemoryPlan plan = list.plan();             where each buffer lies, workspaces included
//   Result<RunningList> run = RunningList::bind(list, memory)      memory there, ready to run
//   run->enqueue();                            every call in turn
//
// An operation (model/ops/, a file each) says what it reads and writes, how it prints, and how it
// is launched: the only place that knows the call of the runtime behind it.
#pragma once

#include "kernel/ops/Attention.h"
#include "kernel/ops/AttentionBackward.h"
#include "kernel/ops/AttentionDecode.h"
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
class Places;

/// Enqueues a call's launches. `position`: of the token that a list for decoding computes, else 0.
using Launch = std::function<Result<void>(int64_t position)>;

/// A call whose kernels are loaded, before it is known where its tensors lie.
struct LoadedCall {
  std::string kernel;    ///< "matmul 64x64x32"; of several launches the first, and how many more
  double seconds = 0;    ///< by the cost model
  int64_t workspace = 0; ///< bytes that are its own while it runs
  std::function<Launch(const Places &)> bind;
};

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
  virtual Result<LoadedCall> load(Loader &loader) const = 0;
  /// Of the matrices that it touches.
  int64_t bytes() const;
};

struct Call {
  std::string name; ///< "layers.0.attention.norm"
  std::shared_ptr<const CallOperation> operation;
  LoadedCall loaded;    ///< once the list is
  BufferView workspace; ///< where it needs one

  /// Its operation's, and the workspace.
  std::vector<Use> uses() const;
};

/// What a request of attention is weighed for.
struct AttentionWeight {
  Schedule schedule;  ///< what the pattern asks for
  int64_t n = 0;      ///< tokens
  int64_t copies = 1; ///< heads x batch
};
/// The parts of a request in their blocks and orders (codegen/ChooseSchedule.h, which no model
/// sees), and how long they take by the cost model.
template <class R>
struct ChosenParts {
  std::vector<R> parts;
  double seconds = 0;
};
template <class R>
using ChooseParts = std::function<Result<ChosenParts<R>>(const R &, const AttentionWeight &)>;

/// What was loaded on a machine, and the device memory that it keeps: tables of layouts.
struct LoadedObject {
  std::any object;
  std::function<size_t()> residentBytes;
};

/// A device, what compiles for it, and what was loaded on it: equal requests share it.
struct Machine {
  Device &device;
  KernelStore &store;
  Target target;
  ChooseParts<AttentionRequest> chooseForward;
  ChooseParts<AttentionBackwardRequest> chooseBackward;
  ChooseParts<AttentionDecodeRequest> chooseDecode;
  std::map<std::string, LoadedObject> loaded;

  /// Device memory of all that was loaded.
  int64_t residentBytes() const;
};

class CallList {
public:
  int addBuffer(std::string name, BufferKind kind, int64_t bytes);
  /// A passing buffer of its own for a dense matrix.
  BufferView passing(std::string name, int64_t rows, int64_t columns, ElementType type);
  BufferView kept(std::string name, int64_t rows, int64_t columns, ElementType type);
  void add(std::string name, std::shared_ptr<const CallOperation> operation) {
    calls.push_back({std::move(name), std::move(operation), {}, {}});
  }

  /// Loads the kernels of every call, once; errors name it.
  Result<void> load(Machine &machine);
  /// Of a list that is not loaded without workspaces.
  MemoryPlan plan() const;
  const std::vector<BufferInfo> &allBuffers() const { return buffers; }
  const std::vector<Call> &all() const { return calls; }
  /// A line a call: name, kernel, shape, bytes that it touches, operations, predicted time.
  std::string print() const;

private:
  bool isLoaded = false;
  std::vector<BufferInfo> buffers;
  std::vector<Call> calls;
};

/// What an operation loads its kernels with.
class Loader {
public:
  explicit Loader(Machine &machine) : used(machine) {}

  Machine &machine() const { return used; }
  /// The kernels of a request, compiled once.
  Result<std::vector<Kernel>> kernels(const Request &request) const;
  /// What a call of a request's kernels is: their name, and by the cost model as long as its
  /// operations or its bytes take, whichever is longer.
  Result<LoadedCall> describe(const Request &request, const CallOperation &operation,
                              int64_t elementBytes) const;
  /// What was loaded under a key, or what `make` makes now.
  template <class T>
  Result<std::shared_ptr<T>> shared(const std::string &key,
                                    const std::function<Result<T>()> &make) {
    if (auto found = used.loaded.find(key); found != used.loaded.end())
      return std::any_cast<std::shared_ptr<T>>(found->second.object);
    Result<T> fresh = make();
    if (!fresh)
      return fresh.error();
    auto kept = std::make_shared<T>(*std::move(fresh));
    std::function<size_t()> bytes;
    if constexpr (requires { kept->residentBytes(); })
      bytes = [kept] { return kept->residentBytes(); };
    used.loaded[key] = {kept, std::move(bytes)};
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
};

/// Where the tensors of a call lie.
class Places {
public:
  Places(std::span<const DeviceAddress> addresses, std::span<const int64_t> bytes,
         const BufferView &workspace)
      : where(addresses), sizes(bytes), own(workspace) {}

  DeviceAddress address(const BufferView &matrix) const;
  /// As [1, 1, rows, columns].
  Tensor tensor(const BufferView &matrix) const;
  /// The call's own; address 0 where it needs none.
  Tensor workspace() const { return tensor(own); }

private:
  std::span<const DeviceAddress> where; ///< of each buffer
  std::span<const int64_t> sizes;
  BufferView own;
};

/// The memory of lists that run in turn: kept buffers by name, and one arena for all.
class ListMemory {
public:
  /// For lists, which are loaded where they are not yet.
  static Result<ListMemory> allocate(Machine &machine, std::span<CallList> lists);
  /// Of a kept buffer.
  DeviceAddress address(const std::string &name) const;
  DeviceAddress arenaAddress() const { return arena.address(); }
  int64_t bytes() const; ///< of all, as they were asked for

private:
  Buffer arena;
  std::map<std::string, Buffer> kept;
};

/// A list on a device.
class RunningList {
public:
  /// A list that is loaded.
  static RunningList bind(const CallList &list, const ListMemory &memory);
  /// Has the device record the calls, at position 0, where it can: enqueue() is one launch then.
  Result<void> record(Device &device);
  /// Enqueues every call; errors name it.
  Result<void> enqueue(int64_t position = 0) const;
  /// Runs the calls one at a time, and after each what is given its name.
  Result<void> each(const std::function<Result<void>(const std::string &call)> &after) const;
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
  Result<void> enqueueEach(int64_t position) const;

  std::map<std::string, DeviceAddress> addresses;
  std::vector<Loaded> loaded;
  std::shared_ptr<Recording> recording;
};

} // namespace sparsec
