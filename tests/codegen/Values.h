// Numbers for tile programs, in the types that memory has them in.
#pragma once

#include "runtime/Float16.h"
#include "tests/codegen/Program.h"

#include <random>

namespace sparsec::testing {

/// Values of a type, as memory has them and as numbers.
class Values {
public:
  Values(DType type, std::vector<float> numbers) : type(type), numbers(std::move(numbers)) {
    if (type != DType::F32)
      for (float &number : this->numbers) {
        bits.push_back(type == DType::BF16 ? floatToBf16(number) : floatToF16(number));
        number = asFloat(bits.back(), type);
      }
  }

  void bind(Program &program, const std::string &name, std::vector<int64_t> strides) const {
    if (type == DType::F32)
      program.tensor(name, numbers, std::move(strides));
    else
      program.tensor(name, bits, std::move(strides));
  }
  double operator[](size_t i) const { return numbers[i]; }

  static float asFloat(uint16_t bits, DType type) {
    return type == DType::BF16 ? bf16ToFloat(bits) : f16ToFloat(bits);
  }
  static std::vector<float> read(Program &program, const std::string &name, DType type) {
    if (type == DType::F32)
      return program.read<float>(name);
    std::vector<float> numbers;
    for (uint16_t each : program.read<uint16_t>(name))
      numbers.push_back(asFloat(each, type));
    return numbers;
  }

private:
  DType type;
  std::vector<float> numbers;
  std::vector<uint16_t> bits;
};

inline Values random(DType type, int64_t count, int seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> normal;
  std::vector<float> numbers(count);
  for (float &number : numbers)
    number = normal(engine);
  return Values(type, std::move(numbers));
}

inline constexpr float kUntouched = 7;

inline std::vector<float> untouched(int64_t count) {
  return std::vector<float>(count, kUntouched);
}

/// A relative error of one rounding to the type.
inline double unit(DType type) {
  return type == DType::F32 ? 0x1p-24 : type == DType::F16 ? 0x1p-11 : 0x1p-8;
}

} // namespace sparsec::testing
