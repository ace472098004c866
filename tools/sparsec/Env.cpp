// sparsec env: what this machine has, what it lacks, what that would give and how to get it.
#include "runtime/Device.h"
#include "runtime/DiskStore.h"
#include "runtime/cuda/Assemble.h"
#include "runtime/cuda/CudaDevice.h"
#include "tools/sparsec/Command.h"
#include "tools/sparsec/Options.h"
#include "tools/sparsec/Version.h"

#include <fmt/core.h>
#include <map>
#include <nlohmann/json.hpp>

namespace sparsec::cli {
namespace {

struct Item {
  std::string name;
  bool found = false;
  std::string detail; ///< what was found, or what is missing
  std::string gives;
  std::string get; ///< how, where it is missing
};

/// `cuda`: the GPU, if there is one.
Item assemblerItem(const Result<std::unique_ptr<Assembler>> &assembler, const std::string &name,
                   const std::string &gives, const CudaDevice *cuda) {
  if (!assembler)
    return {name, false, assembler.error().message, gives, "a CUDA toolkit of 12.0 or newer"};
  std::string version((*assembler)->version());
  std::string detail = fmt::format("{} ({})", version, (*assembler)->path());
  if (cuda && std::atoi(version.c_str()) > cuda->driverVersion() / 1000)
    detail += fmt::format("; newer than the driver, which is for CUDA {}: what it makes may not "
                          "load, and the driver's own compiler is used then",
                          cuda->driverVersion() / 1000);
  return {name, true, detail, gives, ""};
}

Item cacheItem() {
  const char *gives = "kernels are compiled once";
  StorePlace place = StorePlace::fromEnvironment();
  if (place.folder.empty())
    return {"cache", false, place.whyOff, gives, "SPARSEC_CACHE=FOLDER"};
  auto store = DiskStore::open({.folder = place.folder, .say = {}});
  if (!store)
    return {"cache", false, store.error().message, gives, "SPARSEC_CACHE=FOLDER"};
  int64_t bytes = 0;
  auto entries = (*store)->entries();
  for (const DiskEntry &entry : entries)
    bytes += entry.bytes;
  return {"cache", true,
          fmt::format("{}: {} entries, {:.1f} MB", place.folder, entries.size(),
                      static_cast<double>(bytes) / 1e6),
          gives, ""};
}

std::vector<Item> inspect() {
  static const std::map<std::string_view, const char *> uses = {
      {"sim", "runs and checks every kernel"},
      {"cpu", "runs kernels on this machine's cores"},
      {"cuda", "runs kernels on a GPU"}};
  std::vector<Item> items;
  std::unique_ptr<Device> gpu;
  for (std::string_view name : deviceNames()) {
    auto device = openDevice(name);
    items.push_back({std::string(name), static_cast<bool>(device),
                     device ? (*device)->description() : device.error().message, uses.at(name),
                     device ? "" : "an NVIDIA GPU of sm_80 or newer, and its driver"});
    if (device && name == "cuda")
      gpu = std::move(*device);
  }
  const auto *cuda = dynamic_cast<const CudaDevice *>(gpu.get());
  auto search = AssemblerSearch::fromEnvironment();
  items.push_back(assemblerItem(openNvrtc(search), "NVRTC", "--cubin, in the process", cuda));
  items.push_back(assemblerItem(openPtxas(search), "ptxas", "--cubin, as a subprocess", cuda));
  items.push_back(cacheItem());
  return items;
}

Result<Answer> env(const Session &session) {
  auto items = inspect();
  if (session.json) {
    nlohmann::ordered_json out = {{"version", kVersion},
                                  {"llvm", kLlvmVersion},
                                  {"compiler", kCompiler},
                                  {"targets", targetNames()},
                                  {"items", nlohmann::ordered_json::array()}};
    for (const Item &item : items)
      out["items"].push_back({{"name", item.name},
                              {"found", item.found},
                              {"detail", item.detail},
                              {"gives", item.gives},
                              {"get", item.get}});
    fmt::print("{}\n", out.dump(2));
    return Answer::Yes;
  }
  fmt::print("{}\n\n", session.style.bold(kVersionLine));
  Table table({{"what"}, {"here"}, {"gives"}, {"detail"}});
  for (const Item &item : items)
    table.add({item.name, item.found ? "yes" : "no", item.gives,
               item.found ? item.detail : fmt::format("{}; to get it: {}", item.detail, item.get)});
  fmt::print("{}\ntargets: {}\n", table.render(session.style), listed(targetNames(), "and"));
  return Answer::Yes;
}

} // namespace

Action declareEnv(Options &) {
  return [](Session &session) { return env(session); };
}

} // namespace sparsec::cli
