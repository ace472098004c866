// A folder that is written whole or not at all.
//
//   out/ there, ours       write .out.XXXXXX/ beside it, exchange the two, remove the old one
//   out/ not there         write .out.XXXXXX/, rename it
//   error or Ctrl-C        .out.XXXXXX/ is removed, out/ is as it was
//
// Ours: an empty folder, or one whose sparsec.json, a regular file, says that sparsec wrote it,
// what kind it is and which files are in it; every other file there is somebody's. Refused:
// anything else, and a folder that the command runs in, so that no command of sparsec deletes what
// another program or a person wrote. The folder keeps its mode. What a killed run left beside it is
// removed by the next one that writes it.
#pragma once

#include "tools/sparsec/Command.h"

namespace sparsec::cli {

class OutputFolder {
public:
  /// Checks that `path` may be replaced; nothing is written yet.
  static Result<OutputFolder> open(const std::string &path, const std::string &kind,
                                   Interrupts &interrupts);
  OutputFolder(OutputFolder &&other) noexcept;
  ~OutputFolder();

  Result<void> add(const std::string &name, std::string_view contents);
  /// Adds sparsec.json and puts the folder in place.
  Result<void> publish();

  struct File {
    std::string name;
    uint64_t bytes = 0;
  };
  const std::vector<File> &files() const { return written; }

private:
  OutputFolder(std::string shown, std::filesystem::path path, std::string kind,
               Interrupts &interrupts);
  Result<void> create();
  void removeLeftovers() const;
  Result<void> mark(const std::string &text);

  std::string shown; ///< as the user gave it
  std::filesystem::path path;
  std::string kind;
  Interrupts *interrupts = nullptr;
  std::filesystem::path temporary; ///< empty: not created
  std::vector<File> written;
};

} // namespace sparsec::cli
