// ptxas as a subprocess.
#include "runtime/cuda/Assemble.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ; // what a child inherits

namespace sparsec {

namespace {

/// A private file that has no name and goes with its last descriptor.
class MemoryFile {
public:
  MemoryFile() : descriptor(memfd_create("sparsec", MFD_CLOEXEC)) {}
  ~MemoryFile() {
    if (descriptor >= 0)
      close(descriptor);
  }
  MemoryFile(const MemoryFile &) = delete;
  MemoryFile &operator=(const MemoryFile &) = delete;

  bool write(std::string_view bytes) const {
    while (!bytes.empty()) {
      ssize_t count = ::write(descriptor, bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR)
        continue;
      if (count <= 0)
        return false;
      bytes.remove_prefix(count);
    }
    return descriptor >= 0 && lseek(descriptor, 0, SEEK_SET) == 0;
  }
  std::string read() const {
    std::string bytes;
    std::array<char, 65536> buffer;
    off_t at = 0;
    while (true) {
      ssize_t count = pread(descriptor, buffer.data(), buffer.size(), at);
      if (count < 0 && errno == EINTR)
        continue;
      if (count <= 0)
        return bytes;
      bytes.append(buffer.data(), count);
      at += count;
    }
  }
  int descriptor;
};

struct Finished {
  int status = 0; ///< as waitpid gives it
  std::string said;
};

/// Runs a program whose descriptors 3 and 4 are the input and the output file.
Result<Finished> runProgram(const std::string &program, std::vector<std::string> arguments,
                            const MemoryFile &input, const MemoryFile &output) {
  MemoryFile log;
  // Duplicates above the fixed numbers, so that no dup2 below overwrites a source of another.
  std::array<int, 3> sources = {log.descriptor, input.descriptor, output.descriptor};
  for (int &source : sources)
    source = fcntl(source, F_DUPFD_CLOEXEC, 10);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, sources[0], 1);
  posix_spawn_file_actions_adddup2(&actions, sources[0], 2);
  posix_spawn_file_actions_adddup2(&actions, sources[1], 3);
  posix_spawn_file_actions_adddup2(&actions, sources[2], 4);
  std::vector<char *> argv = {const_cast<char *>(program.c_str())};
  for (std::string &argument : arguments)
    argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t child = 0;
  int failed = posix_spawn(&child, program.c_str(), &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  for (int source : sources)
    close(source);
  if (failed)
    return machineError(fmt::format("{} cannot be run: {}", program, std::strerror(failed)));
  Finished finished;
  while (waitpid(child, &finished.status, 0) < 0) {
    if (errno != EINTR)
      return machineError(fmt::format("{} was lost: {}", program, std::strerror(errno)));
  }
  finished.said = log.read();
  return finished;
}

std::vector<std::string> linesOf(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    size_t end = std::min(text.find('\n'), text.size());
    if (end > 0)
      lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

class Ptxas final : public Assembler {
public:
  Ptxas(std::string program, std::string number)
      : program(std::move(program)), number(std::move(number)) {}
  std::string_view name() const override { return "ptxas"; }
  std::string_view version() const override { return number; }
  std::string_view path() const override { return program; }

  Result<Cubin> assemble(const std::string &ptx, const std::string &arch) const override {
    MemoryFile input, output;
    if (!input.write(ptx))
      return machineError("no memory for the input of ptxas");
    Result<Finished> finished =
        runProgram(program, {"-arch=" + arch, "-v", "-o", "/proc/self/fd/4", "/proc/self/fd/3"},
                   input, output);
    if (!finished)
      return finished.error();
    if (!WIFEXITED(finished->status) || WEXITSTATUS(finished->status) != 0) {
      bool killed = WIFSIGNALED(finished->status);
      Error error = internalError(
          killed ? fmt::format("ptxas was killed by signal {}", WTERMSIG(finished->status))
                 : fmt::format("ptxas refuses the PTX for {}", arch));
      error.notes = linesOf(finished->said);
      return error;
    }
    Cubin cubin;
    cubin.image = output.read();
    cubin.report = parseAssemblerLog(finished->said);
    cubin.log = std::move(finished->said);
    cubin.assembler = name();
    return cubin;
  }

private:
  std::string program, number;
};

std::vector<std::string> candidates(const AssemblerSearch &search) {
  if (!search.ptxas.empty())
    return {search.ptxas}; // asked for by name: nothing else will do
  std::vector<std::string> programs;
  if (!search.cudaHome.empty())
    programs.push_back(search.cudaHome + "/bin/ptxas");
  programs.push_back("/usr/local/cuda/bin/ptxas");
  std::string_view rest = search.path;
  while (!rest.empty()) {
    size_t end = std::min(rest.find(':'), rest.size());
    if (end > 0)
      programs.push_back(std::string(rest.substr(0, end)) + "/ptxas");
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return programs;
}

} // namespace

Result<std::unique_ptr<Assembler>> openPtxas(const AssemblerSearch &search) {
  if (search.ptxas == "none")
    return machineError("turned off by $SPARSEC_PTXAS");
  for (const std::string &program : candidates(search)) {
    if (access(program.c_str(), X_OK) != 0)
      continue;
    MemoryFile input, output;
    Result<Finished> finished = runProgram(program, {"--version"}, input, output);
    if (!finished)
      return finished.error();
    // "Cuda compilation tools, release 13.0, V13.0.88"
    size_t at = finished->said.find(", V");
    if (!WIFEXITED(finished->status) || WEXITSTATUS(finished->status) != 0 ||
        at == std::string::npos)
      return machineError(fmt::format("{} --version does not answer as ptxas does", program));
    std::string number = finished->said.substr(at + 3);
    number = number.substr(0, number.find_first_not_of("0123456789."));
    return std::unique_ptr<Assembler>(std::make_unique<Ptxas>(program, number));
  }
  return machineError(search.ptxas.empty()
                          ? "not found in $CUDA_HOME/bin, /usr/local/cuda/bin or $PATH"
                          : fmt::format("$SPARSEC_PTXAS is not a program: {}", search.ptxas));
}

} // namespace sparsec
