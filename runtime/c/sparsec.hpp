// Sparse attention from C++20: one header over the C interface (sparsec.h, which says what tensors,
// workspaces, errors and threads are).
//
//   auto device = sparsec::Device::open("cpu");                     // or "cuda"
//   auto attention = sparsec::compile("strided", {.heads = 8, .head_dim = 64, .device = *device});
//   sparsec::TensorView q(q_data, {2, 8, n, 64}), ...
//   auto workspace = attention->workspace(sparsec::Shape::of(q, k));
//   attention->forward({.q = q, .k = k, .v = v, .out = out, .lse = lse, .workspace = *workspace});
//   attention->backward({.q = q, ..., .dq = dq, .dk = dk, .dv = dv, .workspace = *workspace});
//
// What can fail gives a Result: a value, or an Error with a text that names the argument. Nothing
// here throws but what the standard library does (memory). Objects are handles: copies are cheap
// and share, any thread may use them.
#pragma once

#include "sparsec.h"

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace sparsec {
inline namespace v1 {

//===-- Results -------------------------------------------------------------------------------===//

enum class Status : int {
  Input = SPARSEC_INPUT,           ///< an argument is wrong
  Unprepared = SPARSEC_UNPREPARED, ///< a new shape on a stream that is being captured
  Machine = SPARSEC_MACHINE,       ///< this machine cannot
  Internal = SPARSEC_INTERNAL,     ///< a bug of sparsec
};

struct Error {
  Status status;
  std::string message; ///< "q: expected ..., found ..."

  /// Of the last call of the C interface on this thread.
  static Error last(sparsec_status status) {
    return {static_cast<Status>(status), sparsec_error()};
  }
};

/// A T, or the Error that says why there is none.
template <class T>
class [[nodiscard]] Result {
public:
  Result(T value) : state(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return state.index() == 0; }
  T &operator*() & { return value(); }
  const T &operator*() const & { return const_cast<Result *>(this)->value(); }
  T &&operator*() && { return std::move(value()); }
  T *operator->() { return &value(); }
  const T *operator->() const { return &const_cast<Result *>(this)->value(); }
  const Error &error() const {
    assert(state.index() == 1);
    return *std::get_if<1>(&state);
  }

private:
  T &value() {
    assert(state.index() == 0);
    return *std::get_if<0>(&state);
  }
  std::variant<T, Error> state;
};

template <>
class [[nodiscard]] Result<void> {
public:
  Result() = default;
  Result(Error error) : failure(std::move(error)) {}
  explicit operator bool() const { return !failure; }
  const Error &error() const {
    assert(failure);
    return *failure;
  }

private:
  std::optional<Error> failure;
};

/// A status of the C interface as a Result.
inline Result<void> check(sparsec_status status) {
  return status == SPARSEC_OK ? Result<void>() : Result<void>(Error::last(status));
}

//===-- Tensors -------------------------------------------------------------------------------===//

enum class DType : int32_t {
  Default = SPARSEC_DEFAULT, ///< f32 on cpu, bf16 elsewhere
  F32 = SPARSEC_F32,
  F16 = SPARSEC_F16,
  BF16 = SPARSEC_BF16,
};
inline constexpr DType f32 = DType::F32, f16 = DType::F16, bf16 = DType::BF16;

enum class Layout : int32_t {
  BHSD = SPARSEC_BHSD, ///< [batch, heads, n, dim]
  BSHD = SPARSEC_BSHD, ///< [batch, n, heads, dim]
};

/// Memory of a device with up to 4 dimensions; owns nothing. Without strides: dense, row-major.
class TensorView {
public:
  TensorView() = default; ///< no tensor
  /// Strides in elements, as many as dimensions.
  TensorView(void *data, DType dtype, std::initializer_list<int64_t> shape,
             std::initializer_list<int64_t> strides = {}) {
    set(data, dtype, {shape.begin(), shape.size()}, {strides.begin(), strides.size()});
  }
  TensorView(float *data, std::initializer_list<int64_t> shape,
             std::initializer_list<int64_t> strides = {})
      : TensorView(data, DType::F32, shape, strides) {}
  /// A DLTensor of DLPack; `tensor` is a pointer to one.
  static TensorView of(const sparsec_tensor &tensor) {
    TensorView view;
    view.tensor = tensor;
    view.isThere = true;
    view.dimensions = tensor.ndim;
    for (int32_t i = 0; i < tensor.ndim && i < 4; ++i) {
      view.shape[static_cast<size_t>(i)] = tensor.shape[i];
      view.strides[static_cast<size_t>(i)] = tensor.strides ? tensor.strides[i] : 0;
    }
    view.isDense = !tensor.strides;
    return view;
  }

  explicit operator bool() const { return isThere; }
  int64_t extent(size_t dimension) const { return shape[dimension]; }
  int32_t rank() const { return dimensions; }

private:
  friend class CallTensor;
  void set(void *data, DType dtype, std::span<const int64_t> extents,
           std::span<const int64_t> steps) {
    tensor.data = data;
    tensor.device.device_type = 0; // that of the call
    tensor.dtype.code = dtype == DType::BF16 ? SPARSEC_DL_BFLOAT : SPARSEC_DL_FLOAT;
    tensor.dtype.bits = dtype == DType::F32 ? 32 : 16;
    tensor.dtype.lanes = 1;
    isThere = true;
    isDense = steps.empty();
    dimensions = static_cast<int32_t>(extents.size());
    for (size_t i = 0; i < extents.size() && i < 4; ++i) {
      shape[i] = extents[i];
      strides[i] = i < steps.size() ? steps[i] : 0;
    }
  }

  sparsec_tensor tensor = {};
  std::array<int64_t, 4> shape = {}, strides = {};
  int32_t dimensions = 0;
  bool isThere = false, isDense = true;
};

/// A view as the C interface takes it, for as long as a call.
class CallTensor {
public:
  CallTensor(const TensorView &view, int32_t deviceType, int32_t deviceId) : own(view) {
    own.tensor.ndim = view.dimensions;
    own.tensor.shape = own.shape.data();
    own.tensor.strides = view.isDense ? nullptr : own.strides.data();
    if (own.tensor.device.device_type == 0) {
      own.tensor.device.device_type = deviceType;
      own.tensor.device.device_id = deviceId;
    }
  }
  CallTensor(const CallTensor &) = delete;
  CallTensor &operator=(const CallTensor &) = delete;
  const sparsec_tensor *get() const { return own.isThere ? &own.tensor : nullptr; }

private:
  TensorView own;
};

//===-- Devices -------------------------------------------------------------------------------===//

struct DeviceOptions {
  int threads = 0; ///< of cpu; 0: as many as the process may run at once
};

class Memory;

class Device {
public:
  Device() = default; ///< none
  /// "cpu", "cuda", "cuda:1", "sim"
  static Result<Device> open(const std::string &name, const DeviceOptions &options = {}) {
    sparsec_device_options given = {sizeof given, options.threads};
    sparsec_device *opened = nullptr;
    if (auto status = sparsec_open_device(name.c_str(), &given, &opened); status != SPARSEC_OK)
      return Error::last(status);
    Device device;
    device.handle = {opened, sparsec_release_device};
    device.type = name.starts_with("cuda") ? SPARSEC_DL_CUDA
                  : name == "sim"          ? SPARSEC_DL_SIM
                                           : SPARSEC_DL_CPU;
    if (size_t colon = name.find(':'); colon != std::string::npos)
      device.id = std::stoi(name.substr(colon + 1));
    return device;
  }

  /// Memory of the device, 256-byte aligned, freed with its last owner.
  Result<Memory> allocate(size_t bytes) const;
  /// The same with these contents.
  Result<Memory> upload(std::span<const std::byte> contents) const;
  template <class T>
  Result<Memory> upload(const std::vector<T> &contents) const;
  /// Waits for everything on the device.
  Result<void> synchronize() const { return check(sparsec_synchronize(handle.get())); }

  sparsec_device *get() const { return handle.get(); }
  int32_t dlpackType() const { return type; }
  int32_t dlpackId() const { return id; }

private:
  std::shared_ptr<sparsec_device> handle;
  int32_t type = SPARSEC_DL_CPU, id = 0;
};

/// Memory of a device that it owns.
class Memory {
public:
  Memory() = default; ///< none
  void *get() const { return memory.get(); }
  size_t bytes() const { return size; }
  /// Waits for what is enqueued, and copies all of it.
  template <class T>
  Result<void> download(std::vector<T> &to) const {
    to.resize(size / sizeof(T));
    return check(
        sparsec_copy_to_host(device.get(), to.data(), memory.get(), to.size() * sizeof(T)));
  }

private:
  friend class Device;
  Device device;
  std::shared_ptr<void> memory;
  size_t size = 0;
};

inline Result<Memory> Device::allocate(size_t bytes) const {
  void *address = nullptr;
  if (auto status = sparsec_allocate(get(), bytes, &address); status != SPARSEC_OK)
    return Error::last(status);
  Memory made;
  made.device = *this;
  made.memory = {address, [device = *this](void *old) { sparsec_free(device.get(), old); }};
  made.size = bytes;
  return made;
}

inline Result<Memory> Device::upload(std::span<const std::byte> contents) const {
  Result<Memory> made = allocate(contents.size());
  if (!made)
    return made;
  if (auto done =
          check(sparsec_copy_to_device(get(), made->get(), contents.data(), contents.size()));
      !done)
    return done.error();
  return made;
}

template <class T>
Result<Memory> Device::upload(const std::vector<T> &contents) const {
  return upload(std::as_bytes(std::span(contents)));
}

//===-- Attention -----------------------------------------------------------------------------===//

struct CompileOptions {
  std::vector<std::string> params = {}; ///< "l=256"
  DType dtype = DType::Default;
  int heads = 0;     ///< of the model, which schedules are weighed for; 0: one for each entry
  int head_dim = 64; ///< multiple of 16, 16 .. 256
  int value_dim = 0; ///< 0: head_dim
  bool backward = true;
  int64_t n = 0;                      ///< length at which schedules are weighed; 0: 4096
  std::optional<int64_t> layer = {};  ///< of a pattern whose layers differ
  std::string target = {};            ///< "sm_80", "cpu:avx2"; empty: the device's own
  std::string order = {}, split = {}; ///< "residue:128", "never" (sparsec.h); empty: chosen
  Device device = {};
};

struct Shape {
  int64_t batch = 1, heads = 1, kv_heads = 0; ///< 0: heads
  int64_t nq = 0, n = 0;
  std::optional<int64_t> q0 = {}; ///< position of query row 0; n - nq unless said otherwise

  static Shape of(const TensorView &q, const TensorView &k, Layout layout = Layout::BHSD) {
    size_t head = layout == Layout::BHSD ? 1 : 2, row = 3 - head;
    return {q.extent(0), q.extent(head), k.extent(head), q.extent(row), k.extent(row), {}};
  }
};

struct Counters {
  int64_t executed = 0, skipped = 0, full = 0; ///< blocks (sparsec.h)
};

struct Forward {
  TensorView q = {}, k = {}, v = {}; ///< [batch, heads, nq, head_dim], [batch, kv_heads, n, ...]
  TensorView out = {};               ///< written: [batch, heads, nq, value_dim]
  TensorView lse = {};               ///< written: [batch, heads, nq] f32; may be left out
  Memory workspace = {};             ///< of Attention::workspace()
  std::optional<float> scale = {};   ///< 1 / sqrt(head_dim)
  std::optional<int64_t> q0 = {};    ///< n - nq
  Layout layout = Layout::BHSD;
  Counters *counters = nullptr; ///< filled in
};

struct Backward {
  TensorView q = {}, k = {}, v = {}, out = {}, lse = {}; ///< as forward took and left them
  TensorView dout = {};                                  ///< gradient of out, like out
  TensorView dlse = {};                                  ///< gradient of lse; may be left out
  TensorView dq = {}, dk = {}, dv = {};                  ///< written: like q, k, v
  Memory workspace = {};
  std::optional<float> scale = {};
  std::optional<int64_t> q0 = {};
  Layout layout = Layout::BHSD;
  Counters *counters = nullptr;
};

/// The attention of one layer of a pattern, for tensors of any length.
class Attention {
public:
  Attention() = default; ///< none
  /// A handle of the C interface, which it takes over.
  Attention(sparsec_program *program, Device device)
      : program(program, sparsec_release_program), on(std::move(device)) {}

  /// Memory for a call of this shape, forward or backward. One call at a time may use it.
  Result<Memory> workspace(const Shape &shape) const {
    auto plan = prepare(shape);
    if (!plan)
      return plan.error();
    size_t forward = 0, backward = 0;
    for (auto [operation, bytes] :
         {std::pair{SPARSEC_FORWARD, &forward}, {SPARSEC_BACKWARD, &backward}})
      if (auto done = check(sparsec_workspace_size(plan->get(), operation, bytes)); !done)
        return done.error();
    return on.allocate(forward > backward ? forward : backward);
  }
  /// Works out and uploads what launches of a shape read, once, so that the first launch need not:
  /// before a stream is captured, say.
  Result<std::shared_ptr<sparsec_plan>> prepare(const Shape &shape, void *stream = nullptr) const {
    sparsec_shape asked = {sizeof asked, shape.batch, shape.heads,          shape.kv_heads,
                           shape.nq,     shape.n,     shape.q0.value_or(0), shape.q0.has_value()};
    sparsec_plan *plan = nullptr;
    if (auto status = sparsec_prepare(program.get(), &asked, stream, &plan); status != SPARSEC_OK)
      return Error::last(status);
    return std::shared_ptr<sparsec_plan>(plan, sparsec_release_plan);
  }

  /// `stream`: of cuda, a CUstream; null: the default one.
  Result<void> forward(const Forward &call, void *stream = nullptr) const {
    PlanOfCall plan(*this, call, stream);
    if (!plan.handle)
      return Error::last(plan.status);
    CallTensor q = as(call.q), k = as(call.k), v = as(call.v), out = as(call.out),
               lse = as(call.lse);
    sparsec_counters counters = {sizeof counters, 0, 0, 0};
    sparsec_forward_call given = {};
    given.size = sizeof given;
    given.q = q.get(), given.k = k.get(), given.v = v.get();
    given.out = out.get(), given.lse = lse.get();
    setCommon(given, call, stream, counters);
    return finish(sparsec_forward(plan.handle, &given), call.counters, counters);
  }
  Result<void> backward(const Backward &call, void *stream = nullptr) const {
    PlanOfCall plan(*this, call, stream);
    if (!plan.handle)
      return Error::last(plan.status);
    CallTensor q = as(call.q), k = as(call.k), v = as(call.v), out = as(call.out),
               lse = as(call.lse), dout = as(call.dout), dlse = as(call.dlse), dq = as(call.dq),
               dk = as(call.dk), dv = as(call.dv);
    sparsec_counters counters = {sizeof counters, 0, 0, 0};
    sparsec_backward_call given = {};
    given.size = sizeof given;
    given.q = q.get(), given.k = k.get(), given.v = v.get();
    given.out = out.get(), given.lse = lse.get();
    given.dout = dout.get(), given.dlse = dlse.get();
    given.dq = dq.get(), given.dk = dk.get(), given.dv = dv.get();
    setCommon(given, call, stream, counters);
    return finish(sparsec_backward(plan.handle, &given), call.counters, counters);
  }

  sparsec_program *get() const { return program.get(); }
  const Device &device() const { return on; }

private:
  /// The plan of a call's shape, for as long as the call.
  struct PlanOfCall {
    template <class Call>
    PlanOfCall(const Attention &attention, const Call &call, void *stream) {
      Shape shape = Shape::of(call.q, call.k, call.layout);
      sparsec_shape asked = {sizeof asked, shape.batch, shape.heads,         shape.kv_heads,
                             shape.nq,     shape.n,     call.q0.value_or(0), call.q0.has_value()};
      status = sparsec_prepare(attention.program.get(), &asked, stream, &handle);
    }
    ~PlanOfCall() { sparsec_release_plan(handle); }
    PlanOfCall(const PlanOfCall &) = delete;
    PlanOfCall &operator=(const PlanOfCall &) = delete;
    sparsec_plan *handle = nullptr;
    sparsec_status status = SPARSEC_OK;
  };

  CallTensor as(const TensorView &view) const {
    return CallTensor(view, on.dlpackType(), on.dlpackId());
  }
  template <class Given, class Call>
  static void setCommon(Given &given, const Call &call, void *stream, sparsec_counters &counters) {
    given.workspace = call.workspace.get();
    given.workspace_bytes = call.workspace.bytes();
    given.stream = stream;
    given.counters = call.counters ? &counters : nullptr;
    given.layout = static_cast<int32_t>(call.layout);
    given.has_scale = call.scale.has_value();
    given.scale = call.scale.value_or(0.0f);
  }
  static Result<void> finish(sparsec_status status, Counters *wanted,
                             const sparsec_counters &counters) {
    if (status != SPARSEC_OK)
      return Error::last(status);
    if (wanted)
      *wanted = {counters.executed, counters.skipped, counters.full};
    return {};
  }

  std::shared_ptr<sparsec_program> program;
  Device on;
};

/// `pattern`: a path (it has a '/' or ends in .yaml) or a name of the zoo. Kernels come from the
/// disk store, or are compiled and stored.
inline Result<Attention> compile(const std::string &pattern, const CompileOptions &options,
                                 sparsec_pattern_kind kind = SPARSEC_PATTERN_NAME) {
  std::vector<const char *> params;
  for (const std::string &each : options.params)
    params.push_back(each.c_str());
  sparsec_pattern source = {};
  source.size = sizeof source;
  source.kind = kind;
  source.text = pattern.c_str();
  source.params = params.data();
  source.param_count = params.size();
  source.has_layer = options.layer.has_value();
  source.layer = options.layer.value_or(0);
  auto orNull = [](const std::string &text) { return text.empty() ? nullptr : text.c_str(); };
  sparsec_compile_options given = {};
  given.size = sizeof given;
  given.operations = options.backward ? SPARSEC_FORWARD | SPARSEC_BACKWARD : SPARSEC_FORWARD;
  given.dtype = static_cast<int32_t>(options.dtype);
  given.head_dim = options.head_dim;
  given.value_dim = options.value_dim;
  given.heads = options.heads;
  given.n = options.n;
  given.target = orNull(options.target);
  given.order = orNull(options.order);
  given.split = orNull(options.split);
  sparsec_program *program = nullptr;
  if (auto status = sparsec_compile(options.device.get(), &source, &given, &program);
      status != SPARSEC_OK)
    return Error::last(status);
  return Attention(program, options.device);
}

/// The kernels of a folder that `sparsec PATTERN -o FOLDER` wrote: no compiler is needed.
inline Result<Attention> load(const std::string &folder, const Device &device, int64_t layer = 0) {
  sparsec_program *program = nullptr;
  if (auto status = sparsec_load(device.get(), folder.c_str(), layer, &program);
      status != SPARSEC_OK)
    return Error::last(status);
  return Attention(program, device);
}

/// A predicate in place of a file: "causal and local(64)".
inline Result<Attention> compileExpression(const std::string &predicate,
                                           const CompileOptions &options) {
  return compile(predicate, options, SPARSEC_PATTERN_EXPRESSION);
}
/// The text of a pattern file.
inline Result<Attention> compileText(const std::string &text, const CompileOptions &options) {
  return compile(text, options, SPARSEC_PATTERN_TEXT);
}

} // namespace v1
} // namespace sparsec
