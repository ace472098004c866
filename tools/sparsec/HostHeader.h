// What the C header says beyond the argument struct, for programs that link kernels of the cpu
// target: the tile functions, their scratch, and the numbers of the pattern that a launch needs.
#pragma once

#include "tools/sparsec/Manifest.h"

namespace sparsec::cli {

/// Writes constants, no two of one name.
class Defines {
public:
  struct Constant {
    std::string name, value;
    Constant(std::string name, std::string value)
        : name(std::move(name)), value(std::move(value)) {}
    Constant(std::string name, int64_t number)
        : Constant(std::move(name), std::to_string(number)) {}
  };
  /// "#define PREFIX_NAME value" for each, under another prefix where one of the names is taken.
  std::string write(const std::string &prefix, const std::vector<Constant> &constants);

private:
  Names names;
};

/// The declaration of a kernel of the cpu target, its blocks and its scratch.
std::string hostDeclaration(const BuiltKernel &each, const std::string &argumentStruct,
                            Defines &defines);

/// Which heads of the model use which entry, layer by layer; dims.
std::string patternConstants(const Build &build, Defines &defines);

/// In how many parts each head is computed, in each pass and on each target.
std::string partConstants(const Plan &plan, Defines &defines);

/// The numbers of the launches of a request's kernels and the files of their arrays; 0 where there
/// is none.
std::string launchConstants(const Build &build, const BuiltLaunch &launch, Defines &defines);

/// What the names of a kernel's constants begin with: "WINDOW_RECENT_FORWARD_CPU".
std::string constantPrefix(const std::string &entry, const Target &target);

} // namespace sparsec::cli
