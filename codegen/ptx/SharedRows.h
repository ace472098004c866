// How the rows of a tile lie in shared memory so that reading them meets no bank twice, and how the
// tiles of a kernel lie there.
//
//   SharedLayout place;              a kernel that fetches 64 x 64 and 64 x 80 of bf16 one block
//   place.add(64, 128, 2)  ->     0  ahead, and keeps 16 x 80 all the time
//   place.add(64, 160, 2)  -> 16384
//   place.add(16, 160)     -> 38912
//   place.bytes()          -> 41728
#pragma once

namespace sparsec {

/// Row r starts at byte r * pitch. Swizzled: the 16-byte chunk c of row r lies at chunk
/// c xor (r mod 8).
///
/// Shared memory serves 128 bytes a cycle, eight 16-byte chunks in different banks. ldmatrix reads
/// one chunk of eight neighbouring rows at a time. Rows of a multiple of 128 bytes would put them
/// all into the same banks, so they are swizzled; other rows are padded to an odd number of chunks.
struct SharedRows {
  int pitch = 0;
  bool swizzle = false;
  int bytes(int rows) const { return rows * pitch; }
};

inline SharedRows sharedRows(int rowBytes) {
  if (rowBytes % 128 == 0)
    return {rowBytes, true};
  return {rowBytes + (rowBytes / 16 % 2 == 0 ? 16 : 0), false};
}

/// The shared memory of one kernel: one tile after the other, each on 128 bytes so that swizzles
/// work on offsets.
class SharedLayout {
public:
  /// Where the `stages` copies of a tile start.
  int add(int rows, SharedRows lie, int stages = 1) {
    int offset = (used + 127) / 128 * 128;
    used = offset + stages * lie.bytes(rows);
    return offset;
  }
  int add(int rows, int rowBytes, int stages = 1) {
    return add(rows, sharedRows(rowBytes), stages);
  }
  int bytes() const { return used; }

private:
  int used = 0;
};

} // namespace sparsec
