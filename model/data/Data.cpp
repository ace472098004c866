#include "model/data/Data.h"

#include "model/Random.h"
#include "model/data/File.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace sparsec {

namespace {

struct Kind {
  std::string_view name;
  Result<void> (*read)(DataBuilder &builder, const std::string &path);
  std::string_view where; ///< the data set is to be had
};

constexpr Kind kKinds[] = {
    {"bytes", readBytes,
     "any file will do; enwik8: http://mattmahoney.net/dc/enwik8.zip, 36,445,475 bytes, of the "
     "text 100,000,000 bytes, SHA-256 "
     "2b49720ec4d78c3c9fabaee6e4179a5e997302b3a70029f30f2d582218c024a8"},
    {"cifar10", readCifar,
     "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz, 170,052,171 bytes, SHA-256 "
     "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd; --data is the folder in "
     "it"},
    {"mnist", readMnist,
     "https://ossci-datasets.s3.amazonaws.com/mnist/: train-images-idx3-ubyte.gz, 9,912,422 bytes, "
     "SHA-256 440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609, unpacked "
     "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db; "
     "t10k-images-idx3-ubyte.gz, 1,648,877 bytes, SHA-256 "
     "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6, unpacked "
     "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7; --data is their folder"},
    {"imagenet64", readImagenet,
     "https://image-net.org/download-images (downsampled, 64 x 64, npz, 13 GB, after "
     "registration); --data is the folder of the npz files"},
    {"wav", readWav,
     "any recording; one channel, 16 bits, 12,000 Hz: ffmpeg -i IN -ac 1 -ar 12000 -c:a pcm_s16le "
     "OUT.wav"},
};

/// A place of 0 .. count - 1 for each of them: a Feistel network over the next power of four,
/// walked until it lands below count.
int64_t permuted(int64_t index, int64_t count, const CounterRandom &random) {
  int half = 1;
  while (int64_t(1) << 2 * half < count)
    ++half;
  uint64_t mask = (uint64_t(1) << half) - 1;
  auto x = static_cast<uint64_t>(index);
  do {
    uint64_t left = x >> half, right = x & mask;
    for (uint64_t round = 0; round < 4; ++round) {
      uint64_t mixed = random.bits(round << 32 | right);
      left = std::exchange(right, (left ^ mixed) & mask);
    }
    x = left << half | right;
  } while (x >= static_cast<uint64_t>(count));
  return static_cast<int64_t>(x);
}

/// How many of `total` a share or a count says.
int64_t amountOf(double setting, int64_t total) {
  return static_cast<int64_t>(setting < 1 ? std::floor(setting * static_cast<double>(total))
                                          : setting);
}

} // namespace

std::string_view name(Split split) {
  constexpr std::string_view names[] = {"train", "valid", "test"};
  return names[static_cast<size_t>(split)];
}

Result<Dataset> Dataset::open(const Config &config, const std::string &path) {
  const Kind *kind = std::ranges::find(kKinds, config.data.kind, &Kind::name);
  if (path.empty()) {
    Error error =
        inputError(fmt::format("expected --data, where {} data lies, found none", kind->name));
    error.notes.push_back(std::string(kind->where));
    return error;
  }
  Dataset data;
  DataBuilder builder(data, config.data);
  if (Result<void> read = kind->read(builder, path); !read)
    return read.error();
  int64_t length = config.model.length;
  if (data.itemTokens && data.itemTokens != length)
    return inputError(fmt::format("{}: expected a model.length of {}, one item of {}, found {}",
                                  path, data.itemTokens, kind->name, length));
  if (static_cast<int64_t>(data.tokens(Split::Train).size()) < length)
    return inputError(fmt::format("{}: expected at least {} tokens for training, one sequence, "
                                  "found {}",
                                  path, length, data.tokens(Split::Train).size()));
  return data;
}

Dataset Dataset::of(std::vector<uint8_t> train, std::vector<uint8_t> valid,
                    std::vector<uint8_t> test, int64_t item) {
  Dataset data;
  data.itemTokens = item;
  size_t i = 0;
  for (std::vector<uint8_t> *tokens : {&train, &valid, &test}) {
    auto shared = std::make_shared<const std::vector<uint8_t>>(std::move(*tokens));
    data.splits[i++] = *shared;
    data.kept.push_back(shared);
  }
  return data;
}

int64_t Dataset::sequences(int64_t length) const {
  auto total = static_cast<int64_t>(tokens(Split::Train).size());
  return itemTokens ? total / length : std::max<int64_t>(1, total / length - 1);
}

std::span<const uint8_t> Dataset::sequence(int64_t index, int64_t length, uint64_t seed) const {
  std::span<const uint8_t> all = tokens(Split::Train);
  int64_t count = sequences(length), epoch = index / count;
  CounterRandom order(seed, RandomStream::Order, static_cast<uint32_t>(epoch));
  int64_t begin = permuted(index % count, count, order) * length;
  if (!itemTokens) {
    // One sequence is left over, so that every epoch may begin anywhere in the first one.
    int64_t room = static_cast<int64_t>(all.size()) - count * length;
    CounterRandom shift(seed, RandomStream::Shift, static_cast<uint32_t>(epoch));
    begin += static_cast<int64_t>(shift.uniform(0) *
                                  static_cast<double>(std::min(room, length) + (room < length)));
  }
  return all.subspan(static_cast<size_t>(begin), static_cast<size_t>(length));
}

std::vector<Window> Dataset::windows(Split split, int64_t length, int64_t minContext,
                                     int64_t most) const {
  auto total = static_cast<int64_t>(tokens(split).size());
  int64_t left = most ? std::min(most, total) : total;
  std::vector<Window> windows;
  for (int64_t scored = 0; left > 0 && scored < total;) {
    int64_t begin = 0;
    if (itemTokens)
      begin = scored;
    else if (scored > 0) // the last window ends with the split
      begin = std::min(scored - minContext, std::max<int64_t>(0, total - length));
    int64_t last = std::min({length, total - begin, scored - begin + left});
    windows.push_back({begin, scored - begin, last});
    left -= begin + last - scored;
    scored = begin + last;
  }
  return windows;
}

Result<std::span<const uint8_t>> DataBuilder::open(const std::string &path) {
  Result<DataFile> opened = DataFile::open(path);
  if (!opened)
    return opened.error();
  auto file = std::make_shared<const DataFile>(std::move(*opened));
  data.files.push_back({path, file->storedBytes(), file->digest()});
  data.kept.push_back(file);
  return file->bytes();
}

std::span<const uint8_t> DataBuilder::keep(std::vector<uint8_t> tokens) {
  auto shared = std::make_shared<const std::vector<uint8_t>>(std::move(tokens));
  data.kept.push_back(shared);
  return *shared;
}

/// Splits that leave nothing to train on: of a sample of a data set, say.
static Error tooLittle(const std::string &path, const std::string &needed, int64_t found) {
  Error error =
      inputError(fmt::format("{}: expected more than the {}, found {}", path, needed, found));
  error.notes.push_back("--set data.valid=0.1 takes a tenth of what there is");
  return error;
}

Result<void> DataBuilder::splitStream(std::span<const uint8_t> tokens, const std::string &path) {
  auto total = static_cast<int64_t>(tokens.size());
  int64_t valid = amountOf(config.valid, total), test = amountOf(config.test, total);
  if (valid + test >= total)
    return tooLittle(path, fmt::format("{} tokens of data.valid and data.test", valid + test),
                     total);
  auto train = static_cast<size_t>(total - valid - test);
  data.splits = {tokens.first(train), tokens.subspan(train, static_cast<size_t>(valid)),
                 tokens.subspan(train + static_cast<size_t>(valid))};
  return {};
}

Result<void> DataBuilder::splitPair(std::vector<uint8_t> train, std::vector<uint8_t> test,
                                    const std::string &path) {
  auto total = static_cast<int64_t>(train.size());
  int64_t valid = amountOf(config.valid, total);
  if (valid >= total)
    return tooLittle(path, fmt::format("{} tokens of data.valid", valid), total);
  std::span<const uint8_t> first = keep(std::move(train));
  data.splits = {first.first(static_cast<size_t>(total - valid)),
                 first.last(static_cast<size_t>(valid)), keep(std::move(test))};
  return {};
}

Result<void> DataBuilder::splitItems(std::vector<uint8_t> train, std::vector<uint8_t> test,
                                     int64_t item, const std::string &path) {
  data.itemTokens = item;
  int64_t items = static_cast<int64_t>(train.size()) / item;
  int64_t valid = amountOf(config.valid, items);
  if (valid >= items)
    return tooLittle(path, fmt::format("{} items of data.valid", valid), items);
  std::span<const uint8_t> first = keep(std::move(train));
  data.splits = {first.first(static_cast<size_t>((items - valid) * item)),
                 first.last(static_cast<size_t>(valid * item)), keep(std::move(test))};
  return {};
}

Result<void> readBytes(DataBuilder &builder, const std::string &path) {
  auto bytes = builder.open(path);
  if (!bytes)
    return bytes.error();
  return builder.splitStream(*bytes, path);
}

} // namespace sparsec
