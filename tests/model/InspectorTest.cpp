// Looking at attention against weights computed in float64 from the plain model's definition.
#include "model/Inspector.h"

#include "patterns/Evaluate.h"
#include "tests/model/ModelOnDevice.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sparsec {
namespace {

constexpr int64_t kSequences = 2;

struct Looked {
  std::vector<BlockSums> sums;
  std::vector<std::vector<float>> rows; ///< of each sequence and every 7th query, in turn
  std::vector<double> inside;
  std::string entry;
};

/// Of every layer and head.
std::map<std::pair<int64_t, int64_t>, Looked> look(const Config &config, const Expr &inside) {
  auto model = transformerOf(config);
  auto inspector = Inspector::load(testMachine(), model, kSequences);
  EXPECT_TRUE(inspector) << inspector.error().render();
  std::map<std::pair<int64_t, int64_t>, Looked> all;
  auto run = inspector->run(randomWeights(model->parameters(), 5),
                            randomTokens(kSequences * config.model.length, 6),
                            [&](AttentionView &view) -> Result<void> {
                              for (int64_t head = 0; head < config.model.heads; ++head) {
                                Looked &each = all[{view.layer(), head}];
                                each.entry = view.entry(head).name;
                                auto sums = view.sums(head);
                                if (!sums)
                                  return sums.error();
                                each.sums = *sums;
                                auto mass = view.mass(head, inside);
                                if (!mass)
                                  return mass.error();
                                each.inside = *mass;
                                for (int64_t sequence = 0; sequence < kSequences; ++sequence)
                                  for (int64_t query = 0; query < config.model.length; query += 7) {
                                    auto row = view.row(head, sequence, query);
                                    if (!row)
                                      return row.error();
                                    each.rows.push_back(*row);
                                  }
                              }
                              return {};
                            });
  EXPECT_TRUE(run) << run.error().render();
  return all;
}

TEST(Inspector, RowsBlocksAndMassAreTheSameWeights) {
  for (const char *name : {"causal", "strided-interleaved", "fixed-heads"}) {
    std::map<std::string, int64_t> params;
    if (std::string_view(name) != "causal")
      params["l"] = 8;
    if (std::string_view(name) == "fixed-heads")
      params["c"] = 2;
    Config config = smallConfig(name, params);
    auto pattern = *loadPattern(config.attention);
    auto local = *loadPattern({"local", {{"l", 12}}});
    Expr near = local->heads[0].attend;
    auto all = look(config, near);
    EXPECT_EQ(all.size(), 4u);
    int64_t n = config.model.length;
    Sizes sizes{n, n};
    for (const auto &[place, each] : all) {
      SCOPED_TRACE(fmt::format("{} layer {} head {}", name, place.first, place.second));
      const HeadEntry *entry = nullptr;
      for (const HeadEntry &one : pattern->heads)
        if (one.name == each.entry)
          entry = &one;
      ASSERT_TRUE(entry);
      size_t next = 0;
      for (int64_t sequence = 0; sequence < kSequences; ++sequence) {
        const BlockSums &sums = each.sums[static_cast<size_t>(sequence)];
        EXPECT_EQ(sums.block, 16);
        EXPECT_EQ(sums.rows, 6);
        EXPECT_NEAR(sums.total(), static_cast<double>(n), 1e-3); // causal: every row has a key
        EXPECT_GE(sums.effectiveKeys(n), 1);
        for (int64_t query = 0; query < n; query += 7) {
          const std::vector<float> &row = each.rows[next++];
          ASSERT_EQ(static_cast<int64_t>(row.size()), n);
          double sum = 0, inside = 0;
          for (int64_t key = 0; key < n; ++key) {
            Point at{.h = place.second, .q = query, .k = key};
            float weight = row[static_cast<size_t>(key)];
            sum += static_cast<double>(weight);
            if (evaluate(near, at, sizes))
              inside += static_cast<double>(weight);
            if (!evaluate(entry->attend, at, sizes))
              ASSERT_EQ(weight, 0) << query << " " << key;
            else
              ASSERT_GT(weight, 0) << query << " " << key;
          }
          ASSERT_NEAR(sum, 1, 1e-5);
          ASSERT_LE(inside, 1 + 1e-5);
        }
        double mass = each.inside[static_cast<size_t>(sequence)];
        EXPECT_GT(mass, 0);
        EXPECT_LE(mass, sums.total() + 1e-3);
      }
    }
  }
}

/// Block sums and the mass inside a predicate are sums of the rows.
TEST(Inspector, SumsOfRows) {
  Config config = smallConfig("causal", {}, {{"model.length", "48"}, {"model.layers", "1"}});
  auto model = transformerOf(config);
  auto inspector = Inspector::load(testMachine(), model, kSequences);
  ASSERT_TRUE(inspector);
  Expr near = (*loadPattern({"local", {{"l", 12}}}))->heads[0].attend;
  int64_t n = 48;
  auto run = inspector->run(
      randomWeights(model->parameters(), 5), randomTokens(kSequences * n, 6),
      [&](AttentionView &view) -> Result<void> {
        for (int64_t head : {0, 1})
          for (int64_t sequence = 0; sequence < kSequences; ++sequence) {
            std::vector<double> mass(9), squares(9);
            double inside = 0;
            for (int64_t query = 0; query < n; ++query) {
              auto row = view.row(head, sequence, query);
              if (!row)
                return row.error();
              for (int64_t key = 0; key < n; ++key) {
                auto weight = static_cast<double>((*row)[static_cast<size_t>(key)]);
                auto place = static_cast<size_t>(query / 16 * 3 + key / 16);
                mass[place] += weight;
                squares[place] += weight * weight;
                if (evaluate(near, {.q = query, .k = key}, {n, n}))
                  inside += weight;
              }
            }
            auto sums = view.sums(head);
            auto found = view.mass(head, near);
            if (!sums || !found)
              return sums ? found.error() : sums.error();
            for (size_t i = 0; i < 9; ++i) {
              EXPECT_NEAR((*sums)[static_cast<size_t>(sequence)].mass[i], mass[i], 1e-4);
              EXPECT_NEAR((*sums)[static_cast<size_t>(sequence)].squares[i], squares[i], 1e-4);
            }
            EXPECT_NEAR((*found)[static_cast<size_t>(sequence)], inside, 1e-4);
          }
        return {};
      });
  EXPECT_TRUE(run) << run.error().render();
}

/// A text shorter than the model: the weights are those of any sequence that begins so, and no
/// query beyond the one after it is in a sum.
TEST(Inspector, AShortTextIsTheBeginningOfALongOne) {
  Config config = smallConfig("strided", {{"l", 8}}, {{"model.length", "80"}});
  auto model = transformerOf(config);
  constexpr int64_t kGiven = 20;
  std::vector<uint8_t> whole = randomTokens(kSequences * 80, 6), begun;
  for (int64_t i = 0; i < kSequences; ++i)
    begun.insert(begun.end(), whole.begin() + i * 80, whole.begin() + i * 80 + kGiven);
  std::vector<std::vector<float>> rows[2];
  auto look = [&](const std::vector<uint8_t> &tokens, auto &into, bool isShort) {
    auto inspector = Inspector::load(testMachine(), model, kSequences);
    ASSERT_TRUE(inspector);
    auto run = inspector->run(
        randomWeights(model->parameters(), 5), tokens, [&](AttentionView &view) -> Result<void> {
          EXPECT_EQ(view.queries(), isShort ? kGiven + 1 : 80);
          for (int64_t head : {0, 1}) {
            auto sums = view.sums(head);
            auto inside = view.mass(head, view.entry(head).attend);
            if (!sums || !inside)
              return sums ? inside.error() : sums.error();
            for (int64_t sequence = 0; sequence < kSequences; ++sequence) {
              std::vector<double> mass(4);
              for (int64_t query = 0; query <= kGiven; ++query) {
                auto row = view.row(head, sequence, query);
                if (!row)
                  return row.error();
                for (int64_t key = 0; key <= query; ++key)
                  mass[static_cast<size_t>(query / 16 * 2 + key / 16)] +=
                      static_cast<double>((*row)[static_cast<size_t>(key)]);
                into.push_back(std::move(*row));
              }
              if (!isShort)
                continue;
              const BlockSums &found = (*sums)[static_cast<size_t>(sequence)];
              EXPECT_EQ(found.rows, 2);
              for (size_t i = 0; i < 4; ++i)
                EXPECT_NEAR(found.mass[i], mass[i], 1e-4) << i;
              EXPECT_NEAR(found.total(), kGiven + 1, 1e-4);
              EXPECT_NEAR((*inside)[static_cast<size_t>(sequence)], kGiven + 1, 1e-4);
            }
          }
          return {};
        });
    EXPECT_TRUE(run) << run.error().render();
  };
  look(whole, rows[0], false);
  look(begun, rows[1], true);
  EXPECT_EQ(rows[0].size(), 2u * 2 * kSequences * (kGiven + 1));
  EXPECT_EQ(rows[0], rows[1]);
}

TEST(Inspector, ChangeTellsMemoryFromData) {
  BlockSums same{.block = 16, .rows = 2, .mass = {16, 0, 8, 8}, .squares = {}};
  BlockSums other{.block = 16, .rows = 2, .mass = {16, 0, 0, 16}, .squares = {}};
  EXPECT_EQ(changeOf(std::vector{same, same}, 32), 0);
  EXPECT_NEAR(changeOf(std::vector{same, other}, 32), 0.125, 1e-12); // a quarter, in one row of two
}

} // namespace
} // namespace sparsec
