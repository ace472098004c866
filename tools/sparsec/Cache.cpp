// sparsec cache ls|clear|path: the disk store of compiled kernels (runtime/DiskStore.h).
#include "runtime/DiskStore.h"
#include "tools/sparsec/Command.h"
#include "tools/sparsec/Options.h"

#include <ctime>
#include <fmt/chrono.h>
#include <fmt/core.h>
#include <nlohmann/json.hpp>

namespace sparsec::cli {
namespace {

Result<std::unique_ptr<DiskStore>> openStore() {
  StorePlace place = StorePlace::fromEnvironment();
  if (place.folder.empty())
    return machineError("there is no cache: " + place.whyOff);
  return DiskStore::open({.folder = place.folder, .say = {}});
}

Result<Answer> list(const Session &session) {
  auto store = openStore();
  if (!store)
    return store.error();
  std::vector<DiskEntry> entries = (*store)->entries();
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  Table table({{"used"}, {"KB", Table::Right}, {"kind"}, {"what"}});
  int64_t bytes = 0;
  for (const DiskEntry &entry : entries) {
    bytes += entry.bytes;
    table.add({fmt::format("{:%F %R}", fmt::localtime(static_cast<std::time_t>(entry.used))),
               fmt::format("{}", (entry.bytes + 500) / 1000), entry.kind, entry.summary});
    rows.push_back({{"kind", entry.kind},
                    {"what", entry.summary},
                    {"path", entry.path},
                    {"bytes", entry.bytes},
                    {"used", entry.used}});
  }
  if (session.json) {
    fmt::print("{}\n",
               nlohmann::ordered_json{{"folder", (*store)->folder()}, {"entries", rows}}.dump(2));
    return Answer::Yes;
  }
  if (!entries.empty())
    fmt::print("{}\n", table.render(session.style));
  fmt::print("{}: {} entries, {:.1f} MB\n", (*store)->folder(), entries.size(),
             static_cast<double>(bytes) / 1e6);
  return Answer::Yes;
}

Result<Answer> clear(const Session &session) {
  auto store = openStore();
  if (!store)
    return store.error();
  auto count = (*store)->clear();
  if (!count)
    return count.error();
  if (session.json)
    fmt::print("{}\n", nlohmann::ordered_json{{"removed", *count}}.dump(2));
  session.report(fmt::format("{}: {} entries removed\n", (*store)->folder(), *count));
  return Answer::Yes;
}

Result<Answer> path(const Session &session) {
  StorePlace place = StorePlace::fromEnvironment();
  if (session.json)
    fmt::print("{}\n",
               nlohmann::ordered_json{{"folder", place.folder}, {"off", place.whyOff}}.dump(2));
  else if (place.folder.empty())
    return machineError("there is no cache: " + place.whyOff);
  else
    fmt::print("{}\n", place.folder);
  return Answer::Yes;
}

} // namespace

Action declareCache(Options &options) {
  auto verb = std::make_shared<std::string>();
  options.positional("ls|clear|path", *verb);
  options.check([verb]() -> std::string {
    if (*verb == "ls" || *verb == "clear" || *verb == "path")
      return "";
    return fmt::format("expected ls, clear or path, found '{}'", *verb);
  });
  return [verb](Session &session) {
    return *verb == "ls" ? list(session) : *verb == "clear" ? clear(session) : path(session);
  };
}

} // namespace sparsec::cli
