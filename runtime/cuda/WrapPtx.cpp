#include "runtime/cuda/WrapPtx.h"

#include <cctype>
#include <charconv>
#include <fmt/format.h>
#include <map>

namespace sparsec {

namespace {

bool isWord(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '$';
}

/// The text without comments; line ends stay where they are.
std::string withoutComments(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    std::string_view two = text.substr(i, 2);
    if (!quoted && two == "//") {
      i = std::min(text.find('\n', i), text.size()) - 1;
    } else if (!quoted && two == "/*") {
      size_t end = text.find("*/", i + 2);
      i = end == std::string_view::npos ? text.size() : end + 1;
      out += ' ';
    } else {
      quoted ^= text[i] == '"';
      out += text[i];
    }
  }
  return out;
}

/// A cursor over PTX at module level.
class Scanner {
public:
  explicit Scanner(std::string_view text) : rest(text) {}

  /// The next word (".entry", "attend", "128"), punctuation character or string; empty at the end.
  std::string_view next() {
    skipSpace();
    if (rest.empty())
      return {};
    size_t length = 1;
    if (isWord(rest[0]) || rest[0] == '.' || rest[0] == '%') {
      while (length < rest.size() && isWord(rest[length]))
        ++length;
    } else if (rest[0] == '"') {
      length = std::min(rest.find('"', 1), rest.size() - 1) + 1;
    }
    return take(length);
  }
  std::string_view peek() {
    Scanner copy = *this;
    return copy.next();
  }
  std::string_view line() { return take(std::min(rest.find('\n'), rest.size())); }
  std::string_view statement() { return take(std::min(rest.find(';'), rest.size() - 1) + 1); }
  /// What stands between the opening brace just read and its partner.
  std::optional<std::string_view> block() {
    int depth = 1;
    for (size_t i = 0; i < rest.size(); ++i) {
      depth += rest[i] == '{';
      depth -= rest[i] == '}';
      if (depth == 0)
        return take(i + 1).substr(0, i);
    }
    return std::nullopt;
  }

private:
  void skipSpace() {
    while (!rest.empty() && std::isspace(static_cast<unsigned char>(rest[0])))
      rest.remove_prefix(1);
  }
  std::string_view take(size_t length) {
    std::string_view taken = rest.substr(0, length);
    rest.remove_prefix(taken.size());
    return taken;
  }
  std::string_view rest;
};

std::optional<uint64_t> number(std::string_view word) {
  uint64_t value = 0;
  auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size())
    return std::nullopt;
  return value;
}

/// A declared variable: ".align 16 .b8 tiles[4096]".
struct Variable {
  std::string name;
  std::string type; ///< ".b8"
  uint64_t align = 0;
  std::optional<uint64_t> elements; ///< of an array; none for a scalar
  bool isArray = false;
};

struct Kernel {
  std::string name;
  std::vector<Variable> parameters;
  std::optional<uint64_t> threads, minBlocks, maxRegisters;
  std::string_view body;
};

/// A table in global memory: ".global .align 4 .b8 ends[8] = {5, 0, 0, 0, 9, 0, 0, 0};"
struct Table {
  Variable variable;
  std::string entries; ///< with their braces
};

struct Module {
  std::vector<Table> tables;
  std::vector<Variable> dynamicShared;
  std::vector<std::string> staticShared; ///< declarations, verbatim
  std::vector<Kernel> kernels;
};

Error refuse(std::string reason) {
  return inputError("this PTX cannot be wrapped for NVRTC: " + std::move(reason));
}

/// Reads up to the name and its extent; what follows (",", ")", ";", "=") is left.
Result<Variable> readVariable(Scanner &scanner) {
  Variable variable;
  while (true) {
    std::string_view word = scanner.next();
    if (word == ".align") {
      variable.align = number(scanner.next()).value_or(0);
    } else if (word == ".ptr" || word == ".global" || word == ".shared" || word == ".const") {
      continue; // what a pointer parameter points at: advice only
    } else if (!word.empty() && word[0] == '.') {
      variable.type = word;
    } else if (!word.empty() && (isWord(word[0]) || word[0] == '%')) {
      variable.name = word;
      break;
    } else {
      return refuse(fmt::format("expected a declaration, found '{}'", word));
    }
  }
  if (scanner.peek() == "[") {
    scanner.next();
    variable.isArray = true;
    if (scanner.peek() != "]")
      variable.elements = number(scanner.next());
    if (scanner.next() != "]")
      return refuse(fmt::format("the extent of '{}' is not a number", variable.name));
  }
  return variable;
}

Result<void> readParameters(Scanner &scanner, Kernel &kernel) {
  while (true) {
    std::string_view word = scanner.next();
    if (word == ")")
      return {};
    if (word == ",")
      continue;
    if (word != ".param")
      return refuse(fmt::format("expected .param, found '{}'", word));
    Result<Variable> parameter = readVariable(scanner);
    if (!parameter)
      return parameter.error();
    kernel.parameters.push_back(std::move(*parameter));
  }
}

/// "128, 1, 1" as 128.
Result<uint64_t> readProduct(Scanner &scanner, std::string_view directive) {
  uint64_t product = 1;
  while (true) {
    std::optional<uint64_t> factor = number(scanner.next());
    if (!factor)
      return refuse(fmt::format("{} without a number", directive));
    product *= *factor;
    if (scanner.peek() != ",")
      return product;
    scanner.next();
  }
}

Result<void> readDirectives(Scanner &scanner, Kernel &kernel) {
  while (true) {
    std::string_view word = scanner.next();
    if (word == "{")
      return {};
    std::optional<uint64_t> *limit = word == ".maxntid" || word == ".reqntid" ? &kernel.threads
                                     : word == ".minnctapersm"                ? &kernel.minBlocks
                                     : word == ".maxnreg"                     ? &kernel.maxRegisters
                                                                              : nullptr;
    if (!limit)
      return refuse(fmt::format("{} has the directive '{}'", kernel.name, word));
    Result<uint64_t> value = readProduct(scanner, word);
    if (!value)
      return value.error();
    *limit = *value;
  }
}

Result<Kernel> readKernel(Scanner &scanner) {
  Kernel kernel;
  kernel.name = scanner.next();
  if (scanner.peek() == "(") {
    scanner.next();
    if (Result<void> read = readParameters(scanner, kernel); !read)
      return read.error();
  }
  if (Result<void> read = readDirectives(scanner, kernel); !read)
    return read.error();
  std::optional<std::string_view> body = scanner.block();
  if (!body)
    return refuse(fmt::format("the body of {} has no end", kernel.name));
  kernel.body = *body;
  if (kernel.maxRegisters && (kernel.threads || kernel.minBlocks))
    return refuse(kernel.name + " has both .maxnreg and a number of threads");
  return kernel;
}

Result<void> readShared(Scanner &scanner, Module &module, std::string_view linkage) {
  Scanner start = scanner;
  Result<Variable> variable = readVariable(scanner);
  if (!variable)
    return variable.error();
  if (variable->isArray && !variable->elements) {
    scanner.statement();
    module.dynamicShared.push_back(std::move(*variable));
    return {};
  }
  if (linkage == ".extern")
    return refuse(fmt::format("'{}' is defined elsewhere", variable->name));
  module.staticShared.push_back(".shared" + std::string(start.statement()));
  scanner.statement();
  return {};
}

/// A constant array with its values; anything else in global memory has no place in a kernel's
/// text.
Result<void> readTable(Scanner &scanner, Module &module) {
  Result<Variable> variable = readVariable(scanner);
  if (!variable)
    return variable.error();
  bool isTable =
      variable->isArray && variable->elements && scanner.next() == "=" && scanner.next() == "{";
  std::optional<std::string_view> entries = isTable ? scanner.block() : std::nullopt;
  if (!entries || scanner.next() != ";")
    return refuse("it has '.global' at module level");
  module.tables.push_back({std::move(*variable), fmt::format("{{{}}}", *entries)});
  return {};
}

Result<Module> readModule(std::string_view text) {
  Module module;
  Scanner scanner(text);
  std::string_view linkage;
  for (std::string_view word = scanner.next(); !word.empty(); word = scanner.next()) {
    if (word == ".version" || word == ".target" || word == ".address_size" || word == ".file") {
      scanner.line();
    } else if (word == ".section") { // debug information
      scanner.next();
      if (scanner.next() != "{" || !scanner.block())
        return refuse("a .section that has no end");
    } else if (word == ".visible" || word == ".extern" || word == ".weak") {
      linkage = word;
      continue;
    } else if (word == ".shared") {
      if (Result<void> read = readShared(scanner, module, linkage); !read)
        return read.error();
    } else if (word == ".global" && linkage.empty()) {
      if (Result<void> read = readTable(scanner, module); !read)
        return read.error();
    } else if (word == ".entry") {
      Result<Kernel> kernel = readKernel(scanner);
      if (!kernel)
        return kernel.error();
      module.kernels.push_back(std::move(*kernel));
    } else {
      return refuse(fmt::format("it has '{}' at module level", word));
    }
    linkage = {};
  }
  if (module.kernels.empty())
    return refuse("it has no kernel");
  return module;
}

/// A body's text with whole words renamed. A word after a dot is part of an opcode.
std::string renamed(std::string_view text, const std::map<std::string, std::string> &names) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    size_t end = i;
    while (end < text.size() && isWord(text[end]))
      ++end;
    if (end == i) {
      out += text[i++];
      continue;
    }
    auto found = names.end();
    if (i == 0 || (text[i - 1] != '.' && text[i - 1] != '%'))
      found = names.find(std::string(text.substr(i, end - i)));
    out += found == names.end() ? text.substr(i, end - i) : std::string_view(found->second);
    i = end;
  }
  return out;
}

/// One string literal a line, as inline assembly wants it. Debug lines are left out.
std::string asLiterals(std::string_view body) {
  std::string out;
  while (!body.empty()) {
    size_t end = std::min(body.find('\n'), body.size());
    std::string_view line = body.substr(0, end);
    body.remove_prefix(std::min(end + 1, body.size()));
    line.remove_prefix(std::min(line.find_first_not_of(" \t\r"), line.size()));
    if (line.empty() || line.substr(0, 5) == ".loc " || line.substr(0, 5) == ".loc\t")
      continue;
    out += "    \"";
    for (char c : line) {
      if (c == '"' || c == '\\')
        out += '\\';
      if (c == '%')
        out += '%';
      if (c != '\r')
        out += c;
    }
    out += "\\n\"\n";
  }
  return out;
}

/// The C++ type of a PTX type, and its bytes; null of others.
std::pair<const char *, int> cudaType(const std::string &type) {
  static const std::map<std::string, std::pair<const char *, int>> types = {
      {".u8", {"unsigned char", 1}}, {".s8", {"signed char", 1}},
      {".b8", {"unsigned char", 1}}, {".u16", {"unsigned short", 2}},
      {".s16", {"short", 2}},        {".b16", {"unsigned short", 2}},
      {".u32", {"unsigned int", 4}}, {".s32", {"int", 4}},
      {".b32", {"unsigned int", 4}}, {".u64", {"unsigned long long", 8}},
      {".s64", {"long long", 8}},    {".b64", {"unsigned long long", 8}},
      {".f32", {"float", 4}},        {".f64", {"double", 8}},
  };
  auto found = types.find(type);
  return found == types.end() ? std::pair<const char *, int>(nullptr, 0) : found->second;
}

/// The C++ type of a parameter; arrays become structs of that size and alignment.
Result<std::string> parameterType(const Variable &parameter, const std::string &structName,
                                  std::string &declarations) {
  auto [type, bytes] = cudaType(parameter.type);
  if (!type)
    return refuse(fmt::format("parameter '{}' is of type {}", parameter.name, parameter.type));
  if (!parameter.isArray)
    return std::string(type);
  if (!parameter.elements)
    return refuse(fmt::format("parameter '{}' has no size", parameter.name));
  declarations += fmt::format("struct __align__({}) {} {{ unsigned char bytes[{}]; }};\n",
                              parameter.align ? parameter.align : bytes, structName,
                              *parameter.elements * bytes);
  return structName;
}

Result<std::string> wrapKernel(const Module &module, const Kernel &kernel) {
  std::map<std::string, std::string> names;
  std::string declarations, parameters;
  for (size_t i = 0; i < kernel.parameters.size(); ++i) {
    Result<std::string> type = parameterType(
        kernel.parameters[i], fmt::format("{}_argument_{}", kernel.name, i), declarations);
    if (!type)
      return type.error();
    std::string name = fmt::format("{}_param_{}", kernel.name, i);
    names[kernel.parameters[i].name] = name;
    parameters += fmt::format("{}const __grid_constant__ {} {}", i ? ", " : "", *type, name);
  }
  std::string bounds, body, operands;
  if (kernel.threads)
    bounds = kernel.minBlocks
                 ? fmt::format("__launch_bounds__({}, {}) ", *kernel.threads, *kernel.minBlocks)
                 : fmt::format("__launch_bounds__({}) ", *kernel.threads);
  else if (kernel.minBlocks)
    return refuse(kernel.name + " has .minnctapersm and no number of threads");
  if (kernel.maxRegisters)
    bounds = fmt::format("__maxnreg__({}) ", *kernel.maxRegisters);
  for (const std::string &declaration : module.staticShared)
    body += declaration + "\n";
  body += renamed(kernel.body, names);
  // Without operands the text would be taken as it is, doubled signs and all.
  operands = "\"r\"(0)";
  for (const Variable &variable : module.dynamicShared)
    operands += fmt::format(", \"r\"((unsigned)__cvta_generic_to_shared({}))", variable.name);
  return fmt::format("{}extern \"C\" __global__ void {}{}({}) {{\n  asm volatile(\"{{\\n\"\n{}"
                     "    \"}}\\n\" :: {});\n}}\n",
                     declarations, bounds, kernel.name, parameters, asLiterals(body), operands);
}

} // namespace

Result<std::string> wrapPtx(const std::string &ptx) {
  std::string text = withoutComments(ptx);
  Result<Module> module = readModule(text);
  if (!module)
    return module.error();
  std::string out;
  for (const Variable &variable : module->dynamicShared)
    out += fmt::format("extern __shared__ __align__({}) unsigned char {}[];\n",
                       variable.align ? variable.align : 16, variable.name);
  // Under their own names, so that the kernels' text finds them.
  for (const auto &[table, entries] : module->tables) {
    auto [type, bytes] = cudaType(table.type);
    if (!type)
      return refuse(fmt::format("table '{}' is of type {}", table.name, table.type));
    out +=
        fmt::format("extern \"C\" {{ __device__ __align__({}) {} {}[{}] = {}; }}\n",
                    table.align ? table.align : bytes, type, table.name, *table.elements, entries);
  }
  for (const Kernel &kernel : module->kernels) {
    Result<std::string> wrapped = wrapKernel(*module, kernel);
    if (!wrapped)
      return wrapped.error();
    out += *wrapped;
  }
  return out;
}

} // namespace sparsec
