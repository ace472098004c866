#include "patterns/Files.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace sparsec {
namespace {

Error unopened(const std::string &path) {
  return inputError(fmt::format("{}: cannot be opened: {}", path, std::strerror(errno)));
}

/// Whether a path lies inside a folder, both without links.
bool isInside(const std::filesystem::path &path, const std::filesystem::path &folder) {
  auto [inFolder, inPath] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  return inFolder == folder.end() && inPath != path.end();
}

} // namespace

Result<Source> readOpen(int file, const std::string &name, const FileUse &use) {
  auto source = std::make_shared<SourceText>(SourceText{name, ""});
  char buffer[1 << 16];
  ssize_t got = 0;
  while (source->text.size() <= use.most && (got = read(file, buffer, sizeof buffer)) != 0) {
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      break;
    source->text.append(buffer, got);
  }
  int failure = errno;
  if (file != STDIN_FILENO)
    close(file);
  if (got < 0)
    return inputError(fmt::format("{}: cannot be read: {}", name, std::strerror(failure)));
  if (source->text.size() > use.most)
    return inputError(
        fmt::format("{}: larger than {} KiB: not a {}", name, use.most / 1024, use.name));
  return Source(source);
}

Result<Source> readPath(const std::string &path, const FileUse &use) {
  if (path == "-")
    return readOpen(STDIN_FILENO, "<stdin>", use);
  int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0)
    return unopened(path);
  struct stat status = {};
  if (fstat(file, &status) == 0 && S_ISDIR(status.st_mode)) {
    close(file);
    return inputError(fmt::format("{}: is a directory, not a {}", path, use.name));
  }
  return readOpen(file, path, use);
}

Result<Source> readBeside(const std::filesystem::path &folder, const std::string &name,
                          const FileUse &use) {
  namespace fs = std::filesystem;
  auto outside = [&] {
    return inputError(fmt::format("{}: expected a file inside the pattern's folder: a {} has no "
                                  "other place",
                                  quote(name), use.name));
  };
  if (name.find('\0') != std::string::npos || fs::path(name).is_absolute())
    return outside();
  std::error_code failure;
  fs::path within = fs::weakly_canonical(folder.empty() ? fs::path(".") : folder, failure);
  fs::path path = fs::weakly_canonical(within / name, failure);
  if (failure || !isInside(path, within))
    return outside();
  std::string shown = (folder / name).string();
  // Links are resolved: one put there in the meantime is not followed.
  int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
  if (file < 0)
    return unopened(shown);
  struct stat status = {};
  if (fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) {
    close(file);
    return inputError(S_ISDIR(status.st_mode)
                          ? fmt::format("{}: is a directory, not a {}", shown, use.name)
                          : fmt::format("{}: is no regular file, so not a {}", shown, use.name));
  }
  return readOpen(file, shown, use);
}

namespace {

Error unwritten(const std::string &path, int code) {
  std::string message = fmt::format("{}: cannot be written: {}", path, std::strerror(code));
  bool full = code == ENOSPC || code == EIO || code == EDQUOT || code == EROFS;
  return full ? machineError(std::move(message)) : inputError(std::move(message));
}

/// What went wrong, or 0. Closes the file.
int writeAll(int file, const std::function<bool(std::FILE *)> &write) {
  std::FILE *stream = fdopen(file, "wb");
  if (!stream)
    return errno;
  errno = 0;
  bool written = write(stream) && std::ferror(stream) == 0;
  int code = errno ? errno : EIO;
  if (std::fclose(stream) != 0 && written)
    return errno;
  return written ? 0 : code;
}

} // namespace

Result<void> writeWhole(const std::string &path, const std::function<bool(std::FILE *)> &write) {
  struct stat status = {};
  bool isThere = stat(path.c_str(), &status) == 0;
  if (isThere && !S_ISREG(status.st_mode)) {
    int file = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    int code = file < 0 ? errno : writeAll(file, write);
    return code ? Result<void>(unwritten(path, code)) : Result<void>();
  }
  // Through a link, the file it leads to.
  std::error_code ignored;
  std::string target = isThere ? std::filesystem::canonical(path, ignored).string() : path;
  std::string beside = target + ".XXXXXX";
  int file = mkostemp(beside.data(), O_CLOEXEC);
  if (file < 0)
    return unwritten(path, errno);
  mode_t mask = umask(0);
  umask(mask);
  int code = fchmod(file, isThere ? status.st_mode & 07777 : 0666 & ~mask) != 0 ? errno : 0;
  int wrote = writeAll(file, write);
  code = code ? code : wrote;
  if (!code && rename(beside.c_str(), target.c_str()) != 0)
    code = errno;
  if (!code)
    return {};
  unlink(beside.c_str());
  return unwritten(path, code);
}

Result<void> writeNew(const std::string &path, std::string_view contents) {
  int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (file < 0)
    return errno == EEXIST
               ? inputError(fmt::format("{}: is there already, and is not written over", path))
               : Error(machineError(
                     fmt::format("{}: cannot be written: {}", path, std::strerror(errno))));
  bool wrote = true;
  for (size_t at = 0; wrote && at < contents.size();) {
    ssize_t put = write(file, contents.data() + at, contents.size() - at);
    wrote = put >= 0 || errno == EINTR;
    at += put > 0 ? static_cast<size_t>(put) : 0;
  }
  int failure = errno;
  if (close(file) != 0 && wrote) {
    wrote = false;
    failure = errno;
  }
  if (wrote)
    return {};
  unlink(path.c_str());
  return machineError(fmt::format("{}: cannot be written: {}", path, std::strerror(failure)));
}

} // namespace sparsec
