// Races, asynchronous copies and memory that was never written: what must be reported, word for
// word, and what must not. Each under several orders of the warps.
#include "tests/Sanitized.h"
#include "tests/runtime/sim/SimRun.h"

namespace sparsec::test {

namespace {

constexpr const char *shared = ".shared .align 16 .b8 s[4096];\n";
/// %r0 thread, %r1 its 4-byte place in s, %d0 its 16-byte place in `in`.
constexpr const char *prologue =
    "mov.u32 %r0, %tid.x; mov.u32 %r1, s; shl.b32 %r2, %r0, 2; add.s32 %r1, %r1, %r2; "
    "ld.param.u64 %d0, [in]; mul.wide.u32 %d1, %r0, 16; add.s64 %d0, %d0, %d1; mov.u32 %r3, s;\n";

/// The message of running this body with 64 threads, the same for every seed.
std::string outcome(const std::string &body, SimOptions options = {}) {
  std::string first;
  for (uint64_t seed = 0; seed < 6; ++seed) {
    options.seed = seed;
    Runner runner(options);
    std::vector<uint32_t> in(2048);
    for (size_t i = 0; i < in.size(); ++i)
      in[i] = uint32_t(i);
    DeviceAddress address = runner.upload(in);
    Result<void> done = runner.run(kernelText(prologue + body, ".param .u64 in", shared),
                                   {.block = {64, 1, 1}}, address);
    std::string message = done ? "" : done.error().message;
    if (seed == 0)
      first = message;
    // Which of the two accesses comes second may differ; that there is a race may not.
    EXPECT_EQ(message.find("race") == message.npos, first.find("race") == first.npos)
        << "seed " << seed << ": " << message << "\nseed 0: " << first;
    EXPECT_EQ(message.empty(), first.empty()) << "seed " << seed << ": " << message;
  }
  return first;
}

bool races(const std::string &body) {
  return outcome(body).find("race: ") != std::string::npos;
}

// The same exchange between two warps, with and without what orders it.
constexpr const char *storeOwn = "st.shared.u32 [%r1], %r0;\n";
constexpr const char *loadOther = "xor.b32 %r4, %r2, 128; add.s32 %r4, %r4, %r3; "
                                  "ld.shared.u32 %r5, [%r4];\n";
constexpr const char *loadNeighbour = "xor.b32 %r4, %r2, 4; add.s32 %r4, %r4, %r3; "
                                      "ld.shared.u32 %r5, [%r4];\n";

TEST(SimRace, BarriersOrderWarps) {
  EXPECT_EQ(outcome(std::string(storeOwn) + "bar.sync 0;\n" + loadOther), "");
  EXPECT_EQ(outcome(std::string(storeOwn) + "barrier.sync 3, 64;\n" + loadOther), "");
  std::string all =
      std::string(storeOwn) + "bar.sync 0;\n" + loadOther + "bar.sync 0;\n" + storeOwn;
  EXPECT_EQ(outcome(all), "");
  // Without the second barrier the store may overtake the load.
  EXPECT_TRUE(races(std::string(storeOwn) + "bar.sync 0;\n" + loadOther + storeOwn));
  // Two stores to one place.
  EXPECT_TRUE(races("st.shared.u32 [%r3], %r0;\n"));
}

TEST(SimRace, UninitialisedUnlessTheOtherCameFirst) {
  // Without a barrier the other warp's value is either not there or racing.
  std::string message = outcome(std::string(storeOwn) + loadOther);
  EXPECT_NE(message, "");
}

TEST(SimRace, ABarrierOfOtherWarpsOrdersNothing) {
  // Warp 0 and warp 1 each at a barrier of their own.
  EXPECT_TRUE(races(std::string("bar.sync 0;\n") + storeOwn +
                    "setp.lt.u32 %p1, %r0, 32; @%p1 bra A; barrier.sync 2, 32; bra B;\n"
                    "A: barrier.sync 1, 32;\nB:\n" +
                    "st.shared.u32 [%r3+1024], %r0;"));
}

TEST(SimRace, ArriveReleasesAndSyncAcquires) {
  // Warp 1 produces and arrives; warp 0 waits and consumes.
  std::string produce = "setp.ge.u32 %p1, %r0, 32; @%p1 bra PRODUCE;\n";
  EXPECT_EQ(outcome(produce + "bar.sync 1, 64;\n" + loadOther + "bra DONE;\nPRODUCE:\n" + storeOwn +
                    "bar.arrive 1, 64;\nDONE:"),
            "");
  // The producer does not wait: what it writes next races with the consumer's read.
  EXPECT_TRUE(races(produce + "bar.sync 1, 64;\n" + loadOther + "bra DONE;\nPRODUCE:\n" + storeOwn +
                    "bar.arrive 1, 64;\n" + storeOwn + "DONE:"));
}

TEST(SimRace, LanesOfAWarpNeedAWarpBarrier) {
  EXPECT_EQ(outcome(std::string(storeOwn) + "bar.warp.sync -1;\n" + loadNeighbour), "");
  EXPECT_TRUE(races(std::string(storeOwn) + loadNeighbour));
  // A shuffle exchanges registers and orders no memory.
  EXPECT_TRUE(
      races(std::string(storeOwn) + "shfl.sync.bfly.b32 %r6, %r0, 1, 31, -1;\n" + loadNeighbour));
  // Half a warp: the lanes that took part are ordered, the others are not.
  std::string half = "and.b32 %r7, %r0, 31; setp.lt.u32 %p1, %r7, 16;\n@!%p1 bra OTHER;\n"
                     "bar.warp.sync 0xffff;\nOTHER:\n";
  EXPECT_EQ(outcome(std::string(storeOwn) + half + "@%p1 bra TAKE; bra DONE;\nTAKE:\n" +
                    loadNeighbour + "DONE:"),
            "");
  EXPECT_TRUE(races(std::string(storeOwn) + half + "@!%p1 bra TAKE; bra DONE;\nTAKE:\n" +
                    loadNeighbour + "DONE:"));
}

TEST(SimRace, ALaneMayReadWhatItWrote) {
  EXPECT_EQ(outcome(std::string(storeOwn) + "ld.shared.u32 %r5, [%r1];\n" + storeOwn), "");
}

TEST(SimRace, BytesOfOneWordAreApart) {
  EXPECT_EQ(outcome("add.s32 %r4, %r3, %r0; st.shared.u8 [%r4], %r0; ld.shared.u8 %r5, [%r4];"),
            "");
  EXPECT_EQ(outcome("shl.b32 %r4, %r0, 1; add.s32 %r4, %r3, %r4; cvt.u16.u32 %h1, %r0;\n"
                    "st.shared.u16 [%r4], %h1; bar.sync 0; ld.shared.u32 %r5, [%r3+16];\n"
                    "bar.sync 0; st.shared.u16 [%r4], %h1;"),
            "");
  // Overlapping halves of a word do race.
  EXPECT_TRUE(races("shr.u32 %r4, %r0, 1; add.s32 %r4, %r3, %r4; st.shared.u8 [%r4], %r0;"));
}

TEST(SimRace, ReadersOfOnePlaceDoNotRace) {
  EXPECT_EQ(outcome("setp.eq.u32 %p1, %r0, 0; @%p1 st.shared.u32 [%r3], %r0; bar.sync 0;\n"
                    "ld.shared.u32 %r5, [%r3]; ld.shared.u32 %r6, [%r3];"),
            "");
  // A write after them must wait for all, not for the last.
  EXPECT_TRUE(races("setp.eq.u32 %p1, %r0, 0; @%p1 st.shared.u32 [%r3], %r0; bar.sync 0;\n"
                    "ld.shared.u32 %r5, [%r3]; setp.eq.u32 %p2, %r0, 40;\n"
                    "@%p2 st.shared.u32 [%r3], %r0;"));
}

TEST(SimRace, AtomicsRaceOnlyWithPlainAccesses) {
  std::string zero = "st.shared.u32 [%r1], 0; bar.sync 0;\n";
  EXPECT_EQ(outcome(zero + "atom.shared.add.u32 %r5, [%r3], 1; red.shared.max.u32 [%r3], %r0;\n"
                           "bar.sync 0; ld.shared.u32 %r6, [%r3];"),
            "");
  EXPECT_TRUE(races(zero + "atom.shared.add.u32 %r5, [%r3], 1; ld.shared.u32 %r6, [%r3];"));
  EXPECT_TRUE(races(zero + "atom.shared.add.u32 %r5, [%r3], 1; setp.eq.u32 %p1, %r0, 3;\n"
                           "@%p1 st.shared.u32 [%r3], 7;"));
}

TEST(SimRace, FencesAndFlags) {
  // Thread 0 publishes with a fence and a strong store; thread 32 waits for the flag.
  std::string publish =
      "setp.eq.u32 %p1, %r0, 0; setp.eq.u32 %p2, %r0, 32;\n"
      "st.shared.u32 [%r1], 0; bar.sync 0;\n@%p1 bra WRITE; @%p2 bra WAIT; bra DONE;\n";
  auto text = [&](const char *writeFence, const char *readFence) {
    return publish + "WRITE: st.shared.u32 [%r3+512], 42;\n" + writeFence +
           "st.volatile.shared.u32 [%r3], 1; bra DONE;\n"
           "WAIT: ld.volatile.shared.u32 %r5, [%r3]; setp.eq.u32 %p3, %r5, 0; @%p3 bra WAIT;\n" +
           readFence + "ld.shared.u32 %r6, [%r3+512];\nDONE:";
  };
  EXPECT_EQ(outcome(text("membar.cta;\n", "membar.cta;\n")), "");
  EXPECT_TRUE(races(text("", "membar.cta;\n")));
  EXPECT_TRUE(races(text("membar.cta;\n", "")));
}

TEST(SimRace, GlobalMemoryOfABlock) {
  std::string next = "xor.b32 %r4, %r0, 32; mul.wide.u32 %d2, %r4, 16; ld.param.u64 %d3, [in];\n"
                     "add.s64 %d2, %d2, %d3;\n";
  EXPECT_EQ(outcome(next + "st.global.u32 [%d0], %r0; bar.sync 0; ld.global.u32 %r5, [%d2];"), "");
  EXPECT_TRUE(races(next + "st.global.u32 [%d0], %r0; ld.global.u32 %r5, [%d2];"));
  EXPECT_TRUE(races(next + "ld.global.u32 %r5, [%d2]; st.global.u32 [%d0], %r0;"));
}

TEST(SimRace, SaysWhatAndWhere) {
  EXPECT_EQ(
      outcome("setp.eq.u32 %p1, %r0, 5; setp.eq.u32 %p2, %r0, 40; st.shared.u32 [%r1], 0;\n"
              "bar.sync 0; @%p1 st.shared.u32 [%r3+256], 1; bar.sync 1; bar.sync 2;\n"
              "@%p2 st.shared.u8 [%r3+257], 1; @%p1 ld.shared.u32 %r4, [%r3+512];"),
      "ld.shared.u32: read of shared memory at 0x600, which was never written, thread (5,0,0) "
      "of block (0,0,0)");
}

constexpr const char *copy = "mul.lo.u32 %r8, %r0, 16; add.s32 %r8, %r8, %r3;\n"
                             "cp.async.cg.shared.global [%r8], [%d0], 16;\n";
constexpr const char *loadCopied = "ld.shared.v4.u32 {%r10, %r11, %r12, %r13}, [%r8];\n";

TEST(SimAsync, LandsAtTheWait) {
  EXPECT_EQ(
      outcome(std::string(copy) + "cp.async.commit_group; cp.async.wait_group 0;\n" + loadCopied),
      "");
  EXPECT_EQ(outcome(std::string(copy) + "cp.async.wait_all;\n" + loadCopied), "");
  EXPECT_EQ(
      outcome(std::string(copy) + "cp.async.commit_group;\n" + loadCopied),
      "ld.shared.v4.u32: read of shared memory at 0x400, where the cp.async of thread (0,0,0) at "
      "line 16 is in flight, thread (0,0,0) of block (0,0,0)");
  // One group may stay in flight: it is this one.
  EXPECT_NE(
      outcome(std::string(copy) + "cp.async.commit_group; cp.async.wait_group 1;\n" + loadCopied),
      "");
  // Not committed, so no wait_group covers it.
  EXPECT_NE(outcome(std::string(copy) + "cp.async.wait_group 0;\n" + loadCopied), "");
  // Two groups: the older one has landed.
  EXPECT_EQ(outcome(std::string(copy) +
                    "cp.async.commit_group; cp.async.cg.shared.global [%r8+1024], [%d0], 16;\n"
                    "cp.async.commit_group; cp.async.wait_group 1;\n" +
                    loadCopied),
            "");
}

TEST(SimAsync, AWaitIsForItsOwnThread) {
  std::string other = "xor.b32 %r9, %r0, 32; mul.lo.u32 %r9, %r9, 16; add.s32 %r9, %r9, %r3;\n"
                      "ld.shared.v4.u32 {%r10, %r11, %r12, %r13}, [%r9];\n";
  EXPECT_EQ(outcome(std::string(copy) + "cp.async.wait_all; bar.sync 0;\n" + other), "");
  // The barrier before the wait: the copy may land after it.
  EXPECT_NE(outcome(std::string(copy) + "bar.sync 0; cp.async.wait_all;\n" + other), "");
  EXPECT_NE(outcome(std::string(copy) + "cp.async.wait_all;\n" + other), "");
}

TEST(SimAsync, MayWriteAsSoonAsItIsIssued) {
  // Others still read the stage that the next copy overwrites.
  std::string fill = std::string(copy) + "cp.async.wait_all; bar.sync 0;\n";
  std::string other = "xor.b32 %r9, %r0, 32; mul.lo.u32 %r9, %r9, 16; add.s32 %r9, %r9, %r3;\n"
                      "ld.shared.v4.u32 {%r10, %r11, %r12, %r13}, [%r9];\n";
  EXPECT_EQ(outcome(fill + other + "bar.sync 0;\n" + copy + "cp.async.wait_all;\n"), "");
  EXPECT_TRUE(races(fill + other + copy + "cp.async.wait_all;\n"));
}

TEST(SimAsync, FillsWithZeros) {
  std::string part = "mul.lo.u32 %r8, %r0, 16; add.s32 %r8, %r8, %r3; mov.u32 %r14, 8;\n"
                     "cp.async.cg.shared.global [%r8], [%d0], 16, %r14; cp.async.wait_all;\n";
  EXPECT_EQ(outcome(part + loadCopied +
                    "or.b32 %r15, %r12, %r13; setp.eq.u32 %p1, %r15, 0;\n"
                    "shl.b32 %r16, %r0, 2; setp.eq.and.u32 %p2, %r10, %r16, %p1; @!%p2 trap;"),
            "");
}

/// Clocks have 19 bits and start again: nothing that matters is forgotten, nothing is made up.
TEST(SimRace, MoreBarriersThanClocks) {
  auto run = [](const std::string &after) {
    Runner runner;
    std::string body = std::string("mov.u32 %r20, 0;\nLOOP:\n") + storeOwn + "bar.sync 0;\n" +
                       loadOther +
                       "bar.sync 0;\nadd.u32 %r20, %r20, 1; setp.lt.u32 %p1, %r20, 270000;\n" +
                       "@%p1 bra LOOP;\n" + after;
    Result<void> done =
        runner.run(kernelText(prologue + body, ".param .u64 in", shared), {.block = {64, 1, 1}},
                   runner.upload(std::vector<uint32_t>(1024)));
    return done ? std::string() : done.error().message;
  };
  EXPECT_EQ(run(std::string("ld.shared.u32 %r5, [%r4];\nbar.sync 0;\n") + storeOwn), "");
  if (kSanitized)
    return; // once round all clocks is enough there
  EXPECT_NE(run(std::string(storeOwn) + loadOther).find("race: "), std::string::npos);
  EXPECT_NE(run("ld.shared.u32 %r5, [%r3+1024];").find("never written"), std::string::npos);
}

TEST(SimRace, NoticesMistakesInTheSimulator) {
  std::string early = std::string(copy) + "cp.async.commit_group;\n" + loadCopied;
  EXPECT_EQ(outcome(early, {.fault = SimFault::EagerAsync}), "");
  std::string waited = std::string(copy) + "cp.async.wait_all;\n" + loadCopied;
  EXPECT_NE(outcome(waited, {.fault = SimFault::DroppedAsyncWait}), "");
  std::string exchange = std::string(storeOwn) + "bar.sync 0;\n" + loadOther;
  EXPECT_NE(outcome(exchange, {.fault = SimFault::DroppedBarrierOrder}), "");
  EXPECT_NE(outcome(exchange, {.fault = SimFault::DroppedBarrierWait}), "");
}

TEST(SimAsync, PoisonWithoutChecks) {
  // With the checks off a missing wait shows as poison.
  std::string body = std::string(copy) + loadCopied + "setp.eq.u32 %p1, %r10, -1; @!%p1 trap;";
  EXPECT_EQ(outcome(body, {.checks = SimChecks::Off}), "");
}

TEST(SimMemory, RefusesWhatIsNotThere) {
  EXPECT_EQ(
      outcome("ld.shared.u32 %r4, [%r1+4096];"),
      "ld.shared.u32: read of shared memory at 0x1400, outside [0x400, 0x1400), thread (0,0,0) "
      "of block (0,0,0)");
  EXPECT_EQ(outcome("setp.eq.u32 %p1, %r0, 7; @%p1 ld.global.u32 %r4, [%d0+8084];"),
            "ld.global.u32: read of global memory at 0x700000002004: 4 bytes past the end of an "
            "allocation of 8192 bytes, thread (7,0,0) of block (0,0,0)");
  EXPECT_EQ(outcome("ld.global.v2.u32 {%r4, %r5}, [%d0+4];"),
            "ld.global.v2.u32: read of global memory at 0x700000000004, which is not aligned to 8 "
            "bytes, thread (0,0,0) of block (0,0,0)");
  EXPECT_EQ(
      outcome("mov.u64 %d5, 0; st.u32 [%d5], %r0;"),
      "st.u32: write to global memory at 0x0: in no allocation, thread (0,0,0) of block (0,0,0)");
}

TEST(SimMemory, RegistersMustBeSet) {
  EXPECT_EQ(outcome("add.s32 %r4, %r40, 1;"),
            "add.s32: register %r40 has not been set, thread (0,0,0) of block (0,0,0)");
  EXPECT_EQ(outcome("setp.lt.u32 %p1, %r0, 9; @%p1 mov.u32 %r40, 3; add.s32 %r4, %r40, 1;"),
            "add.s32: register %r40 has not been set, thread (9,0,0) of block (0,0,0)");
  // A copy of an unset register is no use of it; what is computed from the copy is.
  EXPECT_EQ(outcome("mov.u32 %r41, %r40; mov.u32 %r42, %r41;"), "");
  EXPECT_EQ(outcome("mov.u32 %r41, %r40; add.s32 %r4, %r41, 1;"),
            "add.s32: register %r41 has not been set, thread (0,0,0) of block (0,0,0)");
  EXPECT_EQ(outcome("@%p9 mov.u32 %r4, 1;"),
            "mov.u32: register %p9 has not been set, thread (0,0,0) of block (0,0,0)");
}

TEST(SimMemory, NeverWrittenGlobalMemory) {
  Runner runner;
  DeviceAddress address = runner.allocate(64);
  uint32_t value = 1;
  ASSERT_TRUE(runner.device->copyToDevice(address, &value, 4));
  std::string text = kernelText("ld.param.u64 %d0, [in]; ld.global.u32 %r1, [%d0];\n"
                                "ld.global.u8 %r2, [%d0+4];",
                                ".param .u64 in");
  Result<void> done = runner.run(text, {}, address);
  ASSERT_FALSE(done);
  EXPECT_EQ(
      done.error().render(),
      "k.ptx:14:1: error: ld.global.u8: read of global memory at 0x700000000004, which was never "
      "written, thread (0,0,0) of block (0,0,0)\n"
      "  ld.global.u8 %r2, [%d0+4];\n"
      "  ^~~~~~~~~~~~\n");
}

} // namespace

} // namespace sparsec::test
