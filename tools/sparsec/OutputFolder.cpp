#include "tools/sparsec/OutputFolder.h"

#include "patterns/Files.h"
#include "tools/sparsec/Version.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fmt/core.h>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
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

/// What a folder's sparsec.json says; no kind where it is none of ours.
struct Mark {
  std::string kind;
  std::set<std::string> files;
  std::optional<int64_t> unfinished; ///< the process that writes, or wrote, the folder
};
Mark markOf(const fs::path &folder) {
  constexpr FileUse kUse = {"mark of an output folder", size_t(1) << 26};
  auto source = readBeside(folder, kMark, kUse);
  auto json = source ? nlohmann::json::parse((*source)->text, nullptr, /*allow_exceptions=*/false)
                     : nlohmann::json();
  if (!json.is_object() || !json.contains("kind") || !json["kind"].is_string() ||
      !json.contains("version"))
    return {};
  Mark mark{.kind = json["kind"], .files = {kMark}, .unfinished = {}};
  if (json.contains("files") && json["files"].is_array())
    for (const auto &each : json["files"])
      if (each.is_string())
        mark.files.insert(each.get<std::string>());
  if (json.contains("unfinished") && json["unfinished"].is_number_integer())
    mark.unfinished = json["unfinished"].get<int64_t>();
  return mark;
}

/// The first file of a folder that its mark does not list, or nothing.
std::string strangerIn(const fs::path &folder, const Mark &mark) {
  std::error_code failure;
  std::set<std::string> strangers;
  for (const auto &entry : fs::directory_iterator(folder, failure))
    if (std::string name = entry.path().filename().string();
        !mark.files.contains(name) || entry.is_directory(failure))
      strangers.insert(name);
  return strangers.empty() ? "" : *strangers.begin();
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
  if (!fs::exists(fs::symlink_status(path / kMark, failure)))
    return refused(shown,
                   fmt::format("is not an output folder of sparsec (there is no {} in it)", kMark));
  Mark mark = markOf(path);
  const std::string &found = mark.kind;
  if (found != kind)
    return refused(shown,
                   found.empty()
                       ? fmt::format("is not an output folder of sparsec ({} is not ours)", kMark)
                       : fmt::format("holds '{}', not '{}'", found, kind));
  if (std::string stranger = strangerIn(path, mark); !stranger.empty())
    return refused(
        shown,
        fmt::format("has '{}' in it, which sparsec did not write: move it away first", stranger));
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
  fs::path here = fs::current_path(failure);
  if (auto [in, at] = std::mismatch(path.begin(), path.end(), here.begin(), here.end());
      !failure && in == path.end())
    return refused(given, at == here.end() ? "is the folder that this command runs in"
                                           : "is around the folder that this command runs in");
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
  removeLeftovers();
  std::lock_guard hold(interrupts->lock);
  if (!mkdtemp(name.data()))
    return failed(shown, "cannot be created", errno);
  temporary = name;
  interrupts->unfinished(temporary);
  // mkdtemp's folders are private; this one gets what it replaces has, or what any new folder gets.
  mode_t mask = umask(0);
  umask(mask);
  struct stat old = {};
  bool replaces = stat(path.c_str(), &old) == 0;
  std::error_code ignored;
  fs::permissions(temporary, fs::perms(replaces ? old.st_mode & 07777 : 0777 & ~mask), ignored);
  nlohmann::ordered_json unfinished = {
      {"kind", kind}, {"version", kVersion}, {"unfinished", getpid()}};
  return this->mark(unfinished.dump(2) + "\n");
}

/// Writes the folder's sparsec.json, over the one that is there.
Result<void> OutputFolder::mark(const std::string &text) {
  bool good =
      static_cast<bool>(std::ofstream(temporary / kMark, std::ios::binary) << text << std::flush);
  return good ? Result<void>() : failed(shown, "cannot be written", errno);
}

/// Folders like the one that is about to be made, whose process is gone.
void OutputFolder::removeLeftovers() const {
  constexpr size_t kRandom = 6;
  std::string prefix = "." + path.filename().string() + ".";
  std::error_code failure;
  for (const auto &entry : fs::directory_iterator(path.parent_path(), failure)) {
    std::string name = entry.path().filename().string();
    if (!name.starts_with(prefix) || name.size() != prefix.size() + kRandom ||
        !entry.is_directory(failure) || entry.is_symlink(failure))
      continue;
    Mark mark = markOf(entry.path());
    bool gone = mark.kind == kind && mark.unfinished && *mark.unfinished > 0 &&
                kill(static_cast<pid_t>(*mark.unfinished), 0) != 0 && errno == ESRCH;
    if (gone)
      fs::remove_all(entry.path(), failure);
  }
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
  std::vector<std::string> names;
  for (const File &file : written)
    names.push_back(file.name);
  std::string text =
      nlohmann::ordered_json{{"kind", kind}, {"version", kVersion}, {"files", names}}.dump(2) +
      "\n";
  if (temporary.empty())
    if (auto created = create(); !created)
      return created;
  if (auto marked = mark(text); !marked)
    return marked;
  written.push_back({kMark, text.size()});
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
