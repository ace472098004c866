#include "tests/verify/PlantedFaults.h"

#include "kernel/ops/KeyGroups.h"

#include <algorithm>

namespace sparsec::testing {
namespace {

using List = std::vector<PlantedFault>;
using Tell = std::function<void(Told &, LaunchShape &)>;
using After = std::function<void(Told &, const LaunchShape &)>;

bool isOverKeys(const Told &told) {
  return told.has("groups");
}
bool isDelta(const Told &told) {
  return told.has("dlse");
}

/// A launch of the pass over keys whose groups are changed.
Tell groups(std::function<void(Told &, KeyGroup &)> change) {
  return [change](Told &told, LaunchShape &shape) {
    if (!isOverKeys(told))
      return;
    const auto *own = told.at<const KeyGroup>("groups");
    std::vector<int32_t> list;
    for (KeyGroup group : std::vector<KeyGroup>(own, own + shape.grid[1])) {
      change(told, group);
      list.insert(list.end(), {group.kvHead, group.first, group.heads, group.role});
    }
    told.point("groups", list);
  };
}

/// Every element of a gradient in f32, of the heads of a launch.
After elements(std::string gradient, std::function<float(float)> change) {
  return [=](Told &told, const LaunchShape &shape) {
    if (!told.has(gradient) || told.dtype != DType::F32)
      return;
    const int64_t *stride = told.strides(gradient);
    forEachRow(told, shape, [&](int64_t b, int64_t h, int64_t row) {
      float *first = told.at(gradient) + b * stride[0] + h * stride[1] + row * stride[2];
      std::transform(first, first + told.headDim, first, change);
    });
  };
}

void addCompiled(List &list) {
  auto add = [&](std::string name, std::string wrong) {
    list.push_back({std::move(name), "backward",
                    patternOf({"k <= q and q - k < 9 + 5 * h", "k <= q and q - k < 150"}),
                    Fault{.compiled = {std::move(wrong), "k <= q and q - k < 150"}}});
  };
  add("every pair attends", "True");
  add("a window one key longer", "k <= q and q - k <= 9 + 5 * h");
  add("without the diagonal", "k < q and q - k < 9 + 5 * h");
  add("the head ignored", "k <= q and q - k < 9");
}

void addLaunches(List &list) {
  auto add = [&](std::string name, Tell tell) {
    list.push_back({std::move(name), "backward", mixedPattern(), Fault{.tell = std::move(tell)}});
  };
  auto set = [&](std::string name, std::string argument, auto value) {
    add(std::move(name), [=](Told &told, LaunchShape &) { told.set(argument, value); });
  };
  auto less = [&](std::string name, std::string argument) {
    add(std::move(name), [=](Told &told, LaunchShape &) { told.add(argument, -1); });
  };
  auto grid = [&](std::string name, int axis) {
    add(std::move(name), [=](Told &, LaunchShape &shape) { --shape.grid[axis]; });
  };
  set("without the scale", "scale", 1.0f);
  set("without q0", "q0", int32_t{0});
  set("the first kv head for all heads", "head_group", 1 << 20);
  less("one key less", "n");
  less("one query less", "nq");
  grid("the last row of blocks missing", 0);
  grid("the last head or group missing", 1);
  grid("the last batch missing", 2);
  list.push_back(
      {"forms of the first head for all", "backward", headsApart(),
       Fault{.tell = [](Told &told, LaunchShape &) { told.set("form_stride", int32_t{0}); }}});
  add("the gradient of lse left out", [](Told &told, LaunchShape &) {
    told.set<const void *>("dlse", nullptr);
    told.set<int32_t>("dlse_rows", 0);
  });
  add("delta does not run", [](Told &told, LaunchShape &shape) {
    if (isDelta(told))
      shape.grid[0] = 0;
  });
  add("lse of the first head for all", [](Told &told, LaunchShape &) {
    if (told.has("lse"))
      told.strides("lse")[1] = 0;
  });
  add("dout by the heads of q", [](Told &told, LaunchShape &) {
    if (told.has("dout") && told.has("q"))
      told.strides("dout")[1] = told.strides("q")[1];
  });
  add("v by the rows of k", [](Told &told, LaunchShape &) {
    if (told.has("v"))
      told.strides("v")[2] = told.strides("k")[2];
  });
}

/// kv heads that several launches give to.
void addSums(List &list) {
  auto add = [&](std::string name, std::function<void(Told &, KeyGroup &)> change) {
    list.push_back({std::move(name), "backward", mixedPattern(), Fault{.tell = groups(change)}});
  };
  add("a shared kv head summed from the last launch alone",
      [](Told &, KeyGroup &group) { group.role &= ~KeyGroup::kGoesOn; });
  add("sums left in f32 memory", [](Told &, KeyGroup &group) {
    if (group.role & KeyGroup::kGoesOn)
      group.role |= KeyGroup::kStays;
  });
  add("sums that go on from what memory holds", [](Told &, KeyGroup &group) {
    if (group.role & KeyGroup::kStays)
      group.role |= KeyGroup::kGoesOn;
  });
  add("the last head of each group left out", [](Told &, KeyGroup &group) { --group.heads; });
  add("kv head 0 for each group", [](Told &, KeyGroup &group) { group.kvHead = 0; });
}

void addNumbers(List &list) {
  auto add = [&](std::string name, After after) {
    list.push_back({std::move(name), "backward", mixedPattern(), Fault{.after = std::move(after)}});
  };
  add("dq without the scale", elements("dq", [](float value) { return 8 * value; }));
  add("dq in 16 bits", elements("dq", [](float value) { return 1.002f * value; }));
  add("delta of the other sign", [](Told &told, const LaunchShape &shape) {
    if (!isDelta(told))
      return;
    const int64_t *stride = told.strides("delta");
    forEachRow(told, shape, [&](int64_t b, int64_t h, int64_t row) {
      float &at = told.at("delta")[b * stride[0] + h * stride[1] + row];
      at = -at;
    });
  });
  add("q written", [](Told &told, const LaunchShape &) {
    if (isOverKeys(told))
      *told.at<std::byte>("q") = std::byte{0x5A};
  });
  add("lse written", [](Told &told, const LaunchShape &) {
    if (isOverKeys(told))
      *told.at<std::byte>("lse") = std::byte{0x5A};
  });
  for (const char *gradient : {"dk", "dv"})
    add(std::string(gradient) + " of other bits every third launch",
        [=, launches = 0](Told &told, const LaunchShape &) mutable {
          if (isOverKeys(told) && ++launches % 3 == 0)
            *told.at<std::byte>(gradient) ^= std::byte{1};
        });
}

} // namespace

std::vector<PlantedFault> backwardFaults() {
  List list;
  addCompiled(list);
  addLaunches(list);
  addSums(list);
  addNumbers(list);
  return list;
}

std::vector<PlantedFault> decodeFaults() {
  List list;
  auto add = [&](std::string name, const Pattern &pattern, Fault fault) {
    list.push_back({std::move(name), "decode", pattern, std::move(fault)});
  };
  auto tell = [&](std::string name, Tell told) {
    add(std::move(name), mixedPattern(), Fault{.tell = std::move(told)});
  };
  add("a window one key longer", patternOf({"k <= q and q - k < 9"}),
      Fault{.compiled = {"k <= q and q - k <= 9"}});
  tell("without the scale", [](Told &told, LaunchShape &) { told.set("scale", 1.0f); });
  tell("the lengths of full caches", [](Told &told, LaunchShape &) {
    if (told.has("lengths") && told.has("most"))
      told.point("lengths", std::vector<int32_t>(16, told.get("most")));
  });
  tell("the lengths of other sequences", [](Told &told, LaunchShape &) {
    if (const auto *own = told.at<const int32_t>("lengths"))
      told.point("lengths", std::vector<int32_t>(16, own[0]));
  });
  tell("keys of the first batch", [](Told &told, LaunchShape &) {
    if (told.has("k"))
      told.strides("k")[0] = 0;
  });
  tell("v by the rows of k", [](Told &told, LaunchShape &) {
    if (told.has("v"))
      told.strides("v")[2] = told.strides("k")[2];
  });
  tell("kv head 0 for each group", [](Told &told, LaunchShape &) {
    if (const auto *own = told.at<const int32_t>("groups")) {
      std::vector<int32_t> groups(own, own + 3 * told.get("group_count"));
      for (size_t i = 0; i < groups.size(); i += 3)
        groups[i] = 0;
      told.point("groups", groups);
    }
  });
  tell("items missing", [](Told &, LaunchShape &shape) { --shape.grid[0]; });

  Pattern parts = patternOf({"k <= q and (q - k < 9 or k % 8 == 7)"});
  parts.heads[0].schedule = {.split = SplitChoice::Always};
  auto merge = [&](std::string name, Tell told) {
    add(std::move(name), parts, Fault{.tell = [told](Told &all, LaunchShape &shape) {
          if (all.has("slots"))
            told(all, shape);
        }});
  };
  merge("the last part not merged", [](Told &told, LaunchShape &) { told.add("slots", -1); });
  merge("parts merged without weights",
        [](Told &told, LaunchShape &) { told.set<float *>("part_max", told.at("part_out")); });
  merge("nothing merged", [](Told &, LaunchShape &shape) { shape.grid[0] = 0; });
  return list;
}

} // namespace sparsec::testing
