#include "runtime/sim/Shadow.h"

#include <algorithm>

namespace sparsec::sim {

void AccessSets::reset() {
  std::fill(recent.begin(), recent.end(), Added());
  ranges.clear();
  pool.clear();
  byHash.clear();
}

std::span<const AccessEntry> AccessSets::set(Word word) const {
  const Range &range = ranges[word::index(word)];
  return {pool.data() + range.first, range.count};
}

std::vector<AccessEntry> AccessSets::entries(Word w) const {
  if (w == 0)
    return {};
  if (word::isStamp(w)) {
    uint32_t lanes = word::lane(w) == wholeWarp ? ~0u : 1u << word::lane(w);
    return {{word::clock(w), lanes, uint8_t(word::warp(w)), (w & word::atomicBit) != 0}};
  }
  std::span<const AccessEntry> all = set(w);
  return {all.begin(), all.end()};
}

Word AccessSets::intern(std::vector<AccessEntry> list) {
  if (list.size() == 1 && (list[0].lanes == ~0u || std::has_single_bit(list[0].lanes))) {
    int lane = list[0].lanes == ~0u ? wholeWarp : std::countr_zero(list[0].lanes);
    return word::stamp(list[0].clock, list[0].warp, lane) | (list[0].atomic ? word::atomicBit : 0);
  }
  std::sort(list.begin(), list.end(), [](const AccessEntry &a, const AccessEntry &b) {
    return std::tie(a.warp, a.clock, a.atomic) < std::tie(b.warp, b.clock, b.atomic);
  });
  uint64_t hash = list.size();
  for (const AccessEntry &e : list)
    for (uint64_t part : {e.clock, e.lanes, uint32_t(e.warp) * 2 + e.atomic})
      hash = (hash ^ part) * 0x9e3779b97f4a7c15u ^ hash >> 29;
  auto [from, to] = byHash.equal_range(hash);
  for (auto at = from; at != to; ++at)
    if (std::ranges::equal(set(at->second), list))
      return at->second;
  Word made = word::setBit | Word(ranges.size());
  ranges.push_back({uint32_t(pool.size()), uint32_t(list.size())});
  pool.insert(pool.end(), list.begin(), list.end());
  byHash.emplace(hash, made);
  return made;
}

void RaceCheck::reset() {
  sets.reset();
  splits.clear();
  lastOrdered = 0;
  lastOrderedWarp = -1;
}

bool RaceCheck::allOrdered(Word w, const Accessor &by, bool earlierWrites, uint32_t line,
                           Conflict &conflict) {
  if (w == 0)
    return true;
  if (word::isStamp(w)) {
    if ((by.atomic && (w & word::atomicBit)) ||
        clocks.ordered(by.warp, by.lane, word::warp(w), word::lane(w), word::clock(w)))
      return true;
    conflict = {Conflict::Kind::Race, earlierWrites, word::warp(w), word::lane(w), line, 0};
    return false;
  }
  uint32_t version = clocks.version(by.warp);
  if (w == lastOrdered && by.warp == lastOrderedWarp && version == lastOrderedVersion)
    return true;
  const uint32_t *known = clocks.knownBy(by.warp);
  bool allKnown = true;
  for (const AccessEntry &entry : sets.set(w)) {
    if (entry.clock <= known[entry.warp])
      continue;
    allKnown = false;
    if (by.atomic && entry.atomic)
      continue;
    for (uint32_t lanes = entry.lanes; lanes; lanes &= lanes - 1) {
      int lane = std::countr_zero(lanes);
      if (!clocks.ordered(by.warp, by.lane, entry.warp, lane, entry.clock)) {
        conflict = {Conflict::Kind::Race, earlierWrites, entry.warp, lane, line, 0};
        return false;
      }
    }
  }
  if (allKnown) {
    lastOrdered = w;
    lastOrderedWarp = by.warp;
    lastOrderedVersion = version;
  }
  return true;
}

/// `old` and this access, without those that are ordered before it and conflict with nothing that
/// it does not conflict with.
Word RaceCheck::add(Word old, const Accessor &by) {
  uint32_t lanes = by.lane == wholeWarp ? ~0u : 1u << by.lane;
  AccessSets::Key key{old, clocks.now(by.warp), lanes, clocks.version(by.warp),
                      uint32_t(by.warp) * 2 + by.atomic};
  AccessSets::Added &recent = sets.added(key);
  if (recent.key == key)
    return recent.result;
  std::vector<AccessEntry> kept;
  bool merged = false;
  for (AccessEntry entry : sets.entries(old)) {
    if (entry.clock <= clocks.floor(entry.warp))
      continue;
    if (by.atomic == entry.atomic || entry.atomic) {
      uint32_t unorderedLanes = 0;
      for (uint32_t rest = entry.lanes; rest; rest &= rest - 1) {
        int lane = std::countr_zero(rest);
        bool mine = entry.warp == by.warp && (lanes >> lane & 1);
        if (!mine && !clocks.ordered(by.warp, by.lane, entry.warp, lane, entry.clock))
          unorderedLanes |= 1u << lane;
      }
      entry.lanes = unorderedLanes;
      if (!unorderedLanes)
        continue;
    }
    if (entry.warp == by.warp && entry.clock == key.clock && entry.atomic == by.atomic) {
      entry.lanes |= lanes;
      merged = true;
    }
    kept.push_back(entry);
  }
  if (!merged)
    kept.push_back({key.clock, lanes, uint8_t(by.warp), by.atomic});
  Word made = sets.intern(std::move(kept));
  recent = {key, made};
  return made;
}

bool RaceCheck::readOne(Word &write, Word &read, uint32_t writeLine, const Accessor &by,
                        Conflict &conflict) {
  if (word::isInFlight(write)) {
    conflict = {Conflict::Kind::InFlight, true, word::warp(write), word::lane(write), writeLine, 0};
    return false;
  }
  if (write == 0 && !by.initialised) {
    conflict = {Conflict::Kind::NeverWritten};
    return false;
  }
  if (!allOrdered(write, by, true, writeLine, conflict))
    return false;
  read = add(read, by);
  return true;
}

bool RaceCheck::writeOne(Word &write, Word &read, uint32_t writeLine, uint32_t readLine,
                         const Accessor &by, Conflict &conflict) {
  if (word::isInFlight(write)) {
    conflict = {Conflict::Kind::InFlight, true, word::warp(write), word::lane(write), writeLine, 0};
    return false;
  }
  if (!allOrdered(write, by, true, writeLine, conflict) ||
      !allOrdered(read, by, false, readLine, conflict))
    return false;
  if (by.atomic) {
    // Other strong accesses may be unordered with this one: all of them stay.
    write = add(write, by);
    return true;
  }
  write = word::stamp(clocks.now(by.warp), by.warp, by.lane);
  read = 0;
  return true;
}

bool RaceCheck::readSlow(ShadowPointer at, const Accessor &by, Conflict &conflict) {
  if (clocks.overflowed()) {
    conflict = {Conflict::Kind::ClockOverflow};
    return false;
  }
  if (word::isSplit(at.write(0)))
    return readBytes(at, 0, 4, by, conflict);
  if (!readOne(at.write(0), at.read(0), at.writeLine(0), by, conflict))
    return false;
  at.readLine(0) = by.line;
  return true;
}

bool RaceCheck::writeSlow(ShadowPointer at, const Accessor &by, Conflict &conflict) {
  if (clocks.overflowed()) {
    conflict = {Conflict::Kind::ClockOverflow};
    return false;
  }
  bool isSplit = word::isSplit(at.write(0));
  if (!(isSplit ? writeBytes(at, 0, 4, by, conflict)
                : writeOne(at.write(0), at.read(0), at.writeLine(0), at.readLine(0), by, conflict)))
    return false;
  if (isSplit && !by.atomic) {
    // All four bytes are this write now: one granule again.
    at.write(0) = word::stamp(clocks.now(by.warp), by.warp, by.lane);
    at.read(0) = 0;
  }
  at.writeLine(0) = by.line;
  return true;
}

RaceCheck::SplitGranule &RaceCheck::split(ShadowPointer at) {
  if (!word::isSplit(at.write(0))) {
    SplitGranule parts;
    std::fill_n(parts.write, 4, at.write(0));
    std::fill_n(parts.read, 4, at.read(0));
    std::fill_n(parts.writeLine, 4, at.writeLine(0));
    std::fill_n(parts.readLine, 4, at.readLine(0));
    at.write(0) = word::special | Word(splits.size());
    at.read(0) = 0;
    splits.push_back(parts);
  }
  return splits[word::index(at.write(0))];
}

bool RaceCheck::readBytes(ShadowPointer at, uint32_t offset, uint32_t size, const Accessor &by,
                          Conflict &conflict) {
  SplitGranule &parts = split(at);
  for (uint32_t i = offset; i < offset + size; ++i) {
    if (!readOne(parts.write[i], parts.read[i], parts.writeLine[i], by, conflict)) {
      conflict.byte = i;
      return false;
    }
    parts.readLine[i] = by.line;
  }
  return true;
}

bool RaceCheck::writeBytes(ShadowPointer at, uint32_t offset, uint32_t size, const Accessor &by,
                           Conflict &conflict) {
  SplitGranule &parts = split(at);
  for (uint32_t i = offset; i < offset + size; ++i) {
    if (!writeOne(parts.write[i], parts.read[i], parts.writeLine[i], parts.readLine[i], by,
                  conflict)) {
      conflict.byte = i;
      return false;
    }
    parts.writeLine[i] = by.line;
  }
  return true;
}

void RaceCheck::rebase(std::span<ShadowPage> shared) {
  auto renew = [](Word &write, Word &read) {
    if (write != 0 && !word::isInFlight(write) && !word::isSplit(write))
      write = word::stamp(Clocks::rebased, 0, 0);
    read = 0;
  };
  for (ShadowPage &page : shared)
    for (uint32_t granule = 0; granule < ShadowPage::granules; ++granule)
      renew(page.at(granule).write(0), page.at(granule).read(0));
  for (SplitGranule &parts : splits)
    for (int i = 0; i < 4; ++i)
      renew(parts.write[i], parts.read[i]);
  sets.reset();
  lastOrderedWarp = -1;
}

bool RaceCheck::startAsync(ShadowPointer at, uint32_t size, const Accessor &by,
                           Conflict &conflict) {
  if (!write(at, 0, size, by, conflict))
    return false;
  std::fill_n(&at.write(0), size / 4, word::inFlightBit | word::thread(by.warp, by.lane));
  return true;
}

void RaceCheck::landAsync(ShadowPointer at, uint32_t size, const Accessor &by) {
  std::fill_n(&at.write(0), size / 4, word::stamp(clocks.now(by.warp), by.warp, by.lane));
  std::fill_n(&at.writeLine(0), size / 4, by.line);
}

} // namespace sparsec::sim
