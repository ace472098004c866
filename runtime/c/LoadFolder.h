// A program from what `sparsec PATTERN -o FOLDER` wrote (docs/manifest.md): no compiler is needed.
#pragma once

#include "runtime/Program.h"

#include <functional>

namespace sparsec {

/// The contents of a file of the folder, by name.
using FileContents = std::function<Result<std::string>(const std::string &name)>;

/// The kernels of a layer for the best target that this device runs. Errors: a file that is not
/// there or not what it should be; no target for this device; orders from a table, which a folder
/// does not say.
Result<std::shared_ptr<Program>> loadProgram(const std::shared_ptr<Device> &device,
                                             const FileContents &files, int64_t layer);

/// Reads the files of a folder.
FileContents filesOfFolder(const std::string &folder);

} // namespace sparsec
