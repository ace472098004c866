// The zoo against the patterns written out by hand in C++, and patterns as text and back.
#include "tests/patterns/EnumeratePredicates.h"

#include "tests/patterns/ZooMeaning.h"

#include <fmt/format.h>

namespace sparsec {
namespace {

using testing::expectMeaning;
using testing::zoo;

TEST(Zoo, Names) {
  EXPECT_EQ(zooNames(), (std::vector<std::string>{"bigbird",
                                                  "block-diagonal",
                                                  "causal",
                                                  "dense",
                                                  "dilated",
                                                  "documents",
                                                  "factorised-3",
                                                  "fixed",
                                                  "fixed-heads",
                                                  "frame-causal",
                                                  "gemma-3",
                                                  "gemma-4",
                                                  "gna-2d",
                                                  "gpt-oss",
                                                  "ladder",
                                                  "llama-4",
                                                  "local",
                                                  "longformer",
                                                  "mimo-v2-flash",
                                                  "neighbourhood-2d",
                                                  "neighbourhood-3d",
                                                  "phi-3-small",
                                                  "prefix-lm",
                                                  "previous-block",
                                                  "radial",
                                                  "sliding-tiles",
                                                  "strided",
                                                  "strided-interleaved",
                                                  "strided-merged",
                                                  "window-global"}));
  EXPECT_EQ(zooFile("nothing"), nullptr);
  for (const std::string &name : zooNames()) {
    Pattern pattern = zoo(name);
    EXPECT_EQ(pattern.name, name);
    bool source = pattern.doc.find("arXiv") != std::string::npos ||
                  pattern.doc.find("its config.json") != std::string::npos;
    EXPECT_TRUE(source) << "no source: " << name;
    EXPECT_TRUE(pattern.warnings.empty()) << name;
    EXPECT_EQ(zooFile(name)->name, "zoo/" + name + ".yaml");
  }
}

TEST(Zoo, DenseCausalLocal) {
  expectMeaning(zoo("dense"), 0, 12, [](int, int, int) { return true; });
  expectMeaning(zoo("causal"), 0, 12, [](int, int q, int k) { return k <= q; });
  for (int l : {1, 2, 5, 20}) {
    // l keys, the query itself included.
    auto window = [l](int, int q, int k) { return k <= q && k > q - l; };
    expectMeaning(zoo("local", {{"l", l}}), 0, 24, window);
    expectMeaning(zoo("strided", {{"l", l}}), 0, 24, window);
  }
}

TEST(Zoo, Strided) {
  for (int l : {1, 3, 8}) {
    auto column = [l](int, int q, int k) {
      for (int seen = q; seen >= 0; seen -= l)
        if (k == seen)
          return true;
      return false;
    };
    auto merged = [=](int h, int q, int k) { return (k <= q && k > q - l) || column(h, q, k); };
    Pattern strided = zoo("strided", {{"l", l}});
    ASSERT_EQ(strided.heads.size(), 2u);
    EXPECT_EQ(strided.heads[0].name, "row");
    EXPECT_EQ(strided.heads[1].name, "column");
    expectMeaning(strided, 1, 30, column);
    expectMeaning(zoo("strided-merged", {{"l", l}}), 0, 30, merged);
  }
}

TEST(Zoo, Fixed) {
  for (auto [l, c] : {std::pair(4, 1), {8, 2}, {6, 3}, {5, 5}, {12, 4}}) {
    auto inBlock = [l](int q, int k) { return k <= q && k >= q - q % l; };
    // Summary group g: counted from the end of every block of l, c positions each.
    auto summary = [l, c](int g, int q, int k) {
      int begin = l - (g + 1) * c;
      return k <= q && k % l >= begin && k % l < begin + c;
    };
    std::map<std::string, int64_t> params = {{"l", l}, {"c", c}};
    expectMeaning(zoo("fixed", params), 0, 40,
                  [&](int, int q, int k) { return inBlock(q, k) || summary(0, q, k); });
    expectMeaning(zoo("fixed-heads", params), 0, 40,
                  [&](int h, int q, int k) { return inBlock(q, k) || summary(h % (l / c), q, k); });
  }
}

TEST(Zoo, Windows) {
  for (auto [w, g] : {std::pair(1, 0), {4, 2}, {7, 30}}) {
    std::map<std::string, int64_t> params = {{"w", w}, {"g", g}};
    expectMeaning(zoo("window-global", params), 0, 25, [w, g](int, int q, int k) {
      bool before = k <= q;
      return before && (q < k + w || k + 1 <= g);
    });
  }
  expectMeaning(zoo("longformer", {{"w", 6}, {"g", 2}}), 0, 25, [](int, int q, int k) {
    bool global = q == 0 || q == 1 || k == 0 || k == 1;
    return global || (q - 3 <= k && k <= q + 3);
  });
  Pattern dilated = zoo("dilated", {{"w", 3}, {"d", 2}});
  ASSERT_EQ(dilated.heads.size(), 4u);
  for (int head = 0; head < 4; ++head) {
    int gap = 2 << head;
    expectMeaning(dilated, head, 40,
                  [gap](int, int q, int k) { return k == q || k == q - gap || k == q - 2 * gap; });
  }
}

TEST(Zoo, Blocks) {
  for (int l : {1, 4, 7}) {
    expectMeaning(zoo("block-diagonal", {{"l", l}}), 0, 30, [l](int, int q, int k) {
      int begin = q;
      while (begin % l != 0)
        --begin;
      return begin <= k && k <= q;
    });
    expectMeaning(zoo("previous-block", {{"l", l}}), 0, 30, [l](int, int q, int k) {
      int begin = q;
      while (begin % l != 0)
        --begin;
      return begin - l <= k && k < begin && k >= 0;
    });
  }
  for (int p : {0, 5, 99})
    expectMeaning(zoo("prefix-lm", {{"p", p}}), 0, 20,
                  [p](int, int q, int k) { return (q < p && k < p) || k <= q || k < p; });
}

TEST(Zoo, BigBird) {
  constexpr int kN = 48, kB = 4, kBlocks = kN / kB, kR = 3;
  Pattern pattern = zoo("bigbird", {{"b", kB}, {"g", 1}, {"r", kR}});
  expectMeaning(pattern, 0, kN, [&](int h, int q, int k) {
    int row = q / kB, column = k / kB;
    bool near = row - 1 <= column && column <= row + 1, random = false;
    for (int place = 0; place < kR; ++place)
      random |= drawnValue(place, row, kBlocks, h) == column;
    return near || row == 0 || column == 0 || random;
  });
}

TEST(Zoo, Neighbourhoods) {
  // On pictures of 5 columns, and on films of frames of 3 rows by 4 columns.
  expectMeaning(zoo("neighbourhood-2d", {{"width", 5}, {"r", 1}}), 0, 30, [](int, int q, int k) {
    for (int down = -1; down <= 0; ++down)
      for (int across = -1; across <= 1; ++across) {
        int x = q % 5 + across;
        if (0 <= x && x < 5 && k == q + 5 * down + across && k <= q)
          return true;
      }
    return false;
  });
  std::map<std::string, int64_t> params = {{"width", 4}, {"height", 3}, {"r", 1}, {"t", 1}};
  expectMeaning(zoo("neighbourhood-3d", params), 0, 48, [](int, int q, int k) {
    for (int frame = -1; frame <= 1; ++frame)
      for (int down = -1; down <= 1; ++down)
        for (int across = -1; across <= 1; ++across) {
          int x = q % 4 + across, y = q / 4 % 3 + down;
          if (0 <= x && x < 4 && 0 <= y && y < 3 && k == q + 12 * frame + 4 * down + across)
            return true;
        }
    return false;
  });
}

TEST(Zoo, StepsAndLayers) {
  Pattern three = zoo("factorised-3", {{"l", 3}});
  for (int head = 0; head < 3; ++head) {
    int step = head == 0 ? 1 : head == 1 ? 3 : 9;
    expectMeaning(three, head, 60, [&](int, int q, int k) {
      for (int i = 0; head == 2 ? q >= step * i : i < 3; ++i)
        if (k == q - step * i)
          return true;
      return false;
    });
  }
  EXPECT_EQ(three.layers, (std::vector<std::vector<int>>{{0}, {1}, {2}}));
  Pattern interleaved = zoo("strided-interleaved", {{"l", 4}});
  EXPECT_EQ(interleaved.layers, (std::vector<std::vector<int>>{{0}, {1}, {1}, {1}}));
  expectMeaning(interleaved, 0, 20, [](int, int q, int k) { return k <= q && (q - k) % 4 == 0; });
  expectMeaning(interleaved, 1, 20, [](int, int q, int k) { return k <= q && k > q - 4; });
}

TEST(Zoo, RefusesParameters) {
  PatternOverrides overrides;
  overrides.params = {{"c", 24}};
  Result<Pattern> pattern = parsePattern(zooFile("fixed-heads"), overrides);
  ASSERT_FALSE(pattern);
  EXPECT_EQ(pattern.error().message, "expected 'l % c == 0', found it false with c = 24, l = 128");
}

Result<Pattern> parse(const std::string &text) {
  return parsePattern(std::make_shared<SourceText>(SourceText{"file.yaml", text}));
}

void expectRoundTrip(const Pattern &pattern) {
  std::string text = print(pattern);
  Result<Pattern> again = parse(text);
  ASSERT_TRUE(again) << again.error().render() << text;
  EXPECT_TRUE(equal(*again, pattern)) << text << "became\n" << print(*again);
  EXPECT_EQ(print(*again), text);
}

TEST(RoundTrip, Zoo) {
  for (const std::string &name : zooNames())
    expectRoundTrip(zoo(name));
}

TEST(RoundTrip, RandomPatterns) {
  testing::RandomPredicates predicates(11);
  std::mt19937 random(12);
  auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  constexpr std::string_view kPieces[] = {"a", " ", "\"", "\\", "\n", "\t",   ":",    "#", "- ",
                                          "ß", "'", "%",  "{",  "\r", "\x01", "\x7f", "]", ", "};
  for (int i = 0; i < 400; ++i) {
    Pattern pattern;
    pattern.name = fmt::format("p{}", i);
    for (int j = below(12); j > 0; --j)
      pattern.doc += kPieces[below(18)];
    for (int j = below(4); j > 0; --j)
      pattern.params[fmt::format("x{}", below(9))] =
          static_cast<int64_t>(random()) * (below(3) - 1);
    for (int j = 1 + below(5); j > 0; --j) {
      HeadEntry head;
      head.name = (below(2) ? "h" : "Row-b_") + std::to_string(j);
      do
        head.attend = predicates.predicate(1 + below(20));
      while (simplify(head.attend)->op == Op::False);
      if (below(2))
        head.schedule.block = {1 + below(4096), 1 + below(4096)};
      auto order = [&]() -> std::optional<OrderSpec> {
        const std::optional<OrderSpec> orders[] = {{},
                                                   NaturalOrder{},
                                                   ResidueOrder{1 + below(99)},
                                                   TailsOrder{9, 1 + below(9)},
                                                   GridOrder{{4, 1 + below(9)}, {2, 1}},
                                                   GridOrder{{4, 5, 6}, {1, 1 + below(5), 6}}};
        return orders[below(6)];
      };
      head.schedule.orderQ = order();
      head.schedule.orderK = below(2) ? head.schedule.orderQ : order();
      head.schedule.split = static_cast<SplitChoice>(below(3));
      pattern.heads.push_back(head);
    }
    for (int j = below(4); j > 0; --j) {
      pattern.layers.emplace_back();
      for (int m = 1 + below(3); m > 0; --m)
        pattern.layers.back().push_back(below(static_cast<int>(pattern.heads.size())));
    }
    expectRoundTrip(pattern);
  }
}

TEST(Pattern, ReadsWhatTheInterfaceShows) {
  Result<Pattern> pattern = parse(R"(
name: neighbourhood-2d
params: {width: 8, r: 2}
where:
  y(t): t // width
  x(t): t % width
  near(a, b): abs(a - b) <= r
heads:
  - attend: causal and near(y(q), y(k)) and near(x(q), x(k))
schedule: {block: 32}
)");
  ASSERT_TRUE(pattern) << pattern.error().render();
  EXPECT_EQ(pattern->heads[0].schedule.block, (Block{32, 32}));
  EXPECT_EQ(pattern->heads[0].blockWhere->line, 10);
  expectMeaning(*pattern, 0, 64, [](int, int q, int k) {
    return k <= q && std::abs(q / 8 - k / 8) <= 2 && std::abs(q % 8 - k % 8) <= 2;
  });
}

TEST(Pattern, LayersAndSchedules) {
  Result<Pattern> pattern = parse(R"(
name: interleaved
params: {l: 96}
schedule: {block: 64x32, order: natural}
heads:
  - {name: column, attend: causal and every(l), schedule: {order: {k: auto}, split: never}}
  - {name: row, attend: local(l), schedule: {block: [16, 128]}}
  - {attend: causal, schedule: {block: auto}}
layers: [column, row, [row, column, head2]]
)");
  ASSERT_TRUE(pattern) << pattern.error().render();
  EXPECT_EQ(pattern->layers, (std::vector<std::vector<int>>{{0}, {1}, {1, 0, 2}}));
  EXPECT_EQ(pattern->heads[0].schedule,
            (Schedule{{64, 32}, NaturalOrder{}, {}, SplitChoice::Never}));
  EXPECT_EQ(pattern->heads[1].schedule,
            (Schedule{{16, 128}, NaturalOrder{}, NaturalOrder{}, SplitChoice::Auto}));
  EXPECT_EQ(pattern->heads[2].schedule.block, (Block{0, 0}));
}

TEST(Pattern, Orders) {
  Result<Pattern> pattern = parse(R"(
name: a
params: {l: 96, c: 8}
schedule: {order: {residue: l // 2}, split: always}
heads:
  - {attend: causal}
  - {attend: causal, schedule: {order: {k: {tails: [l, c]}}}}
  - {attend: causal, schedule: {order: {q: {grid: [4, l], tile: [2, c * 2]}, k: natural}}}
)");
  ASSERT_TRUE(pattern) << pattern.error().render();
  const auto &heads = pattern->heads;
  OrderSpec residue = ResidueOrder{48};
  EXPECT_EQ(heads[0].schedule, (Schedule{{}, residue, residue, SplitChoice::Always}));
  EXPECT_EQ(heads[1].schedule, (Schedule{{}, residue, TailsOrder{96, 8}, SplitChoice::Always}));
  EXPECT_EQ(heads[2].schedule,
            (Schedule{{}, GridOrder{{4, 96}, {2, 16}}, NaturalOrder{}, SplitChoice::Always}));
  EXPECT_EQ(heads[0].orderWhere->line, 4);
  EXPECT_EQ(heads[1].orderWhere->line, 7);
  EXPECT_EQ(heads[2].splitWhere->line, 4);
  expectRoundTrip(*pattern);
}

/// A file beside the pattern: 0 .. 3 turned round, or what is wrong with it.
Result<std::shared_ptr<const SourceText>> tableFile(const std::string &name) {
  if (name == "turned \"round\".txt")
    return std::make_shared<const SourceText>(SourceText{"folder/" + name, "3 2\n1 0\n"});
  return inputError(fmt::format("folder/{}: cannot be opened", name));
}

TEST(Pattern, TableBesideTheFile) {
  std::string text = "name: a\nheads:\n  - attend: causal\n    schedule: {order: {table: "
                     "'turned \"round\".txt'}}\n";
  auto source = std::make_shared<SourceText>(SourceText{"file.yaml", text});
  Result<Pattern> pattern = parsePattern(source, {}, tableFile);
  ASSERT_TRUE(pattern) << pattern.error().render();
  const auto &table = std::get<TableOrder>(*pattern->heads[0].schedule.orderQ);
  EXPECT_EQ(*table.positions, (std::vector<int32_t>{3, 2, 1, 0}));
  auto again = std::make_shared<SourceText>(SourceText{"printed.yaml", print(*pattern)});
  Result<Pattern> read = parsePattern(again, {}, tableFile);
  ASSERT_TRUE(read) << read.error().render();
  EXPECT_TRUE(equal(*pattern, *read));
  EXPECT_EQ(print(*read), print(*pattern));
}

TEST(Pattern, OrdersOfTheCommandLine) {
  auto orders = [](const std::string &flag) {
    Pattern pattern = *parse("name: a\nparams: {l: 96, c: 8}\nheads: [{attend: causal}]\n");
    Result<void> set =
        setOrders(pattern, std::make_shared<SourceText>(SourceText{"--order", flag}), tableFile);
    return set ? print(pattern) : set.error().render();
  };
  auto schedule = [&](const std::string &flag) {
    std::string all = orders(flag);
    size_t at = all.find("schedule: ");
    return at == std::string::npos ? std::string("none") : all.substr(at + 10);
  };
  EXPECT_EQ(schedule("auto"), "none");
  EXPECT_EQ(schedule("natural"), "{order: natural}\n");
  EXPECT_EQ(schedule("residue:l"), "{order: {residue: 96}}\n");
  EXPECT_EQ(schedule("q=natural,k=tails:l,c"), "{order: {q: natural, k: {tails: [96, 8]}}}\n");
  EXPECT_EQ(schedule("k=tails:l,c,q=residue:7"),
            "{order: {q: {residue: 7}, k: {tails: [96, 8]}}}\n");
  EXPECT_EQ(schedule("k=residue:7"), "{order: {q: auto, k: {residue: 7}}}\n");
  EXPECT_EQ(schedule("grid:64xl/8xc"), "{order: {grid: [64, 96], tile: [8, 8]}}\n");
  EXPECT_EQ(schedule("grid:2x3x4/1x3x2"), "{order: {grid: [2, 3, 4], tile: [1, 3, 2]}}\n");
  EXPECT_EQ(schedule("table:turned \"round\".txt"),
            "{order: {table: \"turned \\\"round\\\".txt\"}}\n");
  const std::pair<const char *, const char *> kWrong[] = {
      {"random", "1:1: error: expected auto, natural, residue:L, tails:L,C, grid:HxW/HxW or "
                 "table:FILE, found 'random'\n  random\n  ^~~~~~\n"},
      {"residue:m", "1:9: error: expected a size, a decimal integer or a parameter's name, found "
                    "'m'\n  residue:m\n          ^\n"},
      {"residue:0", "1:9: error: expected a size from 1 to 2147483647, found 0\n  residue:0\n"
                    "          ^\n"},
      {"q=natural,k=tails:8,9", "1:13: error: expected tails of 1 .. 8, the period, found 9\n"
                                "  q=natural,k=tails:8,9\n              ^~~~~~~~~\n"},
      {"tails:8", "1:7: error: expected a period and a width, L,C, found '8'\n  tails:8\n"
                  "        ^\n"},
      {"grid:4x4", "1:6: error: expected a grid and its tile, HxW/HxW, found '4x4'\n"
                   "  grid:4x4\n       ^~~\n"},
      {"grid:4x4/5x1", "1:1: error: expected a tile inside the grid of 4 x 4, found 5 x 1\n"
                       "  grid:4x4/5x1\n  ^~~~~~~~~~~~\n"},
      {"table:none", "1:7: error: folder/none: cannot be opened\n  table:none\n"
                     "        ^~~~\n"},
  };
  for (auto [flag, error] : kWrong)
    EXPECT_EQ(orders(flag), fmt::format("--order:{}", error));
}

TEST(Pattern, PredicateArgumentsAndForwardUse) {
  Result<Pattern> pattern = parse(R"(
name: a
where:
  both: either(causal, h == 1)
  either(a, b): a or b
  twice(x): x + x
heads: [{attend: both and twice(q) != 3 - -twice(k)}]
)");
  ASSERT_TRUE(pattern) << pattern.error().render();
  EXPECT_EQ(print(pattern->heads[0].attend), "(k <= q or h == 1) and q + q != 3 - -(k + k)");
}

TEST(Pattern, Expression) {
  Result<Pattern> pattern =
      patternOfExpression(std::make_shared<SourceText>(SourceText{"-e", "causal and local(3)"}));
  ASSERT_TRUE(pattern);
  EXPECT_EQ(pattern->name, "pattern");
  EXPECT_EQ(pattern->heads[0].name, "head0");
  EXPECT_EQ(print(pattern->heads[0].attend), "k <= q and (0 <= q - k and q - k < 3)");
}

} // namespace
} // namespace sparsec
