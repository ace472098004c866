#include "tools/sparsec/BuildLaunches.h"

#include "kernel/ops/DecodeNumbers.h"

#include <algorithm>
#include <fmt/core.h>
#include <map>

namespace sparsec::cli {
namespace {

/// As the integers that a kernel reads.
template <class Group>
std::vector<int32_t> flat(const std::vector<Group> &groups) {
  static_assert(sizeof(Group) % sizeof(int32_t) == 0);
  const auto *first = reinterpret_cast<const int32_t *>(groups.data());
  return {first, first + groups.size() * (sizeof(Group) / sizeof(int32_t))};
}

class LaunchBuilder {
public:
  LaunchBuilder(Build &build, const Lengths &at) : build(build), at(at) { build.at = at; }

  Result<void> run() {
    const LoadedPattern &loaded = build.plan->loaded;
    for (size_t layer = 0; layer < loaded.layers.size(); ++layer) {
      std::vector<EntryUse> uses = usesOf(loaded.layers[layer], loaded.heads);
      for (size_t i = 0; i < build.plan->requests.size(); ++i)
        for (const EntryUse &use : uses) {
          const std::vector<int> &entries = build.plan->requests[i].entries;
          if (!use.heads.count || std::ranges::find(entries, use.entry) == entries.end())
            continue;
          auto numbers = numbersFor(i, use);
          if (!numbers)
            return numbers.error();
          build.launches.push_back({.layer = layer, .use = use, .request = i, .numbers = *numbers});
        }
    }
    addKeyGroups();
    addSlices();
    addBlocks();
    return {};
  }

private:
  using Key = std::tuple<size_t, int64_t, int64_t, int64_t>; ///< the request, and its heads
  using Together = std::vector<std::vector<BuiltLaunch *>>;  ///< each in the order they run
  Build &build;
  Lengths at;
  std::map<Key, size_t> known;
  std::map<std::string, std::vector<int32_t>> groupFiles;
  Names stems;

  const PlannedRequest &requestOf(const BuiltLaunch &launch) const {
    return build.plan->requests[launch.request];
  }

  /// The launches of such work, by what they have in common beside the layer and the target.
  template <class Common>
  Together together(PassWork work, Common common) {
    std::map<std::tuple<size_t, std::string, int64_t>, std::vector<BuiltLaunch *>> found;
    for (BuiltLaunch &launch : build.launches)
      if (const PlannedRequest &request = requestOf(launch); request.pass->work == work)
        found[{launch.layer, request.request.target().name, common(launch)}].push_back(&launch);
    Together lists;
    for (auto &[key, launches] : found)
      lists.push_back(std::move(launches));
    return lists;
  }

  /// The kv heads of each launch over keys. Those of a layer give to the same dk and dv.
  void addKeyGroups() {
    const LoadedPattern &loaded = build.plan->loaded;
    for (const auto &launches : together(PassWork::Keys, [](const BuiltLaunch &) { return 0; })) {
      std::vector<Heads> heads;
      for (const BuiltLaunch *launch : launches)
        heads.push_back(launch->use.heads);
      for (size_t i = 0; i < launches.size(); ++i) {
        std::vector<KeyGroup> groups = keyGroups(heads, i, loaded.heads / loaded.kvHeads);
        // Sums that no group leaves to another launch are never touched.
        launches[i]->meets =
            std::ranges::any_of(groups, [](const KeyGroup &group) { return group.role != 0; });
        setGroups(*launches[i], groups);
      }
    }
  }

  /// Of decode: the parts of some heads share groups, and leave the sums of their slices side by
  /// side.
  void addSlices() {
    const LoadedPattern &loaded = build.plan->loaded;
    for (const auto &parts : together(PassWork::Positions, [](const BuiltLaunch &launch) {
           return launch.use.heads.first;
         })) {
      bool alike = std::ranges::none_of(
          parts, [&](const BuiltLaunch *part) { return requestOf(*part).usesHead(); });
      std::vector<DecodeGroup> groups =
          decodeGroups(parts[0]->use.heads, loaded.heads / loaded.kvHeads, alike);
      auto count = std::ssize(groups);
      int64_t slots = 0;
      for (BuiltLaunch *part : parts) {
        const BuiltNumbers &built = build.numbers[part->numbers];
        int64_t slices = decodeSlices(built.numbers->counts, at.n * built.heads, count);
        setGroups(*part, groups);
        part->groupHeads = std::ranges::max(groups, {}, &DecodeGroup::heads).heads;
        part->fields = {{"group_count", count, true},
                        {"slices", slices, true},
                        {"first_slot", slots, false},
                        {"most", at.n, false}};
        slots += slices;
      }
      for (BuiltLaunch *part : parts) {
        part->slots = slots;
        part->meets = slots > 1;
        part->fields.push_back({"whole", slots == 1, false});
        part->fields.push_back({"slots", slots, false});
      }
    }
  }

  void addBlocks() {
    for (BuiltLaunch &launch : build.launches)
      if (requestOf(launch).pass->work == PassWork::Blocks)
        launch.fields = {
            {"per_batch", std::ssize(build.numbers[launch.numbers].numbers->blocks) / 3, true}};
  }

  template <class Group>
  void setGroups(BuiltLaunch &launch, const std::vector<Group> &groups) {
    launch.groups = flat(groups);
    launch.groupCount = std::ssize(groups);
    for (int i = 1;; ++i) { // the same file for equal groups of a request
      std::string stem = requestOf(launch).stem();
      std::string name = i == 1 ? stem : fmt::format("{}_{}", stem, i);
      auto [file, isNew] = groupFiles.try_emplace(name + ".groups.i32", launch.groups);
      if (!isNew && file->second != launch.groups)
        continue;
      launch.groupsFile = file->first;
      return;
    }
  }

  /// As an index of Build::numbers. Heads count where the predicate tells them apart, and where
  /// blocks are listed with them.
  Result<size_t> numbersFor(size_t i, const EntryUse &use) {
    const PlannedRequest &request = build.plan->requests[i];
    auto [first, step, count] = use.heads;
    bool ofHeads = request.usesHead() || request.pass->work == PassWork::Blocks;
    auto [place, isNew] = known.try_emplace(ofHeads ? Key{i, first, step, count} : Key{i, 0, 0, 0},
                                            build.numbers.size());
    if (!isNew)
      return place->second;
    BuiltNumbers built;
    if (const BuiltNumbers *same = knownOf(request, place->first)) {
      built = *same;
    } else {
      auto numbers = request.numbers(at, use.heads, build.plan->ledger->threadsAsked());
      if (!numbers)
        return located(numbers.error(), build.plan->loaded.pattern.heads[use.entry]);
      built = {std::make_shared<const PassNumbers>(std::move(*numbers)), count, {}};
    }
    built.stem = stems.take(request.stem());
    build.numbers.push_back(std::move(built));
    return place->second;
  }

  /// Of an earlier request in the same layout, for the same heads; null: none.
  const BuiltNumbers *knownOf(const PlannedRequest &request, Key key) const {
    for (size_t i = 0; i < build.plan->requests.size(); ++i) {
      std::get<0>(key) = i;
      auto at = known.find(key);
      if (at != known.end() && at->second < build.numbers.size() &&
          request.hasNumbersOf(build.plan->requests[i]))
        return &build.numbers[at->second];
    }
    return nullptr;
  }
};

} // namespace

Result<void> buildLaunches(Build &build, const Lengths &at) {
  return LaunchBuilder(build, at).run();
}

} // namespace sparsec::cli
