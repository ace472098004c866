// The memory of a call list: named buffers, and matrices that lie in them.
//
//   buffer            kind     what
//   parameters        kept     the flat buffer of Parameters; gradients and moments likewise
//   tokens, losses    kept     what the host writes and reads
//   layers.0.x        passing  lives from the first call that writes it to the last that reads it
//
// Kept buffers have memory of their own. Passing ones share an arena that is laid out once, from
// the order of the calls (planMemory): two that are alive at the same call never overlap.
#pragma once

#include "kernel/DType.h"
#include "patterns/Error.h"

#include <cstdint>
#include <span>

namespace sparsec {

enum class BufferKind : uint8_t { Kept, Passing };

struct BufferInfo {
  std::string name;
  BufferKind kind = BufferKind::Passing;
  int64_t bytes = 0;
};

/// What a matrix is made of.
enum class ElementType : uint8_t { F32, BF16, F16, I32, I64 };
int bytes(ElementType type);
ElementType elementOf(DType dtype);

/// Rows of columns in a buffer. A vector is a matrix of one row.
struct BufferView {
  int buffer = -1;    ///< of the list's buffers; -1: none
  int64_t offset = 0; ///< in bytes
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t stride = 0; ///< of rows, in elements
  ElementType type = ElementType::F32;
  int64_t advance = 0; ///< bytes further on for each position that is decoded

  explicit operator bool() const { return buffer >= 0; }
  /// Columns `first` to `first + count`.
  BufferView slice(int64_t first, int64_t count) const;
  int64_t bytes() const { return rows * columns * sparsec::bytes(type); } ///< of its elements
};

/// A matrix that a call reads or writes.
struct Use {
  enum Kind : uint8_t { Read, Written } kind = Read;
  std::string_view name; ///< of the argument: "x"
  BufferView matrix;
};

/// When a passing buffer is alive: from call `first` to call `last`, both included.
struct Lifetime {
  int first = -1, last = -1;
  bool isUsed() const { return first >= 0; }
  bool meets(const Lifetime &other) const { return first <= other.last && other.first <= last; }
};

struct MemoryPlan {
  std::vector<int64_t> offsets; ///< of each passing buffer in the arena; -1 of the others
  std::vector<Lifetime> lifetimes;
  int64_t arenaBytes = 0;
  int64_t keptBytes = 0;
  int64_t lowerBound = 0; ///< most bytes that are alive at one call: no layout takes fewer

  int64_t bytes() const { return arenaBytes + keptBytes; }
};

/// Buffers of all devices are aligned to as much.
inline constexpr int64_t kBufferAlign = 256;
int64_t alignedBytes(int64_t bytes);

/// Lays the buffers out: the largest first, each at the lowest place that is free while it lives.
MemoryPlan planMemory(std::span<const BufferInfo> buffers,
                      std::span<const std::vector<Use>> usesOfCalls);

} // namespace sparsec
