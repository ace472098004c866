// A predicate after separate(), and as the arithmetic a kernel runs, against its meaning.
#include "dialect/Dialects.h"
#include "dialect/predicate/Emit.h"
#include "tests/dialect/Interpret.h"
#include "tests/patterns/EnumeratePredicates.h"

#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/MLIRContext.h"
#include "mlir/IR/Operation.h"
#include "mlir/IR/Verifier.h"

#include <gtest/gtest.h>

#include <random>

using namespace mlir;

namespace sparsec::testing {
namespace {

Expr parse(const std::string &text) {
  Result<Expr> expr = parsePredicate(std::make_shared<SourceText>(SourceText{"test", text}));
  EXPECT_TRUE(static_cast<bool>(expr)) << text << ": " << (expr ? "" : expr.error().message);
  return expr ? *expr : leaf(Op::False);
}

/// Patterns that take each way through the lowering: the zoo's, and corners of 32 and 64 bits.
const char *const kTexts[] = {
    "causal",
    "causal and local(128)",
    "causal and every(100)",
    "every(1) or every(7)",
    "causal and (same(128) or tail(128, 32))",
    "same(128) or k % 128 // 32 == 128 // 32 - 1 - h % (128 // 32)",
    "window(3, 5)",
    "(q - k) % 96 < 7",
    "(q - k) // 5 % 3 == 1",
    "(q + k) % 12 >= 5 and (2 * q - 3 * k + 1) % 10 == 4",
    "(k - q) % 10 != 3",
    "(q - k) % 10 == 11",
    "(q - k) % -10 == 0 or (q - k) % -10 == -3",
    "(q - k) // -7 < -3",
    "abs(q // 8 - k // 8) <= 2 and abs(q % 8 - k % 8) <= 2",
    "abs(q - k) > 5",
    "abs(q - k) == 4 or 3 - abs(q - k) >= 0 or 9 < abs(k - q)",
    "abs(q - k) < h - 2",
    "not (causal and not local(3)) or not abs(q - k) < 2",
    "q % (h + 1) == k % (h + 1)",
    "(q - k) % (h + 3) == 0",
    "q // (h - 2000000) == k // (h - 2000000) or q % (h - 2000000) == -5",
    "q * k % 1000003 < 400000",
    "q * q - k * k > 1000000007",
    "k * 3000000000 < q * 3000000001 - 17",
    "q * 4294967296 < k",
    "k < q * 4294967296",
    "k <= q * 4294967296 and q * 4294967296 - 3 != k",
    "k == q * 4294967296 + 7",
    "q + 2147483647 >= k + 2147483640",
    "q - 2147483647 < k or k + 2147483647 > 2147483700",
    "(q * 65536 + k) % 4294967296 > 2147483648",
    "(q * 65536 - k) // 1099511627776 == -1",
    "q // 1099511627776 == 0 and k // 1099511627776 == 0",
    "(q - k) * 2 + 3 * (q + 1) - 5 * q < -7",
    "hash(q, k, 7) % 8 < 2",
    "hash(q // 4, k // 4, h) < 2147483648 and hash(k, q, n) > 1000000000",
    "hash(q, h, n) % 3 == 0 or hash(3, 4, 5) % 2 == 0",
    "min(q, k) % 3 == 0 and max(q, k) % 2 == 1",
    "min(q * 3, k * 2) <= max(k - q, hash(1, q, k))",
    "min(max(q, 0) * 1000000, k + 3000000000) > n",
    "n - k <= nq - q or q - k == n - nq",
    "-q < -k",
    "-k <= 5 - n",
    "q <= 5 and k >= 3 and h == 2",
    "k in [0, 1, 2, 65536, 128] or q not in [-9, 3, 699, 2147483645]",
    "segment(q, [3, 700, 831]) == segment(k, [3, 700, 831])",
    "segment(q, [0, 1, 2, 3, 5, 8, 128, 128, 570, 700]) == segment(k, [0, 3, 5, 8, 128, 570, 700])",
    "segment(q * 4294967296 - k, [-5, 0, 4, 9, 12, 1000]) % 3 == 1",
    "power_of_two(q - k) or log2(k) == 3 or log2(h - q * 65536) > 20",
    "(q - k if causal else n + k) % 3 == 1",
    "(q < k if h == 2 else k in [1, 5, 8]) != (q == k)",
    "causal == (q % 3 == k % 2)",
    "moved(q, k, 3, 7) or moved(q // 8, k // 8, 5, 40, 2, 3)",
    "draw(3, q, k, n, h)",
    "draw(2, q // 4, k // 4, n // 4, 7) or draw(3, k - 5, q, h - q, k)",
    "causal and 5 // (q - k + 1) > 2",
    "k > q or 100 % (q - k + 3) < 2",
    "True",
    "False",
    "q == q",
};

struct Case {
  int64_t h;
  Sizes sizes;
  std::vector<int64_t> q, k;
};

/// Small and negative positions, and those at the ends of what a launch allows.
std::vector<Case> cases() {
  constexpr int64_t end = INT32_MAX;
  return {
      {2, {.nq = 8, .nk = 7}, {-9, -1, 0, 1, 2, 3, 5, 6}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 63}},
      {5,
       {.nq = 300, .nk = 1000},
       {-64, 699, 700, 831, 999, 128, 127, 640},
       {0, 3, 127, 128, 571, 572, 700, 999, 1000, 1023}},
      {(1 << 20) - 1,
       {.nq = end, .nk = end},
       {-end, -end + 1, -1, 0, end - 2, end - 1, 1 << 30, 65535},
       {0, 1, 2, 65536, 1 << 30, end - 129, end - 3, end - 2, end - 1, end}},
  };
}

bool meaning(const Expr &predicate, const Case &at, int64_t q, int64_t k) {
  return k < at.sizes.nk && evaluate(predicate, {.h = at.h, .q = q, .k = k}, at.sizes);
}

//===-- separate() ----------------------------------------------------------------------------===//

void checkSeparate(const Expr &predicate, const std::vector<Case> &points) {
  PredicateFacts facts;
  Expr separated = separate(predicate, facts);
  for (const Case &at : points)
    for (int64_t q : at.q)
      for (int64_t k : at.k) {
        Point point{.h = at.h, .q = q, .k = k};
        ASSERT_EQ(evaluate(separated, point, at.sizes), evaluate(predicate, point, at.sizes))
            << print(predicate) << " became " << print(separated) << " at q " << q << " k " << k
            << " h " << at.h;
      }
}

std::string separated(const std::string &text) {
  PredicateFacts facts;
  return print(separate(parse(text), facts));
}

TEST(Separate, Texts) {
  EXPECT_EQ(separated("0 <= q - k < 128"), "q >= k and q - 128 < k");
  EXPECT_EQ(separated("every(128)"), "q % 128 == k % 128");
  EXPECT_EQ(separated("(q - k) % 128 == 3"), "(q - 3) % 128 == k % 128");
  EXPECT_EQ(separated("(q - k) % 128 < 8"), "(q % 128 - k % 128) % 128 < 8");
  EXPECT_EQ(separated("(q - k) // 128 < 8"),
            "q // 128 - k // 128 + (q % 128 - k % 128) // 128 < 8");
  EXPECT_EQ(separated("abs(q // 64 - k // 64) <= 3"),
            "q // 64 - 3 <= k // 64 and q // 64 + 3 >= k // 64");
  EXPECT_EQ(separated("not (k <= q or h == 2)"), "q < k and h != 2");
  EXPECT_EQ(separated("k >= 0 and q < k"), "q < k");
}

TEST(Separate, KeepsTheMeaningOfTexts) {
  for (const char *text : kTexts)
    checkSeparate(parse(text), cases());
}

TEST(Separate, KeepsTheMeaningOfSmallPredicates) {
  std::vector<Case> points = cases();
  points.resize(1);
  forEachPredicateUpTo({.operators = 2},
                       [&](const Expr &predicate) { checkSeparate(predicate, points); });
}

TEST(Separate, KeepsTheMeaningOfRandomPredicates) {
  RandomPredicates random(11);
  for (int i = 0; i < 3000 && !HasFatalFailure(); ++i)
    checkSeparate(random.predicate(2 + i % 9), cases());
}

//===-- emitPredicate() -----------------------------------------------------------------------===//

class Emit : public ::testing::Test {
protected:
  Emit() {
    DialectRegistry registry;
    registerDialects(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
  }

  /// The emitted operations on the positions of a case, against the meaning of the predicate.
  void check(const Expr &predicate, bool keysFirst);

  static Elements positions(const std::vector<int64_t> &values) {
    Elements result;
    for (int64_t value : values)
      result.push_back(static_cast<uint32_t>(value));
    return result;
  }

  MLIRContext context;
};

void Emit::check(const Expr &predicate, bool keysFirst) {
  std::vector<Case> all = cases();
  Block block;
  Type i32 = IntegerType::get(&context, 32);
  Location location = UnknownLoc::get(&context);
  auto vector = [&](size_t size) {
    return RankedTensorType::get({static_cast<int64_t>(size)}, i32);
  };
  block.addArguments({i32, vector(all[0].q.size()), vector(all[0].k.size()), i32, i32},
                     SmallVector<Location>(5, location));
  ImplicitLocOpBuilder builder(location, &context);
  builder.setInsertionPointToStart(&block);
  Value result = emitPredicate(builder, predicate,
                               {.head = block.getArgument(0),
                                .queries = block.getArgument(1),
                                .keys = block.getArgument(2),
                                .n = block.getArgument(3),
                                .nq = block.getArgument(4),
                                .keysFirst = keysFirst});
  for (Operation &op : block)
    ASSERT_TRUE(succeeded(verify(&op))) << print(predicate);

  for (const Case &at : all) {
    auto scalar = [](int64_t value) { return Elements{static_cast<uint64_t>(value)}; };
    Elements found = interpret(
        block,
        {scalar(at.h), positions(at.q), positions(at.k), scalar(at.sizes.nk), scalar(at.sizes.nq)},
        result);
    ASSERT_EQ(found.size(), at.q.size() * at.k.size());
    for (size_t i = 0; i < at.q.size(); ++i)
      for (size_t j = 0; j < at.k.size(); ++j) {
        bool truth = found[keysFirst ? j * at.q.size() + i : i * at.k.size() + j] == 1;
        ASSERT_EQ(truth, meaning(predicate, at, at.q[i], at.k[j]))
            << print(predicate) << " at q " << at.q[i] << " k " << at.k[j] << " h " << at.h;
      }
  }
}

TEST_F(Emit, Texts) {
  for (const char *text : kTexts)
    for (bool keysFirst : {false, true})
      check(parse(text), keysFirst);
}

TEST_F(Emit, RandomPredicates) {
  RandomPredicates random(23);
  for (int i = 0; i < 2000 && !HasFatalFailure(); ++i)
    check(random.predicate(2 + i % 9), i % 2 == 1);
}

} // namespace
} // namespace sparsec::testing
