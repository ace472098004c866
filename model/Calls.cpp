#include "model/Calls.h"

#include <cassert>
#include <fmt/format.h>

namespace sparsec {

int CallList::addBuffer(std::string name, BufferKind kind, int64_t bytes) {
  buffers.push_back({std::move(name), kind, bytes});
  return static_cast<int>(buffers.size()) - 1;
}

Matrix CallList::passing(std::string name, int64_t rows, int64_t columns, DType dtype) {
  int buffer = addBuffer(std::move(name), BufferKind::Passing, rows * columns * bytes(dtype));
  return {.buffer = buffer,
          .rows = rows,
          .columns = columns,
          .stride = columns,
          .elementBytes = bytes(dtype)};
}

Matrix CallList::kept(std::string name, int64_t rows, int64_t columns, int elementBytes) {
  int buffer = addBuffer(std::move(name), BufferKind::Kept, rows * columns * elementBytes);
  return {.buffer = buffer,
          .rows = rows,
          .columns = columns,
          .stride = columns,
          .elementBytes = elementBytes};
}

MemoryPlan CallList::plan() const {
  std::vector<std::vector<Use>> uses;
  for (const Call &call : calls)
    uses.push_back(call.operation->uses());
  return planMemory(buffers, uses);
}

std::string CallList::print() const {
  std::string out;
  for (const Call &call : calls) {
    int64_t bytes = 0;
    for (const Use &use : call.operation->uses())
      if (use.matrix)
        bytes += use.matrix.bytes();
    out += fmt::format("{:<34} {:<20} {:<44} {:>9.2f} MB {:>9.3f} GFLOP\n", call.name,
                       call.operation->operation(), call.operation->shape(),
                       static_cast<double>(bytes) * 1e-6, call.operation->flops() * 1e-9);
  }
  return out;
}

Result<std::vector<Kernel>> Loader::kernels(const Request &request) const {
  auto found = used.store.kernels(request);
  if (!found)
    return found.error();
  return **found;
}

DeviceAddress Loader::address(const Matrix &matrix) const {
  if (!matrix)
    return 0;
  return where[static_cast<size_t>(matrix.buffer)] + static_cast<DeviceAddress>(matrix.offset);
}

Tensor Loader::tensor(const Matrix &matrix) const {
  if (!matrix)
    return {};
  int64_t room = sizes[static_cast<size_t>(matrix.buffer)] - matrix.offset;
  return {.address = address(matrix),
          .bytes = static_cast<size_t>(room),
          .stride = {0, 0, matrix.stride}};
}

Result<RunningList> RunningList::load(Machine &machine, const CallList &list,
                                      const std::map<std::string, DeviceAddress> &given) {
  RunningList running;
  running.plan = list.plan();
  Result<Buffer> arena =
      Buffer::allocate(machine.device, static_cast<size_t>(running.plan.arenaBytes));
  if (!arena)
    return arena.error();
  running.arena = std::move(*arena);
  std::vector<DeviceAddress> addresses;
  std::vector<int64_t> sizes;
  for (size_t i = 0; i < list.allBuffers().size(); ++i) {
    const BufferInfo &buffer = list.allBuffers()[i];
    DeviceAddress at = 0;
    if (auto found = given.find(buffer.name); found != given.end()) {
      at = found->second;
    } else if (buffer.kind == BufferKind::Kept) {
      Result<Buffer> own = Buffer::allocate(machine.device, static_cast<size_t>(buffer.bytes));
      if (!own)
        return own.error();
      at = own->address();
      running.kept.push_back(std::move(*own));
    } else if (running.plan.offsets[i] >= 0) {
      at = running.arena.address() + static_cast<DeviceAddress>(running.plan.offsets[i]);
    }
    addresses.push_back(at);
    sizes.push_back(buffer.bytes);
    running.addresses[buffer.name] = at;
  }
  Loader loader(machine, std::move(addresses), std::move(sizes));
  for (const Call &call : list.all()) {
    Result<Launch> launch = call.operation->load(loader);
    if (!launch) {
      Error error = launch.error();
      error.notes.push_back(fmt::format("in the call '{}'", call.name));
      return error;
    }
    running.loaded.push_back({call.name, std::move(*launch)});
  }
  return running;
}

Result<void> RunningList::enqueue() const {
  for (const Loaded &call : loaded)
    if (Result<void> launched = call.launch(); !launched) {
      Error error = launched.error();
      error.notes.push_back(fmt::format("in the call '{}'", call.name));
      return error;
    }
  return {};
}

DeviceAddress RunningList::address(const std::string &name) const {
  auto found = addresses.find(name);
  assert(found != addresses.end() && "the list has a buffer of this name");
  return found->second;
}

} // namespace sparsec
