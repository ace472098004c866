#include "tests/verify/FaultyDevice.h"

#include "codegen/Compiler.h"
#include "kernel/ops/Attention.h"
#include "kernel/ops/AttentionBackward.h"
#include "kernel/ops/AttentionDecode.h"
#include "runtime/cpu/CpuDevice.h"

#include <cstring>

namespace sparsec::testing {

Told::Told(const Signature &signature, const void *from)
    : signature(signature), memory(signature.bytes() / sizeof(std::max_align_t) + 1) {
  std::memcpy(memory.data(), from, signature.bytes());
}

void Told::point(std::string_view name, std::vector<int32_t> list) {
  set<const int32_t *>(name, lists.emplace_back(std::move(list)).data());
}

void forEachRow(Told &told, const LaunchShape &shape,
                const std::function<void(int64_t, int64_t, int64_t)> &visit) {
  for (int64_t b = 0; b < shape.grid[2]; ++b)
    for (int64_t y = 0; y < shape.grid[1]; ++y)
      for (int64_t row = 0; row < told.get("nq"); ++row)
        visit(b, told.get("head_first") + y * told.get("head_step"), row);
}

Rows::Rows(Told &told, const LaunchShape &shape) {
  int64_t perHead = told.get("layout_stride");
  rows.resize(perHead ? perHead * shape.grid[1] : shape.grid[0]);
  const auto *offsets = told.at<const int32_t>("block_offsets");
  const auto *columns = told.at<const int32_t>("block_columns");
  for (size_t i = 0; i < rows.size(); ++i) {
    rows[i].partial.assign(columns + offsets[2 * i], columns + offsets[2 * i + 1]);
    rows[i].full.assign(columns + offsets[2 * i + 1], columns + offsets[2 * i + 2]);
  }
}

void Rows::tell(Told &told) const {
  std::vector<int32_t> offsets = {0}, columns;
  for (const Row &row : rows)
    for (const std::vector<int32_t> *list : {&row.partial, &row.full}) {
      columns.insert(columns.end(), list->begin(), list->end());
      offsets.push_back(static_cast<int32_t>(columns.size()));
    }
  columns.push_back(0); // kernels may form the address of an empty list
  told.point("block_offsets", std::move(offsets));
  told.point("block_columns", std::move(columns));
}

namespace {

/// With the predicate that a fault says.
template <class R>
Request changed(const R &request, const std::vector<std::string> &predicates) {
  R other = request;
  size_t at = request.entry.find("head");
  const std::string &text = predicates.at(request.entry[at + 4] - '0');
  other.attend = simplify(*parsePredicate(std::make_shared<SourceText>(SourceText{"fault", text})));
  return other;
}

Device &sharedCpu() {
  static std::unique_ptr<Device> cpu = openCpuDevice({.threads = 2});
  return *cpu;
}

} // namespace

FaultyDevice::FaultyDevice(Fault fault) : fault(std::move(fault)), inner(sharedCpu()) {}

Result<std::vector<Kernel>> FaultyDevice::compile(const Request &asked) {
  static std::map<std::string, std::vector<Kernel>> compiled; // of all faults
  Request request = asked;
  Made facts{.operation = std::string(asked.operation())};
  auto take = [&](const auto *plain) {
    if (!plain)
      return;
    facts.dtype = plain->dtype;
    facts.headDim = plain->headDim;
    facts.valueDim = plain->valueDim;
    if (!fault.compiled.empty())
      request = changed(*plain, fault.compiled);
  };
  take(asked.as<AttentionRequest>());
  take(asked.as<AttentionBackwardRequest>());
  take(asked.as<AttentionDecodeRequest>());
  auto [kernels, fresh] = compiled.try_emplace(request.text());
  if (fresh) {
    Result<std::vector<Kernel>> result = sparsec::compile(request);
    if (!result) {
      compiled.erase(kernels);
      return result;
    }
    kernels->second = std::move(*result);
  }
  for (const Kernel &kernel : kernels->second) {
    facts.signature = kernel.signature;
    made[kernel.entry] = facts;
  }
  return kernels->second;
}

Result<DeviceAddress> FaultyDevice::allocate(size_t bytes) {
  Result<DeviceAddress> address = inner.allocate(bytes + 2 * kAround);
  if (!address)
    return address;
  std::memset(reinterpret_cast<void *>(*address), 0, bytes + 2 * kAround);
  return *address + kAround;
}

Result<std::unique_ptr<Executable>> FaultyDevice::load(const std::string &code,
                                                       const std::string &entry) {
  auto loaded = inner.load(code, entry);
  if (loaded)
    entries[loaded->get()] = entry;
  return loaded;
}

Result<void> FaultyDevice::launch(const Executable &executable, const LaunchShape &asked,
                                  std::span<const void *const> parameters) {
  const Made &facts = made.at(entries.at(&executable));
  Told told(facts.signature, parameters[0]);
  told.operation = facts.operation;
  told.dtype = facts.dtype;
  told.headDim = facts.headDim;
  told.valueDim = facts.valueDim;
  LaunchShape shape = asked;
  if (fault.tell)
    fault.tell(told, shape);
  if (shape.grid[0] == 0 || shape.grid[1] == 0 || shape.grid[2] == 0)
    return {};
  const void *arguments = told.data();
  if (auto launched = inner.launch(executable, shape, {&arguments, 1}); !launched)
    return launched;
  if (auto idle = inner.synchronize(); !idle) // what `told` points to goes
    return idle;
  if (fault.after)
    fault.after(told, shape);
  return {};
}

} // namespace sparsec::testing
