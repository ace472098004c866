#include "patterns/IntegerList.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace sparsec {

int64_t IntegerList::countUpTo(int64_t x) const {
  return std::upper_bound(values.begin(), values.end(), x) - values.begin();
}

std::optional<std::string> checkEntries(const std::vector<int64_t> &values, size_t most) {
  if (values.empty())
    return "expected a list of at least one integer, found none";
  if (values.size() > most)
    return fmt::format("expected a list of at most {} integers, found {}", most, values.size());
  for (int64_t value : values)
    if (value < kLeastEntry || value > kMostEntry)
      return fmt::format("expected integers from {} to {} in a list, found {}", kLeastEntry,
                         kMostEntry, value);
  return std::nullopt;
}

ListRef makeList(std::vector<int64_t> values, std::string name) {
  assert(!checkEntries(values, 2 * kMostEntries));
  std::sort(values.begin(), values.end());
  auto list = std::make_shared<IntegerList>();
  list->values.assign(values.begin(), values.end());
  list->name = std::move(name);
  return list;
}

ListRef bordersOf(const IntegerList &list) {
  auto borders = std::make_shared<IntegerList>();
  borders->name = list.name;
  borders->members = list.values;
  auto &members = borders->members;
  members.erase(std::unique(members.begin(), members.end()), members.end());
  for (int32_t member : members) {
    if (!borders->values.empty() && borders->values.back() == member)
      borders->values.back() = member + 1; // the run goes on
    else
      borders->values.insert(borders->values.end(), {member, member + 1});
  }
  return borders;
}

bool sameValues(const ListRef &a, const ListRef &b) {
  return a == b || (a && b && a->values == b->values);
}

int compareValues(const ListRef &a, const ListRef &b) {
  if (sameValues(a, b))
    return 0;
  if (!a || !b)
    return a ? 1 : -1;
  return a->values < b->values ? -1 : 1;
}

Result<ListRef> readList(std::shared_ptr<const SourceText> text) {
  SourceLines lines(text);
  std::string_view all = text->text;
  auto separates = [](char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == ',';
  };
  std::vector<int64_t> values;
  for (size_t at = 0; at < all.size();) {
    if (separates(all[at])) {
      ++at;
      continue;
    }
    size_t end = at;
    while (end < all.size() && !separates(all[end]))
      ++end;
    std::string_view word = all.substr(at, end - at);
    SourceRange where = lines.at(at, static_cast<int>(std::min<size_t>(word.size(), 80)));
    int64_t value = 0;
    auto [stop, failure] = std::from_chars(word.data(), word.data() + word.size(), value);
    bool isNumber = failure == std::errc() && stop == word.data() + word.size();
    if (!isNumber && values.empty()) // no list: its text is nobody's business
      return inputError(
          fmt::format("{}: expected a list of integers, found another kind of file", text->name));
    if (!isNumber)
      return inputError(fmt::format("expected an integer of a list, found {}", quote(word)), where);
    if (value < kLeastEntry || value > kMostEntry || values.size() == kMostEntries)
      return inputError(*checkEntries(values.size() == kMostEntries
                                          ? std::vector<int64_t>(kMostEntries + 1)
                                          : std::vector<int64_t>{value}),
                        where);
    values.push_back(value);
    at = end;
  }
  if (auto wrong = checkEntries(values))
    return inputError(*wrong, lines.at(0, 1));
  return makeList(std::move(values), text->name);
}

} // namespace sparsec
