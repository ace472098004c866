// sparsec env: what this machine has, what it lacks, and what that would give.
#include "runtime/Device.h"
#include "runtime/cuda/Assemble.h"
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
};

Item assemblerItem(const Result<std::unique_ptr<Assembler>> &assembler, const std::string &name,
                   const std::string &gives) {
  if (!assembler)
    return {name, false, assembler.error().message, gives};
  return {name, true, fmt::format("{} ({})", (*assembler)->version(), (*assembler)->path()), gives};
}

std::vector<Item> inspect() {
  static const std::map<std::string_view, const char *> uses = {
      {"sim", "runs and checks every kernel"},
      {"cpu", "runs kernels on this machine's cores"},
      {"cuda", "runs kernels on a GPU"}};
  std::vector<Item> items;
  for (std::string_view name : deviceNames()) {
    auto device = openDevice(name);
    items.push_back({std::string(name), static_cast<bool>(device),
                     device ? (*device)->description() : device.error().message, uses.at(name)});
  }
  auto search = AssemblerSearch::fromEnvironment();
  items.push_back(assemblerItem(openNvrtc(search), "NVRTC", "--cubin, in the process"));
  items.push_back(assemblerItem(openPtxas(search), "ptxas", "--cubin, as a subprocess"));
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
                              {"gives", item.gives}});
    fmt::print("{}\n", out.dump(2));
    return Answer::Yes;
  }
  fmt::print("{}\n\n", session.style.bold(kVersionLine));
  Table table({{"what"}, {"here"}, {"gives"}, {"detail"}});
  for (const Item &item : items)
    table.add({item.name, item.found ? "yes" : "no", item.gives, item.detail});
  fmt::print("{}\ntargets: {}\n", table.render(session.style), listed(targetNames(), "and"));
  return Answer::Yes;
}

} // namespace

Action declareEnv(Options &) {
  return [](Session &session) { return env(session); };
}

} // namespace sparsec::cli
