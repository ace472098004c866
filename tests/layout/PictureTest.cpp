#include "layout/analysis/Picture.h"
#include "tests/layout/Predicates.h"

namespace sparsec::test {
namespace {

TEST(Picture, APairACharacter) {
  Result<Picture> picture = draw(local(3), {.nq = 6, .nk = 6}, 80);
  ASSERT_TRUE(picture);
  EXPECT_EQ(picture->scale, 1);
  EXPECT_EQ(picture->text, "# . . . . .\n"
                           "# # . . . .\n"
                           "# # # . . .\n"
                           ". # # # . .\n"
                           ". . # # # .\n"
                           ". . . # # #\n");
}

TEST(Picture, ASquareACharacter) {
  Result<Picture> picture = draw(predicate("k <= q and q - k < 24"), {.nq = 64, .nk = 64}, 8);
  ASSERT_TRUE(picture);
  EXPECT_EQ(picture->scale, 8);
  EXPECT_EQ(picture->text, "+ . . . . . . .\n"
                           "# + . . . . . .\n"
                           "# # + . . . . .\n"
                           "+ # # + . . . .\n"
                           ". + # # + . . .\n"
                           ". . + # # + . .\n"
                           ". . . + # # + .\n"
                           ". . . . + # # +\n");
}

TEST(Picture, ASquareAtTheEndIsItsPairs) {
  // 10 keys in squares of 4: the last has two columns, all there is of it.
  EXPECT_EQ(draw(predicate("q == q"), {.nq = 10, .nk = 10}, 3)->text, "# # #\n# # #\n# # #\n");
  EXPECT_EQ(draw(causal(), {.nq = 10, .nk = 10}, 3)->text, "+ . .\n# + .\n# # +\n");
  EXPECT_EQ(draw(predicate("k >= 8 and q >= 4"), {.nq = 10, .nk = 10}, 3)->text,
            ". . .\n. . #\n. . #\n");
  EXPECT_EQ(draw(predicate("q > q"), {.nq = 0, .nk = 0}, 3)->text, "");
}

} // namespace
} // namespace sparsec::test
