// Blocks counted by arithmetic: of every order, of rows and of all of them, against layouts that
// list them; and at lengths where nothing could be listed, against formulas.
#include "layout/CountBlocks.h"

#include "tests/layout/Orders.h"
#include "tests/layout/Predicates.h"

namespace sparsec::test {
namespace {

constexpr int64_t kAnyWork = int64_t{1} << 60;

const char *const kPatterns[] = {
    "k <= q",
    "0 <= q - k < 7",
    "k <= q and (q - k) % 3 == 0",
    "k <= q and (q - k) % 5 == 0 or q - k == 1",
    "k <= q and (q // 4 == k // 4 or k % 4 == 3)",
    "k % 5 >= 3 and k <= q",
    "abs(q // 4 - k // 4) <= 1 and abs(q % 4 - k % 4) <= 1",
    "hash(q, k, h) % 3 == 0",
    "q == q",
    "k < 6 or q > 19 and k <= q",
};

/// Sections are the tiles that hold a token, each once.
TEST(Sections, AreTheTiles) {
  for (int64_t n : {1, 2, 7, 12, 23, 63, 100})
    for (int tile : {1, 2, 3, 4, 8})
      for (const OrderSpec &spec : someOrders(n)) {
        Order order = make(spec, n, tile);
        std::optional<std::vector<Section>> sections = sectionsOf(order);
        ASSERT_EQ(sections.has_value(), !std::holds_alternative<TableOrder>(spec));
        if (!sections)
          continue;
        std::multiset<std::vector<int64_t>> expected, found;
        for (int64_t i = 0; i < order.tileCount(); ++i)
          if (order.tokens(i))
            expected.insert(order.positions(i));
        std::function<void(const Section &)> add = [&](const Section &section) {
          if (!section.single()) {
            for (int64_t i = 0; i < section.digits[0].count; ++i)
              add(section.slice(0, i, 1));
            return;
          }
          std::vector<int64_t> positions;
          for (const Range &range : section.positions())
            for (int64_t i = 0; i < range.count; ++i)
              positions.push_back(range.first + i * range.step);
          std::sort(positions.begin(), positions.end());
          EXPECT_EQ(std::ssize(positions), section.tokens);
          found.insert(positions);
        };
        for (const Section &section : *sections)
          add(section);
        ASSERT_EQ(found, expected) << print(spec) << ", n = " << n << ", tiles of " << tile;
      }
}

TEST(Sections, AreAHandfulAtAnyLength) {
  constexpr int64_t kMost = 2'147'483'647;
  for (int64_t n : {kMost, kMost / 7, kMost / 1'000})
    for (const OrderSpec &spec :
         std::vector<OrderSpec>{NaturalOrder{}, ResidueOrder{128}, ResidueOrder{12'345},
                                ResidueOrder{1'000'003}, TailsOrder{4'099, 77}})
      for (int tile : {64, 96})
        EXPECT_LE(sectionsOf(make(spec, n, tile))->size(), 32u) << print(spec) << ", " << n;
}

TEST(CountBlocks, IsTheLayouts) {
  int64_t visited = 0;
  for (const char *text : kPatterns)
    for (auto [nq, nk, q0] : {std::array{12, 12, 0}, std::array{61, 61, 0}, std::array{7, 23, 16},
                              std::array{40, 33, -3}})
      for (auto [blockQ, blockK] : {std::array{2, 2}, std::array{4, 2}, std::array{3, 8}})
        for (const OrderSpec &queriesSpec : someOrders(nq))
          for (const OrderSpec &keysSpec : someOrders(nk)) {
            if (visited++ % 13) // which is no number of orders, lengths or blocks
              continue;
            Expr attend = predicate(text);
            LayoutRequest request = {
                .nq = nq, .nk = nk, .q0 = q0, .h = 1, .blockQ = blockQ, .blockK = blockK};
            Order queries = make(queriesSpec, nq, blockQ), keys = make(keysSpec, nk, blockK);
            BlockCounter counter(attend, request, queries, keys);
            Work work;
            std::optional<BlockCounts> found = counter.all(kAnyWork, work);
            ASSERT_EQ(found.has_value(), !counter.ofTables());
            if (!found)
              continue;
            std::string what = fmt::format("{}, queries {}, keys {}", describe(attend, request),
                                           print(queriesSpec), print(keysSpec));
            Result<BlockLayout> layout = BlockLayout::build(attend, request, queries, keys);
            ASSERT_TRUE(layout) << what;
            ASSERT_EQ(*found, layout->counts()) << what;
            for (int64_t row : {int64_t{0}, layout->rows() / 2, layout->rows() - 1}) {
              BlockCounts expected;
              for (const BlockRun &run : layout->row(row)) {
                (run.kind == BlockKind::Full ? expected.full : expected.partial) +=
                    run.end - run.begin;
                expected.live += run.end - run.begin;
              }
              ASSERT_EQ(counter.row(row, kAnyWork, work), expected) << what << ", row " << row;
              // Rows this short are followed whole.
              ASSERT_EQ(counter.estimateRow(row, work), expected) << what << ", row " << row;
            }
          }
}

/// 2^31 - 1 tokens, whose last block has one token less.
constexpr int64_t kMost = (int64_t{1} << 31) - 1, kBlocks = int64_t{1} << 25;
constexpr LayoutRequest kLongest = {.nq = kMost, .nk = kMost, .blockQ = 64, .blockK = 64};

BlockCounts countLongest(const char *text, const OrderSpec &queries, const OrderSpec &keys,
                         int64_t mostQuestions) {
  Order ofQueries = make(queries, kMost, 64), ofKeys = make(keys, kMost, 64);
  Work work;
  std::optional<BlockCounts> found =
      BlockCounter(predicate(text), kLongest, ofQueries, ofKeys).all(kAnyWork, work);
  fmt::print("{} questions, {} evaluations: {}\n", work.questions, work.evaluations, text);
  EXPECT_LT(work.questions, mostQuestions) << text;
  return *found;
}

BlockCounts counts(int64_t full, int64_t partial) {
  return {.live = full + partial, .full = full, .partial = partial};
}

TEST(CountBlocks, AtTheGreatestLengthTakesAFewQuestions) {
  NaturalOrder natural;
  EXPECT_EQ(countLongest("k <= q", natural, natural, 500),
            counts(kBlocks * (kBlocks - 1) / 2, kBlocks));
  // A window of 128: the block on the diagonal and the third one are partial. So is the last key
  // block, which only its own queries see.
  EXPECT_EQ(countLongest("0 <= q - k < 128", natural, natural, 1'000),
            counts(kBlocks - 1, 2 * kBlocks - 2));
  // Each chain of residues is a triangle. The last one has one token less: its last block of keys
  // is short, which only its own queries see, and is partial all the same.
  int64_t chain = kBlocks / 128;
  EXPECT_EQ(
      countLongest("k <= q and (q - k) % 128 == 0", ResidueOrder{128}, ResidueOrder{128}, 20'000),
      counts(128 * (chain * (chain - 1) / 2), 128 * chain));
  // Of fixed: tails of 32 in blocks of two, which later queries see whole; bodies see themselves.
  BlockCounts fixed = countLongest("k <= q and (q // 128 == k // 128 or k % 128 >= 96)", natural,
                                   TailsOrder{128, 32}, 5'000);
  EXPECT_GT(fixed.full, kBlocks * (kBlocks / 4) / 2 - 2 * kBlocks);
  EXPECT_LT(fixed.full, kBlocks * (kBlocks / 4) / 2 + 2 * kBlocks);
}

TEST(CountBlocks, StopsAtWhatItMayTake) {
  Order order = Order::natural(kMost, 64);
  BlockCounter counter(predicate("hash(q // 64, k // 64, 1) % 9 == 0"), kLongest, order, order);
  Work work;
  EXPECT_EQ(counter.all(10'000'000, work), std::nullopt);
  EXPECT_LT(work.units, 11'000'000);
  EXPECT_EQ(counter.row(kBlocks / 2, 1'000'000, work), std::nullopt);
  // A row is estimated from a few blocks at each of its 25 levels.
  Work ofRow;
  double found = double(counter.estimateRow(kBlocks / 2, ofRow).live),
         expected = double(kBlocks) / 9;
  EXPECT_GT(found, 0.4 * expected);
  EXPECT_LT(found, 2 * expected);
  EXPECT_LT(ofRow.questions, 10'000);
}

TEST(CountBlocks, EstimatesLongRowsFromSomeOfTheirBlocks) {
  // Of rows of 2^25 blocks those that repeat are counted, others estimated; neither looks at each.
  Order order = Order::natural(kMost, 64);
  for (auto [text, exact] : {std::pair("k <= q and (q - k) % 128 == 0", true),
                             std::pair("hash(q // 64, k // 64, 1) % 9 == 0", false)}) {
    Work work;
    LayoutRequest request = kLongest;
    request.work = &work;
    std::vector<int64_t> rows = {7, kBlocks / 3};
    RowCounts found = BlockLayout::countRows(predicate(text), request, order, order, rows);
    EXPECT_EQ(found.exact, exact) << text;
    EXPECT_LT(work.units, 100'000'000) << text;
    if (exact) // each second block, up to the query's own
      EXPECT_EQ(found.rows[1].live, (kBlocks / 3 + 1) / 2 + (kBlocks / 3 + 1) % 2) << text;
  }
}

} // namespace
} // namespace sparsec::test
