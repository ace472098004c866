// Closed forms say exactly the blocks of their layout, and exist where rows move evenly.
#include "layout/ClosedForm.h"
#include "layout/HeadTables.h"
#include "layout/OrderNumbers.h"
#include "tests/Sanitized.h"
#include "tests/layout/Orders.h"
#include "tests/layout/Predicates.h"

#include <set>

namespace sparsec::test {
namespace {

struct Axes {
  Order queries, keys;
};
Axes axesOf(const LayoutRequest &request, const OrderSpec &queries, const OrderSpec &keys) {
  return {make(queries, request.nq, request.blockQ), make(keys, request.nk, request.blockK)};
}

std::set<std::pair<int32_t, BlockKind>> blocksOf(std::span<const BlockRun> row) {
  std::set<std::pair<int32_t, BlockKind>> blocks;
  for (const BlockRun &run : row)
    for (int32_t column = run.begin; column < run.end; ++column)
      blocks.insert({column, run.kind});
  return blocks;
}

/// As a kernel computes them, from the numbers alone.
RowBlocks fromNumbers(std::vector<int32_t> numbers, int32_t row) {
  if (int32_t next = numbers[ClosedForm::kNext]; row >= next) {
    row -= next;
    numbers.erase(numbers.begin(), numbers.begin() + numbers[ClosedForm::kNextAt]);
  }
  auto divide = [&](int32_t x, int at) { return std::pair{x / numbers[at], x % numbers[at]}; };
  auto [u, phase] = divide(row, ClosedForm::kPhases);
  auto [t, m] = divide(u, ClosedForm::kBoxTiles);
  int32_t lead = numbers[ClosedForm::kLead], tail = numbers[ClosedForm::kTailStart];
  phase = row < lead    ? row
          : row >= tail ? lead + numbers[ClosedForm::kPhases] + row - tail
                        : lead + phase;
  RowBlocks blocks;
  for (int i = 0; i < RowBlocks::kRuns; ++i) {
    const int32_t *run =
        numbers.data() + ClosedForm::kHead + phase * ClosedForm::kPhase + i * ClosedForm::kRun;
    auto bound = [&](int at) {
      return std::clamp(run[at] + run[at + 1] * t + run[at + 2] * m, run[ClosedForm::kLow],
                        run[ClosedForm::kHigh]);
    };
    int32_t begin = bound(ClosedForm::kBegin), end = bound(ClosedForm::kEnd);
    int32_t step = run[ClosedForm::kStep];
    blocks.runs[i] = {run[ClosedForm::kOrigin] + begin * step, step, std::max(end - begin, 0)};
  }
  return blocks;
}

/// Every row as the layout has it, each block once.
void expectExact(const ClosedForm &form, const BlockLayout &layout) {
  ASSERT_EQ(form.rows(), layout.rows());
  std::vector<int32_t> numbers = form.numbers();
  for (int64_t r = 0; r < layout.rows(); ++r) {
    RowBlocks blocks = form.row(r);
    std::set<std::pair<int32_t, BlockKind>> found;
    size_t count = 0;
    for (int i = 0; i < RowBlocks::kRuns; ++i) {
      const Progression &run = blocks.runs[i];
      for (int32_t j = 0; j < run.count; ++j)
        found.insert({run.first + j * run.step,
                      i < RowBlocks::kPartial ? BlockKind::Partial : BlockKind::Full});
      count += run.count;
    }
    ASSERT_EQ(found, blocksOf(layout.row(r))) << "row " << r << "\n" << form.print();
    ASSERT_EQ(found.size(), count) << "row " << r << " has a block twice";
    ASSERT_EQ(fromNumbers(numbers, static_cast<int32_t>(r)).runs, blocks.runs) << "row " << r;
  }
}

/// Of a block of a row; nothing where it is not live.
std::optional<BlockKind> kindAt(std::span<const BlockRun> row, int32_t column) {
  for (const BlockRun &run : row)
    if (run.begin <= column && column < run.end)
      return run.kind;
  return std::nullopt;
}

struct FormCase {
  const char *attend;
  OrderSpec queries = NaturalOrder{}, keys = NaturalOrder{};
  LayoutRequest request = {.nq = 2048, .nk = 2048, .blockQ = 64, .blockK = 64};
};

TEST(ClosedForm, IsFoundWhereRowsMoveEvenly) {
  const FormCase cases[] = {
      {"True"},
      {"causal"},
      {"local(128)"},
      {"local(200)"},
      {"causal and every(128)"},
      {"causal and every(128)", ResidueOrder{128}, ResidueOrder{128}},
      {"causal and every(8)", ResidueOrder{8}, ResidueOrder{8}},
      {"causal and (same(128) or tail(128, 32))"},
      {"causal and (same(128) or tail(128, 32))", NaturalOrder{}, TailsOrder{128, 32}},
      {"causal and (q - k < 200 or k < 4)"},
      {"local(1024) and every(4)"},
      {"same(256)"},
      {"q // 128 == k // 128 + 1"},
      {"causal or k < 200"},
      {"abs(q - k) <= 100"},
      {"local(128)",
       NaturalOrder{},
       NaturalOrder{},
       {.nq = 2000, .nk = 2011, .q0 = 11, .blockQ = 64, .blockK = 64}},
      {"causal",
       NaturalOrder{},
       NaturalOrder{},
       {.nq = 2000, .nk = 4000, .q0 = 2000, .blockQ = 128, .blockK = 32}},
      {"local(300)",
       NaturalOrder{},
       NaturalOrder{},
       {.nq = 3000, .nk = 3000, .blockQ = 32, .blockK = 128}},
  };
  for (const FormCase &c : cases) {
    SCOPED_TRACE(std::string(c.attend) + ", queries " + print(c.queries) + ", keys " +
                 print(c.keys));
    Axes axes = axesOf(c.request, c.queries, c.keys);
    Expr attend = predicate(c.attend);
    Result<HeadLayouts> heads =
        layoutsOfHeads(attend, c.request, axes.queries, axes.keys, {.count = 1});
    ASSERT_TRUE(heads);
    const BlockLayout &layout = heads->layouts[0];
    EXPECT_TRUE(formsOf(*heads, axes.queries)) << layout.print();
    int64_t chain =
        axes.queries.lattices().empty() ? 1 : axes.queries.lattices()[0].axes[1].parts();
    std::optional<ClosedForm> form = ClosedForm::find(layout, chain);
    ASSERT_TRUE(form) << layout.print();
    expectExact(*form, layout);
  }
}

/// What dk and dv fold, of the patterns of the paper at real lengths, l dividing them and not.
TEST(ClosedForm, OfTransposedLayouts) {
  struct {
    const char *attend;
    OrderSpec queries, keys;
  } cases[] = {
      {"causal", NaturalOrder{}, NaturalOrder{}},
      {"local(128)", NaturalOrder{}, NaturalOrder{}},
      {"local(100)", NaturalOrder{}, NaturalOrder{}},
      {"causal and every(128)", ResidueOrder{128}, ResidueOrder{128}},
      {"causal and every(100)", ResidueOrder{100}, ResidueOrder{100}},
      {"causal and (same(128) or tail(128, 32))", NaturalOrder{}, TailsOrder{128, 32}},
      {"causal and tail(128, 32)", NaturalOrder{}, TailsOrder{128, 32}},
      {"causal and same(128) and not tail(128, 32)", NaturalOrder{}, NaturalOrder{}},
  };
  for (int64_t n : {4'096, 12'288, 1'048'575})
    for (auto [blockQ, blockK] : {std::pair{64, 64}, {32, 32}})
      for (const auto &[attend, queries, keys] : cases) {
        if (n > 12'288 && (kSanitized || blockQ == 32))
          continue;
        SCOPED_TRACE(fmt::format("{}, n {}, blocks {} x {}", attend, n, blockQ, blockK));
        LayoutRequest request{.nq = n, .nk = n, .blockQ = blockQ, .blockK = blockK};
        Axes axes = axesOf(request, queries, keys);
        Result<HeadLayouts> heads =
            layoutsOfHeads(predicate(attend), request, axes.queries, axes.keys, {.count = 1});
        ASSERT_TRUE(heads);
        BlockLayout &layout = heads->layouts[0];
        layout = layout.transpose();
        std::optional<HeadForms> forms = formsOf(*heads, axes.keys);
        ASSERT_TRUE(forms);
        EXPECT_LT(forms->numbers.size(), 2'000u);
        // The rows near each end of each piece, and some between.
        for (int64_t r = 0; r < layout.rows(); r += r % 997 < 40 ? 1 : 61) {
          RowBlocks blocks = fromNumbers(forms->numbers, static_cast<int32_t>(r));
          int64_t count = 0;
          for (int i = 0; i < RowBlocks::kRuns; ++i) {
            auto [first, step, times] = blocks.runs[i];
            BlockKind kind = i < RowBlocks::kPartial ? BlockKind::Partial : BlockKind::Full;
            count += times;
            for (int32_t j = 0; j < times; ++j)
              ASSERT_EQ(kindAt(layout.row(r), first + j * step), kind) << "row " << r;
          }
          int64_t all = 0;
          for (const BlockRun &run : layout.row(r))
            all += run.end - run.begin;
          ASSERT_EQ(count, all) << "row " << r;
        }
      }
}

TEST(ClosedForm, IsExactWhereverItIsFound) {
  const char *predicates[] = {
      "True",
      "causal",
      "local(5)",
      "causal and every(7)",
      "causal and every(4)",
      "causal and (same(8) or tail(8, 3))",
      "k < 3 or local(9)",
      "q < 5 or k < 5 or abs(q - k) <= 3",
      "hash(q // 8, k // 8, 1) % 4 == 0",
      "abs(q // 8 - k // 8) <= 1 and abs(q % 8 - k % 8) <= 1",
      "False",
      "k == 5",
      "(q + k) % 16 == 0",
      "not causal",
      "k >= n - 9",
  };
  int64_t visited = 0;
  int found = 0, missing = 0;
  for (const char *text : predicates)
    for (auto [nq, nk] :
         {std::pair{0, 9}, {9, 0}, {1, 1}, {16, 16}, {61, 61}, {64, 100}, {130, 70}})
      for (auto [blockQ, blockK] : {std::pair{1, 1}, {4, 4}, {8, 4}, {4, 16}})
        for (const OrderSpec &order : {OrderSpec(NaturalOrder{}), OrderSpec(ResidueOrder{4}),
                                       OrderSpec(ResidueOrder{7}), OrderSpec(TailsOrder{8, 3})}) {
          if (isLeftOut(visited++))
            continue;
          LayoutRequest request = {
              .nq = nq, .nk = nk, .q0 = nk - nq, .blockQ = blockQ, .blockK = blockK};
          SCOPED_TRACE(std::string(text) + ", " + print(order) + ", nq " + std::to_string(nq) +
                       ", nk " + std::to_string(nk) + ", blocks " + std::to_string(blockQ) + " x " +
                       std::to_string(blockK));
          Axes axes = axesOf(request, order, order);
          Result<BlockLayout> layout =
              BlockLayout::build(predicate(text), request, axes.queries, axes.keys);
          ASSERT_TRUE(layout);
          for (int64_t boxTiles : {1, 2, 4}) {
            std::optional<ClosedForm> form = ClosedForm::find(*layout, boxTiles);
            ++(form ? found : missing);
            if (form) {
              ASSERT_NO_FATAL_FAILURE(expectExact(*form, *layout));
            }
          }
        }
  EXPECT_GT(found, kSanitized ? 40 : 500);
  EXPECT_GT(missing, kSanitized ? 8 : 100);
}

TEST(ClosedForm, HeadsThatDifferHaveTheirOwn) {
  LayoutRequest request = {.nq = 512, .nk = 512, .blockQ = 16, .blockK = 16};
  Order order = Order::natural(512, 16);
  Expr attend = predicate("causal and q - k < 32 * (h + 1)");
  Result<HeadLayouts> heads =
      layoutsOfHeads(attend, request, order, order, {.first = 1, .step = 2, .count = 3});
  ASSERT_TRUE(heads);
  std::optional<HeadForms> forms = formsOf(*heads, order);
  ASSERT_TRUE(forms);
  ASSERT_EQ(static_cast<int64_t>(forms->numbers.size()), 3 * forms->stride);
  for (int64_t y = 0; y < 3; ++y) {
    std::vector<int32_t> mine(forms->numbers.begin() + y * forms->stride,
                              forms->numbers.begin() + (y + 1) * forms->stride);
    std::optional<ClosedForm> form = ClosedForm::find(heads->layouts[y]);
    ASSERT_TRUE(form);
    for (int32_t r = 0; r < 32; ++r)
      EXPECT_EQ(fromNumbers(mine, r).runs, form->row(r).runs) << "head " << y << ", row " << r;
  }
}

/// What a launch of strided or local attention over a million tokens needs: few numbers, found
/// from the two or three runs of each of 16,384 rows, which are copied and then compared. Rows of
/// local attention have 17 blocks; all blocks are 268 million.
TEST(ClosedForm, OfAMillionTokensLooksAtEachRowAFewTimes) {
  constexpr int64_t n = int64_t{1} << 20, rows = n / 64;
  const FormCase cases[] = {
      {"local(1024)"},
      {"causal and every(1024)", ResidueOrder{1024}, ResidueOrder{1024}},
  };
  for (const FormCase &c : cases) {
    LayoutRequest request = {.nq = n, .nk = n, .blockQ = 64, .blockK = 64};
    Work work;
    request.work = &work;
    Axes axes = axesOf(request, c.queries, c.keys);
    Result<HeadLayouts> heads =
        layoutsOfHeads(predicate(c.attend), request, axes.queries, axes.keys, {.count = 8});
    ASSERT_TRUE(heads);
    std::optional<HeadForms> forms = formsOf(*heads, axes.queries, &work);
    std::vector<int32_t> order = orderNumbers(axes.queries);
    ASSERT_TRUE(forms) << c.attend;
    // Both axes of the strided column share one list of numbers.
    EXPECT_LE((forms->numbers.size() + order.size()) * sizeof(int32_t), 1024u) << c.attend;
    fmt::print("{} questions, {} evaluations, {} runs: {}\n", work.questions, work.evaluations,
               work.runs, c.attend);
    EXPECT_LT(work.questions, rows / 4) << "rows repeat";
    EXPECT_LT(work.evaluations, rows / 64);
    EXPECT_LT(work.runs, 8 * rows);
  }
}

} // namespace
} // namespace sparsec::test
