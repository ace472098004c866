#include "codegen/cpu/Link.h"

#include "lld/Common/Driver.h"
#include "llvm/Support/Signals.h"

#include <fmt/format.h>
#include <mutex>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

LLD_HAS_DRIVER(elf)

namespace sparsec::cpu {
namespace {

/// A file that exists only in memory, with a path as long as it is open.
class MemoryFile {
public:
  explicit MemoryFile(const char *name) : descriptor(memfd_create(name, MFD_CLOEXEC)) {}
  ~MemoryFile() {
    if (descriptor >= 0)
      close(descriptor);
  }
  MemoryFile(const MemoryFile &) = delete;

  bool isOpen() const { return descriptor >= 0; }
  std::string path() const { return fmt::format("/proc/self/fd/{}", descriptor); }
  bool write(const std::string &bytes) {
    size_t done = 0;
    while (done < bytes.size()) {
      ssize_t wrote = ::write(descriptor, bytes.data() + done, bytes.size() - done);
      if (wrote <= 0)
        return false;
      done += size_t(wrote);
    }
    return true;
  }

private:
  int descriptor;
};

/// A folder of one file, for what lld writes: it renames its output into place.
class TemporaryFolder {
public:
  TemporaryFolder() {
    const char *base = std::getenv("TMPDIR");
    name = fmt::format("{}/sparsec-XXXXXX", base && *base ? base : "/tmp");
    made = mkdtemp(name.data()) != nullptr;
  }
  ~TemporaryFolder() {
    if (made) {
      unlink(file().c_str());
      rmdir(name.c_str());
    }
  }
  bool isMade() const { return made; }
  const std::string &path() const { return name; }
  std::string file() const { return name + "/kernel.so"; }

private:
  std::string name;
  bool made = false;
};

Result<std::string> readFile(const std::string &path) {
  FILE *file = std::fopen(path.c_str(), "rb");
  if (!file)
    return internalError("lld left no shared object");
  std::string bytes;
  char buffer[1 << 14];
  for (size_t got; (got = std::fread(buffer, 1, sizeof buffer, file)) > 0;)
    bytes.append(buffer, got);
  std::fclose(file);
  return bytes;
}

} // namespace

Result<std::string> linkSharedObject(const std::string &object) {
  static std::mutex one;
  std::lock_guard lock(one);
  MemoryFile input("kernel.o");
  TemporaryFolder folder;
  if (!input.isOpen() || !input.write(object) || !folder.isMade())
    return machineError("no room for a kernel's files: neither memory nor " + folder.path());
  std::string from = input.path(), to = folder.file();
  const char *arguments[] = {
      "ld.lld", "-shared",     "--no-undefined",  "--threads=1", "--hash-style", "gnu",
      "-z",     "noexecstack", "--build-id=none", from.c_str(),  "-o",           to.c_str()};
  std::string said;
  llvm::raw_string_ostream messages(said);
  lld::Result result = lld::lldMain(arguments, messages, messages, {{lld::Gnu, &lld::elf::link}});
  // It takes signals, to remove its output: they are the program's again.
  llvm::sys::unregisterHandlers();
  if (result.retCode != 0)
    return internalError("lld: " + said);
  return readFile(to);
}

} // namespace sparsec::cpu
