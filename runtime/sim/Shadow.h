// What the race check remembers of memory: for each 4 bytes the last write and the reads since.
//
//   write word   0                         never written in this block
//                stamp                     clock | warp | lane, plain or atomic
//                set                       atomics by several threads: an index into AccessSets
//                in flight                 an asynchronous copy of (warp, lane) has yet to land
//                split                     its four bytes have words of their own (SplitGranule)
//   read word    0, stamp or set, likewise
//
// The rules are FastTrack's: a write that is ordered after all that came before forgets it, a read
// forgets the reads that are ordered before it. So a stamp is the usual case and costs one compare;
// sets are interned, because the granules of a tile are read by the same threads.
//
// Invariant: a race between two accesses of one granule in one block is reported whatever the order
// in which the two happened to run; accesses to different bytes never race.
#pragma once

#include "runtime/sim/Clocks.h"

#include <span>

namespace sparsec::sim {

using Word = uint32_t;

namespace word {
constexpr Word atomicBit = 1u << 30, setBit = 1u << 31, special = 3u << 30;
constexpr Word inFlightBit = special | (1u << 29);
constexpr Word threadMask = 0x7ff;
inline Word thread(int warp, int lane) {
  return Word(warp) << 6 | Word(lane);
}
inline Word stamp(uint32_t clock, int warp, int lane) {
  return clock << 11 | thread(warp, lane);
}
inline bool isStamp(Word w) {
  return w < setBit;
}
inline bool isSet(Word w) {
  return (w & special) == setBit;
}
inline bool isSplit(Word w) {
  return (w & inFlightBit) == special;
}
inline bool isInFlight(Word w) {
  return (w & inFlightBit) == inFlightBit;
}
inline uint32_t clock(Word w) {
  return w >> 11 & Clocks::clockLimit;
}
inline int warp(Word w) {
  return w >> 6 & 31;
}
inline int lane(Word w) {
  return w & 63;
}
inline Word index(Word w) {
  return w & ~inFlightBit;
}
} // namespace word

/// Accesses of several threads, none of them forgotten yet.
struct AccessEntry {
  uint32_t clock = 0;
  uint32_t lanes = 0;
  uint8_t warp = 0;
  bool atomic = false;
  bool operator==(const AccessEntry &) const = default;
};

/// Interned sets of accesses; a word with setBit names one.
class AccessSets {
public:
  void reset();
  std::vector<AccessEntry> entries(Word word) const;
  std::span<const AccessEntry> set(Word word) const;
  Word intern(std::vector<AccessEntry> entries);

  struct Key {
    Word old;
    uint32_t clock, lanes, version;
    uint32_t warpAtomic;
    bool operator==(const Key &) const = default;
  };
  struct Hash {
    size_t operator()(const Key &key) const;
  };
  /// What adding to a set has given before.
  std::unordered_map<Key, Word, Hash> added;
  Key lastKey = {};
  Word lastAdded = 0;

private:
  struct Range {
    uint32_t first, count;
  };
  std::vector<Range> ranges;
  std::vector<AccessEntry> pool;
  std::unordered_multimap<uint64_t, Word> byHash;
};

/// The words of `count` granules from some address on.
struct ShadowPointer {
  Word *write = nullptr, *read = nullptr;
  uint32_t *writeLine = nullptr, *readLine = nullptr; ///< of the PTX text
};

/// One page of shadow, 1 KB of memory; shared memory is a row of them.
struct ShadowPage {
  static constexpr uint32_t granules = 256;
  Word write[granules], read[granules];
  uint32_t writeLine[granules], readLine[granules];
  ShadowPointer at(uint32_t granule) {
    return {write + granule, read + granule, writeLine + granule, readLine + granule};
  }
};

/// Who is accessing: lanes of one warp, by the instruction of one line.
struct Accessor {
  int warp = 0;
  int lane = 0; ///< or wholeWarp
  uint32_t line = 0;
  bool atomic = false;      ///< strong: does not race with other strong accesses
  bool initialised = false; ///< memory that counts as written before the block began
};

/// What is wrong with an access.
struct Conflict {
  enum class Kind : uint8_t { None, Race, InFlight, NeverWritten, ClockOverflow };
  Kind kind = Kind::None;
  bool earlierWrites = false; ///< Race: the other access wrote
  int warp = 0, lane = 0;     ///< the other thread
  uint32_t line = 0;          ///< of the other access; 0: unknown
  uint32_t byte = 0;          ///< offset from the first granule
  explicit operator bool() const { return kind != Kind::None; }
};

class RaceCheck {
public:
  explicit RaceCheck(Clocks &clocks) : clocks(clocks) {}
  void reset();

  /// bytes [offset, offset + size) of the granules at `at`; whole granules when both are multiples
  /// of 4, else within the first granule.
  Conflict read(ShadowPointer at, uint32_t offset, uint32_t size, const Accessor &by) {
    if (((offset | size) & 3) == 0) {
      for (uint32_t i = 0; i < size; i += 4)
        if (!readFast(at, i / 4, by))
          if (Conflict conflict = readSlow(at, i / 4, by)) {
            conflict.byte = i;
            return conflict;
          }
      return {};
    }
    return readBytes(at, offset, size, by);
  }
  Conflict write(ShadowPointer at, uint32_t offset, uint32_t size, const Accessor &by) {
    if (((offset | size) & 3) == 0) {
      for (uint32_t i = 0; i < size; i += 4)
        if (!writeFast(at, i / 4, by))
          if (Conflict conflict = writeSlow(at, i / 4, by)) {
            conflict.byte = i;
            return conflict;
          }
      return {};
    }
    return writeBytes(at, offset, size, by);
  }
  /// An asynchronous copy to whole granules is issued: it may write at any time from now on.
  Conflict startAsync(ShadowPointer at, uint32_t size, const Accessor &by);
  /// It has landed: from now on it is a write of the thread that waited.
  void landAsync(ShadowPointer at, uint32_t size, const Accessor &by);

private:
  bool quickOrdered(Word w, const uint32_t *known) const {
    return word::isStamp(w) && word::clock(w) <= known[word::warp(w)];
  }
  bool readFast(ShadowPointer at, uint32_t i, const Accessor &by) {
    const uint32_t *known = clocks.knownBy(by.warp);
    Word w = at.write[i], r = at.read[i], me = word::thread(by.warp, by.lane);
    if (by.atomic || (w == 0 && !by.initialised))
      return false;
    if (!quickOrdered(w, known) &&
        !(word::isStamp(w) && (w & word::threadMask) == me && by.lane != wholeWarp))
      return false;
    if (!(r < word::atomicBit &&
          (word::clock(r) <= known[word::warp(r)] || (r & word::threadMask) == me)))
      return false;
    at.read[i] = word::stamp(clocks.now(by.warp), by.warp, by.lane);
    at.readLine[i] = by.line;
    return true;
  }
  bool writeFast(ShadowPointer at, uint32_t i, const Accessor &by) {
    const uint32_t *known = clocks.knownBy(by.warp);
    Word w = at.write[i], r = at.read[i], me = word::thread(by.warp, by.lane);
    if (by.atomic)
      return false;
    bool own = by.lane != wholeWarp;
    if (!quickOrdered(w, known) && !(own && word::isStamp(w) && (w & word::threadMask) == me))
      return false;
    if (!quickOrdered(r, known) && !(own && word::isStamp(r) && (r & word::threadMask) == me))
      return false;
    at.write[i] = word::stamp(clocks.now(by.warp), by.warp, by.lane);
    at.read[i] = 0;
    at.writeLine[i] = by.line;
    return true;
  }

  Conflict readSlow(ShadowPointer at, uint32_t i, const Accessor &by);
  Conflict writeSlow(ShadowPointer at, uint32_t i, const Accessor &by);
  Conflict readBytes(ShadowPointer at, uint32_t offset, uint32_t size, const Accessor &by);
  Conflict writeBytes(ShadowPointer at, uint32_t offset, uint32_t size, const Accessor &by);
  Conflict readOne(Word &write, Word &read, uint32_t writeLine, const Accessor &by);
  Conflict writeOne(Word &write, Word &read, uint32_t writeLine, uint32_t readLine,
                    const Accessor &by);
  /// The first access of `w` that is not ordered before `by`; strong ones do not matter to a strong
  /// access.
  Conflict unordered(Word w, const Accessor &by, bool earlierWrites, uint32_t line);
  Word add(Word old, const Accessor &by);

  struct SplitGranule {
    Word write[4], read[4];
    uint32_t writeLine[4], readLine[4];
  };
  SplitGranule &split(ShadowPointer at, uint32_t i);

  Clocks &clocks;
  AccessSets sets;
  std::vector<SplitGranule> splits;
  Word lastOrdered = 0; ///< a set known to be ordered before `lastOrderedWarp` at its version
  int lastOrderedWarp = -1;
  uint32_t lastOrderedVersion = 0;
};

} // namespace sparsec::sim
