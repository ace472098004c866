#include "runtime/sim/Shadow.h"

#include <algorithm>

namespace sparsec::sim {

void AccessSets::reset() {
  added.clear();
  lastKey = {};
  lastAdded = 0;
  ranges.clear();
  pool.clear();
  byHash.clear();
}

size_t AccessSets::Hash::operator()(const Key &key) const {
  uint64_t hash = key.old;
  for (uint64_t part : {key.clock, key.lanes, key.version, key.warpAtomic})
    hash = (hash ^ part) * 0x9e3779b97f4a7c15u ^ hash >> 29;
  return hash;
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

Conflict RaceCheck::unordered(Word w, const Accessor &by, bool earlierWrites, uint32_t line) {
  if (w == 0)
    return {};
  if (word::isStamp(w)) {
    if ((by.atomic && (w & word::atomicBit)) ||
        clocks.ordered(by.warp, by.lane, word::warp(w), word::lane(w), word::clock(w)))
      return {};
    return {Conflict::Kind::Race, earlierWrites, word::warp(w), word::lane(w), line, 0};
  }
  uint32_t version = clocks.version(by.warp);
  if (w == lastOrdered && by.warp == lastOrderedWarp && version == lastOrderedVersion)
    return {};
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
      if (!clocks.ordered(by.warp, by.lane, entry.warp, lane, entry.clock))
        return {Conflict::Kind::Race, earlierWrites, entry.warp, lane, line, 0};
    }
  }
  if (allKnown) {
    lastOrdered = w;
    lastOrderedWarp = by.warp;
    lastOrderedVersion = version;
  }
  return {};
}

/// `old` and this access, without those that are ordered before it and conflict with nothing that
/// it does not conflict with.
Word RaceCheck::add(Word old, const Accessor &by) {
  uint32_t lanes = by.lane == wholeWarp ? ~0u : 1u << by.lane;
  AccessSets::Key key{old, clocks.now(by.warp), lanes, clocks.version(by.warp),
                      uint32_t(by.warp) * 2 + by.atomic};
  if (key == sets.lastKey)
    return sets.lastAdded;
  sets.lastKey = key;
  if (auto found = sets.added.find(key); found != sets.added.end())
    return sets.lastAdded = found->second;
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
  sets.added.emplace(key, made);
  return sets.lastAdded = made;
}

Conflict RaceCheck::readOne(Word &write, Word &read, uint32_t writeLine, const Accessor &by) {
  if (word::isInFlight(write))
    return {Conflict::Kind::InFlight, true, word::warp(write), word::lane(write), writeLine, 0};
  if (write == 0 && !by.initialised)
    return {Conflict::Kind::NeverWritten};
  if (Conflict race = unordered(write, by, true, writeLine))
    return race;
  read = add(read, by);
  return {};
}

Conflict RaceCheck::writeOne(Word &write, Word &read, uint32_t writeLine, uint32_t readLine,
                             const Accessor &by) {
  if (word::isInFlight(write))
    return {Conflict::Kind::InFlight, true, word::warp(write), word::lane(write), writeLine, 0};
  if (Conflict race = unordered(write, by, true, writeLine))
    return race;
  if (Conflict race = unordered(read, by, false, readLine))
    return race;
  if (by.atomic) {
    // Other strong accesses may be unordered with this one: all of them stay.
    write = add(write, by);
    return {};
  }
  write = word::stamp(clocks.now(by.warp), by.warp, by.lane);
  read = 0;
  return {};
}

Conflict RaceCheck::readSlow(ShadowPointer at, uint32_t i, const Accessor &by) {
  if (clocks.overflowed())
    return {Conflict::Kind::ClockOverflow};
  if (!word::isSplit(at.write[i])) {
    Conflict conflict = readOne(at.write[i], at.read[i], at.writeLine[i], by);
    at.readLine[i] = by.line;
    return conflict;
  }
  return readBytes({at.write + i, at.read + i, at.writeLine + i, at.readLine + i}, 0, 4, by);
}

Conflict RaceCheck::writeSlow(ShadowPointer at, uint32_t i, const Accessor &by) {
  if (clocks.overflowed())
    return {Conflict::Kind::ClockOverflow};
  if (!word::isSplit(at.write[i])) {
    Conflict conflict = writeOne(at.write[i], at.read[i], at.writeLine[i], at.readLine[i], by);
    if (!conflict)
      at.writeLine[i] = by.line;
    return conflict;
  }
  Conflict conflict =
      writeBytes({at.write + i, at.read + i, at.writeLine + i, at.readLine + i}, 0, 4, by);
  if (!conflict && !by.atomic) {
    // All four bytes are this write now: one granule again.
    at.write[i] = word::stamp(clocks.now(by.warp), by.warp, by.lane);
    at.read[i] = 0;
    at.writeLine[i] = by.line;
  }
  return conflict;
}

RaceCheck::SplitGranule &RaceCheck::split(ShadowPointer at, uint32_t i) {
  if (!word::isSplit(at.write[i])) {
    SplitGranule parts;
    std::fill_n(parts.write, 4, at.write[i]);
    std::fill_n(parts.read, 4, at.read[i]);
    std::fill_n(parts.writeLine, 4, at.writeLine[i]);
    std::fill_n(parts.readLine, 4, at.readLine[i]);
    at.write[i] = word::special | Word(splits.size());
    at.read[i] = 0;
    splits.push_back(parts);
  }
  return splits[word::index(at.write[i])];
}

Conflict RaceCheck::readBytes(ShadowPointer at, uint32_t offset, uint32_t size,
                              const Accessor &by) {
  // Reading part of a granule whose bytes share one history keeps it whole: the rest of it counts
  // as read too only for as long as it takes to matter, so split when others' bytes may differ.
  SplitGranule &parts = split(at, 0);
  for (uint32_t i = offset; i < offset + size; ++i) {
    if (Conflict conflict = readOne(parts.write[i], parts.read[i], parts.writeLine[i], by)) {
      conflict.byte = i;
      return conflict;
    }
    parts.readLine[i] = by.line;
  }
  return {};
}

Conflict RaceCheck::writeBytes(ShadowPointer at, uint32_t offset, uint32_t size,
                               const Accessor &by) {
  SplitGranule &parts = split(at, 0);
  for (uint32_t i = offset; i < offset + size; ++i) {
    if (Conflict conflict =
            writeOne(parts.write[i], parts.read[i], parts.writeLine[i], parts.readLine[i], by)) {
      conflict.byte = i;
      return conflict;
    }
    parts.writeLine[i] = by.line;
  }
  return {};
}

Conflict RaceCheck::startAsync(ShadowPointer at, uint32_t size, const Accessor &by) {
  if (Conflict conflict = write(at, 0, size, by))
    return conflict;
  std::fill_n(at.write, size / 4, word::inFlightBit | word::thread(by.warp, by.lane));
  return {};
}

void RaceCheck::landAsync(ShadowPointer at, uint32_t size, const Accessor &by) {
  std::fill_n(at.write, size / 4, word::stamp(clocks.now(by.warp), by.warp, by.lane));
  std::fill_n(at.writeLine, size / 4, by.line);
}

} // namespace sparsec::sim
