// A predicate over the blocks of two axes, 64 neighbours of a row at a time.
//
//   near or hash(q // 64, k // 64) % 9 == 0, blocks of 64      what is asked once
//     of queries   q // 64                                       for each block row
//     of keys      k // 64                                       for each block column
//     the core     abs(q1 - k1) <= 1 or hash(q1, k1) % 9 == 0    for each block, 64 at a time
//
// Parts of one number (layout/Apart.h) are tables; what is undecided of a predicate of one number
// is looked at for each of its values. Where blocks are larger than what the numbers step by (b =
// 64 in blocks of 128), cells are smaller than blocks, a block what its cells are together. In
// orders that are not natural a cell is a tile and differences of positions are no parts of their
// own.
//
// What blocks() leaves open, decide() answers, a query of the block at a time until both truths are
// seen. Safe to use from several threads.
#pragma once

#include "layout/Apart.h"
#include "layout/BlockLayout.h"

namespace sparsec {

class CellGrid {
public:
  static constexpr int kGroup = 64; ///< columns that are asked together first

  /// Nothing when the predicate is not narrow, an axis has too many blocks for tables, or an order
  /// leaves more than few stretches in a tile. `attend` as specialise() leaves it; the orders are
  /// kept by reference.
  static std::optional<CellGrid> make(const Expr &attend, const LayoutRequest &request,
                                      const Order &queries, const Order &keys, Work &work);

  /// Blocks firstColumn .. firstColumn + count - 1 of a row, count <= kGroup.
  void blocks(int64_t row, int64_t firstColumn, int count, Truths *result, Work &work) const;
  /// Whether a row is to all questions what the row above it is.
  bool isLikeAbove(int64_t row) const;
  /// Of the rows first .. last - 1 in each group of columns: column / kGroup.
  void groups(int64_t first, int64_t last, std::vector<Truths> &result, Work &work) const;

  /// Exactly: kTrue, kFalse or kBoth of the pairs of a block.
  Truths decide(int64_t row, int64_t column, Work &work) const;

private:
  /// Cells of one axis: tiles, or equal pieces of them in natural order.
  struct Axis {
    const Order *order = nullptr;
    bool natural = true;
    int64_t first = 0, size = 1, count = 0, end = 0; ///< positions first + i * size .. end - 1
    int64_t low(int64_t i) const { return first + i * size; }
    int64_t high(int64_t i) const { return std::min(low(i) + size, end) - 1; }
    bool isShort(int64_t i) const { return low(i) + size > end; }
    int64_t tokens(int64_t i) const { return natural ? high(i) - low(i) + 1 : order->tokens(i); }
    std::vector<int64_t> positions(int64_t cell) const;
  };
  /// A part's values in each cell of its axis.
  struct Table {
    std::vector<int64_t> low, high; ///< of integers
    std::vector<Truths> truths;     ///< of predicates
    bool points = false;
    /// Of those that are both: the truth at each position, `words` for a cell.
    std::vector<uint64_t> bits;
    int64_t words = 0;
    Cells at(int64_t i) const;
    bool bit(int64_t cell, int64_t place) const {
      return bits[cell * words + place / 64] >> (place % 64) & 1;
    }
  };
  /// The parts of one axis at each position of a cell.
  struct Places {
    std::vector<std::vector<int64_t>> numbers;
    std::vector<std::vector<Truths>> truths;
    Cells at(size_t part, int64_t place) const;
  };

  CellGrid(Apart apart, const LayoutRequest &request, const Order &queries, const Order &keys);
  void chooseCells(const LayoutRequest &request);
  static bool steps(const std::vector<Expr> &parts, const Axis &axis);
  static Table tableOf(const Expr &part, const Axis &axis, Work &work);
  static void decideTruths(const Expr &part, Table &table, int64_t longest,
                           const std::function<std::vector<int64_t>(int64_t)> &positions,
                           Work &work);
  static Places placesOf(const std::vector<Expr> &parts, const std::vector<Table> &tables,
                         const Axis &axis, int64_t cell);
  void makeTables(Work &work);
  void makeGroups();
  void joinKeys();
  static bool isLikeBefore(const std::vector<Table> &tables, int64_t cell);
  static void merge(const Table &from, int64_t first, int64_t last, Table &to);
  /// Of a cell: where its differences are.
  int64_t differenceAt(int64_t row, int64_t column) const {
    return (column * keys.size - row * queries.size) / pitch + origin;
  }
  void askJoined(std::vector<Cells> &sources, size_t next, int64_t first, int64_t last,
                 Truths *result, Work &work) const;
  /// In the table, or in the room.
  Cells differencesAt(int64_t row, int64_t column, int count, const Table &table,
                      Truths *room) const;
  Truths decideCell(int64_t row, int64_t column, Truths seen, Work &work) const;

  Apart apart;
  Axis queries, keys;
  int64_t perRow = 1, perColumn = 1; ///< cells of a block
  int64_t columns = 0;               ///< of blocks
  std::vector<Table> ofQueries, ofKeys, keyGroups;
  /// Neighbouring cells of keys that are one to all questions: of each cell which, and their
  /// tables. None where there are few such.
  std::vector<int32_t> joined;
  std::vector<Table> ofJoined;
  int64_t groupCount = 0;
  /// By (column * keys.size - row * queries.size) / pitch + origin.
  std::vector<Table> ofDifferences;
  int64_t pitch = 1, origin = 0;
};

} // namespace sparsec
