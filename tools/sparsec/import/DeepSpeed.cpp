// DeepSpeed's sparsity configs (deepspeed/ops/sparse_attention/sparsity_config.py) as patterns,
// block for block. What it draws at random is drawn here too, as many blocks a row, but other ones.
// Of "unidirectional" its layouts leave the diagonal blocks whole, for a mask of its user's to cut;
// here keys after the query are cut off.
#include "tools/sparsec/import/Importers.h"

#include <fmt/format.h>

namespace sparsec::cli {
namespace {

using Json = nlohmann::json;

/// A config's values, each asked for with its default; the first that is wrong is kept.
class Fields {
public:
  explicit Fields(const Json &config) : config(config) {}

  int64_t integer(const char *key, int64_t otherwise, int64_t least) {
    auto found = config.find(key);
    if (found == config.end() || found->is_null())
      return otherwise;
    if (found->is_number_integer() && found->get<int64_t>() >= least &&
        found->get<int64_t>() < 1 << 24)
      return found->get<int64_t>();
    return fail(key, fmt::format("an integer of at least {}", least)), otherwise;
  }
  bool flag(const char *key, bool otherwise) {
    auto found = config.find(key);
    if (found == config.end() || found->is_null())
      return otherwise;
    if (found->is_boolean())
      return found->get<bool>();
    return fail(key, "true or false"), otherwise;
  }
  std::vector<int64_t> integers(const char *key, std::vector<int64_t> otherwise) {
    auto found = config.find(key);
    if (found == config.end() || found->is_null())
      return otherwise;
    std::vector<int64_t> values;
    for (const Json &each : *found)
      if (each.is_number_integer() && each.get<int64_t>() >= 0 && each.get<int64_t>() < 1 << 24)
        values.push_back(each.get<int64_t>());
    if (!found->is_array() || values.size() != found->size() || values.empty())
      return fail(key, "a list of integers"), otherwise;
    return values;
  }
  /// Whether attention is unidirectional.
  bool causal(const char *otherwise) {
    auto found = config.find("attention");
    std::string value = found != config.end() && found->is_string() ? found->get<std::string>()
                                                                    : std::string(otherwise);
    if (value != "unidirectional" && value != "bidirectional")
      fail("attention", "unidirectional or bidirectional");
    return value == "unidirectional";
  }

  std::optional<Error> error;

private:
  void fail(const char *key, std::string_view wanted) {
    if (!error)
      error =
          inputError(fmt::format("'{}' of the DeepSpeed config: expected {}, found {}", key, wanted,
                                 config.contains(key) ? config[key].dump() : "nothing"));
  }
  const Json &config;
};

/// The parts of the pattern that are written.
struct Written {
  int64_t block = 16;
  bool causal = false;
  std::string params;  ///< beside b
  std::string where;   ///< lines
  std::string attend;  ///< over qb and kb, the numbers of blocks
  std::string perHead; ///< what differs by head; empty: nothing
};

std::string text(const Written &written, std::string_view mode, const ImportChoice &choice) {
  return fmt::format("name: {}\n"
                     "doc: DeepSpeed's sparse attention, mode {}, in blocks of {}{}.\n"
                     "params: {{b: {}{}}}\n"
                     "where:\n"
                     "  qb: q // b\n"
                     "  kb: k // b\n"
                     "  nb: (n + b - 1) // b\n"
                     "{}"
                     "heads:\n"
                     "  - {{name: {}, attend: \"{}{}\"}}\n",
                     choice.name, mode, written.block,
                     written.causal ? "; keys after the query are cut off inside blocks too" : "",
                     written.block, written.params, written.where,
                     mode == "dense" ? "dense" : "sparse", written.causal ? "causal and " : "",
                     written.causal && written.attend.find(" or ") != std::string::npos
                         ? "(" + written.attend + ")"
                         : written.attend);
}

/// Drawn blocks of a row: of all, or of those up to the diagonal.
std::string randomBlocks(int64_t count, bool causal, bool perHead) {
  return fmt::format("draw({}, qb, kb, {}, {})", count, causal ? "qb + 1" : "nb",
                     perHead ? "h" : "0");
}

/// Global blocks by their numbers, in columns and rows as asked for.
std::string globalBlocks(const std::vector<int64_t> &begin, const std::vector<int64_t> &end,
                         bool rows) {
  std::vector<int64_t> all;
  for (size_t i = 0; i < begin.size(); ++i)
    for (int64_t block = begin[i]; block < end[i]; ++block)
      all.push_back(block);
  std::string list = fmt::format("[{}]", fmt::join(all, ", "));
  return fmt::format("kb in {}{}", list, rows ? fmt::format(" or qb in {}", list) : "");
}

Result<std::vector<int64_t>> globalEnds(Fields &fields, const std::vector<int64_t> &begin) {
  std::vector<int64_t> after = begin;
  for (int64_t &each : after)
    ++each;
  std::vector<int64_t> end = fields.integers("global_block_end_indices", after);
  if (end.size() != begin.size())
    return inputError("expected as many global_block_end_indices as global_block_indices");
  for (size_t i = 0; i < end.size(); ++i)
    if (end[i] <= begin[i] || end[i] - begin[i] > 4096)
      return inputError("expected each of global_block_end_indices after its global_block_indices");
  return end;
}

Result<void> writeFixed(Fields &fields, Written &out) {
  int64_t local = fields.integer("num_local_blocks", 4, 1);
  int64_t global = fields.integer("num_global_blocks", 1, 1);
  int64_t patterns = fields.integer("num_different_global_patterns", 1, 1);
  bool rows = fields.flag("horizontal_global_attention", false);
  out.causal = fields.causal("bidirectional");
  if (local % global || patterns > local / global)
    return inputError(
        "expected num_local_blocks to be a multiple of num_global_blocks, and at most "
        "that many num_different_global_patterns");
  if (rows && out.causal)
    return inputError("horizontal_global_attention is of bidirectional attention alone");
  out.params = fmt::format(", w: {}, g: {}", local, global);
  // The last window may be short: its global blocks end with the sequence.
  out.where =
      fmt::format("  first: w - (1 + h % {}) * g\n"
                  "  whole: nb - nb % w\n"
                  "  last: min(whole + first, nb - g)\n"
                  "  global(t): t < whole and first <= t % w < first + g or nb % w != 0 and "
                  "last <= t < last + g\n",
                  patterns);
  out.attend = "qb // w == kb // w or global(kb)";
  if (rows)
    out.attend += " or global(qb)";
  return {};
}

Result<void> writeVariable(Fields &fields, Written &out) {
  int64_t random = fields.integer("num_random_blocks", 0, 0);
  std::vector<int64_t> windows = fields.integers("local_window_blocks", {4});
  std::vector<int64_t> begin = fields.integers("global_block_indices", {0});
  Result<std::vector<int64_t>> end = globalEnds(fields, begin);
  if (!end)
    return end.error();
  bool rows = fields.flag("horizontal_global_attention", false);
  bool perHead = fields.flag("different_layout_per_head", false);
  out.causal = fields.causal("bidirectional");
  int64_t start = 0;
  std::vector<int64_t> ends;
  for (int64_t window : windows) {
    if (window < 1)
      return inputError("expected windows of at least one block in local_window_blocks");
    ends.push_back(start += window);
  }
  // Windows of the sizes given, then the last size again and again.
  int64_t lastStart = start - windows.back();
  out.where = fmt::format("  part(t): segment(t, [{}]) + max(t - {}, 0) // {}\n",
                          fmt::join(ends, ", "), lastStart, windows.back());
  if (windows.size() == 1)
    out.where = fmt::format("  part(t): t // {}\n", windows[0]);
  else if (ends.pop_back(); !ends.empty())
    out.where = fmt::format("  part(t): segment(t, [{}]) + max(t - {}, 0) // {}\n",
                            fmt::join(ends, ", "), lastStart, windows.back());
  out.attend = "part(qb) == part(kb) or " + globalBlocks(begin, *end, rows && !out.causal);
  if (random)
    out.attend += " or " + randomBlocks(random, false, perHead);
  return {};
}

Result<void> writeBigBird(Fields &fields, Written &out) {
  int64_t random = fields.integer("num_random_blocks", 1, 0);
  int64_t window = fields.integer("num_sliding_window_blocks", 3, 1);
  int64_t global = fields.integer("num_global_blocks", 1, 0);
  bool perHead = fields.flag("different_layout_per_head", false);
  out.causal = fields.causal("bidirectional");
  out.attend = fmt::format("abs(qb - kb) <= {} or kb < {} or qb < {}", window / 2, global, global);
  if (random)
    out.attend += " or " + randomBlocks(random, out.causal, perHead);
  return {};
}

Result<void> writeLongformer(Fields &fields, Written &out) {
  int64_t window = fields.integer("num_sliding_window_blocks", 3, 1);
  std::vector<int64_t> begin = fields.integers("global_block_indices", {0});
  Result<std::vector<int64_t>> end = globalEnds(fields, begin);
  if (!end)
    return end.error();
  out.causal = fields.causal("bidirectional");
  out.attend = fmt::format("abs(qb - kb) <= {} or {}", window / 2, globalBlocks(begin, *end, true));
  return {};
}

Result<void> writeSliding(Fields &fields, Written &out) {
  int64_t window = fields.integer("num_sliding_window_blocks", 3, 1);
  out.causal = fields.causal("unidirectional");
  out.attend = fmt::format("abs(qb - kb) <= {}", window / 2);
  return {};
}

} // namespace

Result<Imported> importDeepSpeed(const Json &whole, const ImportChoice &choice) {
  const Json &config = whole.contains("sparse_attention") ? whole["sparse_attention"] : whole;
  std::string mode = config.contains("mode") && config["mode"].is_string()
                         ? config["mode"].get<std::string>()
                         : "fixed";
  Fields fields(config);
  Written out;
  out.block = fields.integer("block", 16, 1);
  struct Mode {
    std::string_view name;
    Result<void> (*write)(Fields &, Written &);
  };
  constexpr Mode kModes[] = {{"fixed", writeFixed},     {"variable", writeVariable},
                             {"bigbird", writeBigBird}, {"bslongformer", writeLongformer},
                             {"local", writeSliding},   {"local_sliding_window", writeSliding}};
  if (mode == "dense") {
    out.attend = "True";
    return Imported{text(out, mode, choice), {}};
  }
  for (const Mode &each : kModes) {
    if (mode != each.name)
      continue;
    if (Result<void> written = each.write(fields, out); !written)
      return written.error();
    if (fields.error)
      return *fields.error;
    return Imported{text(out, mode, choice), {}};
  }
  return inputError(fmt::format("expected a DeepSpeed mode of dense, fixed, variable, bigbird, "
                                "bslongformer or local_sliding_window, found '{}'",
                                mode));
}

} // namespace sparsec::cli
