#include "patterns/OrderSpec.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace sparsec {

namespace {

constexpr int64_t kMost = (int64_t{1} << 31) - 1;

template <class... Each>
struct Cases : Each... {
  using Each::operator()...;
};
template <class... Each>
Cases(Each...) -> Cases<Each...>;

std::string sizeList(const std::vector<int64_t> &sizes) {
  return fmt::format("{}", fmt::join(sizes, " x "));
}

bool inRange(int64_t size) {
  return 1 <= size && size <= kMost;
}

std::string wrong(const ResidueOrder &order) {
  return inRange(order.period)
             ? ""
             : fmt::format("expected a residue's period in 1 .. {}, found {}", kMost, order.period);
}

std::string wrong(const TailsOrder &order) {
  if (!inRange(order.period))
    return fmt::format("expected a period of tails in 1 .. {}, found {}", kMost, order.period);
  if (order.width < 1 || order.width > order.period)
    return fmt::format("expected tails of 1 .. {}, the period, found {}", order.period,
                       order.width);
  return "";
}

std::string wrong(const GridOrder &order) {
  size_t count = order.sizes.size();
  if (count != 2 && count != 3)
    return fmt::format("expected a grid of 2 or 3 sizes, found {}", count);
  if (order.tile.size() != count)
    return fmt::format("expected a tile of {} sizes, as the grid's, found {}", count,
                       order.tile.size());
  int64_t tokens = 1;
  for (size_t i = 0; i < count; ++i) {
    if (!inRange(order.sizes[i]) || order.sizes[i] > kMost / tokens)
      return fmt::format("expected a grid of 1 .. {} tokens, found {}", kMost,
                         sizeList(order.sizes));
    tokens *= order.sizes[i];
    if (order.tile[i] < 1 || order.tile[i] > order.sizes[i])
      return fmt::format("expected a tile inside the grid of {}, found {}", sizeList(order.sizes),
                         sizeList(order.tile));
  }
  return "";
}

/// The place of the first position that is out of range or repeated, and what is wrong with it.
std::pair<size_t, std::string> wrongPlace(const std::vector<int32_t> &positions) {
  std::vector<size_t> placeOf(positions.size(), positions.size());
  for (size_t i = 0; i < positions.size(); ++i) {
    int32_t position = positions[i];
    if (position < 0 || static_cast<size_t>(position) >= positions.size())
      return {i, fmt::format("expected a permutation of 0 .. {}, found {}", positions.size() - 1,
                             position)};
    size_t &place = placeOf[position];
    if (place != positions.size())
      return {i, fmt::format("expected each position of 0 .. {} once, found {} at places {} and {}",
                             positions.size() - 1, position, place, i)};
    place = i;
  }
  return {};
}

std::string wrong(const TableOrder &order) {
  if (!order.positions || order.positions->empty())
    return fmt::format("expected the positions of the order, found none in '{}'", order.name);
  if (order.positions->size() > static_cast<size_t>(kMost))
    return fmt::format("expected at most {} positions, found {}", kMost, order.positions->size());
  return wrongPlace(*order.positions).second;
}

std::string wrong(const NaturalOrder &) {
  return "";
}

bool isBlank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

} // namespace

bool TableOrder::operator==(const TableOrder &other) const {
  if (positions == other.positions)
    return true;
  return positions && other.positions && *positions == *other.positions;
}

Result<void> check(const OrderSpec &spec, std::optional<SourceRange> where) {
  std::string message = std::visit([](const auto &order) { return wrong(order); }, spec);
  if (message.empty())
    return {};
  return inputError(std::move(message), std::move(where));
}

std::string print(const OrderSpec &spec) {
  return std::visit(
      Cases{[](const NaturalOrder &) { return std::string("natural"); },
            [](const ResidueOrder &order) { return fmt::format("residue {}", order.period); },
            [](const TailsOrder &order) {
              return fmt::format("tails {}, {}", order.period, order.width);
            },
            [](const GridOrder &order) {
              return fmt::format("grid {} by {}", sizeList(order.sizes), sizeList(order.tile));
            },
            [](const TableOrder &order) { return fmt::format("table {}", order.name); }},
      spec);
}

Result<TableOrder> readTable(std::shared_ptr<const SourceText> text) {
  SourceLines lines(text);
  std::string_view all = text->text;
  auto positions = std::make_shared<std::vector<int32_t>>();
  std::vector<std::pair<size_t, int>> places; // offset and length of each number
  for (size_t at = 0; at < all.size();) {
    if (isBlank(all[at])) {
      ++at;
      continue;
    }
    size_t end = at;
    while (end < all.size() && !isBlank(all[end]))
      ++end;
    std::string_view word = all.substr(at, end - at);
    int length = static_cast<int>(std::min<size_t>(word.size(), 80));
    int32_t value = 0;
    auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    bool isNumber = error == std::errc() && stop == word.data() + word.size();
    bool isText = !isNumber && error != std::errc::result_out_of_range;
    if (isText && positions->empty()) // no table: its text is nobody's business
      return inputError(fmt::format("{}: expected the positions of an order, found another kind of "
                                    "file",
                                    text->name));
    if (!isNumber)
      return inputError(fmt::format("expected a position, found {}", quote(word)),
                        lines.at(at, length));
    positions->push_back(value);
    places.emplace_back(at, length);
    at = end;
  }
  TableOrder order = {.name = text->name, .positions = positions};
  if (positions->empty())
    return inputError("expected the positions of the order, found none", lines.at(0, 1));
  if (auto [place, message] = wrongPlace(*positions); !message.empty())
    return inputError(message, lines.at(places[place].first, places[place].second));
  return order;
}

} // namespace sparsec
