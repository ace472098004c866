#include "tests/verify/Mutation.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

namespace sparsec::testing {

namespace {

struct Line {
  size_t begin = 0, end = 0; ///< in the text, without its newline
  std::string_view text;     ///< without indentation; empty: of another kernel
};

/// Those of a kernel: the text has all kernels of a request.
std::vector<Line> linesOf(std::string_view text, const std::string &entry) {
  std::vector<Line> lines;
  bool inside = text.find(".entry ") == std::string_view::npos;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = std::min(text.find('\n', begin), text.size());
    size_t first = std::min(text.find_first_not_of(" \t", begin), end);
    std::string_view line = text.substr(first, end - first);
    if (line.find(".entry ") != std::string_view::npos)
      inside = line.find(".entry " + entry + "(") != std::string_view::npos;
    lines.push_back({begin, end, inside ? line : std::string_view()});
    begin = end + 1;
  }
  return lines;
}

/// "selp.f32 %f9, %f8, 0f00, %p3;" -> "selp.f32", "%f9", "%f8", "0f00", "%p3"; braces are dropped
/// too
std::vector<std::string_view> words(std::string_view line) {
  std::vector<std::string_view> result;
  size_t at = 0;
  while ((at = line.find_first_not_of(" \t,;{}", at)) != std::string_view::npos) {
    size_t end = std::min(line.find_first_of(" \t,;{}", at), line.size());
    result.push_back(line.substr(at, end - at));
    at = end;
  }
  return result;
}

constexpr std::string_view kNegativeInfinity = "0fFF800000";

/// "k_param_0+176]" and the like: the offset into the argument struct.
std::optional<int> parameterOffset(std::string_view address) {
  size_t begin = address.find("_param_0");
  if (begin == std::string_view::npos)
    return std::nullopt;
  begin += std::string_view("_param_0").size();
  int offset = 0;
  if (address.substr(begin).starts_with("+"))
    std::from_chars(address.data() + begin + 1, address.data() + address.size(), offset);
  return offset;
}

/// Arguments that are lengths of an axis.
constexpr std::string_view kLengths[] = {"n", "nq", "rows", "shares", "classes", "most"};
/// Arguments that point to lengths in memory.
constexpr std::string_view kOfLengths[] = {"lengths", "groups"};

using Registers = std::set<std::string_view>;

/// The lines whose first word begins and ends as given.
std::vector<std::vector<std::string_view>>
instructions(const std::vector<Line> &lines, std::string_view begins, std::string_view ends) {
  std::vector<std::vector<std::string_view>> found;
  for (const Line &line : lines) {
    std::vector<std::string_view> word = words(line.text);
    if (word.size() >= 3 && word[0].starts_with(begins) && word[0].ends_with(ends))
      found.push_back(std::move(word));
  }
  return found;
}

/// Registers of an argument of one of these names, alone or in pairs.
Registers argumentRegisters(const std::vector<Line> &lines, const Signature &signature,
                            std::span<const std::string_view> names, int bytes) {
  std::set<int> offsets;
  for (const Field &field : signature.fields())
    if (std::ranges::find(names, field.name) != names.end())
      offsets.insert(field.offset);
  Registers result;
  for (const auto &word : instructions(lines, "ld.param", bytes == 4 ? "b32" : "b64")) {
    std::optional<int> offset = parameterOffset(word.back());
    for (size_t i = 1; offset && i + 1 < word.size(); ++i)
      if (offsets.contains(*offset + bytes * (static_cast<int>(i) - 1)))
        result.insert(word[i]);
  }
  return result;
}

/// And those that instructions of such a name make of them.
void addDerived(const std::vector<Line> &lines, std::string_view begins, std::string_view ends,
                Registers &known) {
  for (const auto &word : instructions(lines, begins, ends))
    if (std::any_of(word.begin() + 2, word.end(),
                    [&](std::string_view each) { return known.contains(each); }))
      known.insert(word[1]);
}

/// Registers that hold a length: as it comes from the kernel's argument, from memory that one
/// points to, or instead of nothing (0) where something does not exist.
Registers lengthRegisters(const std::vector<Line> &lines, const Signature &signature) {
  Registers lengths = argumentRegisters(lines, signature, kLengths, 4);
  Registers addresses = argumentRegisters(lines, signature, kOfLengths, 8);
  for (std::string_view op : {"cvta.to.global", "add.s64", "mad.lo", "mad.wide"})
    addDerived(lines, op, "", addresses);
  for (const auto &word : instructions(lines, "ld.global", "b32")) {
    std::string_view address = word.back();
    address = address.substr(1, address.find_first_of("+]") - 1);
    if (addresses.contains(address))
      lengths.insert(word.begin() + 1, word.end() - 1);
  }
  addDerived(lines, "selp.b32", "", lengths);
  return lengths;
}

/// What to put in place of a line, and as which mutation; nothing to leave it.
std::optional<std::pair<MutationKind, std::string>>
mutate(const std::vector<std::string_view> &word, const Registers &lengths) {
  using enum MutationKind;
  if (word.empty())
    return std::nullopt;
  if (word[0].starts_with("bar.") || word[0].starts_with("barrier."))
    return std::pair(Barrier, "");
  if (word[0].starts_with("cp.async.wait"))
    return std::pair(Wait, "");
  if (word[0] == "cp.async.commit_group")
    return std::pair(Commit, "");
  if (word[0].starts_with("selp.") && word.size() == 5)
    for (int kept : {2, 3})
      if (word[5 - kept] == kNegativeInfinity)
        return std::pair(Mask, fmt::format("mov.b32 {}, {};", word[1], word[kept]));
  if (word[0].starts_with("setp.") && word.size() == 4 &&
      (lengths.contains(word[2]) || lengths.contains(word[3])))
    for (auto [holds, length] : {std::pair{".lt.", 3}, {".ge.", 3}, {".gt.", 2}, {".le.", 2}})
      if (word[0].find(holds) != std::string_view::npos && lengths.contains(word[length])) {
        bool inRange = std::string_view(holds) == ".lt." || std::string_view(holds) == ".gt.";
        return std::pair(Range,
                         fmt::format("setp.{}.s32 {}, 0, 0;", inRange ? "eq" : "ne", word[1]));
      }
  return std::nullopt;
}

} // namespace

std::string_view name(MutationKind kind) {
  switch (kind) {
  case MutationKind::Barrier:
    return "barrier";
  case MutationKind::Wait:
    return "wait";
  case MutationKind::Commit:
    return "commit";
  case MutationKind::Mask:
    return "mask";
  case MutationKind::Range:
    return "range";
  }
  return "";
}

std::vector<Mutant> mutantsOf(const Kernel &kernel) {
  const std::string &ptx = kernel.code;
  std::vector<Line> lines = linesOf(ptx, kernel.entry);
  Registers lengths = lengthRegisters(lines, kernel.signature);
  std::vector<Mutant> mutants;
  for (size_t i = 0; i < lines.size(); ++i) {
    auto changed = mutate(words(lines[i].text), lengths);
    if (!changed)
      continue;
    auto [begin, end, text] = lines[i];
    mutants.push_back({.kind = changed->first,
                       .line = static_cast<int>(i) + 1,
                       .original = std::string(text),
                       .ptx = ptx.substr(0, begin) + changed->second + ptx.substr(end)});
  }
  return mutants;
}

} // namespace sparsec::testing
