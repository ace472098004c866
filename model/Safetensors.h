// safetensors files: named f32 tensors that other tools read. Eight bytes that say how long the
// header is, a header in JSON, then the tensors one after another:
//
//   {"norm.weight": {"dtype": "F32", "shape": [128], "data_offsets": [0, 512]}, "__metadata__": {...}}
//
// Written whole or not at all: beside the file, then renamed. Refused, with the file's name: what
// is cut, what is no such file, tensors that overlap or leave it.
#pragma once

#include "patterns/Error.h"

#include <fstream>
#include <functional>
#include <map>
#include <span>

namespace sparsec {

struct NamedTensor {
  std::string name;
  std::vector<int64_t> shape;
  /// Gives the elements, when it is the tensor's turn: one at a time is in memory.
  std::function<Result<void>(std::span<float>)> read;
};

Result<void> writeSafetensors(const std::string &path, const std::vector<NamedTensor> &tensors,
                              const std::map<std::string, std::string> &metadata = {});

/// One whose header has been checked; tensors, F32 alone, are read one by one.
class SafetensorsFile {
public:
  struct Place {
    std::vector<int64_t> shape;
    uint64_t elements = 0;
    uint64_t begin = 0; ///< in bytes of the file
  };
  static Result<SafetensorsFile> open(const std::string &path);
  const std::map<std::string, Place> &tensors() const { return places; }
  /// `into`: as many as there are elements.
  Result<void> read(const Place &place, std::span<float> into);

private:
  std::string path;
  std::ifstream file;
  std::map<std::string, Place> places;
};

struct StoredTensor {
  std::vector<int64_t> shape;
  std::vector<float> values;
};
/// All of a file.
Result<std::map<std::string, StoredTensor>> readSafetensors(const std::string &path);

/// Writes a file whole or not at all, and onto the disk before it has its name.
Result<void> writeWhole(const std::string &path, std::span<const std::string_view> pieces);

} // namespace sparsec
