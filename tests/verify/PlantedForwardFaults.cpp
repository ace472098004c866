#include "tests/verify/PlantedFaults.h"

#include <cmath>
#include <cstring>
#include <numeric>

namespace sparsec::testing {

Pattern patternOf(const std::vector<std::string> &predicates) {
  Pattern pattern{.name = "planted"};
  for (const std::string &text : predicates)
    pattern.heads.push_back(
        {.name = "head" + std::to_string(pattern.heads.size()),
         .attend = *parsePredicate(std::make_shared<SourceText>(SourceText{"planted", text})),
         .schedule = {
             .orderQ = NaturalOrder{}, .orderK = NaturalOrder{}, .split = SplitChoice::Never}});
  return pattern;
}

namespace {

constexpr const char *kWindow = "k <= q and (q - k < 9 + 5 * h or k % 6 == 5)";
constexpr const char *kWide = "k <= q and q - k < 150";

} // namespace

Pattern mixedPattern() {
  return patternOf({kWindow, kWide});
}

Pattern headsApart() {
  return patternOf({"k <= q and q - k < 20 * h"});
}

namespace {

using List = std::vector<PlantedFault>;

void addCompiled(List &list) {
  auto add = [&](std::string name, std::vector<std::string> own, std::vector<std::string> wrong) {
    list.push_back(
        {std::move(name), "forward", patternOf(own), Fault{.compiled = std::move(wrong)}});
  };
  auto first = [&](std::string name, std::string wrong) {
    add(std::move(name), {kWindow, kWide}, {std::move(wrong), kWide});
  };
  first("a window one key longer", "k <= q and (q - k <= 9 + 5 * h or k % 6 == 5)");
  first("a window one key shorter", "k <= q and (q - k < 8 + 5 * h or k % 6 == 5)");
  first("without the diagonal", "k < q and (q - k < 9 + 5 * h or k % 6 == 5)");
  first("not causal", "q - k < 9 + 5 * h or k % 6 == 5");
  first("a modulus off by one", "k <= q and (q - k < 9 + 5 * h or k % 7 == 5)");
  first("a remainder off by one", "k <= q and (q - k < 9 + 5 * h or k % 6 == 4)");
  first("columns of queries", "k <= q and (q - k < 9 + 5 * h or q % 6 == 5)");
  first("the head ignored", "k <= q and (q - k < 9 or k % 6 == 5)");
  first("heads counted from 1", "k <= q and (q - k < 9 + 5 * (h + 1) or k % 6 == 5)");
  first("'and' for 'or'", "k <= q and q - k < 9 + 5 * h and k % 6 == 5");
  first("every pair attends", "True");
  first("no pair attends", "False");
  add("entries exchanged", {kWindow, kWide}, {kWide, kWindow});
  add("queries and keys exchanged", {"k <= q + 3 and q - k < 9"}, {"q <= k + 3 and k - q < 9"});
  add("nq for nk", {"k <= q and (q - k < 9 or k < nk // 4)"},
      {"k <= q and (q - k < 9 or k < nq // 4)"});
  add("a division that rounds up", {"k <= q and q // 7 - k // 7 < 2"},
      {"k <= q and (q + 6) // 7 - (k + 6) // 7 < 2"});
  add("a negative remainder", {"k <= q and (k - q) % 5 < 2"}, {"k <= q and (q - k) % 5 < 2"});
}

/// `blocks` gets the rows of a launch of the second entry's that have tables.
void addLayouts(List &list) {
  auto add = [&](std::string name, std::function<bool(Rows::Row &)> spoil) {
    auto tell = [spoil](Told &told, LaunchShape &shape) {
      Rows rows(told, shape);
      for (auto row = rows.rows.rbegin(); row != rows.rows.rend(); ++row)
        if (spoil(*row))
          break;
      rows.tell(told);
    };
    list.push_back(
        {std::move(name), "forward", mixedPattern(), Fault{.tell = tell}, BlockSource::Tables});
  };
  using Row = Rows::Row;
  auto drop = [](std::vector<int32_t> &from) {
    if (from.empty())
      return false;
    from.pop_back();
    return true;
  };
  add("a partial block dropped", [=](Row &row) { return drop(row.partial); });
  add("a full block dropped", [=](Row &row) { return drop(row.full); });
  add("a partial block called full", [=](Row &row) {
    if (row.partial.empty())
      return false;
    row.full.push_back(row.partial.back());
    return drop(row.partial);
  });
  add("a full block twice", [](Row &row) {
    if (!row.full.empty())
      row.full.push_back(row.full.back());
    return !row.full.empty();
  });
  add("a partial block twice", [](Row &row) {
    if (!row.partial.empty())
      row.partial.push_back(row.partial.back());
    return !row.partial.empty();
  });
  add("a block for its neighbour", [](Row &row) {
    bool has = !row.full.empty();
    if (has)
      ++row.full.back();
    return has;
  });

  auto rows = [&](std::string name, std::function<void(Told &, LaunchShape &)> tell) {
    list.push_back(
        {std::move(name), "forward", mixedPattern(), Fault{.tell = tell}, BlockSource::Tables});
  };
  rows("rows of blocks exchanged", [](Told &told, LaunchShape &shape) {
    Rows all(told, shape);
    std::swap(all.rows.front(), all.rows.back());
    all.tell(told);
  });
  rows("a row of blocks twice in the order of rows", [](Told &told, LaunchShape &shape) {
    const auto *order = told.at<const int32_t>("row_order");
    std::vector<int32_t> wrong(order, order + Rows(told, shape).rows.size());
    wrong.front() = wrong.back();
    told.point("row_order", wrong);
  });
  for (auto [what, stride, source] : {std::tuple{"tables", "layout_stride", BlockSource::Tables},
                                      {"forms", "form_stride", BlockSource::Auto}})
    list.push_back({std::string(what) + " of the first head for all", "forward", headsApart(),
                    Fault{.tell = [=](Told &told, LaunchShape &) { told.set(stride, int32_t{0}); }},
                    source});
}

/// Tokens in an order that a table lists, of 40 positions.
void addOrders(List &list) {
  auto positions = std::make_shared<std::vector<int32_t>>(40);
  for (int32_t i = 0; i < 40; ++i)
    (*positions)[i] = (i + 8) % 40; // the first 8 are a tile of their own
  Pattern pattern = patternOf({"k <= q and q - k < 3"});
  pattern.heads[0].schedule.orderQ = TableOrder{"order", positions};
  pattern.heads[0].schedule.orderK = TableOrder{"order", positions};
  auto add = [&](std::string name, std::string argument, std::vector<int32_t> order) {
    order.resize(128, INT32_MAX); // past the end: no position
    auto tell = [=](Told &told, LaunchShape &) { told.point(argument, order); };
    list.push_back(
        {std::move(name), "forward", pattern, Fault{.tell = tell}, BlockSource::Auto, 40});
  };
  std::vector<int32_t> natural(40), inverse(40), twice = *positions;
  std::iota(natural.begin(), natural.end(), 0);
  for (int32_t i = 0; i < 40; ++i)
    inverse[(*positions)[i]] = i;
  twice[39] = twice[0];
  add("keys in natural order", "key_order", natural);
  add("queries in natural order", "query_order", natural);
  add("the inverse order of keys", "key_order", inverse);
  add("the inverse order of queries", "query_order", inverse);
  add("a key twice in the order", "key_order", twice);
  add("a query twice in the order", "query_order", twice);
}

void addLaunches(List &list) {
  auto add = [&](std::string name, std::function<void(Told &, LaunchShape &)> tell) {
    list.push_back({std::move(name), "forward", mixedPattern(), Fault{.tell = std::move(tell)}});
  };
  auto set = [&](std::string name, std::string argument, auto value) {
    add(std::move(name), [=](Told &told, LaunchShape &) { told.set(argument, value); });
  };
  auto more = [&](std::string name, std::string argument, int32_t by) {
    add(std::move(name), [=](Told &told, LaunchShape &) { told.add(argument, by); });
  };
  auto stride = [&](std::string name, std::string view, int axis, std::string from) {
    add(std::move(name), [=](Told &told, LaunchShape &) {
      told.strides(view)[axis] = from.empty() ? 0 : told.strides(from)[axis];
    });
  };
  auto grid = [&](std::string name, int axis) {
    add(std::move(name), [=](Told &, LaunchShape &shape) { --shape.grid[axis]; });
  };
  set("without the scale", "scale", 1.0f);
  add("the scale squared", [](Told &told, LaunchShape &) {
    told.set("scale", told.get<float>("scale") * told.get<float>("scale"));
  });
  set("without q0", "q0", int32_t{0});
  more("q0 off by one", "q0", 1);
  set("the first kv head for all heads", "head_group", 1 << 20);
  set("a kv head for each head", "head_group", int32_t{1});
  set("heads from the first one", "head_first", int32_t{0});
  set("heads one after the other", "head_step", int32_t{1});
  more("one key less", "n", -1);
  more("one key more", "n", 1);
  more("one query less", "nq", -1);
  more("one query more", "nq", 1);
  stride("k of the first batch", "k", 0, "");
  stride("v of the first batch", "v", 0, "");
  stride("v of the first kv head", "v", 1, "");
  stride("k by the heads of q", "k", 1, "q");
  stride("v by the heads of k", "v", 1, "k");
  stride("v by the rows of k", "v", 2, "k");
  stride("out by the rows of q", "out", 2, "q");
  add("lse without gaps", [](Told &told, LaunchShape &shape) {
    int64_t nq = told.get("nq");
    told.strides("lse")[0] = shape.grid[1] * told.get("head_step") * nq;
    told.strides("lse")[1] = nq;
  });
  grid("the last row of blocks missing", 0);
  grid("the last head missing", 1);
  grid("the last batch missing", 2);
  add("one entry does not run", [](Told &told, LaunchShape &shape) {
    if (told.get("head_first") == 1)
      shape.grid[0] = 0;
  });
}

/// The address of an element of out.
std::byte *outAt(Told &told, int64_t b, int64_t h, int64_t row, int64_t column) {
  const int64_t *stride = told.strides("out");
  return told.at<std::byte>("out") +
         (b * stride[0] + h * stride[1] + row * stride[2] + column) * bytes(told.dtype);
}

float *lseAt(Told &told, int64_t b, int64_t h, int64_t row) {
  const int64_t *stride = told.strides("lse");
  float *lse = told.at("lse");
  return lse ? lse + b * stride[0] + h * stride[1] + row : nullptr;
}

using After = std::function<void(Told &, const LaunchShape &)>;
using OfRow = std::function<void(Told &, int64_t b, int64_t h, int64_t row)>;

/// A launch after which `visit` is done to each row.
After afterRows(OfRow visit) {
  return [visit](Told &told, const LaunchShape &shape) {
    forEachRow(told, shape, [&](int64_t b, int64_t h, int64_t row) { visit(told, b, h, row); });
  };
}

/// Of f32 outputs, each element of out.
After afterElements(std::function<float(float)> change) {
  return afterRows([change](Told &told, int64_t b, int64_t h, int64_t row) {
    auto *first = reinterpret_cast<float *>(outAt(told, b, h, row, 0));
    for (int i = 0; told.dtype == DType::F32 && i < told.valueDim; ++i)
      first[i] = change(first[i]);
  });
}

float withoutLowBits(float value, int count) {
  uint32_t bits = 0;
  std::memcpy(&bits, &value, 4);
  bits &= ~((uint32_t{1} << count) - 1);
  std::memcpy(&value, &bits, 4);
  return value;
}

void addNumbers(List &list) {
  auto add = [&](std::string name, After after) {
    list.push_back({std::move(name), "forward", mixedPattern(), Fault{.after = std::move(after)}});
  };
  auto lse = [&](std::string name, std::function<float(float)> change) {
    add(std::move(name), afterRows([change](Told &told, int64_t b, int64_t h, int64_t row) {
          if (float *at = lseAt(told, b, h, row))
            *at = change(*at);
        }));
  };
  lse("lse in base 2", [](float value) { return value * 1.4426950f; });
  lse("lse of rows without keys 0", [](float value) { return std::isinf(value) ? 0 : value; });
  lse("lse of rows without keys -1e30",
      [](float value) { return std::isinf(value) ? -1e30f : value; });
  lse("lse in 16 bits", [](float value) { return withoutLowBits(value, 16); });
  add("out of rows without keys not 0",
      afterRows([](Told &told, int64_t b, int64_t h, int64_t row) {
        float *sum = lseAt(told, b, h, row);
        if (sum && std::isinf(*sum)) // 1 or 1.7
          std::memset(outAt(told, b, h, row, 0), 0x3F, bytes(told.dtype));
      }));
  add("out rounded to bf16", afterElements([](float value) { return withoutLowBits(value, 16); }));
  add("out without 6 bits", afterElements([](float value) { return withoutLowBits(value, 6); }));
  add("out doubled", afterElements([](float value) { return 2 * value; }));
  add("the last value column stale", afterRows([](Told &told, int64_t b, int64_t h, int64_t row) {
        std::memset(outAt(told, b, h, row, told.valueDim - 1), 0, bytes(told.dtype));
      }));
  add("the other bits every third launch", [launches = 0](Told &told, const LaunchShape &) mutable {
    if (++launches % 3 == 0)
      *told.at<std::byte>("out") ^= std::byte{1};
  });
}

void addMemory(List &list) {
  auto add = [&](std::string name, After after) {
    list.push_back({std::move(name), "forward", mixedPattern(), Fault{.after = std::move(after)}});
  };
  auto last = [&](std::string name, int64_t rowsOn, int64_t columnsOn) {
    add(std::move(name), afterRows([=](Told &told, int64_t b, int64_t h, int64_t row) {
          if (row + 1 == told.get("nq"))
            std::memset(outAt(told, b, h, row + rowsOn, columnsOn < 0 ? 0 : told.valueDim), 0,
                        bytes(told.dtype));
        }));
  };
  last("a row past the end written", 1, -1);
  last("an element past a row written", 0, 1);
  add("memory before out written",
      [](Told &told, const LaunchShape &) { std::memset(told.at<std::byte>("out") - 64, 0, 16); });
  for (const char *input : {"q", "k", "v"})
    add(std::string(input) + " written",
        [=](Told &told, const LaunchShape &) { *told.at<std::byte>(input) = std::byte{0x5A}; });
  list.push_back(
      {"lse left as it was", "forward", mixedPattern(),
       Fault{.tell = [](Told &told, LaunchShape &) { told.set<float *>("lse", nullptr); }}});
}

/// One head in two parts: what the first leaves in f32, the second goes on from.
void addParts(List &list) {
  Pattern pattern = patternOf({"k <= q and (q - k < 9 or k % 8 == 7)"});
  pattern.heads[0].schedule = {.split = SplitChoice::Always};
  auto add = [&](std::string name, Fault fault) {
    list.push_back({std::move(name), "forward", pattern, std::move(fault)});
  };
  auto sums = [&](std::string name, std::string view, std::function<float(float)> change) {
    add(std::move(name), Fault{.after = [=](Told &told, const LaunchShape &shape) {
          if (told.has(view))
            forEachRow(told, shape, [&](int64_t b, int64_t h, int64_t row) {
              const int64_t *stride = told.strides(view);
              float &at = told.at(view)[b * stride[0] + h * stride[1] + row];
              at = change(at);
            });
        }});
  };
  auto skip = [&](std::string name, std::string view) {
    add(std::move(name), Fault{.tell = [=](Told &told, LaunchShape &shape) {
          if (told.has(view))
            shape.grid[0] = 0;
        }});
  };
  skip("the first part does not run", "row_sum");
  skip("the second part does not run", "prior_sum");
  sums("the first part is lost", "row_max", [](float) { return -INFINITY; });
  sums("the first part's maximum is 0", "row_max", [](float) { return 0.0f; });
  sums("the first part's weight doubled", "row_sum", [](float sum) { return 2 * sum; });
  add("the second part starts from the first's sums of another row",
      Fault{.tell = [](Told &told, LaunchShape &) {
        if (told.has("prior_sum"))
          told.set<float *>("prior_sum", told.at("prior_sum") + 1);
      }});
}

} // namespace

std::vector<PlantedFault> forwardFaults() {
  List list;
  addCompiled(list);
  addLayouts(list);
  addOrders(list);
  addLaunches(list);
  addNumbers(list);
  addMemory(list);
  addParts(list);
  return list;
}

} // namespace sparsec::testing
