#include "kernel/Kernel.h"

#include <fmt/core.h>

#include <charconv>

namespace sparsec {
namespace {

/// Takes "KEY VALUE" lines off a text, in order.
class Lines {
public:
  explicit Lines(std::string_view text) : rest(text) {}

  bool atEnd() const { return rest.empty(); }
  std::string_view line() const { return rest.substr(0, rest.find('\n')); }
  bool nextIs(std::string_view key) const { return line().starts_with(std::string(key) + " "); }
  /// The value of the next line, which must have this key.
  std::string take(std::string_view key) {
    std::string_view now = line();
    if (!nextIs(key)) {
      if (!wrong)
        wrong = inputError(fmt::format("expected '{} ...', found '{}'", key, now));
      return "";
    }
    rest.remove_prefix(std::min(rest.size(), now.size() + 1));
    return std::string(now.substr(key.size() + 1));
  }
  template <class T>
  T number(std::string_view key) {
    std::string text = take(key);
    T value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if ((error != std::errc() || end != text.data() + text.size() || value < 0) && !wrong)
      wrong = inputError(fmt::format("{}: expected a number, found '{}'", key, text));
    return value;
  }

  std::optional<Error> wrong;

private:
  std::string_view rest;
};

Result<Block> parseBlock(const std::string &text) {
  Block block;
  if (std::sscanf(text.c_str(), "%dx%d", &block.q, &block.k) != 2 ||
      fmt::format("{}x{}", block.q, block.k) != text)
    return inputError(fmt::format("expected a block, found '{}'", text));
  return block;
}

/// Keeps the first error.
template <class T>
void keep(Result<T> parsed, T &value, std::optional<Error> &wrong) {
  if (parsed)
    value = std::move(*parsed);
  else if (!wrong)
    wrong = parsed.error();
}

} // namespace

std::string print(const Kernel &kernel) {
  std::string text =
      fmt::format("kernel {}\noperation {}\ntarget {}\ngrid {}\nblock {}x{}\n"
                  "threads {}\nshared_bytes {}\nscratch_bytes {}\namx {}\n",
                  kernel.entry, kernel.operation, print(kernel.target), print(kernel.grid),
                  kernel.block.q, kernel.block.k, kernel.threads, kernel.sharedBytes,
                  kernel.scratchBytes, kernel.usesAmx ? "yes" : "no");
  std::string fields = print(kernel.signature);
  for (size_t begin = 0; begin < fields.size();) {
    size_t end = fields.find('\n', begin) + 1;
    text += "takes " + fields.substr(begin, end - begin);
    begin = end;
  }
  return text;
}

Result<Kernel> parseKernel(const std::string &text) {
  Lines lines(text);
  Kernel kernel;
  kernel.entry = lines.take("kernel");
  kernel.operation = lines.take("operation");
  keep(parseTarget(lines.take("target")), kernel.target, lines.wrong);
  keep(parseGrid(lines.take("grid")), kernel.grid, lines.wrong);
  keep(parseBlock(lines.take("block")), kernel.block, lines.wrong);
  kernel.threads = lines.number<int>("threads");
  kernel.sharedBytes = lines.number<int>("shared_bytes");
  kernel.scratchBytes = lines.number<int64_t>("scratch_bytes");
  std::string amx = lines.take("amx");
  kernel.usesAmx = amx == "yes";
  if (!kernel.usesAmx && amx != "no" && !lines.wrong)
    lines.wrong = inputError(fmt::format("amx: expected yes or no, found '{}'", amx));
  std::string fields;
  while (!lines.wrong && lines.nextIs("takes"))
    fields += lines.take("takes") + "\n";
  keep(parseSignature(fields), kernel.signature, lines.wrong);
  if (!lines.wrong && !lines.atEnd())
    lines.wrong = inputError(fmt::format("expected 'takes ...', found '{}'", lines.line()));
  if (lines.wrong)
    return *lines.wrong;
  return kernel;
}

//===-- Bytes ---------------------------------------------------------------------------------===//

static constexpr std::string_view kMagic = "sparsec kernel 1\n";

std::string toBytes(const Kernel &kernel) {
  std::string text = print(kernel);
  return fmt::format("{}{} {} {}\n", kMagic, text.size(), kernel.code.size(),
                     kernel.object.size()) +
         text + kernel.code + kernel.object;
}

Result<Kernel> kernelFromBytes(std::string_view bytes) {
  Error cut = inputError("expected a stored kernel, found other bytes");
  if (!bytes.starts_with(kMagic))
    return cut;
  bytes.remove_prefix(kMagic.size());
  size_t sizes[3] = {};
  for (size_t &size : sizes) {
    auto [end, error] = std::from_chars(bytes.data(), bytes.data() + bytes.size(), size);
    if (error != std::errc() || end == bytes.data() + bytes.size())
      return cut;
    bytes.remove_prefix(static_cast<size_t>(end - bytes.data()) + 1);
  }
  size_t rest = bytes.size();
  for (size_t size : sizes) {
    if (size > rest)
      return cut;
    rest -= size;
  }
  if (rest != 0)
    return cut;
  Result<Kernel> kernel = parseKernel(std::string(bytes.substr(0, sizes[0])));
  if (!kernel)
    return kernel;
  kernel->code = bytes.substr(sizes[0], sizes[1]);
  kernel->object = bytes.substr(sizes[0] + sizes[1]);
  return kernel;
}

} // namespace sparsec
