// PTX becomes a cubin (machine code for one kind of GPU), and what the assembler had to say about
// it. No GPU is needed, and no CUDA to build this: both assemblers are looked for when asked.
//
//   nvrtc   the PTX body, wrapped as inline assembly in a CUDA C++ kernel (WrapPtx.h), compiled in
//           the process. Takes what WrapPtx takes: kernels without functions or global variables.
//   ptxas   NVIDIA's assembler as a subprocess. Takes everything. Input and output are anonymous
//           files in memory, so nothing is left behind whatever happens.
//
// Where there is neither, the list of assemblers is empty and says why: nobody fails for that.
#pragma once

#include "patterns/Error.h"

namespace sparsec {

/// What the assembler reported, over all kernels of one PTX text: registers, stack and shared
/// memory are those of the neediest kernel, spills are sums.
struct AssembleReport {
  int registers = 0;                 ///< per thread
  int stack = 0;                     ///< bytes of local memory per thread
  int spillStores = 0;               ///< bytes
  int spillLoads = 0;                ///< bytes
  int shared = 0;                    ///< bytes of static shared memory
  std::vector<std::string> warnings; ///< lines that the assembler calls warnings
  /// Lines numbered C75xx, which it calls "info" and which say that the kernel is not the one
  /// asked for: wgmma serialised, a wait injected, setmaxnreg ignored.
  std::vector<std::string> concerns;
};
/// Reads the log of `ptxas -v` (NVRTC prints the same).
AssembleReport parseAssemblerLog(std::string_view log);

struct Cubin {
  std::string image; ///< an ELF file
  AssembleReport report;
  std::string log;
  std::string assembler; ///< Assembler::name
};

class Assembler {
public:
  virtual ~Assembler() = default;
  virtual std::string_view name() const = 0;    ///< "nvrtc", "ptxas"
  virtual std::string_view version() const = 0; ///< "13.0", "13.0.88"
  virtual std::string_view path() const = 0;    ///< the library or program that was found
  /// arch: "sm_80", "sm_90a". An Error carries the assembler's log as notes.
  virtual Result<Cubin> assemble(const std::string &ptx, const std::string &arch) const = 0;
};

/// Where to look. Empty fields are not looked at.
struct AssemblerSearch {
  std::string nvrtc{};    ///< $SPARSEC_NVRTC: the library; "none" turns NVRTC off
  std::string ptxas{};    ///< $SPARSEC_PTXAS: the program; "none" turns ptxas off
  std::string cudaHome{}; ///< $CUDA_HOME, then $CUDA_PATH
  std::string path{};     ///< $PATH

  static AssemblerSearch fromEnvironment();
};

Result<std::unique_ptr<Assembler>> openNvrtc(const AssemblerSearch &search);
Result<std::unique_ptr<Assembler>> openPtxas(const AssemblerSearch &search);

/// What this machine has, preferred first, and a line for each that it has not.
struct Assemblers {
  std::vector<std::unique_ptr<Assembler>> found;
  std::vector<std::string> missing;

  static Assemblers open(const AssemblerSearch &search);
  /// By the first that takes this PTX. Machine error where there is none at all.
  Result<Cubin> assemble(const std::string &ptx, const std::string &arch) const;
};

} // namespace sparsec
