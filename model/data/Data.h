// What a model is trained and scored on: three splits of tokens 0 .. 255, and the sequences that a
// step and an evaluation take from them.
//
//   a stream (text, audio)   an epoch begins at a shift of its own and takes every sequence from
//                            there once, in an order of its own
//   items (pictures)         every item once an epoch, in an order of its own
//
// Which sequence a step takes depends on the seed and the step alone, so that runs repeat and go
// on.
//
//   kind         --data is                                     split
//   bytes        any file                                      in order: train, valid, test
//   cifar10      a folder of data_batch_*.bin, test_batch.bin  valid: the last of the training files
//   mnist        a folder of train- and t10k-images-idx3-ubyte likewise
//   imagenet64   a folder of train_data*.npz, val_data.npz     valid: likewise; test: val_data
//   wav          a file, or a folder of train.wav, test.wav    a file: in order
//
// Every file may be gzip's. Errors name the file.
#pragma once

#include "model/Config.h"

#include <span>

namespace sparsec {

enum class Split : uint8_t { Train, Valid, Test };
std::string_view name(Split split); ///< "train", "valid", "test"

struct DataSource { ///< a file that was read, for the log
  std::string name;
  uint64_t bytes = 0;
  std::string sha256;
};

/// A place to read in an evaluation: tokens [begin, begin + length), of which those from
/// `first` to `last` (counted in the window) are scored.
struct Window {
  int64_t begin = 0, first = 0, last = 0;
  bool operator==(const Window &) const = default;
};

class Dataset {
public:
  /// `path` empty: an error that says where the data set is to be had.
  static Result<Dataset> open(const Config &config, const std::string &path);
  /// Of tokens that are given: for tests.
  static Dataset of(std::vector<uint8_t> train, std::vector<uint8_t> valid,
                    std::vector<uint8_t> test, int64_t item = 0);

  std::span<const uint8_t> tokens(Split split) const { return splits[static_cast<size_t>(split)]; }
  const std::vector<DataSource> &sources() const { return files; }
  int64_t item() const { return itemTokens; } ///< tokens of an item, 0 of a stream

  /// Sequences of `length` in an epoch of training.
  int64_t sequences(int64_t length) const;
  /// The sequence that is taken as number `index` of a run.
  std::span<const uint8_t> sequence(int64_t index, int64_t length, uint64_t seed) const;
  /// The windows that score at most `most` tokens (0: all) with at least `minContext` before each,
  /// where the split has as many.
  std::vector<Window> windows(Split split, int64_t length, int64_t minContext, int64_t most) const;

private:
  std::array<std::span<const uint8_t>, 3> splits;
  std::vector<DataSource> files;
  std::vector<std::shared_ptr<const void>> kept; ///< what the splits lie in
  int64_t itemTokens = 0;
  friend class DataBuilder;
};

/// What a reader of a kind fills.
class DataBuilder {
public:
  DataBuilder(Dataset &data, const DataConfig &config) : data(data), config(config) {}

  const DataConfig &settings() const { return config; }
  /// Opens a file and notes it as a source; it lives as long as the data set.
  Result<std::span<const uint8_t>> open(const std::string &path);
  /// One stream, split in order by the shares or counts of the config.
  Result<void> splitStream(std::span<const uint8_t> tokens, const std::string &path);
  /// Training tokens whose last items are for validation, and a test split.
  Result<void> splitItems(std::vector<uint8_t> train, std::vector<uint8_t> test, int64_t item,
                          const std::string &path);
  /// The same of streams: the end of the first is for validation.
  Result<void> splitPair(std::vector<uint8_t> train, std::vector<uint8_t> test,
                         const std::string &path);
  /// Keeps tokens that a reader made.
  std::span<const uint8_t> keep(std::vector<uint8_t> tokens);

private:
  Dataset &data;
  const DataConfig &config;
};

/// The readers, a file each.
Result<void> readBytes(DataBuilder &builder, const std::string &path);
Result<void> readCifar(DataBuilder &builder, const std::string &path);
Result<void> readMnist(DataBuilder &builder, const std::string &path);
Result<void> readImagenet(DataBuilder &builder, const std::string &path);
Result<void> readWav(DataBuilder &builder, const std::string &path);

/// Tokens of one WAV file, beside a data set.
Result<std::vector<uint8_t>> readSound(const std::string &path);

} // namespace sparsec
