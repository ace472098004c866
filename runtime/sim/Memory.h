// Global memory: allocations far apart, each with the bytes that were ever written and, while a
// block runs, the shadow of its race check.
//
// Addresses: every space has a window in the generic address space. Offset 0 of shared and local
// memory is not handed out, so that a null pointer is out of bounds everywhere.
//
//   shared  from 0x0100'0000'0000     local  from 0x0200'0000'0000     param  from 0x0300'0000'0000
//   global  from 0x7000'0000'0000, 256-byte aligned, with unmapped gaps between
#pragma once

#include "patterns/Error.h"
#include "runtime/sim/Shadow.h"

#include <map>

namespace sparsec::sim {

constexpr uint64_t sharedWindow = 0x0100'0000'0000, localWindow = 0x0200'0000'0000,
                   paramWindow = 0x0300'0000'0000, windowSize = 0x0100'0000'0000,
                   globalStart = 0x7000'0000'0000;
constexpr uint32_t sharedStart = 1024; ///< the first 1 KB belongs to the system, as on sm_80
constexpr uint32_t localStart = 16;
/// The most that a block has of shared memory, a thread of local memory, an entry of parameters.
constexpr uint32_t mostShared = 227 * 1024, mostLocal = 512 * 1024, mostParameters = 32764;
constexpr uint64_t mostVariable = 1 << 30; ///< sim's own limit for one global variable
constexpr uint8_t poisonByte = 0xff;       ///< makes NaNs and wild addresses

struct Allocation {
  uint64_t base = 0, size = 0;
  bool readOnly = false;
  std::string name; ///< of a module variable
  std::unique_ptr<uint8_t[]> data;
  std::vector<uint64_t> written; ///< one bit per byte
  bool allWritten = false;

  /// Shadow of the block with this serial; pages of earlier blocks are stale.
  struct Page {
    uint64_t serial = 0;
    std::unique_ptr<ShadowPage> shadow;
  };
  std::vector<Page> pages;

  bool isWritten(uint64_t offset, uint64_t bytes) const;
  void markWritten(uint64_t offset, uint64_t bytes);
  ShadowPointer shadow(uint64_t offset, uint64_t serial);
};

class Memory {
public:
  Result<uint64_t> allocate(uint64_t bytes);
  Result<void> free(uint64_t address);
  /// The allocation that holds all of [address, address + bytes).
  Allocation *find(uint64_t address, uint64_t bytes);
  /// "is 16 bytes past the end of an allocation of 4096 bytes": for messages.
  std::string describe(uint64_t address) const;

private:
  std::map<uint64_t, std::unique_ptr<Allocation>> allocations;
  std::map<uint64_t, uint64_t> freed; ///< base -> size
  Allocation *last = nullptr;
  uint64_t next = globalStart;
};

} // namespace sparsec::sim
