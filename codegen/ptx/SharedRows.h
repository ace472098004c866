// How the rows of a tile lie in shared memory so that reading them meets no bank twice.
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
};

inline SharedRows sharedRows(int rowBytes) {
  if (rowBytes % 128 == 0)
    return {rowBytes, true};
  return {rowBytes + (rowBytes / 16 % 2 == 0 ? 16 : 0), false};
}

} // namespace sparsec
