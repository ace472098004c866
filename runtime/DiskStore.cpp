#include "runtime/DiskStore.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sparsec {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kMagic = "sparsec cache 1\n";
constexpr std::string_view kMark = "{\"kind\": \"cache\"}\n";
constexpr std::string_view kMarkFile = "sparsec.json";
constexpr int64_t kStaleSeconds = 3600; ///< after which a temporary file has no writer

std::string hexHash(std::string_view bytes) {
  XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

/// A file descriptor with an owner.
class File {
public:
  File(const std::string &path, int flags, int mode = 0600)
      : descriptor(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, mode)) {}
  ~File() {
    if (descriptor >= 0)
      ::close(descriptor);
  }
  File(const File &) = delete;
  File &operator=(const File &) = delete;
  explicit operator bool() const { return descriptor >= 0; }
  int get() const { return descriptor; }

private:
  int descriptor;
};

/// Why nobody but this user can have written a file or a folder; empty when that is so.
std::string distrust(const struct stat &status) {
  if (status.st_uid != geteuid())
    return "another user owns it";
  if (status.st_mode & (S_IWGRP | S_IWOTH))
    return "other users may write it";
  return "";
}

bool writeAll(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t wrote = ::write(descriptor, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR)
      continue;
    if (wrote <= 0)
      return false;
    bytes.remove_prefix(static_cast<size_t>(wrote));
  }
  return true;
}

std::optional<std::string> readAll(int descriptor, size_t size) {
  std::string bytes(size, '\0');
  for (size_t done = 0; done < size;) {
    ssize_t got = ::read(descriptor, bytes.data() + done, size - done);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return std::nullopt;
    done += static_cast<size_t>(got);
  }
  return bytes;
}

/// "MAGIC CHECKSUM\nKIND KEY-BYTES\nKEY CONTENTS", the checksum that of all after its line.
std::string entryOf(std::string_view kind, std::string_view key, std::string_view contents) {
  std::string rest = fmt::format("{} {}\n{}{}", kind, key.size(), key, contents);
  return fmt::format("{}{}\n", kMagic, hexHash(rest)) + rest;
}

struct Opened {
  std::string_view kind, key, contents;
};

std::optional<Opened> parseEntry(std::string_view bytes) {
  if (!bytes.starts_with(kMagic))
    return std::nullopt;
  bytes.remove_prefix(kMagic.size());
  size_t line = bytes.find('\n');
  if (line == std::string_view::npos || hexHash(bytes.substr(line + 1)) != bytes.substr(0, line))
    return std::nullopt;
  bytes.remove_prefix(line + 1);
  line = bytes.find('\n');
  size_t blank = bytes.substr(0, line).find(' '), size = 0;
  if (line == std::string_view::npos || blank == std::string_view::npos)
    return std::nullopt;
  std::from_chars(bytes.data() + blank + 1, bytes.data() + line, size);
  std::string_view rest = bytes.substr(line + 1);
  if (size > rest.size())
    return std::nullopt;
  return Opened{bytes.substr(0, blank), rest.substr(0, size), rest.substr(size)};
}

/// A lock of all processes and threads, named by a file that goes with its last holder.
class KeyLock {
public:
  explicit KeyLock(std::string path) : path(std::move(path)) {
    for (;;) {
      file.emplace(this->path, O_CREAT | O_RDWR);
      if (!*file)
        return;
      while (flock(file->get(), LOCK_EX) != 0)
        if (errno != EINTR)
          return;
      // Whoever had it before may have taken the file away: then it is another lock by now.
      struct stat held = {}, named = {};
      if (fstat(file->get(), &held) == 0 && stat(this->path.c_str(), &named) == 0 &&
          held.st_ino == named.st_ino)
        return;
    }
  }
  ~KeyLock() {
    if (file && *file)
      unlink(path.c_str());
  }

private:
  std::string path;
  std::optional<File> file;
};

/// Every file of a folder and of the folders in it.
template <class Visit>
void forEachFile(const std::string &folder, Visit visit) {
  std::error_code failure;
  for (fs::recursive_directory_iterator at(folder, failure), end; !failure && at != end;
       at.increment(failure)) {
    struct stat status = {};
    if (lstat(at->path().c_str(), &status) == 0 && S_ISREG(status.st_mode))
      visit(at->path().string(), status);
  }
}

/// Whether a folder has more than marks, of which some may be half made.
bool holdsAnythingElse(const std::string &folder) {
  std::error_code failure;
  for (fs::directory_iterator at(folder, failure), end; !failure && at != end;
       at.increment(failure))
    if (!at->path().filename().string().starts_with(kMarkFile))
      return true;
  return static_cast<bool>(failure);
}

std::string environment(const char *name) {
  const char *value = std::getenv(name);
  return value ? value : "";
}

} // namespace

StorePlace StorePlace::fromEnvironment() {
  std::string named = environment("SPARSEC_CACHE");
  if (named == "off")
    return {.folder = "", .whyOff = "SPARSEC_CACHE is off"};
  if (!named.empty())
    return {.folder = named, .whyOff = ""};
  if (std::string base = environment("XDG_CACHE_HOME"); base.starts_with('/'))
    return {.folder = base + "/sparsec", .whyOff = ""};
  if (std::string home = environment("HOME"); home.starts_with('/'))
    return {.folder = home + "/.cache/sparsec", .whyOff = ""};
  return {.folder = "", .whyOff = "neither SPARSEC_CACHE, XDG_CACHE_HOME nor HOME is set"};
}

Result<std::unique_ptr<DiskStore>> DiskStore::open(DiskStoreOptions options) {
  auto refuse = [&](const std::string &why) {
    return machineError(fmt::format("the cache {} cannot be used: {}", options.folder, why));
  };
  const std::string &folder = options.folder;
  std::error_code failure;
  fs::create_directories(fs::path(folder).parent_path(), failure);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    return refuse(std::strerror(errno));
  struct stat status = {};
  if (::stat(folder.c_str(), &status) != 0)
    return refuse(std::strerror(errno));
  if (!S_ISDIR(status.st_mode))
    return refuse("it is no folder");
  if (std::string why = distrust(status); !why.empty())
    return refuse(why);
  std::string mark = fmt::format("{}/{}", folder, kMarkFile);
  if (!fs::exists(mark, failure)) {
    // Others may be making it at this moment: their mark comes before all else of theirs.
    if (holdsAnythingElse(folder) && !fs::exists(mark, failure))
      return refuse("it is not empty, and sparsec did not make it");
    // Several processes may come here at once, and threads of one: each puts the same file there.
    std::string own = fmt::format("{}.{}", mark, getpid());
    if (File file(own, O_CREAT | O_WRONLY); !file || !writeAll(file.get(), kMark))
      return refuse(std::strerror(errno));
    if (::rename(own.c_str(), mark.c_str()) != 0 && !fs::exists(mark, failure))
      return refuse("its mark cannot be written");
  }
  for (const char *part : {"/entries", "/locks", "/temporary"})
    if (::mkdir((folder + part).c_str(), 0700) != 0 && errno != EEXIST)
      return refuse(std::strerror(errno));
  return std::unique_ptr<DiskStore>(new DiskStore(std::move(options)));
}

void DiskStore::say(const std::string &text) const {
  if (options.say)
    options.say(text);
}

std::optional<std::string> DiskStore::read(const std::string &path, std::string_view key,
                                           std::string &why) {
  File file(path, O_RDONLY);
  if (!file) {
    why = errno == ELOOP ? "it is a link" : "";
    return std::nullopt;
  }
  struct stat status = {};
  if (fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode))
    return std::nullopt;
  if (why = distrust(status); !why.empty())
    return std::nullopt;
  std::optional<std::string> bytes = readAll(file.get(), static_cast<size_t>(status.st_size));
  std::optional<Opened> entry = bytes ? parseEntry(*bytes) : std::nullopt;
  if (!entry) {
    why = "it is damaged";
    return std::nullopt;
  }
  if (entry->key != key) // another key with the same hash: the newer one stays
    return std::nullopt;
  futimens(file.get(), nullptr); // when it was used last
  return std::string(entry->contents);
}

void DiskStore::write(const std::string &name, std::string_view kind, std::string_view key,
                      std::string_view contents) {
  std::string folder = options.folder + "/entries/" + name.substr(0, 2);
  ::mkdir(folder.c_str(), 0700);
  std::string temporary;
  std::optional<File> file;
  do { // a name that no other store of this process has, nor one that a killed process left
    temporary = fmt::format("{}/temporary/{}-{}", options.folder, getpid(), written.fetch_add(1));
    file.emplace(temporary, O_CREAT | O_EXCL | O_WRONLY);
  } while (!*file && errno == EEXIST);
  bool isWhole = *file && writeAll(file->get(), entryOf(kind, key, contents));
  if (isWhole)
    isWhole = ::rename(temporary.c_str(), (folder + "/" + name).c_str()) == 0;
  if (isWhole) {
    shrink(options.mostBytes);
    return;
  }
  int why = errno;
  ::unlink(temporary.c_str());
  if (!saidFull.exchange(true))
    say(fmt::format("the cache {} cannot be written: {}", options.folder, std::strerror(why)));
}

Result<std::string> DiskStore::take(std::string_view kind, std::string_view key,
                                    const std::function<Result<std::string>()> &make) {
  std::string whole = fmt::format("{}\n{}", kind, key);
  std::string name = hexHash(whole);
  std::string path = fmt::format("{}/entries/{}/{}", options.folder, name.substr(0, 2), name);
  std::string why;
  if (auto found = read(path, whole, why))
    return *std::move(found);
  KeyLock lock(options.folder + "/locks/" + name);
  if (auto found = read(path, whole, why)) // made while this waited
    return *std::move(found);
  if (!why.empty())
    say(fmt::format("the cache entry {} is not used, and made again: {}", path, why));
  Result<std::string> made = make();
  if (made)
    write(name, kind, whole, *made);
  return made;
}

std::vector<DiskEntry> DiskStore::entries() const {
  std::vector<DiskEntry> all;
  forEachFile(options.folder + "/entries", [&](const std::string &path, const struct stat &status) {
    File file(path, O_RDONLY);
    auto bytes = file ? readAll(file.get(), static_cast<size_t>(status.st_size)) : std::nullopt;
    auto entry = bytes ? parseEntry(*bytes) : std::nullopt;
    if (!entry)
      return;
    std::string_view key = entry->key.substr(entry->kind.size() + 1);
    all.push_back({std::string(entry->kind), std::string(key.substr(0, key.find('\n'))), path,
                   static_cast<int64_t>(status.st_size), status.st_mtim.tv_sec});
  });
  std::ranges::sort(all, [](const DiskEntry &a, const DiskEntry &b) {
    return std::tie(a.used, a.path) < std::tie(b.used, b.path);
  });
  return all;
}

Result<int64_t> DiskStore::clear() {
  int64_t count = 0;
  std::error_code failure;
  for (const char *part : {"/entries", "/temporary"})
    forEachFile(options.folder + part, [&](const std::string &path, const struct stat &) {
      if (::unlink(path.c_str()) == 0)
        count += part == std::string_view("/entries");
      else if (errno != ENOENT)
        failure = {errno, std::generic_category()};
    });
  if (failure)
    return machineError(
        fmt::format("the cache {} cannot be cleared: {}", options.folder, failure.message()));
  return count;
}

void DiskStore::shrink(int64_t mostBytes) const {
  struct Known {
    std::string path;
    int64_t bytes;
    timespec used;
  };
  std::vector<Known> all;
  int64_t total = 0;
  forEachFile(options.folder + "/entries", [&](const std::string &path, const struct stat &status) {
    all.push_back({path, static_cast<int64_t>(status.st_size), status.st_mtim});
    total += status.st_size;
  });
  timespec now = {};
  clock_gettime(CLOCK_REALTIME, &now);
  forEachFile(options.folder + "/temporary",
              [&](const std::string &path, const struct stat &status) {
                if (now.tv_sec - status.st_mtim.tv_sec > kStaleSeconds)
                  ::unlink(path.c_str());
              });
  if (total <= mostBytes)
    return;
  std::ranges::sort(all, [](const Known &a, const Known &b) {
    return std::tie(a.used.tv_sec, a.used.tv_nsec) < std::tie(b.used.tv_sec, b.used.tv_nsec);
  });
  for (const Known &each : all) {
    if (total <= mostBytes)
      break;
    if (::unlink(each.path.c_str()) == 0)
      total -= each.bytes;
  }
}

std::shared_ptr<DiskStore> openEnvironmentStore(std::function<void(const std::string &)> say) {
  StorePlace place = StorePlace::fromEnvironment();
  if (place.folder.empty())
    return nullptr;
  auto store = DiskStore::open({.folder = place.folder, .say = say});
  if (store)
    return std::shared_ptr<DiskStore>(std::move(*store));
  if (say)
    say(store.error().message);
  return nullptr;
}

} // namespace sparsec
