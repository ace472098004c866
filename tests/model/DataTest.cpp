// Data: splits, sequences and windows on known tokens; files that are whole, and files that are
// not, whose errors have their exact text.
#include "model/data/Data.h"
#include "model/data/File.h"
#include "model/data/MuLaw.h"

#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <gtest/gtest.h>
#include <numeric>
#include <zlib.h>

namespace sparsec {
namespace {

namespace fs = std::filesystem;

/// A folder of this test, empty at first.
class Folder {
public:
  Folder() : path(fs::temp_directory_path() / fmt::format("sparsec-data-{}", getpid())) {
    fs::remove_all(path);
    fs::create_directories(path);
  }
  ~Folder() { fs::remove_all(path); }
  std::string write(const std::string &name, const std::string &contents) const {
    std::ofstream(path / name, std::ios::binary) << contents;
    return (path / name).string();
  }
  std::string gzip(const std::string &name, const std::string &contents) const {
    std::string file = (path / name).string();
    gzFile out = gzopen(file.c_str(), "wb");
    gzwrite(out, contents.data(), static_cast<unsigned>(contents.size()));
    gzclose(out);
    return file;
  }
  fs::path path;
};

std::string counted(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i)
    text[i] = static_cast<char>(i * 7 + i / 256);
  return text;
}

Config configOf(const std::string &kind, int64_t length, double valid, double test) {
  Config config;
  config.data = {.kind = kind, .valid = valid, .test = test};
  config.model.length = length;
  return config;
}

/// The error's text with the folder's path left out.
std::string errorOf(const Config &config, const std::string &path, const Folder &folder) {
  auto data = Dataset::open(config, path);
  if (data)
    return "no error";
  std::string text = data.error().render(), name = folder.path.string();
  for (size_t at = 0; (at = text.find(name, at)) != std::string::npos;)
    text.replace(at, name.size(), "DIR");
  return text;
}

std::string littleEndian(uint64_t value, int size) {
  std::string text;
  for (int i = 0; i < size; ++i)
    text += static_cast<char>(value >> 8 * i);
  return text;
}

std::string wav(int channels, int rate, int bits, const std::string &samples) {
  std::string format = littleEndian(1, 2) + littleEndian(channels, 2) + littleEndian(rate, 4) +
                       littleEndian(rate * channels * bits / 8, 4) +
                       littleEndian(channels * bits / 8, 2) + littleEndian(bits, 2);
  return "RIFF" + littleEndian(samples.size() + 36, 4) + "WAVEfmt " + littleEndian(16, 4) + format +
         "data" + littleEndian(samples.size(), 4) + samples;
}

TEST(Data, Sha256OfKnownTexts) {
  auto of = [](std::string_view text) {
    return sha256({reinterpret_cast<const uint8_t *>(text.data()), text.size()});
  };
  EXPECT_EQ(of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(of(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Data, BytesAreSplitInOrderPlainAndPacked) {
  Folder folder;
  std::string text = counted(1000);
  for (const std::string &path : {folder.write("a", text), folder.gzip("a.gz", text)}) {
    auto data = Dataset::open(configOf("bytes", 100, 0.05, 0.1), path);
    ASSERT_TRUE(data) << data.error().render();
    std::string joined;
    for (Split split : {Split::Train, Split::Valid, Split::Test}) {
      auto tokens = data->tokens(split);
      joined.append(tokens.begin(), tokens.end());
    }
    EXPECT_EQ(joined, text);
    EXPECT_EQ(data->tokens(Split::Valid).size(), 50u);
    EXPECT_EQ(data->tokens(Split::Test).size(), 100u);
    EXPECT_EQ(data->sources().size(), 1u);
  }
}

TEST(Data, AnEpochTakesEverySequenceOnce) {
  std::vector<uint8_t> tokens(64 * 37 + 11);
  std::iota(tokens.begin(), tokens.end(), uint8_t(0));
  for (int64_t item : {0, 64}) {
    if (item)
      tokens.resize(64 * 37);
    Dataset data = Dataset::of(tokens, {}, {}, item);
    int64_t count = data.sequences(64);
    EXPECT_EQ(count, item ? 37 : 36);
    std::set<const uint8_t *> begins;
    std::set<std::ptrdiff_t> shifts;
    for (int64_t epoch = 0; epoch < 5; ++epoch) {
      begins.clear();
      for (int64_t i = 0; i < count; ++i) {
        auto sequence = data.sequence(epoch * count + i, 64, 3);
        ASSERT_GE(sequence.data(), data.tokens(Split::Train).data());
        ASSERT_LE(sequence.data() + 64,
                  data.tokens(Split::Train).data() + data.tokens(Split::Train).size());
        EXPECT_TRUE(begins.insert(sequence.data()).second);
        EXPECT_EQ(sequence.data(), data.sequence(epoch * count + i, 64, 3).data());
      }
      shifts.insert((*begins.begin() - data.tokens(Split::Train).data()) % 64);
      EXPECT_EQ(*begins.rbegin() - *begins.begin(), (count - 1) * 64);
    }
    EXPECT_EQ(shifts.size() > 1, item == 0); // streams begin elsewhere in each epoch
    std::vector<const uint8_t *> first, second;
    for (int64_t i = 0; i < count; ++i) {
      first.push_back(data.sequence(i, 64, 3).data());
      second.push_back(data.sequence(i, 64, 4).data());
    }
    EXPECT_NE(first, second);
  }
}

TEST(Data, WindowsScoreEveryTokenOnceWithItsContext) {
  for (int64_t total : {5, 64, 65, 100, 1000})
    for (int64_t context : {0, 1, 16, 63})
      for (int64_t most : {0, 1, 70, 5000}) {
        Dataset data = Dataset::of({}, {}, std::vector<uint8_t>(static_cast<size_t>(total)));
        int64_t next = 0;
        for (const Window &window : data.windows(Split::Test, 64, context, most)) {
          EXPECT_EQ(window.begin + window.first, next);
          EXPECT_GT(window.last, window.first);
          EXPECT_LE(window.last, 64);
          EXPECT_TRUE(window.first >= context || window.begin == 0);
          EXPECT_TRUE(window.begin + 64 <= total || window.begin == 0);
          next = window.begin + window.last;
        }
        EXPECT_EQ(next, most ? std::min(most, total) : total)
            << total << " " << context << " " << most;
      }
}

TEST(Data, MuLawIsItsOwnInverse) {
  for (int token = 0; token < 256; ++token)
    EXPECT_EQ(muLaw(muLawInverse(static_cast<uint8_t>(token))), token);
  EXPECT_EQ(muLaw(0), 128);
  EXPECT_EQ(muLaw(-32768), 0);
  EXPECT_EQ(muLaw(32767), 255);
}

TEST(Data, PicturesArePixelsWithTheirChannels) {
  Folder folder;
  std::string picture = "\x03";
  for (int channel = 0; channel < 3; ++channel)
    for (int pixel = 0; pixel < 1024; ++pixel)
      picture += static_cast<char>(channel * 80 + pixel % 80);
  for (int i = 1; i <= 5; ++i)
    folder.write(fmt::format("data_batch_{}.bin", i), picture + picture);
  folder.write("test_batch.bin", picture);
  auto data = Dataset::open(configOf("cifar10", 3072, 4, 0), folder.path.string());
  ASSERT_TRUE(data) << data.error().render();
  EXPECT_EQ(data->tokens(Split::Train).size(), 6u * 3072);
  EXPECT_EQ(data->tokens(Split::Valid).size(), 4u * 3072);
  EXPECT_EQ(data->tokens(Split::Test).size(), 3072u);
  EXPECT_EQ(data->tokens(Split::Test)[3 * 5 + 2], 165);
  EXPECT_EQ(data->sequences(3072), 6);
}

TEST(Data, SoundIsMuLaw) {
  Folder folder;
  std::string samples;
  for (int i = 0; i < 100; ++i)
    samples += littleEndian(static_cast<uint64_t>(i * 100), 2);
  auto data = Dataset::open(configOf("wav", 10, 0.1, 0.1),
                            folder.write("a.wav", wav(1, 12000, 16, samples)));
  ASSERT_TRUE(data) << data.error().render();
  EXPECT_EQ(data->tokens(Split::Train).size(), 80u);
  EXPECT_EQ(data->tokens(Split::Train)[7], muLaw(700));
}

TEST(Data, RefusalsNameTheFile) {
  Folder folder;
  Config bytes = configOf("bytes", 100, 0.05, 0.05);
  EXPECT_EQ(errorOf(bytes, folder.path / "none", folder),
            "error: DIR/none: cannot be opened: No such file or directory\n");
  EXPECT_EQ(errorOf(bytes, folder.path, folder), "error: DIR: is not a file\n");
  EXPECT_EQ(errorOf(bytes, folder.write("empty", ""), folder), "error: DIR/empty: is empty\n");
  EXPECT_EQ(
      errorOf(bytes, folder.write("small", counted(50)), folder),
      "error: DIR/small: expected at least 100 tokens for training, one sequence, found 46\n");
  std::string packed = folder.gzip("a.gz", counted(100000)), contents;
  {
    std::ifstream file(packed, std::ios::binary);
    contents.assign(std::istreambuf_iterator<char>(file), {});
  }
  EXPECT_EQ(errorOf(bytes, folder.write("cut.gz", contents.substr(0, contents.size() / 2)), folder),
            "error: DIR/cut.gz: is a gzip file that is cut short\n");
  contents[contents.size() / 2] ^= 0x55;
  EXPECT_EQ(errorOf(bytes, folder.write("bad.gz", contents), folder),
            "error: DIR/bad.gz: is a gzip file that is corrupt\n");
  bytes.data.valid = 900, bytes.data.test = 200;
  EXPECT_EQ(errorOf(bytes, folder.write("all", counted(1000)), folder),
            "error: DIR/all: expected more than the 1100 tokens of data.valid and data.test, found "
            "1000\nnote: --set data.valid=0.1 takes a tenth of what there is\n");

  EXPECT_EQ(errorOf(configOf("mnist", 784, 0, 0), folder.path / "small", folder),
            "error: DIR/small: expected the folder of train-images-idx3-ubyte and "
            "t10k-images-idx3-ubyte, plain or .gz\n");
  EXPECT_EQ(errorOf(configOf("mnist", 784, 0, 0), folder.path, folder),
            "error: DIR/train-images-idx3-ubyte: cannot be opened: No such file or directory\n");
  folder.write("train-images-idx3-ubyte", counted(100));
  EXPECT_EQ(errorOf(configOf("mnist", 784, 0, 0), folder.path, folder),
            "error: DIR/train-images-idx3-ubyte: is not an idx file of pictures\n");
  folder.write("train-images-idx3-ubyte",
               std::string("\0\0\x08\x03\0\0\0\x02\0\0\0\x1c\0\0\0\x1c", 16) + counted(784));
  EXPECT_EQ(errorOf(configOf("mnist", 784, 0, 0), folder.path, folder),
            "error: DIR/train-images-idx3-ubyte: expected 2 pictures of 784 bytes, found 784 "
            "bytes\n");
  folder.write("data_batch_1.bin", counted(3074));
  EXPECT_EQ(errorOf(configOf("cifar10", 3072, 0, 0), folder.path, folder),
            "error: DIR/data_batch_1.bin: expected records of 3073 bytes, a label and a picture, "
            "found 3074 bytes\n");
  folder.write("data_batch_1.bin", "\x0b" + counted(3072));
  EXPECT_EQ(errorOf(configOf("cifar10", 3072, 0, 0), folder.path, folder),
            "error: DIR/data_batch_1.bin: expected a label of 0 to 9 at byte 0, found 11\n");

  Config sound = configOf("wav", 10, 0.1, 0.1);
  EXPECT_EQ(errorOf(sound, folder.write("a.wav", counted(100)), folder),
            "error: DIR/a.wav: is not a WAV file\n");
  EXPECT_EQ(errorOf(sound, folder.write("b.wav", wav(2, 44100, 16, counted(100))), folder),
            "error: DIR/b.wav: expected one channel of 16-bit PCM at 12000 Hz, found 2 channels of "
            "16 bits at 44100 Hz\n"
            "note: ffmpeg -i DIR/b.wav -ac 1 -ar 12000 -c:a pcm_s16le OUT.wav converts it\n");
  EXPECT_EQ(
      errorOf(sound, folder.write("c.wav", wav(1, 12000, 16, counted(100)).substr(0, 100)), folder),
      "error: DIR/c.wav: is cut short: expected 100 bytes of samples, found 56\n");
  EXPECT_EQ(errorOf(configOf("imagenet64", 12288, 0, 0), folder.path, folder),
            "error: DIR: expected the folder of train_data*.npz and val_data.npz\n");
  folder.write("train_data_batch_1.npz", counted(100));
  EXPECT_EQ(errorOf(configOf("imagenet64", 12288, 0, 0), folder.path, folder),
            "error: DIR/train_data_batch_1.npz: is not an npz file, or is cut short\n");
}

/// A zip archive of one file, stored.
std::string zip(const std::string &name, const std::string &contents, int method = 0) {
  std::string sizes = littleEndian(0, 4) + littleEndian(contents.size(), 4) +
                      littleEndian(contents.size(), 4) + littleEndian(name.size(), 2) +
                      littleEndian(0, 2);
  std::string common = littleEndian(20, 2) + littleEndian(0, 2) + littleEndian(method, 2) +
                       littleEndian(0, 4) + sizes;
  std::string local = littleEndian(0x04034b50, 4) + common + name + contents;
  std::string entry = littleEndian(0x02014b50, 4) + littleEndian(20, 2) + common +
                      littleEndian(0, 6) + littleEndian(0, 4) + littleEndian(0, 4) + name;
  return local + entry + littleEndian(0x06054b50, 4) + littleEndian(0, 4) + littleEndian(1, 2) +
         littleEndian(1, 2) + littleEndian(entry.size(), 4) + littleEndian(local.size(), 4) +
         littleEndian(0, 2);
}
std::string npy(const std::string &shape, const std::string &data) {
  std::string text = "{'descr': '|u1', 'fortran_order': False, 'shape': " + shape + ", }";
  return "\x93NUMPY\x01" + std::string(1, '\0') + littleEndian(text.size(), 2) + text + data;
}

TEST(Data, ImagenetIsReadFromItsArchives) {
  Folder folder;
  folder.write("train_data_batch_1.npz", zip("data.npy", npy("(3, 12288)", counted(3 * 12288))));
  folder.write("val_data.npz", zip("data.npy", npy("(1, 12288)", counted(12288))));
  auto data = Dataset::open(configOf("imagenet64", 12288, 1, 0), folder.path.string());
  ASSERT_TRUE(data) << data.error().render();
  EXPECT_EQ(data->tokens(Split::Train).size(), 2u * 12288);
  EXPECT_EQ(data->tokens(Split::Valid).size(), 12288u);
  std::string planes = counted(12288);
  EXPECT_EQ(data->tokens(Split::Test)[3 * 5 + 2], static_cast<uint8_t>(planes[2 * 4096 + 5]));
}

TEST(Data, RefusalsOfPicturesAndSound) {
  Folder folder;
  auto refused = [&](const std::string &file, const std::string &contents, const Config &config,
                     const std::string &text) {
    folder.write(file, contents);
    bool isFile = config.data.kind == "wav";
    EXPECT_EQ(errorOf(config, isFile ? folder.path / file : folder.path, folder), text);
  };
  Config imagenet = configOf("imagenet64", 12288, 0, 0);
  std::string name = "train_data.npz";
  refused(name, zip("labels.npy", "x"), imagenet,
          "error: DIR/train_data.npz: has no array 'data.npy'\n");
  refused(name, zip("data.npy", "not an array"), imagenet,
          "error: DIR/train_data.npz: has an array 'data' that is no npy\n");
  refused(name, zip("data.npy", "x", 12), imagenet,
          "error: DIR/train_data.npz: is packed by method 12, expected stored or deflated\n");
  refused(name, zip("data.npy", npy("(2, 100)", counted(200))), imagenet,
          "error: DIR/train_data.npz: expected bytes [pictures, 12288], found {'descr': '|u1', "
          "'fortran_order': False, 'shape': (2, 100), }\n");
  std::string whole = zip("data.npy", npy("(1, 12288)", counted(12288)));
  refused(name, whole.substr(0, whole.size() - 1), imagenet,
          "error: DIR/train_data.npz: is not an npz file, or is cut short\n");
  refused(name, whole.substr(40), imagenet, "error: DIR/train_data.npz: has a broken directory\n");
  refused(name, whole, configOf("imagenet64", 3072, 0, 0),
          "error: DIR: expected a model.length of 12288, one item of imagenet64, found 3072\n");
  refused(name, whole, configOf("imagenet64", 12288, 2000, 0),
          "error: DIR: expected more than the 2000 items of data.valid, found 1\n"
          "note: --set data.valid=0.1 takes a tenth of what there is\n");

  refused("train-images-idx3-ubyte", std::string("\0\0\x08\x03\0\0\0\x02\0\0\0\x1b\0\0\0\x1c", 16),
          configOf("mnist", 784, 0, 0),
          "error: DIR/train-images-idx3-ubyte: expected pictures of 28 x 28, found 27 x 28\n");
  EXPECT_EQ(errorOf(configOf("cifar10", 3072, 0, 0), folder.path / "none", folder),
            "error: DIR/none: expected the folder of data_batch_1.bin .. data_batch_5.bin, "
            "test_batch.bin\n");

  Config sound = configOf("wav", 10, 0.1, 0.1);
  std::string file = wav(1, 12000, 16, counted(100));
  refused("a.wav", file.substr(0, 36), sound,
          "error: DIR/a.wav: expected the chunk 'data', found none\n");
  refused("a.wav", file.substr(0, 12) + file.substr(36), sound,
          "error: DIR/a.wav: expected the chunk 'fmt ' before 'data'\n");
  refused("a.wav", wav(1, 12000, 8, counted(100)), sound,
          "error: DIR/a.wav: expected one channel of 16-bit PCM at 12000 Hz, found 1 channels of 8 "
          "bits at 12000 Hz\nnote: ffmpeg -i DIR/a.wav -ac 1 -ar 12000 -c:a pcm_s16le OUT.wav "
          "converts it\n");
  folder.write("train.wav", wav(1, 12000, 16, counted(100)));
  folder.write("test.wav", wav(1, 12000, 16, counted(100)));
  EXPECT_EQ(errorOf(configOf("wav", 10, 60, 0), folder.path, folder),
            "error: DIR: expected more than the 60 tokens of data.valid, found 50\n"
            "note: --set data.valid=0.1 takes a tenth of what there is\n");
}

TEST(Data, WithoutAPathTheErrorSaysWhereTheDataIs) {
  Folder folder;
  for (const char *kind : {"bytes", "cifar10", "mnist", "imagenet64"}) {
    std::string text = errorOf(configOf(kind, 64, 0, 0), "", folder);
    EXPECT_TRUE(text.starts_with(
        fmt::format("error: expected --data, where {} data lies, found none\nnote: ", kind)))
        << text;
    EXPECT_NE(text.find("http"), std::string::npos) << text;
  }
  EXPECT_NE(errorOf(configOf("wav", 64, 0, 0), "", folder).find("ffmpeg"), std::string::npos);
}

} // namespace
} // namespace sparsec
