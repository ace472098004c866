#include "model/Calls.h"

#include "layout/cost/Cost.h"

#include <cassert>
#include <chrono>
#include <fmt/format.h>

namespace sparsec {

namespace {

/// By its exponent, which is all ones of infinities and NaN.
bool isFinite(const std::byte *element, ElementType type) {
  uint32_t bits = 0;
  std::memcpy(&bits, element, static_cast<size_t>(bytes(type)));
  switch (type) {
  case ElementType::F32:
    return (bits & 0x7F800000) != 0x7F800000;
  case ElementType::BF16:
    return (bits & 0x7F80) != 0x7F80;
  case ElementType::F16:
    return (bits & 0x7C00) != 0x7C00;
  case ElementType::I32:
  case ElementType::I64:
    return true;
  }
  return true;
}

} // namespace

int CallList::addBuffer(std::string name, BufferKind kind, int64_t bytes) {
  buffers.push_back({std::move(name), kind, bytes});
  return static_cast<int>(buffers.size()) - 1;
}

BufferView CallList::passing(std::string name, int64_t rows, int64_t columns, ElementType type) {
  int buffer = addBuffer(std::move(name), BufferKind::Passing, rows * columns * bytes(type));
  return {.buffer = buffer, .rows = rows, .columns = columns, .stride = columns, .type = type};
}

BufferView CallList::kept(std::string name, int64_t rows, int64_t columns, ElementType type) {
  int buffer = addBuffer(std::move(name), BufferKind::Kept, rows * columns * bytes(type));
  return {.buffer = buffer, .rows = rows, .columns = columns, .stride = columns, .type = type};
}

int64_t CallOperation::bytes() const {
  int64_t total = 0;
  for (const Use &use : uses())
    if (use.matrix)
      total += use.matrix.bytes();
  return total;
}

std::vector<Use> Call::uses() const {
  std::vector<Use> all = operation->uses();
  if (workspace)
    all.push_back({Use::Written, "workspace", workspace});
  return all;
}

int64_t Machine::residentBytes() const {
  int64_t total = 0;
  for (const auto &[key, each] : loaded)
    if (each.residentBytes)
      total += static_cast<int64_t>(each.residentBytes());
  return total;
}

Result<void> CallList::load(Machine &machine) {
  if (isLoaded)
    return {};
  Loader loader(machine);
  for (Call &call : calls) {
    Result<LoadedCall> loaded = call.operation->load(loader);
    if (!loaded) {
      Error error = loaded.error();
      error.notes.push_back(fmt::format("in the call '{}'", call.name));
      return error;
    }
    call.loaded = std::move(*loaded);
    if (call.loaded.workspace > 0) {
      auto words = (call.loaded.workspace + 3) / 4;
      call.workspace = passing(call.name + " workspace", 1, words, ElementType::F32);
    }
  }
  isLoaded = true;
  return {};
}

MemoryPlan CallList::plan() const {
  std::vector<std::vector<Use>> uses;
  for (const Call &call : calls)
    uses.push_back(call.uses());
  return planMemory(buffers, uses);
}

std::string CallList::print() const {
  std::string out;
  for (const Call &call : calls)
    out += fmt::format("{:<38} {:<36} {:<44} {:>9.2f} MB {:>9.3f} GFLOP {:>9.3f} ms\n", call.name,
                       call.loaded.kernel, call.operation->shape(),
                       static_cast<double>(call.operation->bytes()) * 1e-6,
                       call.operation->flops() * 1e-9, call.loaded.seconds * 1e3);
  return out;
}

Result<std::vector<Kernel>> Loader::kernels(const Request &request) const {
  auto found = used.store.kernels(request);
  if (!found)
    return found.error();
  return **found;
}

Result<LoadedCall> Loader::describe(const Request &request, const CallOperation &operation,
                                    int64_t elementBytes) const {
  auto found = used.store.kernels(request);
  if (!found)
    return found.error();
  const std::vector<Kernel> &kernels = **found;
  LoadedCall call;
  call.kernel = kernels.front().entry;
  if (kernels.size() > 1)
    call.kernel += fmt::format(" and {} more", kernels.size() - 1);
  CostTarget target = CostTarget::of(used.target.name, elementBytes);
  double products = operation.flops() / (target.unitFlops * target.units);
  double moves = static_cast<double>(operation.bytes()) / target.bytesPerSecond;
  call.seconds =
      static_cast<double>(kernels.size()) * target.launchSeconds + std::max(products, moves);
  return call;
}

DeviceAddress Places::address(const BufferView &matrix) const {
  if (!matrix)
    return 0;
  return where[static_cast<size_t>(matrix.buffer)] + static_cast<DeviceAddress>(matrix.offset);
}

Tensor Places::tensor(const BufferView &matrix) const {
  if (!matrix)
    return {};
  int64_t room = sizes[static_cast<size_t>(matrix.buffer)] - matrix.offset;
  return {.address = address(matrix),
          .bytes = static_cast<size_t>(room),
          .stride = {0, 0, matrix.stride}};
}

Result<ListMemory> ListMemory::allocate(Machine &machine, std::span<CallList> lists) {
  Device &device = machine.device;
  int64_t arenaBytes = 0;
  std::map<std::string, int64_t> keptBytes;
  for (CallList &list : lists) {
    if (Result<void> loaded = list.load(machine); !loaded)
      return loaded.error();
    arenaBytes = std::max(arenaBytes, list.plan().arenaBytes);
    for (const BufferInfo &buffer : list.allBuffers())
      if (buffer.kind == BufferKind::Kept) {
        int64_t &bytes = keptBytes[buffer.name];
        bytes = std::max(bytes, buffer.bytes);
      }
  }
  ListMemory memory;
  Result<Buffer> arena = Buffer::allocate(device, static_cast<size_t>(arenaBytes));
  if (!arena)
    return arena.error();
  memory.arena = std::move(*arena);
  for (const auto &[name, bytes] : keptBytes) {
    Result<Buffer> buffer = Buffer::allocate(device, static_cast<size_t>(bytes));
    if (!buffer)
      return buffer.error();
    memory.kept.emplace(name, std::move(*buffer));
  }
  return memory;
}

DeviceAddress ListMemory::address(const std::string &name) const {
  auto found = kept.find(name);
  assert(found != kept.end() && "a list has a kept buffer of this name");
  return found->second.address();
}

int64_t ListMemory::bytes() const {
  int64_t total = alignedBytes(static_cast<int64_t>(arena.bytes()));
  for (const auto &[name, buffer] : kept)
    total += alignedBytes(static_cast<int64_t>(buffer.bytes()));
  return total;
}

RunningList RunningList::bind(const CallList &list, const ListMemory &memory) {
  RunningList running;
  MemoryPlan plan = list.plan();
  std::vector<DeviceAddress> addresses;
  std::vector<int64_t> sizes;
  for (size_t i = 0; i < list.allBuffers().size(); ++i) {
    const BufferInfo &buffer = list.allBuffers()[i];
    DeviceAddress at = 0;
    if (buffer.kind == BufferKind::Kept)
      at = memory.address(buffer.name);
    else if (plan.offsets[i] >= 0)
      at = memory.arenaAddress() + static_cast<DeviceAddress>(plan.offsets[i]);
    addresses.push_back(at);
    sizes.push_back(buffer.bytes);
    running.addresses[buffer.name] = at;
  }
  for (const Call &call : list.all()) {
    Places places(addresses, sizes, call.workspace);
    Loaded made{call.name, call.loaded.bind(places), {}};
    for (const Use &use : call.operation->uses())
      if (use.kind == Use::Written && use.matrix)
        made.written.push_back({fmt::format("{} of '{}'", use.name, call.name),
                                places.address(use.matrix), use.matrix});
    running.loaded.push_back(std::move(made));
  }
  return running;
}

Result<void> RunningList::record(Device &device) {
  Result<std::unique_ptr<Recording>> made = device.record([this] { return enqueueEach(0); });
  if (!made)
    return made.error();
  recording = std::move(*made);
  return {};
}

Result<void> RunningList::enqueue(int64_t position) const {
  return recording ? recording->replay() : enqueueEach(position);
}

Result<void> RunningList::enqueueEach(int64_t position) const {
  for (const Loaded &call : loaded)
    if (Result<void> launched = call.launch(position); !launched) {
      Error error = launched.error();
      error.notes.push_back(fmt::format("in the call '{}'", call.name));
      return error;
    }
  return {};
}

Result<void>
RunningList::each(const std::function<Result<void>(const std::string &call)> &after) const {
  for (const Loaded &call : loaded) {
    if (Result<void> launched = call.launch(0); !launched)
      return launched;
    if (Result<void> done = after(call.name); !done)
      return done;
  }
  return {};
}

Result<std::vector<RunningList::Timed>> RunningList::timed(Device &device) const {
  using Clock = std::chrono::steady_clock;
  std::vector<Timed> all;
  for (const Loaded &call : loaded) {
    Clock::time_point begin = Clock::now();
    if (Result<void> launched = call.launch(0); !launched)
      return launched.error();
    if (Result<void> done = device.synchronize(); !done)
      return done.error();
    all.push_back({call.name, std::chrono::duration<double>(Clock::now() - begin).count()});
  }
  return all;
}

Result<std::string> RunningList::firstNotFinite(Device &device) const {
  for (const Loaded &call : loaded) {
    if (Result<void> launched = call.launch(0); !launched)
      return launched.error();
    for (const Written &each : call.written) {
      const BufferView &matrix = each.matrix;
      std::vector<std::byte> image(static_cast<size_t>(
          ((matrix.rows - 1) * matrix.stride + matrix.columns) * bytes(matrix.type)));
      if (auto copied = device.copyToHost(image.data(), each.address, image.size()); !copied)
        return copied.error();
      for (int64_t row = 0; row < matrix.rows; ++row)
        for (int64_t column = 0; column < matrix.columns; ++column)
          if (!isFinite(image.data() + (row * matrix.stride + column) * bytes(matrix.type),
                        matrix.type))
            return fmt::format("{}, at [{}, {}]", each.name, row, column);
    }
  }
  return std::string();
}

DeviceAddress RunningList::address(const std::string &name) const {
  auto found = addresses.find(name);
  assert(found != addresses.end() && "the list has a buffer of this name");
  return found->second;
}

} // namespace sparsec
