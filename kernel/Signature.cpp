#include "kernel/Signature.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <sstream>

namespace sparsec {
namespace {

constexpr std::array kTypes = {FieldType::TensorMap, FieldType::Pointer, FieldType::I64,
                               FieldType::I32, FieldType::F32};

/// Place among the fields: nothing leaves a gap, and 32-bit ones stay as they come.
int rank(FieldType type) {
  switch (type) {
  case FieldType::TensorMap:
    return 0;
  case FieldType::Pointer:
    return 1;
  case FieldType::I64:
    return 2;
  case FieldType::I32:
  case FieldType::F32:
    return 3;
  }
  return 0;
}

int roundedUp(int offset, int alignment) {
  return (offset + alignment - 1) / alignment * alignment;
}

} // namespace

std::string_view name(FieldType type) {
  switch (type) {
  case FieldType::Pointer:
    return "pointer";
  case FieldType::I64:
    return "i64";
  case FieldType::I32:
    return "i32";
  case FieldType::F32:
    return "f32";
  case FieldType::TensorMap:
    return "tensor_map";
  }
  return "";
}

int bytes(FieldType type) {
  switch (type) {
  case FieldType::Pointer:
  case FieldType::I64:
    return 8;
  case FieldType::I32:
  case FieldType::F32:
    return 4;
  case FieldType::TensorMap:
    return 128;
  }
  return 0;
}

int alignment(FieldType type) {
  return type == FieldType::TensorMap ? 64 : bytes(type);
}

Signature::Signature(std::vector<Field> fields) : all(std::move(fields)) {
  std::ranges::stable_sort(all, {}, [](const Field &field) { return rank(field.type); });
  for (Field &field : all) {
    align = std::max(align, sparsec::alignment(field.type));
    field.offset = roundedUp(size, sparsec::alignment(field.type));
    size = field.offset + field.count * sparsec::bytes(field.type);
  }
  size = roundedUp(size, align);
}

const Field *Signature::find(std::string_view name) const {
  for (const Field &field : all)
    if (field.name == name)
      return &field;
  return nullptr;
}

std::string print(const Signature &signature) {
  std::string text;
  for (const Field &field : signature.fields()) {
    std::string array = field.count == 1 ? "" : fmt::format("[{}]", field.count);
    text += fmt::format("{} {}{} at {}{}{}\n", name(field.type), field.name, array, field.offset,
                        field.written ? " written" : "", field.optional ? " optional" : "");
  }
  return text;
}

static Result<Field> parseField(const std::string &line) {
  std::istringstream words(line);
  std::string type, at, flag;
  Field field;
  words >> type >> field.name >> at >> field.offset;
  auto known = std::ranges::find(kTypes, type, [](FieldType each) { return name(each); });
  bool right = words && known != kTypes.end() && at == "at";
  if (right)
    field.type = *known;
  if (size_t bracket = field.name.find('['); bracket != std::string::npos) {
    field.count = std::atoi(field.name.c_str() + bracket + 1);
    right &= field.name.ends_with(']') && field.count > 1;
    field.name.resize(bracket);
  }
  while (right && words >> flag) {
    bool &which = flag == "written" ? field.written : field.optional;
    right = (flag == "written" || flag == "optional") && !which;
    which = true;
  }
  if (!right)
    return inputError(fmt::format("expected a field of a signature, found '{}'", line));
  return field;
}

Result<Signature> parseSignature(const std::string &text) {
  std::vector<Field> fields;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    Result<Field> field = parseField(line);
    if (!field)
      return field.error();
    fields.push_back(std::move(*field));
  }
  Signature signature(fields);
  if (signature.fields() != fields)
    return inputError("expected the fields of a signature in order at their own offsets");
  return signature;
}

} // namespace sparsec
