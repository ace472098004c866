// The lowering that back ends share, run on numbers instead of emitted: it says what layout/ says.
#include "codegen/common/FormRow.h"
#include "codegen/common/LatticeTile.h"
#include "layout/HeadTables.h"
#include "tests/layout/Orders.h"
#include "tests/layout/Predicates.h"

namespace sparsec::test {
namespace {

/// An integer, a truth or an address.
struct Number {
  int64_t value = 0;
  bool isSet = false;
  explicit operator bool() const { return isSet; }
};

/// Computes what a back end would emit. Where 32 bits overflow, `fits` becomes false.
struct Host {
  using Scalar = Number;
  bool fits = true;

  static Number truth(bool value) { return {value, true}; }
  Number narrow(int64_t value) {
    fits &= value == int32_t(value);
    return {value, true};
  }
  Number i32(int64_t value) { return narrow(value); }
  Number i64(int64_t value) { return {value, true}; }
  Number wide(Number a) { return a; }
  Number add(Number a, Number b) { return narrow(a.value + b.value); }
  Number add(Number a, int64_t b) { return narrow(a.value + b); }
  Number subtract(Number a, Number b) { return narrow(a.value - b.value); }
  Number multiply(Number a, Number b) { return narrow(a.value * b.value); }
  Number multiply(Number a, int64_t b) { return narrow(a.value * b); }
  Number shiftLeft(Number a, int bits) { return narrow(a.value << bits); }
  Number bitAnd(Number a, Number b) { return {a.value & b.value, true}; }
  Number bitAnd(Number a, int64_t b) { return {a.value & b, true}; }
  Number bitOr(Number a, int64_t b) { return {a.value | b, true}; }
  Number least(Number a, Number b) { return {std::min(a.value, b.value), true}; }
  Number most(Number a, Number b) { return {std::max(a.value, b.value), true}; }
  Number equal(Number a, int64_t b) { return truth(a.value == b); }
  Number less(Number a, Number b) { return truth(a.value < b.value); }
  Number atLeast(Number a, Number b) { return truth(a.value >= b.value); }
  Number greater(Number a, int64_t b) { return truth(a.value > b); }
  Number below(Number a, Number b) { return truth(uint32_t(a.value) < uint32_t(b.value)); }
  Number select(Number condition, Number a, Number b) { return condition.value ? a : b; }
  Number advance(Number a, Number b) { return {a.value + b.value, true}; }
  Number advance(Number a, int64_t b) { return {a.value + b, true}; }
  Number number(Number pointer, int64_t index, bool = true) {
    return {reinterpret_cast<const int32_t *>(pointer.value)[index], true};
  }
  std::pair<Number, Number> divideBy(Number a, Number pointer, int64_t index, bool = true) {
    int64_t divisor = number(pointer, index).value;
    return {i32(a.value / divisor), i32(a.value % divisor)};
  }
  static Number address(const std::vector<int32_t> &numbers) {
    return {reinterpret_cast<int64_t>(numbers.data()), true};
  }
};
static_assert(ScalarBuilder<Host>);

/// Positions of a tile's rows, kNoPosition where there is none.
std::vector<int32_t> positionsOf(const Order &order, const std::vector<int32_t> &numbers,
                                 int64_t index) {
  Host host;
  LatticeTile tile(host, shapeOf(order.spec()), Host::address(numbers), host.i32(index),
                   order.tile());
  std::vector<int32_t> positions;
  for (int r = 0; r < order.tile(); ++r) {
    LatticeRow row = latticeRow(host, tile.first, tile.counts, host.number(tile.table, 2 * r),
                                host.number(tile.table, 2 * r + 1));
    bool exists =
        tile.some.value && row.inside.value && host.below(row.position, {order.size(), true}).value;
    positions.push_back(exists ? int32_t(row.position.value) : kNoPosition);
  }
  EXPECT_TRUE(host.fits);
  return positions;
}

TEST(LatticeTile, HasTheRowsOfTheOrder) {
  for (int64_t n : {1, 2, 3, 5, 8, 13, 16, 31, 64, 100, 129})
    for (const OrderSpec &spec : someOrders(n))
      for (int tile : {1, 3, 4, 8, 16, 64, 128}) {
        OrderShape shape = shapeOf(spec);
        if (shape == OrderShape::Natural || shape == OrderShape::Table)
          continue;
        SCOPED_TRACE(print(spec) + ", n " + std::to_string(n) + ", tile " + std::to_string(tile));
        Order order = make(spec, n, tile);
        std::vector<int32_t> numbers = orderNumbers(order);
        for (int64_t i = 0; i < order.tileCount(); ++i)
          ASSERT_EQ(positionsOf(order, numbers, i),
                    positionsFromNumbers(shape, numbers, int32_t(n), tile, int32_t(i)));
      }
}

/// The block columns of a row, in the order of its list, and where the full ones begin.
struct List {
  std::vector<int64_t> columns;
  int64_t full = 0;
  bool operator==(const List &) const = default;
};

List listOf(const RowBlocks &row) {
  List list;
  for (int i = 0; i < RowBlocks::kRuns; ++i) {
    if (i == RowBlocks::kPartial)
      list.full = int64_t(list.columns.size());
    for (int32_t j = 0; j < row.runs[i].count; ++j)
      list.columns.push_back(row.runs[i].first + j * row.runs[i].step);
  }
  return list;
}

List listFromNumbers(const std::vector<int32_t> &numbers, int64_t r) {
  Host host;
  FormRow row(host, Host::address(numbers), host.i32(r));
  std::vector<FormRow<Host>::Run> runs;
  for (int i = 0; i < RowBlocks::kRuns; ++i)
    runs.push_back(row.run(host.advance(row.runs(), 4 * ClosedForm::kRun * i),
                           i ? runs.back().end : host.i32(0)));
  List list;
  list.full = runs[RowBlocks::kPartial - 1].end.value;
  for (int64_t index = 0; index < runs.back().end.value; ++index) {
    auto [first, step] = ofRunAt(
        host, host.i32(index), [&](int run) { return runs[run].end; },
        [&](int run) {
          return std::array{runs[run].first, runs[run].step};
        });
    list.columns.push_back(host.add(first, host.multiply(host.i32(index), step)).value);
  }
  EXPECT_TRUE(host.fits);
  return list;
}

TEST(FormRow, ListsTheBlocksOfTheClosedForm) {
  struct Case {
    const char *attend;
    OrderSpec order = NaturalOrder{};
  };
  const Case cases[] = {
      {"True"},
      {"causal"},
      {"local(200)"},
      {"causal and every(128)"},
      {"causal and every(128)", ResidueOrder{128}},
      {"causal and (same(128) or tail(128, 32))"},
      {"causal and (q - k < 200 or k < 4)"},
  };
  for (const Case &each : cases) {
    SCOPED_TRACE(each.attend);
    LayoutRequest request = {.nq = 2048, .nk = 2048, .blockQ = 64, .blockK = 64};
    Order order = make(each.order, request.nq, request.blockQ);
    Result<HeadLayouts> heads =
        layoutsOfHeads(predicate(each.attend), request, order, order, {.count = 1});
    ASSERT_TRUE(heads);
    int64_t chain = order.lattices().empty() ? 1 : order.lattices()[0].axes[1].parts();
    std::optional<ClosedForm> form = ClosedForm::find(heads->layouts[0], chain);
    ASSERT_TRUE(form);
    std::vector<int32_t> numbers = form->numbers();
    for (int64_t r = 0; r < form->rows(); ++r)
      ASSERT_EQ(listFromNumbers(numbers, r), listOf(form->row(r))) << "row " << r;
  }
}

} // namespace
} // namespace sparsec::test
