#include "runtime/sim/SimDevice.h"
#include "runtime/sim/Control.h"
#include "runtime/sim/Machine.h"
#include "runtime/sim/Ptx.h"

#include <fmt/core.h>

#include <cstring>

namespace sparsec {

namespace {

using namespace sim;

/// A decoded entry; its module's variables live in the device's memory for as long.
class SimExecutable : public Executable {
public:
  Program program;
};

class SimDevice : public Device {
public:
  explicit SimDevice(SimOptions options) : options(options) {}

  std::string_view name() const override { return "sim"; }
  std::string description() const override {
    return fmt::format("PTX interpreter, checks {}",
                       options.checks == SimChecks::On ? "on" : "off");
  }

  Result<DeviceAddress> allocate(size_t bytes) override { return memory.allocate(bytes); }
  Result<void> free(DeviceAddress address) override { return memory.free(address); }

  Result<void> copyToDevice(DeviceAddress to, const void *from, size_t bytes) override {
    if (bytes == 0)
      return {};
    Allocation *allocation = memory.find(to, bytes);
    if (!allocation)
      return inputError(
          fmt::format("copy of {} bytes to {:#x}: {}", bytes, to, memory.describe(to)));
    std::memcpy(allocation->data.get() + (to - allocation->base), from, bytes);
    allocation->markWritten(to - allocation->base, bytes);
    return {};
  }

  Result<void> copyToHost(void *to, DeviceAddress from, size_t bytes) override {
    if (Result<void> done = synchronize(); !done)
      return done;
    if (bytes == 0)
      return {};
    Allocation *allocation = memory.find(from, bytes);
    if (!allocation)
      return inputError(
          fmt::format("copy of {} bytes from {:#x}: {}", bytes, from, memory.describe(from)));
    std::memcpy(to, allocation->data.get() + (from - allocation->base), bytes);
    return {};
  }

  Result<std::unique_ptr<Executable>> load(const std::string &ptx,
                                           const std::string &entry) override {
    auto source = std::make_shared<SourceText>(SourceText{entry + ".ptx", ptx});
    Result<Module> module = parsePtx(source);
    if (!module)
      return module.error();
    ModuleLayout layout;
    if (Result<void> placed = placeModule(*module, layout); !placed)
      return placed.error();
    Result<Program> program = decode(*module, entry, layout, options.fault);
    if (!program)
      return program.error();
    auto made = std::make_unique<SimExecutable>();
    made->program = std::move(*program);
    return std::unique_ptr<Executable>(std::move(made));
  }

  Result<void> launch(const Executable &executable, const LaunchShape &shape,
                      std::span<const void *const> parameters) override {
    if (Result<void> done = synchronize(); !done)
      return done;
    const auto *kernel = dynamic_cast<const SimExecutable *>(&executable);
    if (!kernel)
      return internalError("launch on sim of a kernel that another device loaded");
    const Program &program = kernel->program;
    if (Result<void> fits = checkShape(program, shape, parameters.size()); !fits)
      return fits;
    Launch launch{&program, shape, options, &memory, &reported, {}, {}, 0};
    launch.parameters.resize(program.parameterBytes + 16);
    for (size_t i = 0; i < parameters.size(); ++i)
      std::memcpy(launch.parameters.data() + program.parameters[i].offset, parameters[i],
                  program.parameters[i].size);
    launch.counts.resize(program.opcodes.size());
    runBlocks(launch);
    for (size_t i = 0; i < program.opcodes.size(); ++i)
      if (launch.counts[i] && i != joinCounter) {
        reported.opcodes[program.opcodes[i]] += launch.counts[i];
        reported.warpInstructions += launch.counts[i];
      }
    return {};
  }

  Result<void> synchronize() override {
    if (!pending)
      return {};
    Error error = std::move(*pending);
    pending.reset();
    return error;
  }

  SimReport reported;

private:
  void runBlocks(Launch &launch) {
    ThreadBlock block(launch);
    const auto &grid = launch.shape.grid;
    for (uint32_t z = 0; z < grid[2]; ++z)
      for (uint32_t y = 0; y < grid[1]; ++y)
        for (uint32_t x = 0; x < grid[0]; ++x) {
          ++reported.blocks;
          if (Result<void> done = block.run({x, y, z}, ++serial); !done) {
            pending = done.error();
            return;
          }
        }
  }

  Result<void> checkShape(const Program &program, const LaunchShape &shape, size_t parameters) {
    uint64_t threads = uint64_t(shape.block[0]) * shape.block[1] * shape.block[2];
    if (threads == 0 || threads > 1024 || shape.block[0] > 1024 || shape.block[1] > 1024)
      return inputError(
          fmt::format("{}: blocks of {} threads, expected 1 to 1024", program.entry, threads));
    for (uint32_t extent : shape.grid)
      if (extent == 0 || extent > INT32_MAX)
        return inputError(fmt::format("{}: a grid of ({},{},{}) blocks", program.entry,
                                      shape.grid[0], shape.grid[1], shape.grid[2]));
    constexpr uint32_t most = mostShared;
    if (program.staticShared + uint64_t(shape.sharedBytes) > most)
      return inputError(fmt::format("{}: {} bytes of shared memory, a block has at most {}",
                                    program.entry,
                                    program.staticShared + uint64_t(shape.sharedBytes), most));
    if (parameters != program.parameters.size())
      return inputError(fmt::format("{}: expected {} parameters, found {}", program.entry,
                                    program.parameters.size(), parameters));
    return {};
  }

  /// Global and constant variables of a module, in memory of their own.
  Result<void> placeModule(const Module &module, ModuleLayout &layout) {
    layout.addresses.resize(module.variables.size());
    for (size_t i = 0; i < module.variables.size(); ++i) {
      const Variable &variable = module.variables[i];
      if (variable.space == Space::Shared)
        continue;
      if (variable.size > mostVariable)
        return inputError(fmt::format("expected at most {} bytes, {} needs {}", mostVariable,
                                      variable.name, variable.size),
                          SourceRange{module.source, variable.line, 1, 1});
      Result<uint64_t> address = memory.allocate(variable.size);
      if (!address)
        return address.error();
      layout.addresses[i] = *address;
      Allocation &made = *memory.find(*address, variable.size);
      // Variables without a value start as zero.
      std::memset(made.data.get(), 0, variable.size);
      if (!variable.initial.empty())
        std::memcpy(made.data.get(), variable.initial.data(), variable.size);
      made.allWritten = true;
      made.readOnly = variable.space == Space::Const;
      made.name = variable.name;
    }
    return relocate(module, layout);
  }

  Result<void> relocate(const Module &module, const ModuleLayout &layout) {
    for (size_t i = 0; i < module.variables.size(); ++i)
      for (const Relocation &relocation : module.variables[i].relocations) {
        uint64_t value = 0;
        for (size_t j = 0; j < module.variables.size(); ++j)
          if (module.variables[j].name == relocation.symbol)
            value = layout.addresses[j] + relocation.addend;
        if (!value)
          return inputError(fmt::format("sim knows no address for {}", relocation.symbol),
                            SourceRange{module.source, module.variables[i].line, 1, 1});
        Allocation &made = *memory.find(layout.addresses[i], module.variables[i].size);
        std::memcpy(made.data.get() + relocation.at, &value, 8);
      }
    return {};
  }

  SimOptions options;
  Memory memory;
  uint64_t serial = 0;
  std::optional<Error> pending;
};

} // namespace

uint64_t SimReport::executed(std::string_view prefix) const {
  uint64_t sum = 0;
  for (auto at = opcodes.lower_bound(prefix); at != opcodes.end(); ++at) {
    if (std::string_view(at->first).substr(0, prefix.size()) != prefix)
      break;
    sum += at->second;
  }
  return sum;
}

std::unique_ptr<Device> openSimDevice(SimOptions options) {
  return std::make_unique<SimDevice>(options);
}

const SimReport &simReport(const Device &device) {
  return dynamic_cast<const SimDevice &>(device).reported;
}

void clearSimReport(Device &device) {
  dynamic_cast<SimDevice &>(device).reported = {};
}

} // namespace sparsec
