#include "layout/analysis/Receptive.h"
#include "tests/Sanitized.h"
#include "tests/layout/Predicates.h"

namespace sparsec::test {
namespace {

using Residual = ReachRequest::Residual;
using Layers = std::vector<std::vector<ReachHead>>;

Reach ask(int64_t n, const Layers &layers, Residual residual) {
  Result<Reach> found = reach({.n = n, .layers = layers, .residual = residual});
  EXPECT_TRUE(found) << found.error().message;
  return *found;
}

Layers layersOf(const std::vector<std::string> &texts) {
  Layers layers;
  for (const std::string &text : texts)
    layers.push_back({{predicate(text)}});
  return layers;
}

/// The definition: products of boolean matrices.
Reach byMatrices(int64_t n, const Layers &layers, Residual residual) {
  std::vector<std::vector<bool>> known(n, std::vector<bool>(n));
  for (int64_t i = 0; i < n; ++i)
    known[i][i] = true;
  Reach result;
  for (const auto &layer : layers) {
    std::vector<std::vector<bool>> next(n, std::vector<bool>(n));
    result.withoutKeys.push_back(0);
    for (int64_t i = 0; i < n; ++i) {
      bool any = false;
      for (int64_t a = 0; a < n; ++a) {
        bool sees = false;
        for (const ReachHead &head : layer)
          sees |= evaluate(head.attend, {.h = head.h, .q = i, .k = a}, {n, n});
        any |= sees;
        if (sees || (a == i && residual == Residual::With))
          for (int64_t j = 0; j < n; ++j)
            if (known[a][j])
              next[i][j] = true;
      }
      result.withoutKeys.back() += !any;
    }
    known = next;
  }
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j <= i; ++j) {
      ++result.pairs;
      result.unreachable += !known[i][j];
      if (!known[i][j] && !result.first)
        result.first = Reach::Pair{j, i};
    }
  return result;
}

void expectEqual(const Reach &found, const Reach &expected, const std::string &what) {
  EXPECT_EQ(found.pairs, expected.pairs) << what;
  EXPECT_EQ(found.unreachable, expected.unreachable) << what;
  EXPECT_EQ(found.first, expected.first) << what;
  EXPECT_EQ(found.withoutKeys, expected.withoutKeys) << what;
}

/// The table of the Sparse Transformer's factorisations: complete without the residual path, with
/// it, and the positions that see nothing in the second head.
TEST(Reach, TheFactorisationsOfThePaper) {
  for (auto [n, l, c] : {std::array{96, 8, 2}, std::array{100, 8, 2}, std::array{64, 8, 1}}) {
    std::string row = fmt::format("0 <= q - k < {}", l);
    std::string column = fmt::format("causal and every({})", l);
    std::string block = fmt::format("causal and same({})", l);
    std::string tails = fmt::format("causal and tail({}, {})", l, c);
    auto complete = [&, n = n](const std::string &first, const std::string &second, Residual with) {
      Reach found = ask(n, layersOf({first, second}), with);
      EXPECT_EQ(found.complete(), !found.first);
      return found.complete();
    };
    EXPECT_TRUE(complete(row, column, Residual::Without));
    EXPECT_TRUE(complete(row, column, Residual::With));
    EXPECT_TRUE(complete(column, row, Residual::Without));
    EXPECT_TRUE(complete(column, row, Residual::With));
    EXPECT_FALSE(complete(block, tails, Residual::Without));
    EXPECT_TRUE(complete(block, tails, Residual::With));
    EXPECT_FALSE(complete(tails, block, Residual::Without));
    EXPECT_FALSE(complete(tails, block, Residual::With));
    EXPECT_EQ(ask(n, layersOf({row, column}), Residual::With).withoutKeys,
              (std::vector<int64_t>{0, 0}));
    EXPECT_EQ(ask(n, layersOf({block, tails}), Residual::With).withoutKeys,
              (std::vector<int64_t>{0, l - c}));
    EXPECT_EQ(ask(n, layersOf({tails, block}), Residual::With).withoutKeys,
              (std::vector<int64_t>{l - c, 0}));
  }
}

TEST(Reach, TheFirstCounterexample) {
  // 0 sees nothing in layer 2. With the residual path, 4 of the next block is the first that must
  // see 0 through a summary that does not know it yet.
  Reach without =
      ask(8, layersOf({"causal and same(4)", "causal and tail(4, 1)"}), Residual::Without);
  EXPECT_EQ(without.first, (Reach::Pair{0, 0}));
  Reach turned = ask(8, layersOf({"causal and tail(4, 1)", "causal and same(4)"}), Residual::With);
  EXPECT_EQ(turned.first, (Reach::Pair{0, 4}));
  EXPECT_EQ(turned.unreachable, 4 * 3) << "4 .. 7 from 0, 1, 2";
  EXPECT_EQ(turned.pairs, 36);
  Reach window = ask(100, layersOf({"local(10)"}), Residual::With);
  EXPECT_EQ(window.first, (Reach::Pair{0, 10}));
  EXPECT_EQ(window.unreachable, 90 * 91 / 2);
}

TEST(Reach, EndsWithTheFirstLayerThatIsEnough) {
  auto smallest = [](const std::vector<std::string> &texts, Residual residual) {
    Result<Reach> found =
        reach({.n = 64, .layers = layersOf(texts), .residual = residual, .untilComplete = true});
    EXPECT_TRUE(found);
    return fmt::format("{}{}", found->withoutKeys.size(), found->complete() ? "" : " and more");
  };
  std::vector<std::string> window(12, "local(9)");
  EXPECT_EQ(smallest(window, Residual::With), "8") << "63 in steps of 8";
  EXPECT_EQ(smallest({12, "k <= q and q - k < 9 and k < 99"}, Residual::With), "8");
  EXPECT_EQ(smallest({5, "causal and (same(8) or tail(8, 1))"}, Residual::With), "2");
  EXPECT_EQ(smallest({3, "local(9)"}, Residual::With), "3 and more");
  EXPECT_EQ(smallest({3, "causal and same(8)"}, Residual::Without), "3 and more");
}

TEST(Reach, IsTheSameForAnyNumberOfThreads) {
  Layers layers =
      layersOf({"causal and (same(100) or tail(100, 3))", "hash(q, k // 8, 3) % 40 == 0"});
  std::optional<Work> before;
  for (int threads : {1, 3}) {
    Work work;
    Result<Reach> found = reach({.n = 5000, .layers = layers, .threads = threads, .work = &work});
    ASSERT_TRUE(found);
    EXPECT_EQ(found->pairs, 5000 * 5001 / 2);
    if (before) {
      EXPECT_EQ(work.units, before->units);
    }
    before = work;
  }
}

TEST(Reach, LayersOfAnyKindAreMatrixProducts) {
  const std::vector<std::string> kKinds = {
      "local(7)",
      "causal and every(9)",
      "causal and (same(10) or tail(10, 2))",
      "causal and tail(10, 2)",
      "hash(q, k, 3) % 17 == 0",
      "hash(q // 3, k, 5) % 40 == 0 and k <= q",
      "k < 3 or q == k",
      "k > q",
      "abs(q - k) == 4 or k == 70",
      "k <= q",
  };
  int64_t visited = 0;
  for (int64_t n : {1, 2, 64, 65, 91})
    for (const std::string &first : kKinds)
      for (const std::string &second : kKinds)
        for (Residual residual : {Residual::With, Residual::Without}) {
          if (isLeftOut(visited++))
            continue;
          Layers layers = layersOf({first, second});
          expectEqual(ask(n, layers, residual), byMatrices(n, layers, residual),
                      fmt::format("{} then {}, n = {}", first, second, n));
        }
}

TEST(Reach, SeveralHeadsAndLayers) {
  Expr summary = predicate("causal and (k % 8) // 2 == 3 - h % 4");
  for (Residual residual : {Residual::With, Residual::Without}) {
    Layers layers = {{{summary, 0}, {summary, 2}},
                     {{predicate("local(3)")}, {summary, 1}},
                     {{predicate("q // 8 == k // 8")}},
                     {{predicate("q - k == 5")}, {predicate("q == k")}}};
    expectEqual(ask(90, layers, residual), byMatrices(90, layers, residual), "four layers");
  }
}

TEST(Receptive, KnowsWhatIsReached) {
  Expr summary = predicate("causal and (k % 8) // 2 == 3 - h % 4");
  for (Residual residual : {Residual::With, Residual::Without}) {
    Layers layers = {{{summary, 0}, {summary, 2}}, {{predicate("local(3)")}}, {{summary, 1}}};
    Result<std::vector<PairSet>> known =
        receptive({.n = 90, .layers = layers, .residual = residual});
    ASSERT_TRUE(known);
    ASSERT_EQ(known->size(), 3u);
    for (size_t upTo = 1; upTo <= 3; ++upTo) {
      Layers some(layers.begin(), layers.begin() + static_cast<int64_t>(upTo));
      Reach expected = byMatrices(90, some, residual);
      int64_t unreachable = 0;
      for (int64_t i = 0; i < 90; ++i)
        for (int64_t j = 0; j <= i; ++j)
          unreachable += !(*known)[upTo - 1].at(i, j);
      EXPECT_EQ(unreachable, expected.unreachable) << upTo;
    }
  }
  EXPECT_EQ(receptive({.n = 4097, .layers = layersOf({"causal"})}).error().message,
            "expected 1 .. 4096 positions for a picture of what they can know, found 4097");
}

TEST(Reach, WhatItRefuses) {
  EXPECT_EQ(reach({.n = 0, .layers = {{}}}).error().message,
            "expected 1 .. 16777216 positions, found 0");
  EXPECT_EQ(reach({.n = 4}).error().message, "expected at least one layer, found none");
  Result<Reach> random = reach({.n = 1'000,
                                .layers = layersOf({"hash(q, k, 1) % 2 == 0", "k <= q"}),
                                .maximumBytes = 100'000});
  ASSERT_FALSE(random);
  EXPECT_EQ(random.error().kind, ErrorKind::Machine);
  EXPECT_EQ(random.error().message, "what 1000 positions know after layer 1 takes more than "
                                    "100000 bytes; fewer positions take less");
}

} // namespace
} // namespace sparsec::test
