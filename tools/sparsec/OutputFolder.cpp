#include "tools/sparsec/OutputFolder.h"

#include "tools/sparsec/Version.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/core.h>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

namespace sparsec::cli {
namespace fs = std::filesystem;
namespace {

constexpr char kMark[] = "sparsec.json";

Error refused(const std::string &shown, const std::string &why) {
  Error error = inputError(fmt::format("{}: {}", shown, why));
  error.notes.push_back(
      "an output folder is replaced whole, so only one that sparsec wrote is taken");
  return error;
}

/// What a system call said; full disks and such are the machine's fault.
Error failed(const std::string &shown, const std::string &what, int code) {
  return machineError(fmt::format("{}: {}: {}", shown, what, std::strerror(code)));
}

/// The "kind" of a folder's sparsec.json, or nothing where it is none of ours.
std::string kindOf(const fs::path &mark) {
  std::ifstream file(mark);
  auto json = nlohmann::json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object() || !json.contains("kind") || !json["kind"].is_string() ||
      !json.contains("version"))
    return "";
  return json["kind"];
}

Result<void> checkOurs(const std::string &shown, const fs::path &path, const std::string &kind) {
  std::error_code failure;
  fs::file_status status = fs::status(path, failure);
  if (status.type() == fs::file_type::not_found)
    return {};
  if (failure)
    return failed(shown, "cannot be looked at", failure.value());
  if (status.type() != fs::file_type::directory)
    return refused(shown, "is a file, not a folder");
  bool empty = fs::is_empty(path, failure);
  if (failure)
    return failed(shown, "cannot be read", failure.value());
  if (empty)
    return {};
  if (!fs::exists(path / kMark, failure))
    return refused(shown,
                   fmt::format("is not an output folder of sparsec (there is no {} in it)", kMark));
  std::string found = kindOf(path / kMark);
  if (found != kind)
    return refused(shown,
                   found.empty()
                       ? fmt::format("is not an output folder of sparsec ({} is not ours)", kMark)
                       : fmt::format("holds '{}', not '{}'", found, kind));
  return {};
}

} // namespace

OutputFolder::OutputFolder(std::string shown, fs::path path, std::string kind,
                           Interrupts &interrupts)
    : shown(std::move(shown)), path(std::move(path)), kind(std::move(kind)),
      interrupts(&interrupts) {}

OutputFolder::OutputFolder(OutputFolder &&other) noexcept
    : shown(std::move(other.shown)), path(std::move(other.path)), kind(std::move(other.kind)),
      interrupts(other.interrupts), temporary(std::exchange(other.temporary, {})),
      written(std::move(other.written)) {}

OutputFolder::~OutputFolder() {
  if (temporary.empty())
    return;
  std::lock_guard hold(interrupts->lock);
  std::error_code ignored;
  fs::remove_all(temporary, ignored);
  interrupts->unfinished({});
}

Result<OutputFolder> OutputFolder::open(const std::string &given, const std::string &kind,
                                        Interrupts &interrupts) {
  std::error_code failure;
  // Through links to the folder that is meant; without a slash at the end.
  fs::path path = fs::weakly_canonical(fs::absolute(given), failure);
  if (failure)
    return failed(given, "cannot be looked at", failure.value());
  if (!path.has_filename())
    path = path.parent_path();
  if (path == path.root_path())
    return refused(given, "is the root of the file system");
  if (auto ours = checkOurs(given, path, kind); !ours)
    return ours.error();
  fs::path parent = path.parent_path();
  if (!fs::is_directory(parent, failure))
    return inputError(fmt::format("{}: the folder {} does not exist", given, parent.string()));
  if (access(parent.c_str(), W_OK | X_OK) != 0)
    return failed(given, fmt::format("cannot be written to {}", parent.string()), errno);
  return OutputFolder(given, path, kind, interrupts);
}

Result<void> OutputFolder::create() {
  std::string name = (path.parent_path() / ("." + path.filename().string() + ".XXXXXX")).string();
  std::lock_guard hold(interrupts->lock);
  if (!mkdtemp(name.data()))
    return failed(shown, "cannot be created", errno);
  temporary = name;
  interrupts->unfinished(temporary);
  // mkdtemp's folders are private; this one gets what any new folder gets.
  mode_t mask = umask(0);
  umask(mask);
  fs::permissions(temporary, fs::perms(0777 & ~mask));
  return {};
}

Result<void> OutputFolder::add(const std::string &name, std::string_view contents) {
  if (temporary.empty())
    if (auto created = create(); !created)
      return created;
  std::string shownFile = fmt::format("{}/{}", shown, name);
  int file = ::open((temporary / name).c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file < 0)
    return failed(shownFile, "cannot be created", errno);
  size_t done = 0;
  while (done < contents.size()) {
    ssize_t put = write(file, contents.data() + done, contents.size() - done);
    if (put < 0 && errno == EINTR)
      continue;
    if (put < 0) {
      int code = errno;
      close(file);
      return failed(shownFile, "cannot be written", code);
    }
    done += put;
  }
  // Some file systems tell only now that they are full.
  if (close(file) != 0)
    return failed(shownFile, "cannot be written", errno);
  written.push_back({name, contents.size()});
  return {};
}

Result<void> OutputFolder::publish() {
  nlohmann::ordered_json mark = {{"kind", kind}, {"version", kVersion}};
  if (auto added = add(kMark, mark.dump(2) + "\n"); !added)
    return added;
  std::lock_guard hold(interrupts->lock);
  // What is there now may not be what was there when we looked.
  if (auto ours = checkOurs(shown, path, kind); !ours)
    return ours;
  if (renameat2(AT_FDCWD, temporary.c_str(), AT_FDCWD, path.c_str(), RENAME_EXCHANGE) == 0) {
    std::error_code ignored;
    fs::remove_all(temporary, ignored); // the old one
  } else if (rename(temporary.c_str(), path.c_str()) != 0) {
    return failed(shown, "cannot be put in place", errno);
  }
  temporary.clear();
  interrupts->unfinished({});
  return {};
}

} // namespace sparsec::cli
