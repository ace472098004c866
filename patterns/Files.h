// Files that commands read: those that a person names, and those that a file names.
//
// A person may name anything, a pipe too. What a pattern names is not trusted (whoever runs a
// pattern may not have written it): readBeside() opens regular files inside the pattern's folder
// alone, without waiting, and reads no more than a file of its use may have.
#pragma once

#include "patterns/Error.h"

#include <cstdio>
#include <filesystem>
#include <functional>

namespace sparsec {

/// What a file is to be, and the most bytes it may have.
struct FileUse {
  std::string_view name;
  size_t most = 0;
};

using Source = std::shared_ptr<const SourceText>;

/// The whole of an open file, which it closes unless it is stdin. `name` is for messages.
Result<Source> readOpen(int file, const std::string &name, const FileUse &use);
/// Of a path that a person gave; "-" is stdin.
Result<Source> readPath(const std::string &path, const FileUse &use);
/// Of a name that a file in `folder` gives. Refused: absolute names, names that lead out of the
/// folder (by .. or by a link), what is no regular file, names with a NUL.
Result<Source> readBeside(const std::filesystem::path &folder, const std::string &name,
                          const FileUse &use);

/// Writes a file whole or not at all: beside its place, then renamed. `write` says whether it
/// could. What is no regular file (a pipe, a device) is written in place.
Result<void> writeWhole(const std::string &path, const std::function<bool(std::FILE *)> &write);
/// Writes a file that does not exist yet, whole or not at all.
Result<void> writeNew(const std::string &path, std::string_view contents);

} // namespace sparsec
