#include "runtime/Float16.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace sparsec {
namespace {

/// The 16-bit type's finite values in rising order of their bits are rising in value, so nearest
/// and ties to even can be said of neighbours.
template <class To, class From>
void roundsToNearestEven(To toFloat, From fromFloat, uint16_t infinity) {
  for (uint32_t bits = 0; bits < infinity; ++bits) {
    auto low = static_cast<uint16_t>(bits), high = static_cast<uint16_t>(bits + 1);
    double a = toFloat(low);
    // Where the next value would be if the exponent had no end.
    double b = high == infinity ? 2 * a - toFloat(static_cast<uint16_t>(bits - 1)) : toFloat(high);
    ASSERT_LT(a, b) << bits;
    auto middle = static_cast<float>((a + b) / 2);
    ASSERT_EQ(static_cast<double>(middle), (a + b) / 2) << bits;
    float below = std::nextafter(middle, 0.0f),
          above = std::nextafter(middle, std::numeric_limits<float>::infinity());
    ASSERT_EQ(fromFloat(static_cast<float>(a)), low);
    ASSERT_EQ(fromFloat(below), low) << bits;
    ASSERT_EQ(fromFloat(middle), bits % 2 ? high : low) << bits;
    ASSERT_EQ(fromFloat(above), high) << bits;
    ASSERT_EQ(fromFloat(-below), low | 0x8000) << bits;
    ASSERT_EQ(fromFloat(-middle), (bits % 2 ? high : low) | 0x8000) << bits;
    ASSERT_EQ(fromFloat(-above), high | 0x8000) << bits;
  }
  EXPECT_EQ(fromFloat(std::numeric_limits<float>::infinity()), infinity);
  EXPECT_EQ(fromFloat(-std::numeric_limits<float>::infinity()), infinity | 0x8000);
  EXPECT_EQ(toFloat(infinity), std::numeric_limits<float>::infinity());
  EXPECT_EQ(fromFloat(0.0f), 0);
  EXPECT_EQ(fromFloat(-0.0f), 0x8000);
  EXPECT_TRUE(std::signbit(toFloat(0x8000)));
  for (uint32_t payload : {0x7F800001u, 0x7F802000u, 0x7FC00000u, 0x7FFFFFFFu, 0xFF800001u}) {
    uint16_t bits = fromFloat(std::bit_cast<float>(payload));
    EXPECT_TRUE(std::isnan(toFloat(bits))) << payload;
    EXPECT_EQ(bits >> 15, payload >> 31) << payload;
  }
}

TEST(Float16, F16RoundsToNearestEven) {
  roundsToNearestEven(f16ToFloat, floatToF16, 0x7C00);
}

TEST(Float16, Bf16RoundsToNearestEven) {
  roundsToNearestEven(bf16ToFloat, floatToBf16, 0x7F80);
}

TEST(Float16, KnownValues) {
  EXPECT_EQ(floatToF16(1.0f), 0x3C00);
  EXPECT_EQ(floatToF16(65504.0f), 0x7BFF);
  EXPECT_EQ(floatToF16(0x1p-24f), 0x0001);
  EXPECT_EQ(floatToF16(0x1p-25f), 0x0000);
  EXPECT_EQ(floatToF16(0x1p-14f), 0x0400);
  EXPECT_EQ(floatToF16(1.0f / 3), 0x3555);
  EXPECT_EQ(floatToBf16(1.0f), 0x3F80);
  EXPECT_EQ(floatToBf16(1.0f / 3), 0x3EAB);
  EXPECT_EQ(f16ToFloat(0x03FF), 1023 * 0x1p-24f);
}

} // namespace
} // namespace sparsec
