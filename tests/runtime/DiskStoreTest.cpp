// What is stored on disk, who may use it, and that processes that race or die leave it right.
#include "runtime/DiskStore.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <set>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace sparsec {
namespace {

namespace fs = std::filesystem;

class DiskStoreTest : public testing::Test {
protected:
  void SetUp() override {
    char name[] = "/tmp/sparsec-store-XXXXXX";
    ASSERT_TRUE(mkdtemp(name));
    base = name;
  }
  void TearDown() override { fs::remove_all(base); }

  std::unique_ptr<DiskStore> open(int64_t most = 1 << 20) {
    auto store =
        DiskStore::open({.folder = base + "/cache", .mostBytes = most, .say = [this](auto &text) {
                           said.push_back(text);
                         }});
    EXPECT_TRUE(store) << store.error().message;
    return store ? std::move(*store) : nullptr;
  }
  /// Takes a key; "text" made of it counts.
  std::string take(DiskStore &store, const std::string &key, const std::string &value) {
    auto taken = store.take("kernels", key, [&]() -> Result<std::string> {
      ++made;
      return value;
    });
    return taken ? *taken : "error: " + taken.error().message;
  }
  std::vector<std::string> files(const char *part) {
    std::vector<std::string> all;
    for (auto &each : fs::recursive_directory_iterator(base + "/cache/" + part))
      if (each.is_regular_file() || each.is_symlink())
        all.push_back(each.path());
    return all;
  }

  std::string base;
  std::vector<std::string> said;
  int made = 0;
};

TEST_F(DiskStoreTest, KeepsWhatWasMade) {
  {
    auto store = open();
    EXPECT_EQ(take(*store, "a\nmore", "one"), "one");
    EXPECT_EQ(take(*store, "a\nmore", "other"), "one");
    EXPECT_EQ(take(*store, "b", std::string("\0two", 4)), std::string("\0two", 4));
  }
  auto store = open(); // another process
  EXPECT_EQ(take(*store, "a\nmore", "other"), "one");
  EXPECT_EQ(take(*store, "b", "other"), std::string("\0two", 4));
  EXPECT_EQ(made, 2);
  auto cubin =
      store->take("cubin", "b", []() -> Result<std::string> { return std::string("three"); });
  EXPECT_EQ(*cubin, "three"); // kinds are apart
  std::vector<DiskEntry> entries = store->entries();
  ASSERT_EQ(entries.size(), 3u);
  std::set<std::string> summaries;
  for (const DiskEntry &entry : entries)
    summaries.insert(entry.kind + " " + entry.summary);
  EXPECT_EQ(summaries, std::set<std::string>({"kernels a", "kernels b", "cubin b"}));
  EXPECT_EQ(*store->clear(), 3);
  EXPECT_TRUE(store->entries().empty());
  EXPECT_EQ(take(*store, "b", "again"), "again");
  EXPECT_EQ(files("temporary").size() + files("locks").size(), 0u);
  EXPECT_TRUE(said.empty());
}

TEST_F(DiskStoreTest, KeepsNothingOfAFailure) {
  auto store = open();
  auto failed =
      store->take("kernels", "a", []() -> Result<std::string> { return inputError("no"); });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().message, "no");
  EXPECT_EQ(take(*store, "a", "yes"), "yes");
}

TEST_F(DiskStoreTest, NoticesDamage) {
  auto store = open();
  take(*store, "a", std::string(1000, 'x'));
  std::string path = files("entries").at(0);
  std::string whole;
  {
    std::ifstream in(path, std::ios::binary);
    whole.assign(std::istreambuf_iterator<char>(in), {});
  }
  // Every byte of the entry, and every length that it could be cut to.
  for (size_t i = 0; i < whole.size(); i += 7) {
    for (bool cut : {false, true}) {
      std::string damaged = cut ? whole.substr(0, i) : whole;
      if (!cut)
        damaged[i] ^= 0x20;
      std::ofstream(path, std::ios::binary | std::ios::trunc) << damaged;
      said.clear();
      made = 0;
      ASSERT_EQ(take(*store, "a", std::string(1000, 'x')), std::string(1000, 'x')) << i;
      ASSERT_EQ(made, 1) << i;
      ASSERT_EQ(said, std::vector<std::string>({"the cache entry " + path +
                                                " is not used, and made again: it is damaged"}));
    }
  }
  EXPECT_EQ(take(*store, "a", "other"), std::string(1000, 'x')); // whole again
}

TEST_F(DiskStoreTest, TrustsOnlyItsOwn) {
  auto store = open();
  take(*store, "a", "one");
  std::string path = files("entries").at(0);
  chmod(path.c_str(), 0666);
  EXPECT_EQ(take(*store, "a", "two"), "two");
  ASSERT_EQ(said.size(), 1u);
  EXPECT_NE(said[0].find("other users may write it"), std::string::npos);
  EXPECT_EQ(take(*store, "a", "three"), "two"); // replaced by one of its own
  struct stat status = {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  // A link to what another user could have made.
  fs::rename(path, base + "/elsewhere");
  fs::create_symlink(base + "/elsewhere", path);
  EXPECT_EQ(take(*store, "a", "four"), "four");
  EXPECT_NE(said.back().find("it is a link"), std::string::npos);
  if (geteuid() == 0) {
    ASSERT_EQ(chown(path.c_str(), 12345, 12345), 0);
    EXPECT_EQ(take(*store, "a", "five"), "five");
    EXPECT_NE(said.back().find("another user owns it"), std::string::npos);
  }
  // Folders.
  chmod((base + "/cache").c_str(), 0777);
  auto open = DiskStore::open({.folder = base + "/cache", .say = {}});
  ASSERT_FALSE(open);
  EXPECT_EQ(open.error().message,
            "the cache " + base + "/cache cannot be used: other users may write it");
  fs::create_directory(base + "/theirs");
  std::ofstream(base + "/theirs/file") << "text";
  auto theirs = DiskStore::open({.folder = base + "/theirs", .say = {}});
  ASSERT_FALSE(theirs);
  EXPECT_EQ(theirs.error().message, "the cache " + base +
                                        "/theirs cannot be used: it is not empty, "
                                        "and sparsec did not make it");
}

TEST_F(DiskStoreTest, OldestUseGoesFirst) {
  auto store = open(10'000);
  for (int i = 0; i < 8; ++i) {
    take(*store, std::to_string(i), std::string(1000, 'x'));
    std::this_thread::sleep_for(std::chrono::milliseconds(2)); // file times
  }
  take(*store, "0", ""); // used again
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
  EXPECT_EQ(made, 8);
  take(*store, "8", std::string(3500, 'x'));
  std::set<std::string> left;
  for (const DiskEntry &entry : store->entries())
    left.insert(entry.summary);
  EXPECT_TRUE(left.contains("0") && left.contains("8") && left.contains("7"));
  EXPECT_FALSE(left.contains("1") || left.contains("2"));
}

TEST_F(DiskStoreTest, ThreadsMakeOnce) {
  auto store = open();
  std::atomic<int> counted = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 16; ++t)
    threads.emplace_back([&, t] {
      for (int key = 0; key < 4; ++key) {
        auto taken =
            store->take("kernels", std::to_string((key + t) % 4), [&]() -> Result<std::string> {
              ++counted;
              std::this_thread::sleep_for(std::chrono::milliseconds(5));
              return "value " + std::to_string((key + t) % 4);
            });
        EXPECT_EQ(*taken, "value " + std::to_string((key + t) % 4));
      }
    });
  for (std::thread &thread : threads)
    thread.join();
  EXPECT_EQ(counted, 4);
  EXPECT_EQ(files("locks").size(), 0u);
}

/// In a child: takes keys and compares, for as long as it is let; appends a byte to `log` for each
/// one that it made.
[[noreturn]] void takeKeys(const std::string &folder, const std::string &log, int keys,
                           int rounds) {
  auto store = DiskStore::open({.folder = folder, .say = {}});
  if (!store)
    _exit(2);
  for (int round = 0; round < rounds; ++round) {
    int key = round % keys;
    std::string value(20'000 + 1000 * key, static_cast<char>('a' + key));
    auto taken = (*store)->take("kernels", std::to_string(key), [&]() -> Result<std::string> {
      int file = ::open(log.c_str(), O_WRONLY | O_APPEND | O_CREAT, 0600);
      if (write(file, "x", 1) != 1)
        _exit(3);
      close(file);
      usleep(300);
      return value;
    });
    if (!taken || *taken != value)
      _exit(1);
  }
  _exit(0);
}

TEST_F(DiskStoreTest, EightProcessesMakeOnce) {
  open();
  std::vector<pid_t> children;
  for (int i = 0; i < 8; ++i) {
    pid_t child = fork();
    if (child == 0)
      takeKeys(base + "/cache", base + "/log", 20, 20);
    children.push_back(child);
  }
  for (pid_t child : children) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  }
  EXPECT_EQ(fs::file_size(base + "/log"), 20u);
}

/// Of four processes one is killed at random moments, again and again: the others go on, and what
/// is stored stays right.
TEST_F(DiskStoreTest, SurvivesKilledProcesses) {
  auto store = open();
  auto start = [&](int rounds) {
    pid_t child = fork();
    if (child == 0)
      takeKeys(base + "/cache", base + "/log", 26, rounds);
    return child;
  };
  std::vector<pid_t> steady;
  for (int i = 0; i < 3; ++i)
    steady.push_back(start(4000));
  uint32_t random = 1;
  for (int kill = 0; kill < 200; ++kill) {
    pid_t victim = start(1 << 30);
    random = random * 1664525 + 1013904223;
    usleep(random >> 20); // up to 4 ms
    ASSERT_EQ(::kill(victim, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(waitpid(victim, &status, 0), victim);
    ASSERT_TRUE(WIFSIGNALED(status)) << "it ended by itself: " << status;
    if (kill % 10 == 0)
      ASSERT_TRUE(store->clear()); // so that there is always something to make
  }
  for (pid_t child : steady) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  }
  // What is stored is whole, whoever was killed while it was written.
  for (const DiskEntry &entry : store->entries())
    EXPECT_EQ(std::to_string(entry.bytes > 20'000), "1") << entry.path;
  EXPECT_EQ(store->entries().size(), files("entries").size());
  EXPECT_TRUE(said.empty());
}

TEST(StorePlace, IsTheEnvironments) {
  auto place = [](const char *cache, const char *xdg, const char *home) {
    for (auto [name, value] :
         {std::pair{"SPARSEC_CACHE", cache}, {"XDG_CACHE_HOME", xdg}, {"HOME", home}})
      value ? setenv(name, value, 1) : unsetenv(name);
    StorePlace found = StorePlace::fromEnvironment();
    return found.folder + found.whyOff;
  };
  EXPECT_EQ(place("off", "/x", "/h"), "SPARSEC_CACHE is off");
  EXPECT_EQ(place("/here", "/x", "/h"), "/here");
  EXPECT_EQ(place(nullptr, "/x", "/h"), "/x/sparsec");
  EXPECT_EQ(place("", "", "/h"), "/h/.cache/sparsec");
  EXPECT_EQ(place(nullptr, nullptr, nullptr),
            "neither SPARSEC_CACHE, XDG_CACHE_HOME nor HOME is set");
}

} // namespace
} // namespace sparsec
