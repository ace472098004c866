#include "layout/Period.h"
#include "layout/Specialise.h"
#include "tests/layout/Predicates.h"

namespace sparsec::test {
namespace {

std::optional<int64_t> diagonal(const char *text) {
  return period(predicate(text), kDiagonal);
}
std::optional<int64_t> across(const char *text) {
  return period(predicate(text), kAcross);
}
std::optional<int64_t> down(const char *text) {
  return period(predicate(text), kDown);
}

TEST(Period, AlongTheDiagonals) {
  EXPECT_EQ(diagonal("k <= q"), 1);
  EXPECT_EQ(diagonal("0 <= q - k < 128"), 1);
  EXPECT_EQ(diagonal("(q - k) % 96 == 0"), 1);
  EXPECT_EQ(diagonal("q // 128 == k // 128"), 128);
  EXPECT_EQ(diagonal("k <= q and (q // 4 == k // 4 or k % 4 == 3)"), 4);
  EXPECT_EQ(diagonal("abs(q // 64 - k // 64) <= 3 and abs(q % 64 - k % 64) <= 3"), 64);
  EXPECT_EQ(diagonal("(k % 128) // 32 == 3 - h % 4"), 128);
  EXPECT_EQ(diagonal("(q // 6) % 4 == 0"), 24);
  EXPECT_EQ(diagonal("(q * k) % 6 == 1 and k % 4 == 0"), 12);
  EXPECT_EQ(diagonal("min(q, k + 3) > k"), 1);
  EXPECT_EQ(diagonal("q // 2 - k // 3 < 5"), std::nullopt);
  EXPECT_EQ(diagonal("2 * q <= k"), std::nullopt);
  EXPECT_EQ(diagonal("k < 64"), std::nullopt);
  EXPECT_EQ(diagonal("hash(q, k, 0) % 2 == 0"), std::nullopt);
  EXPECT_EQ(diagonal("hash(q - k, k % 3, 0) % 2 == 0"), 3);
  EXPECT_EQ(diagonal("k % (abs(q - k) + 1) == 0 and k % (k + 1) == 0"), std::nullopt);
  EXPECT_EQ(diagonal("q % 65537 == 0 and k % 65539 == 0"), std::nullopt) << "past 2^31";
}

TEST(Period, AcrossAndDown) {
  EXPECT_EQ(across("k % 128 >= 96"), 128);
  EXPECT_EQ(across("(q * k) % 7 == 3 or q < 5"), 7);
  EXPECT_EQ(across("(q - k) % 10 == 4"), 10);
  EXPECT_EQ(across("(q - 4 * k) % 10 == 4"), 5);
  EXPECT_EQ(across("k <= q"), std::nullopt);
  EXPECT_EQ(down("k % 128 >= 96"), 1);
  EXPECT_EQ(down("k <= q"), std::nullopt);
  EXPECT_EQ(down("-q % 3 == 0 and k < 9"), 3);
}

TEST(Period, WhatIsFoundHolds) {
  for (const char *text :
       {"k <= q and (q // 4 == k // 4 or k % 4 == 3)", "(q // 6) % 4 == 0", "(q * k) % 6 == 1",
        "abs(q // 5 - k // 5) <= 1 and abs(q % 5 - k % 5) <= 1", "(q % 6) // -4 == -1",
        "q // -3 == k // -3", "max(q // 2, k // 2 + 1) % 3 == 1", "(3 * q - 2 * k) // 4 % 3 == 1",
        "hash(q - k, q % 3, 0) % 2 == 0", "(q // 3 * (k // 2)) % 4 == 1"}) {
    Expr attend = predicate(text);
    for (Direction direction : {kDiagonal, kDown, kAcross}) {
      int64_t s = period(attend, direction).value_or(0); // 0: none found, nothing to hold
      for (int64_t q = -30; q < 30; ++q)
        for (int64_t k = 0; k < 40; ++k)
          ASSERT_EQ(evaluate(attend, {.q = q, .k = k}, {}),
                    evaluate(attend, {.q = q + s * direction.q, .k = k + s * direction.k}, {}))
              << text << " at " << q << ", " << k << ", period " << s;
    }
  }
}

std::string specialised(const char *text, const Rectangle &rectangle) {
  return print(specialise(predicate(text), rectangle, /*h=*/2, {.nq = 1024, .nk = 1024}));
}

TEST(Period, AsksEachNodeOnce) {
  // Two ways down from each remainder: 2^900 without a memory.
  Expr nested = make(Op::Modulo, {leaf(Op::Query), integer(7)});
  for (int i = 0; i < 400; ++i)
    nested = make(Op::Modulo, {make(Op::Add, {nested, leaf(Op::Key)}), integer(1'000'003 + i)});
  EXPECT_EQ(period(make(Op::Less, {nested, integer(9)}), kDiagonal), std::nullopt);
  EXPECT_EQ(period(make(Op::Less, {nested, integer(9)}), kDown), 7);
}

TEST(Specialise, DecidedPartsGo) {
  Rectangle lower = {{.first = 512, .count = 256}, {.first = 256, .count = 256}};
  Rectangle diagonal = {{.first = 512, .count = 256}, {.first = 512, .count = 256}};
  EXPECT_EQ(specialised("k <= q or k < 64", lower), print(make(Op::True, {})));
  EXPECT_EQ(specialised("k <= q or k < 64", diagonal), "k <= q");
  EXPECT_EQ(specialised("k < 64 or k <= q", diagonal), "k <= q");
  EXPECT_EQ(specialised("not (k <= q) and q < 64", diagonal), print(make(Op::False, {})));
  EXPECT_EQ(specialised("k <= q and k % (n // 32 + 1) == 3 + h", diagonal),
            "k <= q and k % 33 == 5");
}

TEST(Specialise, BordersAreNoneAwayFromTheBorder) {
  const char *moved = "abs(min(max(q // 16, 3), 12) - k // 16) <= 3 and abs(k - q) < 40";
  Rectangle inside = {{.first = 64, .count = 64}, {.first = 0, .count = 256}};
  EXPECT_EQ(specialised(moved, inside), "abs(q // 16 - k // 16) <= 3 and abs(k - q) < 40");
  EXPECT_EQ(specialised(moved, {{.first = 0, .count = 32}, {.first = 64, .count = 64}}),
            "abs(3 - k // 16) <= 3 and k - q < 40");
  // A sum of steps is a number between them.
  EXPECT_EQ(specialised("min(max(k - 4, 0), 1) + min(max(k - 99, 0), 1) == q",
                        {{.first = 0, .count = 9}, {.first = 5, .count = 100}}),
            "1 + min(max(k - 99, 0), 1) == q");
}

TEST(Specialise, HalvesStayOnGrids) {
  auto cut = [](int64_t first, int64_t count) {
    auto [left, right] = halves(Range{.first = first, .count = count});
    EXPECT_EQ(left.first, first);
    EXPECT_EQ(left.count + right.count, count);
    EXPECT_EQ(right.first, first + left.count);
    return right.first;
  };
  EXPECT_EQ(cut(0, 8), 4);
  EXPECT_EQ(cut(0, 9), 8);
  EXPECT_EQ(cut(96, 96), 128);
  EXPECT_EQ(cut(5, 2), 6);
  EXPECT_EQ(cut(-3, 2), -2);
  auto [left, right] = halves(Range{.first = 3, .step = 5, .count = 5});
  EXPECT_EQ(left.count, 4);
  EXPECT_EQ(right.first, 23);
}

} // namespace
} // namespace sparsec::test
