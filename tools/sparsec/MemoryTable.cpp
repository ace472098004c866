#include "tools/sparsec/MemoryTable.h"

#include "patterns/Evaluate.h"
#include "tools/sparsec/Terminal.h"

#include <cmath>
#include <fmt/format.h>
#include <set>

namespace sparsec::cli {

namespace {

constexpr double kGigabytes[] = {16, 141}; ///< of the paper's GPU and of an H200

/// What a model keeps in memory, planned.
Result<int64_t> plannedBytes(Machine &planning, const Transformer &model) {
  std::vector<CallList> lists = Trainer::lists(model);
  planning.loaded.clear();
  auto memory = ListMemory::allocate(planning, lists);
  if (!memory)
    return memory.error();
  return memory->bytes() + planning.residentBytes();
}

/// From the plans at two lengths.
Result<Linear> bytesByLength(Machine &planning, const Transformer &model, bool recompute) {
  double planned[2] = {};
  int64_t n = model.config().model.length;
  for (int64_t factor : {1, 2}) {
    Config config = model.config();
    config.train.recompute = recompute;
    config.train.batchSize = config.train.microBatch = 1;
    config.model.length = factor * n;
    for (PositionConfig &table : config.model.positions)
      for (int64_t t = n; t < factor * n; ++t)
        table.rows = std::max(table.rows, 1 + evaluateInteger(table.index, {.k = t}, {}));
    auto bytes = plannedBytes(
        planning, Transformer(config, std::make_shared<const Pattern>(model.pattern())));
    if (!bytes)
      return bytes.error();
    planned[factor - 1] = static_cast<double>(*bytes);
  }
  double each = (planned[1] - planned[0]) / static_cast<double>(n);
  return Linear{planned[0] - each * static_cast<double>(n), each};
}

} // namespace

std::string megabytes(int64_t bytes) {
  constexpr int64_t kGigabytes = 10'000'000'000;
  if (bytes >= kGigabytes)
    return fmt::format("{:.1f} GB", static_cast<double>(bytes) * 1e-9);
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) * 1e-6);
}

Result<MemoryTable> MemoryTable::of(Machine &planning, const Transformer &model) {
  const ModelConfig &config = model.config().model;
  auto stored = bytesByLength(planning, model, false);
  if (!stored)
    return stored.error();
  auto again = bytesByLength(planning, model, true);
  if (!again)
    return again.error();
  double heads = sizeof(float) * static_cast<double>(config.heads);
  return MemoryTable{static_cast<double>(config.layers) * heads, heads, *stored, *again};
}

std::vector<int64_t> MemoryTable::lengths(const Transformer &model) {
  std::set<int64_t> all = {1024, 3072, 12288, 24000, 65536, 262144, 1048576};
  all.insert(model.config().model.length);
  return {all.begin(), all.end()};
}

std::array<double, 4> MemoryTable::at(double n) const {
  return {stored * n * n, again * n * n, ours.at(n), oursAgain.at(n)};
}

std::array<int64_t, 4> MemoryTable::longest(double room) const {
  return {static_cast<int64_t>(std::sqrt(room / stored)),
          static_cast<int64_t>(std::sqrt(room / again)), ours.longest(room),
          oursAgain.longest(room)};
}

std::vector<std::vector<std::string>> MemoryTable::rows(const Transformer &model) const {
  std::vector<std::vector<std::string>> all = {
      {"n", "n x n, stored", "n x n, recomputed", "model, stored", "model, recomputed", ""}};
  for (int64_t n : lengths(model)) {
    std::vector<std::string> &row = all.emplace_back();
    row.push_back(grouped(n));
    for (double bytes : at(static_cast<double>(n)))
      row.push_back(megabytes(static_cast<int64_t>(bytes)));
    row.emplace_back();
  }
  for (double gigabytes : kGigabytes) {
    std::vector<std::string> &row = all.emplace_back();
    row.push_back(fmt::format("largest n in {} GB", gigabytes));
    std::array<int64_t, 4> found = longest(gigabytes * 1e9);
    for (int64_t n : found)
      row.push_back(n > 0 ? grouped(n) : "none");
    row.push_back(
        fmt::format("{:.0f} times", static_cast<double>(found[3]) / static_cast<double>(found[0])));
  }
  return all;
}

std::string MemoryTable::text(const Transformer &model) const {
  std::string out = fmt::format("\n{:<24}{:>34}{:>36}\n", "one sequence",
                                "n x n attention weights in f32", "a whole step of this model");
  for (const std::vector<std::string> &row : rows(model)) {
    out += fmt::format("{:<22}", row[0]);
    for (size_t i = 1; i < row.size(); ++i)
      out += fmt::format("{:>{}}", row[i], i + 1 < row.size() ? 18 : 12);
    out.erase(out.find_last_not_of(' ') + 1);
    out += "\n";
  }
  return out + "times: this model recomputed, against n x n weights stored\n";
}

Json MemoryTable::json(const Transformer &model) const {
  auto row = [](const std::string &key, double value, const auto &found) {
    return Json{{key, value},
                {"dense_stored", found[0]},
                {"dense_recomputed", found[1]},
                {"stored", found[2]},
                {"recomputed", found[3]}};
  };
  Json bytes = Json::array(), largest = Json::array();
  for (int64_t n : lengths(model))
    bytes.push_back(row("n", static_cast<double>(n), at(static_cast<double>(n))));
  for (double gigabytes : kGigabytes)
    largest.push_back(row("gigabytes", gigabytes, longest(gigabytes * 1e9)));
  return Json{{"bytes", bytes}, {"longest", largest}};
}

} // namespace sparsec::cli
