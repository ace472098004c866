// Many cells at once against one at a time, and counts by the runs of numbers: every answer has
// another way to be found. What the kinds of patterns take that have no closed form is counted.
#include "layout/Apart.h"
#include "layout/CellGrid.h"
#include "layout/CountSteps.h"
#include "layout/Parallel.h"
#include "layout/Specialise.h"
#include "tests/Sanitized.h"
#include "tests/layout/Orders.h"
#include "tests/layout/Predicates.h"

#include <atomic>
#include <set>

namespace sparsec::test {
namespace {

constexpr int64_t kMillion = 1'048'576;

LayoutRequest square(int64_t n, int block, LayoutRequest::Search search = {}) {
  return {.nq = n, .nk = n, .blockQ = block, .blockK = block, .search = search};
}

/// 0 before the first end, then 1, ...: what a list of documents' ends says, as a sum of steps.
std::string segments(const std::string &t, const std::vector<int64_t> &ends) {
  std::string text;
  for (int64_t end : ends)
    text += fmt::format("{}min(max({} - {} + 1, 0), 1)", text.empty() ? "" : " + ", t, end);
  return text;
}

/// A window of h x w on a picture, moved inside at its borders.
std::string moved(int64_t height, int64_t width, int64_t h, int64_t w) {
  return fmt::format("abs(min(max(q // {1}, {2}), {0} - 1 - {2}) - k // {1}) <= {2} and "
                     "abs(min(max(q % {1}, {3}), {1} - 1 - {3}) - k % {1}) <= {3}",
                     height, width, h / 2, w / 2);
}

/// Columns and diagonals in chains that a reader may write.
std::string slashes(int64_t n, int columns, int diagonals) {
  std::mt19937_64 random(3);
  auto chain = [&](const char *what, int count) {
    std::string text;
    for (int i = 0; i < count; ++i)
      text += fmt::format("{}{} == {}", i ? " or " : "", what, random() % static_cast<uint64_t>(n));
    return text;
  };
  std::string text;
  for (int at = 0; at < columns; at += 200)
    text += fmt::format("({}) or ", chain("k", std::min(200, columns - at)));
  return fmt::format("k <= q and ({}({}))", text, chain("q - k", diagonals));
}

const char *const kBigbird = "abs(q // 64 - k // 64) <= 1 or q // 64 < 2 or k // 64 < 2 or "
                             "hash(q // 64, k // 64, 5) % max(n // 64, 1) < 3";

TEST(Cells, OfLargerLayoutsAreWhatQuestionsFind) {
  // More than one group of columns, ragged ends, blocks of two shapes, cells smaller than blocks.
  const std::string patterns[] = {kBigbird,
                                  "k <= q and hash(q // 8, k // 8, h) % 7 == 0",
                                  "k <= q and (" + segments("q", {100, 101, 777, 900}) + ") == (" +
                                      segments("k", {100, 101, 777, 900}) + ")",
                                  moved(29, 37, 7, 5),
                                  slashes(1000, 20, 6),
                                  "(q - k) % 13 == 0 or k % 32 >= 30",
                                  "q * k % 7 == 3 and q - k < 100",
                                  "0 <= q - k < 20 + q // 16",
                                  "not (q // 24 == k // 24) and k % 5 != 0",
                                  "k // max(q // 100, 1) % 3 == 1",
                                  "hash(q, k, 1) % 9 == 0 and q - k > -64"};
  for (const std::string &text : patterns)
    for (auto [blockQ, blockK] : {std::pair(8, 8), std::pair(16, 4), std::pair(5, 7)}) {
      LayoutRequest request = {
          .nq = 1073, .nk = 1001, .q0 = -17, .blockQ = blockQ, .blockK = blockK, .threads = 2};
      request.search = LayoutRequest::Search::Rectangles;
      Result<BlockLayout> one = BlockLayout::build(predicate(text), request);
      request.search = LayoutRequest::Search::Cells;
      Result<BlockLayout> many = BlockLayout::build(predicate(text), request);
      ASSERT_TRUE(one && many);
      EXPECT_TRUE(*one == *many) << text << ", blocks " << blockQ << " x " << blockK;
      EXPECT_EQ(one->counts(), many->counts()) << text;
      ASSERT_EQ(*countElements(predicate(text), request),
                DenseMask(predicate(text), request).count())
          << text;
    }
}

TEST(Cells, InAGridOrderToo) {
  for (const std::string &text :
       {moved(24, 40, 7, 5), std::string("k <= q and abs(q % 40 - k % 40) < 3"),
        std::string("hash(q // 40, k % 40, 2) % 3 == 0")})
    for (OrderSpec spec :
         {OrderSpec(GridOrder{{24, 40}, {4, 4}}), OrderSpec(GridOrder{{25, 40}, {3, 5}})}) {
      LayoutRequest request = square(960, 16, LayoutRequest::Search::Rectangles);
      Order queries = make(spec, 960, 16), keys = make(spec, 960, 16);
      Result<BlockLayout> one = BlockLayout::build(predicate(text), request, queries, keys);
      request.search = LayoutRequest::Search::Cells;
      Work work;
      request.work = &work;
      Result<BlockLayout> many = BlockLayout::build(predicate(text), request, queries, keys);
      ASSERT_TRUE(one && many);
      EXPECT_TRUE(*one == *many) << text;
      EXPECT_GT(work.cells, 0);
    }
}

TEST(Cells, AreTheSameForAnyNumberOfThreads) {
  Work first;
  std::optional<BlockLayout> before;
  for (int threads : {1, 2, 3, 8}) {
    Work work;
    LayoutRequest request = square(16'384, 64);
    request.threads = threads;
    request.work = &work;
    Result<BlockLayout> layout = BlockLayout::build(predicate(kBigbird), request);
    ASSERT_TRUE(layout);
    Result<int64_t> elements = countElements(predicate(kBigbird), request);
    ASSERT_TRUE(elements);
    EXPECT_EQ(*elements, layout->counts().live * 64 * 64);
    if (before) {
      EXPECT_TRUE(*before == *layout);
      EXPECT_EQ(work.units, first.units);
      EXPECT_EQ(work.cells, first.cells);
    }
    before = *layout;
    first = work;
  }
}

TEST(Apart, TakesEachNumberByItself) {
  auto parts = [](const std::string &text) {
    std::optional<Apart> apart = takeApart(predicate(text));
    EXPECT_TRUE(apart) << text;
    return fmt::format("{} {} {}", apart->ofQueries.size(), apart->ofKeys.size(),
                       apart->ofDifferences.size());
  };
  EXPECT_EQ(parts("k <= q and (k == 5 or k == 77 or q // 64 == k // 64 or q - k == 9)"), "1 2 2");
  EXPECT_EQ(parts("q // 64 + 3 == k // 64"), "1 1 0");
  EXPECT_EQ(parts("2 * q - 2 * k + 5 < 0 or (q - k) % 4 == 1"), "0 0 1") << "one chain";
  EXPECT_EQ(parts("2 * q - k < 0"), "1 1 0");
  EXPECT_EQ(parts(slashes(1000, 400, 20)), "0 1 2");
  EXPECT_FALSE(takeApart(predicate("q * q < k"))) << "past 2^59";
}

TEST(Steps, PairsBetweenDiagonals) {
  for (int64_t q = 1; q < 7; ++q)
    for (int64_t k = 1; k < 7; ++k)
      for (int64_t first = -9; first < 9; ++first)
        for (int64_t last = first; last < 9; ++last) {
          int64_t found = 0;
          for (int64_t i = 2; i < 2 + q; ++i)
            for (int64_t j = 3; j < 3 + k; ++j)
              found += first <= i - j && i - j <= last;
          ASSERT_EQ(pairsBetween({{2, 1, q}, {3, 1, k}}, first, last), found);
        }
  // At lengths whose squares are near 2^63.
  constexpr int64_t n = (int64_t{1} << 31) - 1;
  EXPECT_EQ(pairsBetween({{0, 1, n}, {0, 1, n}}, 0, n), n / 2 * n + n);
}

TEST(Steps, CountWhereNumbersChangeSeldom) {
  int tried = 0;
  for (const std::string &text :
       {std::string("hash(q // 50, k // 70, 1) % 3 == 0"),
        "k <= q and (" + segments("q", {100, 350, 777}) + ") == (" +
            segments("k", {100, 351, 777}) + ")",
        std::string(
            "(k == 3 or k == 400 or k > 970) and q - k > 5 or q - k == 400 or q - k == 31")}) {
    LayoutRequest request = {.nq = 901, .nk = 1100, .q0 = 100};
    Rectangle all = {{100, 1, 901}, {0, 1, 1100}};
    Work work;
    std::optional<int64_t> found =
        countSteps(specialise(predicate(text), all, 0, request.sizes()), all, 2, kMostUnits, work);
    ASSERT_TRUE(found) << text;
    EXPECT_EQ(*found, DenseMask(predicate(text), request).count()) << text;
    ++tried;
  }
  EXPECT_EQ(tried, 3);
  Work work;
  EXPECT_FALSE(
      countSteps(predicate("q % 7 == k % 5"), {{0, 1, 1000}, {0, 1, 1000}}, 1, kMostUnits, work))
      << "numbers that change at each position";
}

/// What one layout of blocks of 64 and the count of pairs take at a million tokens.
Work workOf(const std::string &text) {
  Work work;
  LayoutRequest request = square(kMillion, 64);
  request.work = &work;
  Result<BlockLayout> layout = BlockLayout::build(predicate(text), request);
  EXPECT_TRUE(layout) << layout.error().message;
  Result<int64_t> elements = countElements(predicate(text), request);
  EXPECT_TRUE(elements) << elements.error().message;
  fmt::print("{} questions, {} evaluations, {} cells, {} runs: {:.60}\n", work.questions,
             work.evaluations, work.cells, work.runs, text);
  return work;
}

TEST(CellsBudget, PatternsWithoutAClosedFormFollowTheirLiveBlocks) {
  if (kSanitized)
    GTEST_SKIP() << "a million tokens";
  // 16,384 rows of 16,384 blocks are 2.7e8.
  Work borders = workOf(moved(1024, 1024, 7, 5)); // 329,728 live
  EXPECT_LT(borders.questions, 200'000);
  EXPECT_LT(borders.evaluations, 800'000);
  EXPECT_LT(borders.cells, 10'000'000);
  std::vector<int64_t> ends;
  for (int64_t i = 1; i < 32; ++i)
    ends.push_back(i * 32'771 - i * i % 1000);
  Work documents =
      workOf("k <= q and (" + segments("q", ends) + ") == (" + segments("k", ends) + ")");
  EXPECT_LT(documents.questions, 100'000);
  EXPECT_LT(documents.evaluations, 300'000);
  EXPECT_LT(documents.cells, 10'000'000);
}

TEST(CellsBudget, OfManyColumnsAndDiagonalsToo) {
  if (kSanitized)
    GTEST_SKIP() << "a million tokens";
  Work work = workOf(slashes(kMillion, 1000, 200)); // 11 million live
  EXPECT_LT(work.questions, 10'000);
  EXPECT_LT(work.evaluations, 500'000);
  EXPECT_LT(work.cells, 150'000'000) << "those below the diagonal, once";
}

TEST(CellsBudget, WhatIsTooMuchIsRefusedOrSampled) {
  // A hash of each pair: nothing to prove, 10^12 to ask.
  Work work;
  LayoutRequest request = square(kMillion, 64);
  request.work = &work;
  request.maximumUnits = 100'000'000;
  Expr noise = predicate("k <= q and hash(q, k, 1) % 64 == 0");
  Result<BlockLayout> layout = BlockLayout::build(noise, request);
  ASSERT_FALSE(layout);
  EXPECT_EQ(layout.error().kind, ErrorKind::Machine);
  EXPECT_NE(layout.error().message.find("takes more work"), std::string::npos)
      << layout.error().message;
  Result<int64_t> elements = countElements(noise, request);
  ASSERT_FALSE(elements);
  EXPECT_EQ(elements.error().kind, ErrorKind::Machine);
  EXPECT_LT(work.units, 20 * request.maximumUnits) << "strips side by side stop each";
}

TEST(Parallel, EveryItemOnceAndWhatIsThrown) {
  std::atomic<int64_t> sum = 0;
  inParallel(3, 1000, [&](int64_t i) { sum += i; });
  EXPECT_EQ(sum, 999 * 1000 / 2);
  EXPECT_THROW(inParallel(3, 100,
                          [](int64_t i) {
                            if (i == 57)
                              throw std::bad_alloc();
                          }),
               std::bad_alloc);
}

} // namespace
} // namespace sparsec::test
