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
    size_t operator()(const Key &key) const {
      uint64_t hash = key.old;
      for (uint64_t part : {key.clock, key.lanes, key.version, key.warpAtomic})
        hash = (hash ^ part) * 0x9e3779b97f4a7c15u ^ hash >> 29;
      return hash >> 32;
    }
  };
  /// What adding to a set has given before; the newest of those with one hash.
  struct Added {
    Key key = {};
    Word result = 0;
  };
  Added &added(const Key &key) { return recent[Hash()(key) % recent.size()]; }

private:
  struct Range {
    uint32_t first, count;
  };
  std::vector<Added> recent = std::vector<Added>(1024);
  std::vector<Range> ranges;
  std::vector<AccessEntry> pool;
  std::unordered_multimap<uint64_t, Word> byHash;
};

/// The words of the granules from some address on, within 16 bytes: one pointer into a group.
struct ShadowPointer {
  Word *words = nullptr;
  Word &write(uint32_t i) const { return words[i]; }
  Word &read(uint32_t i) const { return words[i + 4]; }
  uint32_t &writeLine(uint32_t i) const { return words[i + 8]; }
  uint32_t &readLine(uint32_t i) const { return words[i + 12]; }
  ShadowPointer operator+(uint32_t i) const { return {words + i}; }
};

/// One page of shadow, 1 KB of memory; shared memory is a row of them. What is known of 16 bytes
/// lies in one cache line.
struct ShadowPage {
  static constexpr uint32_t granules = 256;
  /// For each of four granules its write word, then their read words, then the PTX lines of the
  /// last write and of the last read.
  struct alignas(64) Group {
    Word words[16];
  };
  Group groups[granules / 4];
  ShadowPointer at(uint32_t granule) { return {groups[granule / 4].words + granule % 4}; }
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
  /// of 4, else within the first granule. False: the conflict says why not.
  bool read(ShadowPointer at, uint32_t offset, uint32_t size, const Accessor &by,
            Conflict &conflict) {
    if ((offset | size) & 3)
      return readBytes(at, offset, size, by, conflict);
    uint32_t count = size / 4;
    if (count > 1 && alike(at, count)) {
      // Granules with one history keep one.
      if (!readFast(at, by) && !readSlow(at, by, conflict))
        return false;
      for (uint32_t i = 1; i < count; ++i) {
        at.read(i) = at.read(0);
        at.readLine(i) = by.line;
      }
      return true;
    }
    for (uint32_t i = 0; i < count; ++i)
      if (!readFast(at + i, by) && !readSlow(at + i, by, conflict)) {
        conflict.byte += i * 4;
        return false;
      }
    return true;
  }
  /// What the reads of one instruction make of a history of reads: asked for once, then known.
  struct Rereading {
    Word before = 0, after = 0;
    bool known = false;
  };
  /// Reads a group, 16 aligned bytes, as one of several that an instruction reads.
  bool readGroup(ShadowPointer group, const Accessor &by, Rereading &reading, Conflict &conflict) {
    typedef Word Four __attribute__((vector_size(16)));
    typedef uint64_t Two __attribute__((vector_size(16)));
    Four *rows = reinterpret_cast<Four *>(group.words);
    Word w = group.write(0);
    Two differs = Two((rows[0] ^ w) | (rows[1] ^ reading.before));
    if (reading.known && (differs[0] | differs[1]) == 0 && w != 0 &&
        quickOrdered(w, clocks.knownBy(by.warp))) {
      rows[1] = Four{} + reading.after;
      rows[3] = Four{} + by.line;
      return true;
    }
    Word before = group.read(0);
    bool uniform = alike(group, 4);
    if (!read(group, 0, 16, by, conflict))
      return false;
    if (uniform)
      reading = {before, group.read(0), true};
    return true;
  }
  bool write(ShadowPointer at, uint32_t offset, uint32_t size, const Accessor &by,
             Conflict &conflict) {
    if ((offset | size) & 3)
      return writeBytes(at, offset, size, by, conflict);
    uint32_t count = size / 4;
    if (count > 1 && alike(at, count)) {
      if (!writeFast(at, by) && !writeSlow(at, by, conflict))
        return false;
      for (uint32_t i = 1; i < count; ++i) {
        at.write(i) = at.write(0);
        at.read(i) = at.read(0);
        at.writeLine(i) = by.line;
      }
      return true;
    }
    for (uint32_t i = 0; i < count; ++i)
      if (!writeFast(at + i, by) && !writeSlow(at + i, by, conflict)) {
        conflict.byte += i * 4;
        return false;
      }
    return true;
  }
  /// Everybody knows all accesses and clocks start again: what was written stays written, and all
  /// else is forgotten.
  void rebase(std::span<ShadowPage> shared);
  /// An asynchronous copy to whole granules is issued: it may write at any time from now on.
  bool startAsync(ShadowPointer at, uint32_t size, const Accessor &by, Conflict &conflict);
  /// It has landed: from now on it is a write of the thread that waited.
  void landAsync(ShadowPointer at, uint32_t size, const Accessor &by);

private:
  static bool alike(ShadowPointer at, uint32_t count) {
    Word differs = 0;
    for (uint32_t i = 1; i < count; ++i)
      differs |= (at.write(i) ^ at.write(0)) | (at.read(i) ^ at.read(0));
    return !differs && !word::isSplit(at.write(0));
  }
  bool quickOrdered(Word w, const uint32_t *known) const {
    return word::isStamp(w) && word::clock(w) <= known[word::warp(w)];
  }
  /// A stamp of the same thread.
  static bool own(Word w, const Accessor &by) {
    return word::isStamp(w) && (w & word::threadMask) == word::thread(by.warp, by.lane) &&
           by.lane != wholeWarp;
  }
  bool readFast(ShadowPointer at, const Accessor &by) {
    const uint32_t *known = clocks.knownBy(by.warp);
    Word w = at.write(0), r = at.read(0);
    if (by.atomic || (w == 0 && !by.initialised))
      return false;
    if (!quickOrdered(w, known) && !own(w, by))
      return false;
    // A read of the same threads replaces theirs.
    if (r >= word::atomicBit || (word::clock(r) > known[word::warp(r)] &&
                                 (r & word::threadMask) != word::thread(by.warp, by.lane)))
      return false;
    at.read(0) = word::stamp(clocks.now(by.warp), by.warp, by.lane);
    at.readLine(0) = by.line;
    return true;
  }
  bool writeFast(ShadowPointer at, const Accessor &by) {
    const uint32_t *known = clocks.knownBy(by.warp);
    Word w = at.write(0), r = at.read(0);
    if (by.atomic || (!quickOrdered(w, known) && !own(w, by)) ||
        (!quickOrdered(r, known) && !own(r, by)))
      return false;
    at.write(0) = word::stamp(clocks.now(by.warp), by.warp, by.lane);
    at.read(0) = 0;
    at.writeLine(0) = by.line;
    return true;
  }

  bool readSlow(ShadowPointer at, const Accessor &by, Conflict &conflict);
  bool writeSlow(ShadowPointer at, const Accessor &by, Conflict &conflict);
  bool readBytes(ShadowPointer at, uint32_t offset, uint32_t size, const Accessor &by,
                 Conflict &conflict);
  bool writeBytes(ShadowPointer at, uint32_t offset, uint32_t size, const Accessor &by,
                  Conflict &conflict);
  bool readOne(Word &write, Word &read, uint32_t writeLine, const Accessor &by, Conflict &conflict);
  bool writeOne(Word &write, Word &read, uint32_t writeLine, uint32_t readLine, const Accessor &by,
                Conflict &conflict);
  /// Whether all accesses of `w` are ordered before `by`; strong ones do not matter to a strong
  /// one.
  bool allOrdered(Word w, const Accessor &by, bool earlierWrites, uint32_t line,
                  Conflict &conflict);
  Word add(Word old, const Accessor &by);

  struct SplitGranule {
    Word write[4], read[4];
    uint32_t writeLine[4], readLine[4];
  };
  SplitGranule &split(ShadowPointer at);

  Clocks &clocks;
  AccessSets sets;
  std::vector<SplitGranule> splits;
  Word lastOrdered = 0; ///< a set known to be ordered before `lastOrderedWarp` at its version
  int lastOrderedWarp = -1;
  uint32_t lastOrderedVersion = 0;
};

} // namespace sparsec::sim
