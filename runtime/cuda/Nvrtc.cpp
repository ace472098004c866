// NVRTC as an assembler in the process.
#include "runtime/cuda/Assemble.h"
#include "runtime/cuda/Library.h"
#include "runtime/cuda/WrapPtx.h"

#include <array>
#include <fmt/format.h>

namespace sparsec {

namespace {

/// The functions of nvrtc.h that are needed, declared here: no CUDA header is.
struct NvrtcFunctions {
  using Program = struct NvrtcProgram *;
  int (*version)(int *major, int *minor);
  const char *(*errorName)(int error);
  int (*create)(Program *, const char *source, const char *name, int headers,
                const char *const *headerTexts, const char *const *headerNames);
  int (*destroy)(Program *);
  int (*compile)(Program, int options, const char *const *optionTexts);
  int (*logSize)(Program, size_t *);
  int (*log)(Program, char *);
  int (*cubinSize)(Program, size_t *);
  int (*cubin)(Program, char *);

  bool bind(const Library &library) {
    return library.bind(version, "nvrtcVersion") &&
           library.bind(errorName, "nvrtcGetErrorString") &&
           library.bind(create, "nvrtcCreateProgram") &&
           library.bind(destroy, "nvrtcDestroyProgram") &&
           library.bind(compile, "nvrtcCompileProgram") &&
           library.bind(logSize, "nvrtcGetProgramLogSize") &&
           library.bind(log, "nvrtcGetProgramLog") &&
           library.bind(cubinSize, "nvrtcGetCUBINSize") && library.bind(cubin, "nvrtcGetCUBIN");
  }
};

/// Destroyed with its scope.
class Program {
public:
  Program(const NvrtcFunctions &nvrtc, const std::string &source) : nvrtc(nvrtc) {
    status = nvrtc.create(&program, source.c_str(), "kernel.cu", 0, nullptr, nullptr);
  }
  ~Program() {
    if (program)
      nvrtc.destroy(&program);
  }
  Program(const Program &) = delete;
  Program &operator=(const Program &) = delete;

  bool compile(std::span<const char *const> options) {
    if (status == 0)
      status = nvrtc.compile(program, static_cast<int>(options.size()), options.data());
    return status == 0;
  }
  std::string log() const { return text(nvrtc.logSize, nvrtc.log); }
  std::string cubin() const { return text(nvrtc.cubinSize, nvrtc.cubin); }
  const char *errorName() const { return nvrtc.errorName(status); }

private:
  std::string text(int (*size)(NvrtcFunctions::Program, size_t *),
                   int (*get)(NvrtcFunctions::Program, char *)) const {
    size_t bytes = 0;
    if (!program || size(program, &bytes) != 0)
      return {};
    std::string out(bytes, '\0');
    return get(program, out.data()) == 0 ? out : std::string();
  }
  const NvrtcFunctions &nvrtc;
  NvrtcFunctions::Program program = nullptr;
  int status = 0;
};

std::vector<std::string> linesOf(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    size_t end = std::min(text.find('\n'), text.size());
    if (end > 0 && text[0] != '\0')
      lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

class Nvrtc final : public Assembler {
public:
  Nvrtc(Library library, NvrtcFunctions functions, std::string number, std::string file)
      : library(std::move(library)), nvrtc(functions), number(std::move(number)),
        file(std::move(file)) {}
  std::string_view name() const override { return "nvrtc"; }
  std::string_view version() const override { return number; }
  std::string_view path() const override { return file; }

  Result<Cubin> assemble(const std::string &ptx, const std::string &arch) const override {
    Result<std::string> source = wrapPtx(ptx);
    if (!source)
      return source.error();
    std::string archOption = "--gpu-architecture=" + arch;
    std::array<const char *, 3> options = {archOption.c_str(), "--ptxas-options=-v", "--std=c++17"};
    Program program(nvrtc, *source);
    if (!program.compile(options)) {
      Error error = internalError(
          fmt::format("NVRTC refuses the wrapped PTX for {}: {}", arch, program.errorName()));
      error.notes = linesOf(program.log());
      return error;
    }
    Cubin cubin;
    cubin.image = program.cubin();
    cubin.log = program.log();
    while (!cubin.log.empty() && cubin.log.back() == '\0')
      cubin.log.pop_back();
    cubin.report = parseAssemblerLog(cubin.log);
    cubin.assembler = name();
    return cubin;
  }

private:
  Library library;
  NvrtcFunctions nvrtc;
  std::string number, file;
};

std::vector<std::string> candidates(const AssemblerSearch &search) {
  if (!search.nvrtc.empty())
    return {search.nvrtc}; // asked for by name: nothing else will do
  std::vector<std::string> folders = {""};
  std::vector<std::string> roots = {"/usr/local/cuda"};
  if (!search.cudaHome.empty())
    roots.insert(roots.begin(), search.cudaHome);
  for (const std::string &root : roots)
    for (const char *folder : {"/lib64/", "/lib/", "/targets/x86_64-linux/lib/"})
      folders.push_back(root + folder);
  std::vector<std::string> files;
  for (const std::string &folder : folders)
    for (const char *name : {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"})
      files.push_back(folder + name);
  return files;
}

} // namespace

Result<std::unique_ptr<Assembler>> openNvrtc(const AssemblerSearch &search) {
  if (search.nvrtc == "none")
    return machineError("turned off by $SPARSEC_NVRTC");
  Result<Library> library = Library::open(candidates(search));
  if (!library)
    return machineError(search.nvrtc.empty()
                            ? "libnvrtc.so was not found by the loader or under $CUDA_HOME or "
                              "/usr/local/cuda"
                            : fmt::format("$SPARSEC_NVRTC cannot be opened: {}", search.nvrtc));
  NvrtcFunctions functions = {};
  int major = 0, minor = 0;
  if (!functions.bind(*library) || functions.version(&major, &minor) != 0)
    return machineError("a libnvrtc.so was found that is older than CUDA 11.1");
  std::string file = library->path("nvrtcVersion");
  return std::unique_ptr<Assembler>(std::make_unique<Nvrtc>(
      std::move(*library), functions, fmt::format("{}.{}", major, minor), std::move(file)));
}

} // namespace sparsec
