// What was made at some cost, on disk, by everything that it depends on: kernels, and machine code
// for GPUs. Shared by all processes of a user.
//
//   DIR/sparsec.json                   {"kind": "cache", ...}: ours
//   DIR/entries/3f/3f09...c2           checksum, key, contents
//   DIR/locks/3f09...c2                held while one process makes what the others wait for
//   DIR/temporary/1234-0               an entry being written, renamed when it is whole
//
//   auto store = DiskStore::open({.folder = "/home/me/.cache/sparsec"});
//   store->take("kernels", key, make)  what is stored under the key; else makes, stores and gives it
//
// One of several processes or threads that want the same key makes it; a process that dies lets go
// of its lock and leaves nothing that counts. The entry's name is a hash of the key, which is
// compared. An entry that is damaged, or that another user owns or may write, is said, not used,
// and replaced. What is not used for longest goes first when the store is full.
//
// Errors: make()'s. Where the store cannot be written it says so, once, and gives what was made.
#pragma once

#include "patterns/Error.h"

#include <atomic>
#include <functional>
#include <mutex>

namespace sparsec {

/// Where the environment wants the store: SPARSEC_CACHE, a folder or `off`; else
/// $XDG_CACHE_HOME/sparsec, else ~/.cache/sparsec. Empty: off, with the reason.
struct StorePlace {
  std::string folder;
  std::string whyOff; ///< "SPARSEC_CACHE is off"
  static StorePlace fromEnvironment();
};

struct DiskStoreOptions {
  std::string folder;
  int64_t mostBytes = int64_t(1) << 30; ///< of all entries
  /// Takes a sentence about what went wrong and did not stop anything.
  std::function<void(const std::string &)> say;
};

struct DiskEntry {
  std::string kind, summary; ///< "kernels"; the first line of the key
  std::string path;
  int64_t bytes = 0;
  int64_t used = 0; ///< seconds since 1970
};

class DiskStore {
public:
  /// Makes the folder where it is not there. Error: one that is not ours or that others may write.
  static Result<std::unique_ptr<DiskStore>> open(DiskStoreOptions options);

  Result<std::string> take(std::string_view kind, std::string_view key,
                           const std::function<Result<std::string>()> &make);

  const std::string &folder() const { return options.folder; }
  /// Least recently used first. Damaged ones are not among them.
  std::vector<DiskEntry> entries() const;
  /// Removes every entry; how many there were.
  Result<int64_t> clear();
  /// Removes what is not used for longest until at most so many bytes are left.
  void shrink(int64_t mostBytes) const;

private:
  explicit DiskStore(DiskStoreOptions options) : options(std::move(options)) {}
  /// What an entry holds; else why it may not be used, empty when it is not there.
  static std::optional<std::string> read(const std::string &path, std::string_view key,
                                         std::string &why);
  void write(const std::string &name, std::string_view kind, std::string_view key,
             std::string_view contents);
  void say(const std::string &text) const;

  DiskStoreOptions options;
  std::atomic<int> written = 0;
  std::atomic<bool> saidFull = false;
};

/// The store of the environment, or null where it is off or cannot be used, which is said.
std::shared_ptr<DiskStore> openEnvironmentStore(std::function<void(const std::string &)> say);

} // namespace sparsec
