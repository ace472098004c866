// A probe's kernel, its operands, and its run on a device.
#include "tests/runtime/recorder/Probes.h"

#include <bit>
#include <cmath>
#include <fmt/format.h>

namespace sparsec::testing {

namespace {

const char *registerType(Kind kind) {
  switch (kind) {
  case Kind::F32:
  case Kind::Small32:
    return ".f32";
  case Kind::F64:
    return ".f64";
  case Kind::F16:
  case Kind::BF16:
    return ".b16";
  case Kind::B64:
    return ".b64";
  case Kind::F16x2:
  case Kind::BF16x2:
  case Kind::B32:
  case Kind::Count:
  case Kind::Lane:
  case Kind::SmallF16:
  case Kind::SmallBF16:
    return ".b32";
  }
  return nullptr;
}

/// Numbers that depend on the seed alone (splitmix64).
class Random {
public:
  explicit Random(std::string_view seed) {
    for (char c : seed)
      state = (state ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  }
  uint64_t bits() {
    uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
  }
  uint64_t below(uint64_t limit) { return bits() % limit; }

private:
  uint64_t state = 0xcbf29ce484222325u;
};

const std::vector<uint64_t> &edges(Kind kind) {
  static const std::vector<uint64_t> f32 = {
      0x00000000, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000,
      0x7fc00000, 0x00000001, 0x807fffff, 0x00800000, 0x7f7fffff, 0x3f800001,
      0x40400000, 0x4effffff, 0x4f000000, 0xcf000000, 0x3effffff, 0x3f000000};
  static const std::vector<uint64_t> f64 = {0,
                                            1ull << 63,
                                            0x3ff0000000000000,
                                            0xbff0000000000000,
                                            0x7ff0000000000000,
                                            1,
                                            0xfff0000000000000,
                                            0x7ff8000000000000,
                                            0x0010000000000000,
                                            0x7fefffffffffffff,
                                            0x47efffffe0000000,
                                            0x47effffff0000000,
                                            0x36a0000000000000,
                                            0x3690000000000000,
                                            0x41dfffffffc00000};
  static const std::vector<uint64_t> f16 = {0,      0x8000, 0x3c00, 0xbc00, 0x7c00, 0xfc00,
                                            0x7e00, 0x0001, 0x83ff, 0x0400, 0x7bff, 0x3c01};
  static const std::vector<uint64_t> bf16 = {0,      0x8000, 0x3f80, 0xbf80, 0x7f80, 0xff80,
                                             0x7fc0, 0x0001, 0x807f, 0x0080, 0x7f7f, 0x3f81};
  static const std::vector<uint64_t> b32 = {0,          1,     0xffffffff, 0x80000000, 0x7fffffff,
                                            0x80000001, 31,    32,         0xff,       0x80,
                                            0x8000,     65536, 0x01000001, 0x00ffffff};
  static const std::vector<uint64_t> b64 = {0,
                                            1,
                                            ~0ull,
                                            1ull << 63,
                                            ~0ull >> 1,
                                            1ull << 32,
                                            0xffffffff,
                                            0x80000000,
                                            0xffffffff80000000,
                                            0x7fffffff,
                                            0x0100000000000001};
  static const std::vector<uint64_t> count = {0, 1, 31, 32, 33, 63, 64, 255, 256, 0xffffffff};
  static const std::vector<uint64_t> none = {};
  switch (kind) {
  case Kind::F32:
    return f32;
  case Kind::F64:
    return f64;
  case Kind::F16:
  case Kind::F16x2:
    return f16;
  case Kind::BF16:
  case Kind::BF16x2:
    return bf16;
  case Kind::B32:
    return b32;
  case Kind::B64:
    return b64;
  case Kind::Count:
    return count;
  case Kind::Lane:
  case Kind::Small32:
  case Kind::SmallF16:
  case Kind::SmallBF16:
    return none;
  }
  return none;
}

uint64_t f32Bits(double value) {
  return std::bit_cast<uint32_t>(float(value));
}

/// A whole number from -8 to 8.
double small(Random &random) {
  return double(int64_t(random.below(17)) - 8);
}
uint64_t smallBF16(Random &random) {
  return f32Bits(small(random)) >> 16;
}
uint64_t smallF16(Random &random) {
  uint64_t wide = f32Bits(small(random));
  uint64_t exponent = wide >> 23 & 255;
  return (wide >> 16 & 0x8000) | (exponent ? (exponent - 112) << 10 | (wide >> 13 & 1023) : 0);
}

uint64_t randomValue(Kind kind, Random &random) {
  double unit = double(int64_t(random.bits() >> 11) - (1ll << 52)) / double(1ll << 52);
  bool anyBits = random.below(3) == 0;
  switch (kind) {
  case Kind::F32: // any bits, or near 1 in size
    return anyBits ? uint32_t(random.bits())
                   : f32Bits(std::ldexp(unit, int(random.below(24)) - 12));
  case Kind::F64:
    return anyBits ? random.bits()
                   : std::bit_cast<uint64_t>(std::ldexp(unit, int(random.below(300)) - 150));
  case Kind::F16:
    return anyBits ? uint16_t(random.bits()) : (random.bits() & 0x8fff) | 0x3000;
  case Kind::BF16:
    return anyBits ? uint16_t(random.bits()) : (random.bits() & 0x81ff) | 0x3e00;
  case Kind::F16x2:
    return randomValue(Kind::F16, random) << 16 | randomValue(Kind::F16, random);
  case Kind::BF16x2:
    return randomValue(Kind::BF16, random) << 16 | randomValue(Kind::BF16, random);
  case Kind::B32:
    return uint32_t(random.bits()) >> random.below(32);
  case Kind::B64:
    return random.bits() >> random.below(64);
  case Kind::Count:
    return random.below(41);
  case Kind::Lane:
    return random.below(32);
  case Kind::Small32:
    return f32Bits(small(random));
  case Kind::SmallF16:
    return smallF16(random) << 16 | smallF16(random);
  case Kind::SmallBF16:
    return smallBF16(random) << 16 | smallBF16(random);
  }
  return 0;
}

uint64_t edgeValue(Kind kind, size_t index, Random &random) {
  const std::vector<uint64_t> &values = edges(kind);
  if (values.empty())
    return randomValue(kind, random);
  uint64_t value = values[index % values.size()];
  if (kind == Kind::F16x2 || kind == Kind::BF16x2)
    value |= values[random.below(values.size())] << 16;
  return value;
}

const char *loadType(Kind kind) {
  return bytes(kind) == 8 ? "b64" : bytes(kind) == 4 ? "b32" : "b16";
}

} // namespace

int bytes(Kind kind) {
  std::string_view type = registerType(kind);
  return type == ".b16" ? 2 : type == ".f64" || type == ".b64" ? 8 : 4;
}

std::string probePtx(const Probe &probe) {
  std::string declarations, loads, stores;
  for (size_t i = 0; i < probe.operands.size(); ++i) {
    Kind kind = probe.operands[i];
    declarations += fmt::format("  .reg {} %a{};\n", registerType(kind), i);
    loads +=
        fmt::format("  ld.global.{} %a{}, [%in+{}];\n", loadType(kind), i, i * probeThreads * 8);
  }
  for (size_t i = 0; i < probe.results.size(); ++i) {
    Kind kind = probe.results[i];
    declarations += fmt::format("  .reg {} %x{};\n", registerType(kind), i);
    stores +=
        fmt::format("  st.global.{} [%out+{}], %x{};\n", loadType(kind), i * probeThreads * 8, i);
  }
  return fmt::format(R"(.version 7.8
.target sm_80
.address_size 64
.visible .entry probe(.param .u64 probe_param_0, .param .u64 probe_param_1)
.maxntid {}, 1, 1
{{
  .shared .align 16 .b8 rows[{}];
{}  .reg .b64 %in, %out, %offset;
  .reg .b32 %thread, %s, %t<8>;
  .reg .pred %p<4>;
  ld.param.u64 %in, [probe_param_0];
  ld.param.u64 %out, [probe_param_1];
  cvta.to.global.u64 %in, %in;
  cvta.to.global.u64 %out, %out;
  mov.u32 %thread, %tid.x;
  mul.wide.u32 %offset, %thread, 8;
  add.s64 %in, %in, %offset;
  add.s64 %out, %out, %offset;
  mov.u32 %s, rows;
  mad.lo.u32 %s, %thread, 16, %s;
{}  {}
{}  ret;
}}
)",
                     probeThreads, probeThreads * 16, declarations, loads, probe.code, stores);
}

std::vector<uint64_t> probeOperands(const Probe &probe) {
  Random random(probe.name);
  size_t count = probe.operands.size();
  std::vector<uint64_t> slots(count * probeThreads);
  // The first half: edges crossed, the first operand turning fastest. The rest: random, with an
  // edge now and then.
  for (size_t i = 0; i < probeThreads; ++i) {
    size_t cross = i;
    for (size_t k = 0; k < count; ++k) {
      Kind kind = probe.operands[k];
      bool edge = i < probeThreads / 2 || random.below(6) == 0;
      slots[k * probeThreads + i] =
          edge ? edgeValue(kind, cross, random) : randomValue(kind, random);
      size_t values = std::max<size_t>(1, edges(kind).size());
      // Where all pairs do not fit, a step that has no common factor with the sizes.
      cross = count > 2 || values > 12 ? cross / values + i * 7 : cross / values;
    }
  }
  return slots;
}

Result<std::vector<uint64_t>> runProbe(const Probe &probe, Device &device) {
  std::vector<uint64_t> operands = probeOperands(probe);
  std::vector<uint64_t> results(probe.results.size() * probeThreads);
  auto executable = device.load(probePtx(probe), "probe");
  if (!executable)
    return executable.error();
  Result<DeviceAddress> in = device.allocate(operands.size() * 8);
  if (!in)
    return in.error();
  Result<DeviceAddress> out = device.allocate(results.size() * 8);
  if (!out) {
    (void)device.free(*in);
    return out.error();
  }
  auto run = [&]() -> Result<void> {
    if (Result<void> did = device.copyToDevice(*in, operands.data(), operands.size() * 8); !did)
      return did;
    if (Result<void> did = device.copyToDevice(*out, results.data(), results.size() * 8); !did)
      return did;
    const void *parameters[] = {&*in, &*out};
    if (Result<void> did = device.launch(**executable, {.block = {probeThreads, 1, 1}}, parameters);
        !did)
      return did;
    return device.copyToHost(results.data(), *out, results.size() * 8);
  };
  Result<void> ran = run();
  Result<void> freedIn = device.free(*in), freedOut = device.free(*out);
  for (const Result<void> &step : {ran, freedIn, freedOut})
    if (!step)
      return step.error();
  return results;
}

} // namespace sparsec::testing
