// The bytes of a data file: mapped where they are stored plain, inflated into memory where they are
// gzip's. Errors name the file.
#pragma once

#include "patterns/Error.h"

#include <cstdint>
#include <span>

namespace sparsec {

class DataFile {
public:
  static Result<DataFile> open(const std::string &path);
  DataFile(DataFile &&other) noexcept;
  DataFile &operator=(DataFile &&other) noexcept;
  ~DataFile();

  const std::string &path() const { return name; }
  std::span<const uint8_t> bytes() const { return contents; }
  uint64_t storedBytes() const { return stored.size(); }
  /// SHA-256 of the file as it is stored, in hexadecimal.
  std::string digest() const;

private:
  DataFile() = default;
  std::string name;
  std::span<const uint8_t> stored;   ///< mapped
  std::vector<uint8_t> inflated;     ///< of a gzip file
  std::span<const uint8_t> contents; ///< either
};

/// SHA-256 in hexadecimal.
std::string sha256(std::span<const uint8_t> bytes);

} // namespace sparsec
