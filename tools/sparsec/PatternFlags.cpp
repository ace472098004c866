#include "tools/sparsec/PatternFlags.h"

#include "patterns/Files.h"
#include "tools/sparsec/Terminal.h"

#include <fmt/core.h>

namespace sparsec::cli {
namespace {

std::string readDType(const std::string &text, std::optional<DType> &dtype) {
  std::vector<std::string> names;
  for (DType each : {DType::BF16, DType::F16, DType::F32}) {
    names.emplace_back(name(each));
    if (text == name(each)) {
      dtype = each;
      return "";
    }
  }
  return fmt::format("expected {}, found '{}'{}", listed(names), text, suggestion(text, names));
}

/// The kind of order alone: sizes and files are read with the pattern.
std::string checkOrder(const std::string &text) {
  std::string order = text.starts_with("q=") || text.starts_with("k=") ? text.substr(2) : text;
  std::string word = order.substr(0, order.find_first_of(":,"));
  static const std::vector<std::string> kinds = {"auto",  "natural", "residue",
                                                 "tails", "grid",    "table"};
  if (std::find(kinds.begin(), kinds.end(), word) != kinds.end())
    return "";
  return fmt::format("expected auto, natural, residue:L, tails:L,C, grid:HxW/HxW or table:FILE, "
                     "for one axis q=... or k=..., found '{}'{}",
                     text, suggestion(word, kinds));
}

std::string readSplit(const std::string &text, std::optional<SplitChoice> &split) {
  const std::vector<std::string> names = {"auto", "always", "never"};
  for (SplitChoice each : {SplitChoice::Auto, SplitChoice::Always, SplitChoice::Never})
    if (text == names[static_cast<size_t>(each)]) {
      split = each;
      return "";
    }
  return fmt::format("expected {}, found '{}'{}", listed(names), text, suggestion(text, names));
}

constexpr FileUse kPatternFile = {"pattern file", kMaxPatternBytes};
constexpr FileUse kFileOfPattern = {"table or list of a pattern", size_t(1) << 28};

bool isPath(const std::string &pattern) {
  return pattern.find('/') != std::string::npos || pattern.ends_with(".yaml") ||
         pattern.ends_with(".yml");
}

Result<std::shared_ptr<const SourceText>> findSource(const PatternFlags &flags) {
  if (flags.hasExpression)
    return std::make_shared<const SourceText>(SourceText{"-e", flags.expression});
  if (flags.pattern == "-" || isPath(flags.pattern))
    return readSource(flags.pattern);
  if (auto file = zooFile(flags.pattern))
    return file;
  Error error = inputError(fmt::format("there is no pattern '{}' in the zoo{}", flags.pattern,
                                       suggestion(flags.pattern, zooNames())));
  if (std::filesystem::exists(flags.pattern))
    error.notes.push_back(fmt::format("for the file of that name, say ./{}", flags.pattern));
  else
    error.notes.push_back("'sparsec zoo' lists it; a path has a '/' or ends in .yaml");
  return error;
}

} // namespace

std::string readBlock(const std::string &text, Block &block) {
  if (text == "auto")
    return "";
  size_t by = text.find('x');
  int64_t q = 0, k = 0;
  std::string wrong = readInteger(text.substr(0, by), {1, 1 << 20}, q);
  k = q;
  if (wrong.empty() && by != std::string::npos)
    wrong = readInteger(text.substr(by + 1), {1, 1 << 20}, k);
  if (!wrong.empty())
    return fmt::format("expected auto, B or BQxBK, found '{}'", text);
  block = {static_cast<int>(q), static_cast<int>(k)};
  return "";
}

void declarePatternFlags(Options &options, PatternFlags &flags, std::function<bool()> needed) {
  options.heading("The pattern");
  options.positional("PATTERN", flags.pattern);
  options.value("-e", "EXPR", "a predicate in place of PATTERN", [&flags](const std::string &text) {
    flags.expression = text;
    flags.hasExpression = true;
    return std::string();
  });
  declareSharedFlags(options, flags);
  options.check([&flags, needed]() -> std::string {
    if (flags.pattern.empty() && !flags.hasExpression && (!needed || needed()))
      return "PATTERN: missing: a path, a name of the zoo, - or -e EXPR";
    if (!flags.pattern.empty() && flags.hasExpression)
      return fmt::format("-e: PATTERN is '{}' already", flags.pattern);
    return "";
  });
}

void declareSharedFlags(Options &options, PatternFlags &flags) {
  options.heading("The pattern");
  options.repeated("--param", "K=V", "set a parameter of the pattern (repeatable)",
                   [&flags](const std::string &text) {
                     flags.params.push_back(text);
                     return std::string();
                   });
  options.integer("-n", "number of keys and queries", flags.n);
  options.integer("--nq", "number of queries where it is another (-n)", flags.nq, {1, INT32_MAX});
  options.integer("--q0", "position of the first query (n - nq: the last is at the last key)",
                  flags.q0, {-INT32_MAX, INT32_MAX});
  options.integer("--heads", "heads of the model (one for each entry)", flags.heads, {1, 65535});
  options.integer("--kv-heads", "heads of keys and values (--heads)", flags.kvHeads, {1, 65535});
  options.integer("--head-dim", "16 .. 256 in steps of 16 (64)", flags.headDim);
  options.integer("--value-dim", "likewise, of the values (--head-dim)", flags.valueDim);
  options.value("--dtype", "TYPE", "bf16, f16 or f32 (bf16 on GPUs, f32 on cpu)",
                [&flags](const std::string &text) { return readDType(text, flags.dtype); });
  options.value("--block", "B|BQxBK", "unit of sparsity (auto)",
                [&flags](const std::string &text) { return readBlock(text, flags.block); });
  options.value("--order", "ORDER",
                "token order, as residue:128 or q=natural,k=tails:128,32 (auto)",
                [&flags](const std::string &text) {
                  flags.order = text;
                  return checkOrder(text);
                });
  options.value("--split", "WHEN", "split unions into parts: auto, always or never (auto)",
                [&flags](const std::string &text) { return readSplit(text, flags.split); });
}

void declareLayerFlag(Options &options, PatternFlags &flags) {
  options.heading("The pattern");
  options.integer("--layer", "one layer of the model, from 0 (every distinct one)", flags.layer,
                  {0, INT32_MAX});
}

Result<std::shared_ptr<const SourceText>> readSource(const std::string &path) {
  return readPath(path, kPatternFile);
}

namespace {

/// Reads the tables and lists that a pattern names, from its own folder.
FileReader filesBeside(const PatternFlags &flags) {
  std::filesystem::path folder;
  if (!flags.hasExpression && isPath(flags.pattern))
    folder = std::filesystem::path(flags.pattern).parent_path();
  return [folder](const std::string &name) { return readBeside(folder, name, kFileOfPattern); };
}

/// What the command line says about every head's schedule; errors are about its flags then.
Result<void> applySchedule(Pattern &pattern, const PatternFlags &flags) {
  for (HeadEntry &head : pattern.heads) {
    if (flags.block.q) {
      head.schedule.block = flags.block;
      head.blockWhere = {};
    }
    if (flags.split) {
      head.schedule.split = *flags.split;
      head.splitWhere = {};
    }
  }
  if (flags.order.empty())
    return {};
  return setOrders(pattern, std::make_shared<SourceText>(SourceText{"--order", flags.order}),
                   [](const std::string &name) { return readPath(name, kFileOfPattern); });
}

/// A table orders the tokens of one length: that is the pattern's, and -n's if it is given.
Result<void> findLength(LoadedPattern &loaded) {
  for (const HeadEntry &head : loaded.pattern.heads)
    for (const auto &order : {head.schedule.orderQ, head.schedule.orderK}) {
      const auto *table = order ? std::get_if<TableOrder>(&*order) : nullptr;
      if (!table)
        continue;
      auto size = static_cast<int64_t>(table->positions->size());
      if (loaded.n.value_or(size) != size)
        return inputError(fmt::format("expected an order of {} tokens, found {} in table '{}'",
                                      *loaded.n, size, table->name),
                          head.orderWhere);
      loaded.n = size;
    }
  return {};
}

/// The source and the pattern, as the file says.
Result<LoadedPattern> read(const PatternFlags &flags) {
  auto source = findSource(flags);
  if (!source)
    return source.error();
  PatternOverrides overrides;
  for (const std::string &each : flags.params)
    if (auto added = addParam(overrides, each); !added)
      return added.error();
  auto pattern = flags.hasExpression ? patternOfExpression(*source, overrides)
                                     : parsePattern(*source, overrides, filesBeside(flags));
  if (!pattern)
    return pattern.error();
  return LoadedPattern{*source, std::move(*pattern)};
}

/// Finds the layers, and how many heads the model has where nobody says: enough for every entry,
/// in every layer.
void findLayers(LoadedPattern &loaded, const PatternFlags &flags) {
  const std::vector<HeadEntry> &entries = loaded.pattern.heads;
  loaded.distinct = loaded.layers = distinctLayers(loaded.pattern);
  size_t heads = entries.size();
  for (const Layer &layer : loaded.distinct)
    heads = std::max(heads, layer.entries.size());
  loaded.heads = static_cast<int>(flags.heads.value_or(heads));
  std::vector<int> used = entriesOf(loaded.distinct);
  for (size_t i = 0; i < entries.size(); ++i)
    if (!std::ranges::binary_search(used, static_cast<int>(i)))
      fmt::print(stderr, "warning: no layer has head '{}': nothing is made of it\n",
                 entries[i].name);
  if (flags.layer)
    loaded.layers = {layerAt(loaded.distinct, *flags.layer)};
}

} // namespace

Result<std::map<std::string, int64_t>> paramsOf(const PatternFlags &flags) {
  PatternFlags plain = flags;
  plain.params.clear();
  auto loaded = read(plain);
  if (!loaded)
    return loaded.error();
  return loaded->pattern.params;
}

Result<LoadedPattern> load(const PatternFlags &flags) {
  auto read = cli::read(flags);
  if (!read)
    return read.error();
  LoadedPattern loaded = std::move(*read);
  for (const Error &warning : loaded.pattern.warnings)
    fmt::print(stderr, "{}", warning.renderWarning());
  if (auto applied = applySchedule(loaded.pattern, flags); !applied)
    return applied.error();
  loaded.n = flags.n;
  loaded.nq = flags.nq;
  loaded.q0 = flags.q0;
  if (auto found = findLength(loaded); !found)
    return found.error();
  findLayers(loaded, flags);
  loaded.kvHeads = static_cast<int>(flags.kvHeads.value_or(loaded.heads));
  if (loaded.heads % loaded.kvHeads)
    return inputError(fmt::format("--kv-heads: {} does not divide the {} heads of the model",
                                  loaded.kvHeads, loaded.heads));
  return loaded;
}

std::string Lengths::text() const {
  return square() ? fmt::format("n = {}", grouped(n))
                  : fmt::format("n = {}, nq = {}, q0 = {}", grouped(n), grouped(nq), grouped(q0));
}

Lengths LoadedPattern::at(int64_t keys) const {
  int64_t rows = nq.value_or(keys);
  return {.n = keys, .nq = rows, .q0 = q0.value_or(keys - rows)};
}

} // namespace sparsec::cli
