#include "tools/sparsec/ArgumentStructs.h"

#include "tools/sparsec/Names.h"

#include <fmt/core.h>

namespace sparsec::cli {
namespace {

std::string declaration(const Field &field) {
  std::string array = field.count > 1 ? fmt::format("[{}]", field.count) : "";
  switch (field.type) {
  case FieldType::Pointer:
    return fmt::format("{}void *{}", field.written ? "" : "const ", field.name);
  case FieldType::I64:
    return fmt::format("int64_t {}{}", field.name, array);
  case FieldType::I32:
    return fmt::format("int32_t {}{}", field.name, array);
  case FieldType::F32:
    return fmt::format("float {}{}", field.name, array);
  case FieldType::TensorMap:
    return fmt::format("SPARSEC_ALIGNED(64) unsigned char {}[{}]", field.name,
                       field.count * bytes(field.type));
  }
  return "";
}

} // namespace

ArgumentStructs::ArgumentStructs(const std::vector<const Kernel *> &kernels) {
  for (const Kernel *kernel : kernels) {
    std::string name = kernel->entry + "_arguments";
    auto [known, fresh] = first.try_emplace(name, kernel);
    if (!fresh && known->second->signature != kernel->signature) {
      name = fmt::format("{}_{}_arguments", kernel->entry, identifier(kernel->target.name));
      first.try_emplace(name, kernel);
    }
    names[kernel] = name;
  }
}

std::string ArgumentStructs::declare(const Kernel &kernel) const {
  const std::string &name = nameOf(kernel);
  if (first.at(name) != &kernel)
    return "";
  std::string text = fmt::format("\ntypedef struct {} {{\n", name);
  for (const Field &field : kernel.signature.fields())
    text +=
        fmt::format("  {};{}\n", declaration(field), field.optional ? " /* may be null */" : "");
  text += fmt::format("}} {};\n", name);
  for (const Field &field : kernel.signature.fields())
    text +=
        fmt::format("SPARSEC_ASSERT(offsetof({}, {}) == {});\n", name, field.name, field.offset);
  return text + fmt::format("SPARSEC_ASSERT(sizeof({}) == {});\n", name, kernel.signature.bytes());
}

} // namespace sparsec::cli
