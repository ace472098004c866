// An order in one line, as a command takes it: see setOrders().
#include "patterns/ReadPattern.h"

#include <fmt/format.h>

namespace sparsec {

namespace {

constexpr int64_t kLargest = (int64_t(1) << 31) - 1;
constexpr std::string_view kForms = "auto, natural, residue:L, tails:L,C, grid:HxW/HxW or "
                                    "table:FILE";

/// A stretch of the flag's text.
struct Piece {
  std::string_view text;
  size_t offset = 0;

  Piece from(size_t begin) const { return {text.substr(begin), offset + begin}; }
  Piece to(size_t end) const { return {text.substr(0, end), offset}; }
};

/// Cut at each separator.
std::vector<Piece> cut(Piece piece, char separator) {
  std::vector<Piece> pieces;
  for (size_t at; (at = piece.text.find(separator)) != std::string_view::npos;
       piece = piece.from(at + 1))
    pieces.push_back(piece.to(at));
  pieces.push_back(piece);
  return pieces;
}

class OrderReader {
public:
  OrderReader(std::shared_ptr<const SourceText> text, const std::map<std::string, int64_t> &params,
              const FileReader &files)
      : lines(std::move(text)), params(params), files(files) {}

  Result<void> run(std::vector<HeadEntry> &heads) const {
    Piece all = {lines.text(), 0};
    if (!all.text.starts_with("q=") && !all.text.starts_with("k="))
      return set(all, {&Schedule::orderQ, &Schedule::orderK}, heads);
    // A comma stands in an order too: only one before the other axis cuts.
    size_t other = all.text.find(all.text[0] == 'q' ? ",k=" : ",q=");
    if (Result<void> one = setAxis(all.to(other), heads); !one)
      return one;
    return other == std::string_view::npos ? Result<void>() : setAxis(all.from(other + 1), heads);
  }

private:
  Error wrong(std::string message, const Piece &piece) const {
    return inputError(std::move(message),
                      lines.at(piece.offset, static_cast<int>(piece.text.size())));
  }

  using Axis = std::optional<OrderSpec> Schedule::*;

  Result<void> setAxis(const Piece &piece, std::vector<HeadEntry> &heads) const {
    return set(piece.from(2), {piece.text[0] == 'q' ? &Schedule::orderQ : &Schedule::orderK},
               heads);
  }

  Result<void> set(const Piece &piece, const std::vector<Axis> &axes,
                   std::vector<HeadEntry> &heads) const {
    Result<std::optional<OrderSpec>> order = read(piece);
    if (!order)
      return order.error();
    for (HeadEntry &head : heads)
      for (Axis axis : axes)
        head.schedule.*axis = *order;
    return {};
  }

  Result<std::optional<OrderSpec>> read(const Piece &piece) const {
    if (piece.text == "auto")
      return std::optional<OrderSpec>();
    Result<OrderSpec> order = readOrder(piece);
    if (!order)
      return order.error();
    if (Result<void> possible =
            check(*order, lines.at(piece.offset, static_cast<int>(piece.text.size())));
        !possible)
      return possible.error();
    return std::optional<OrderSpec>(*std::move(order));
  }

  Result<OrderSpec> readOrder(const Piece &piece) const {
    if (piece.text == "natural")
      return OrderSpec(NaturalOrder{});
    size_t colon = piece.text.find(':');
    std::string_view kind = piece.text.substr(0, colon);
    if (colon == std::string_view::npos)
      return wrong(fmt::format("expected {}, found {}", kForms, quote(piece.text)), piece);
    Piece rest = piece.from(colon + 1);
    if (kind == "residue") {
      Result<int64_t> period = size(rest);
      return period ? Result<OrderSpec>(ResidueOrder{*period}) : period.error();
    }
    if (kind == "tails")
      return readTails(rest);
    if (kind == "grid")
      return readGrid(rest);
    if (kind == "table") {
      Result<TableOrder> table = readTableFile(
          std::string(rest.text), lines.at(rest.offset, static_cast<int>(rest.text.size())), files);
      return table ? Result<OrderSpec>(*std::move(table)) : table.error();
    }
    return wrong(fmt::format("expected {}, found {}", kForms, quote(kind)), piece.to(colon));
  }

  Result<OrderSpec> readTails(const Piece &piece) const {
    std::vector<Piece> pieces = cut(piece, ',');
    if (pieces.size() != 2)
      return wrong(fmt::format("expected a period and a width, L,C, found {}", quote(piece.text)),
                   piece);
    Result<int64_t> period = size(pieces[0]);
    if (!period)
      return period.error();
    Result<int64_t> width = size(pieces[1]);
    if (!width)
      return width.error();
    return OrderSpec(TailsOrder{*period, *width});
  }

  Result<OrderSpec> readGrid(const Piece &piece) const {
    std::vector<Piece> halves = cut(piece, '/');
    if (halves.size() != 2)
      return wrong(
          fmt::format("expected a grid and its tile, HxW/HxW, found {}", quote(piece.text)), piece);
    Result<std::vector<int64_t>> sizes = sizesOf(halves[0]), tile = sizesOf(halves[1]);
    if (!sizes || !tile)
      return !sizes ? sizes.error() : tile.error();
    return OrderSpec(GridOrder{*std::move(sizes), *std::move(tile)});
  }

  Result<std::vector<int64_t>> sizesOf(const Piece &piece) const {
    std::vector<int64_t> sizes;
    for (const Piece &each : cut(piece, 'x')) {
      Result<int64_t> one = size(each);
      if (!one)
        return one.error();
      sizes.push_back(*one);
    }
    return sizes;
  }

  Result<int64_t> size(const Piece &piece) const {
    auto param = params.find(std::string(piece.text));
    std::optional<int64_t> value =
        param != params.end() ? std::optional(param->second) : decimal(piece.text);
    if (!value)
      return wrong(fmt::format("expected a size, a decimal integer or a parameter's name, found {}",
                               piece.text.empty() ? "nothing" : quote(piece.text)),
                   piece);
    if (*value < 1 || *value > kLargest)
      return wrong(fmt::format("expected a size from 1 to {}, found {}", kLargest, *value), piece);
    return *value;
  }

  SourceLines lines;
  const std::map<std::string, int64_t> &params;
  const FileReader &files;
};

} // namespace

Result<void> setOrders(Pattern &pattern, std::shared_ptr<const SourceText> text,
                       const FileReader &files) {
  SourceRange where = SourceLines(text).at(0, static_cast<int>(text->text.size()));
  if (Result<void> set = OrderReader(text, pattern.params, files).run(pattern.heads); !set)
    return set;
  for (HeadEntry &head : pattern.heads)
    head.orderWhere = where;
  return {};
}

} // namespace sparsec
