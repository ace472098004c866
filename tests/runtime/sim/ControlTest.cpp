// Divergence, calls, barriers that cannot complete, and texts that are refused.
#include "tests/runtime/sim/SimRun.h"

#include <fmt/core.h>

#include <random>

namespace sparsec::test {

namespace {

/// Each thread's %r9 after the body; %r0 is the thread. The same for every order of the warps.
std::vector<uint32_t> results(const std::string &body, uint32_t threads = 64,
                              SimOptions options = {}, const std::string &declarations = "") {
  std::vector<uint32_t> first;
  for (uint64_t seed = 0; seed < 4; ++seed) {
    options.seed = seed;
    Runner runner(options);
    DeviceAddress out = runner.upload(std::vector<uint32_t>(threads, 0xdead));
    Result<void> done = runner.run(
        kernelText("mov.u32 %r0, %tid.x; ld.param.u64 %d0, [out]; mul.wide.u32 %d1, %r0, 4;\n"
                   "add.s64 %d0, %d0, %d1; mov.u32 %r9, 0;\n" +
                       body + "\nst.global.u32 [%d0], %r9;",
                   ".param .u64 out", declarations),
        {.block = {threads, 1, 1}}, out);
    EXPECT_TRUE(done) << messageOf(done);
    std::vector<uint32_t> found = runner.download<uint32_t>(out, threads);
    if (seed == 0)
      first = found;
    EXPECT_EQ(found, first) << "seed " << seed;
  }
  return first;
}

std::string failure(const std::string &body, uint32_t threads = 64, SimOptions options = {},
                    const std::string &declarations = "") {
  Runner runner(options);
  Result<void> done = runner.run(kernelText("mov.u32 %r0, %tid.x;\n" + body, "", declarations),
                                 {.block = {threads, 1, 1}});
  return done ? "no error" : done.error().message;
}

template <class Expected>
void expectEach(const std::vector<uint32_t> &found, Expected expected) {
  for (uint32_t thread = 0; thread < found.size(); ++thread)
    EXPECT_EQ(found[thread], uint32_t(expected(thread))) << "thread " << thread;
}

TEST(SimControl, LanesMeetAgain) {
  // Branches nested two deep; activemask shows who has met.
  expectEach(results(R"(
    setp.lt.u32 %p1, %r0, 10;
    @%p1 bra LOW;
    setp.lt.u32 %p2, %r0, 20;
    @%p2 bra MIDDLE;
    activemask.b32 %r1;
    bra INNER;
MIDDLE:
    activemask.b32 %r1;
INNER:
    activemask.b32 %r2;
    bra OUTER;
LOW:
    activemask.b32 %r1;
    mov.u32 %r2, 0;
OUTER:
    activemask.b32 %r3;
    mad.lo.u32 %r9, %r1, 3, %r2;
    add.u32 %r9, %r9, %r3;)",
                     32),
             [](uint32_t thread) {
               uint32_t low = 0x3ff, middle = 0xffc00, high = 0xfff00000;
               return thread < 10   ? low * 3 + ~0u
                      : thread < 20 ? middle * 3 + (middle | high) + ~0u
                                    : high * 3 + (middle | high) + ~0u;
             });
}

TEST(SimControl, LoopsOfDifferentLengths) {
  expectEach(results(R"(
    mov.u32 %r1, 0;
LOOP:
    setp.ge.u32 %p1, %r1, %r0;
    @%p1 bra END;
    add.u32 %r9, %r9, %r1;
    add.u32 %r1, %r1, 1;
    and.b32 %r2, %r1, 3;
    setp.eq.u32 %p2, %r2, 2;
    @%p2 bra LOOP;
    add.u32 %r9, %r9, 100;
    bra LOOP;
END:
    vote.sync.ballot.b32 %r3, %p1, -1;
    add.u32 %r9, %r9, %r3;)"),
             [](uint32_t thread) {
               uint32_t sum = 0;
               for (uint32_t i = 0; i < thread; ++i)
                 sum += i + ((i + 1) % 4 == 2 ? 0 : 100);
               return sum + ~0u;
             });
}

TEST(SimControl, JumpTables) {
  expectEach(results(R"(
    rem.u32 %r1, %r0, 3;
TABLE: .branchtargets ZERO, ONE, TWO;
    brx.idx %r1, TABLE;
ZERO: mov.u32 %r9, 10; bra MEET;
ONE: mov.u32 %r9, 20; bra MEET;
TWO: mov.u32 %r9, 30;
MEET:
    activemask.b32 %r2;
    shr.u32 %r2, %r2, 31;
    add.u32 %r9, %r9, %r2;)"),
             [](uint32_t thread) { return 10 * (thread % 3 + 1) + 1; });
}

TEST(SimControl, CallsAndEarlyReturns) {
  std::string function = R"(
.func (.param .b32 result) collatz(.param .b32 start)
{
.reg .b32 %r<8>;
.reg .pred %p<4>;
ld.param.u32 %r1, [start];
mov.u32 %r2, 0;
AGAIN:
setp.gt.u32 %p1, %r1, 1;
@%p1 bra STEP;
st.param.b32 [result], %r2;
ret;
STEP:
add.u32 %r2, %r2, 1;
and.b32 %r3, %r1, 1;
setp.eq.u32 %p2, %r3, 0;
@%p2 shr.u32 %r1, %r1, 1;
@!%p2 mad.lo.u32 %r1, %r1, 3, 1;
bra AGAIN;
})";
  expectEach(results(R"(
    setp.gt.u32 %p3, %r0, 50;
    @%p3 bra SKIP;
    { .param .b32 a; .param .b32 b;
      st.param.b32 [a], %r0;
      call.uni (b), collatz, (a);
      ld.param.b32 %r9, [b]; }
SKIP:
    activemask.b32 %r1;
    shr.u32 %r1, %r1, 31;
    add.u32 %r9, %r9, %r1;)",
                     64, {}, function),
             [](uint32_t thread) {
               uint32_t steps = 0;
               for (uint32_t n = thread; thread <= 50 && n > 1; ++steps)
                 n = n % 2 ? 3 * n + 1 : n / 2;
               return steps + 1;
             });
}

TEST(SimControl, ExitedThreadsAreNotWaitedFor) {
  expectEach(results(R"(
    mov.u32 %r9, 7;
    setp.ge.u32 %p1, %r0, 40;
    st.global.u32 [%d0], %r9;
    @%p1 exit;
    bar.sync 0;
    vote.sync.ballot.b32 %r1, %p1, -1;
    not.b32 %r1, %r1;
    popc.b32 %r9, %r1;)"),
             [](uint32_t thread) { return thread < 40 ? 32 : 7; });
}

TEST(SimControl, ALockBetweenLanesOfAWarp) {
  // The lane that has the lock waits at the loop's end for lanes that wait for the lock.
  std::string lock = ".shared .align 4 .b32 lock;\n.shared .align 4 .b32 sum;\n";
  expectEach(results(R"(
    setp.eq.u32 %p1, %r0, 0;
    @%p1 st.shared.u32 [lock], 0;
    @%p1 st.shared.u32 [sum], 0;
    bar.sync 0;
TRY:
    atom.acquire.cta.shared.cas.b32 %r1, [lock], 0, 1;
    setp.ne.u32 %p2, %r1, 0;
    @%p2 bra TRY;
    ld.shared.u32 %r2, [sum];
    add.u32 %r2, %r2, %r0;
    st.shared.u32 [sum], %r2;
    atom.release.cta.shared.exch.b32 %r3, [lock], 0;
    barrier.sync 1;
    ld.shared.u32 %r9, [sum];)",
                     12, {}, lock),
             [](uint32_t) { return 12 * 11 / 2; });
}

TEST(SimWarp, Exchanges) {
  expectEach(results("shfl.sync.down.b32 %r9|%p1, %r0, 3, 31, -1; @!%p1 add.u32 %r9, %r9, 1000;"),
             [](uint32_t t) { return t % 32 + 3 < 32 ? t + 3 : t + 1000; });
  expectEach(results("shfl.sync.up.b32 %r9|%p1, %r0, 5, 0, -1; @!%p1 add.u32 %r9, %r9, 1000;"),
             [](uint32_t t) { return t % 32 >= 5 ? t - 5 : t + 1000; });
  expectEach(results("shfl.sync.idx.b32 %r9, %r0, 9, 31, -1;"),
             [](uint32_t t) { return t / 32 * 32 + 9; });
  // Segments of 8 lanes: mask 0x18 in bits 8 to 12, clamp 7 or 31.
  expectEach(results("shfl.sync.down.b32 %r9, %r0, 6, 0x181f, -1;"),
             [](uint32_t t) { return t % 8 + 6 < 8 ? t + 6 : t; });
  expectEach(results("shfl.sync.idx.b32 %r9, %r0, 5, 0x181f, -1;"),
             [](uint32_t t) { return t / 8 * 8 + 5; });
  expectEach(results("shfl.sync.bfly.b32 %r9, %r0, 16, 31, -1;"),
             [](uint32_t t) { return t ^ 16; });
  expectEach(results("and.b32 %r1, %r0, 3; match.any.sync.b32 %r9, %r1, -1;"),
             [](uint32_t t) { return 0x11111111u << t % 4; });
  expectEach(results("redux.sync.add.u32 %r9, %r0, -1;"),
             [](uint32_t t) { return 31 * 16 + (t / 32) * 32 * 32; });
  expectEach(results("sub.s32 %r1, 9, %r0; redux.sync.min.s32 %r9, %r1, -1;"),
             [](uint32_t t) { return 9 - int(t / 32 * 32 + 31); });
  expectEach(
      results(
          "setp.lt.u32 %p1, %r0, 32; vote.sync.all.pred %p2, %p1, -1;\n"
          "vote.sync.any.pred %p3, !%p1, -1; selp.u32 %r9, 1, 0, %p2; @%p3 add.u32 %r9, %r9, 2;"),
      [](uint32_t t) { return t < 32 ? 1 : 2; });
  // Lanes that come by different ways to one shuffle wait for each other there.
  expectEach(
      results("setp.lt.u32 %p1, %r0, 9; @%p1 add.u32 %r1, %r0, 100; @!%p1 add.u32 %r1, %r0, 200;\n"
              "shfl.sync.bfly.b32 %r9, %r1, 8, 31, -1;"),
      [](uint32_t t) { return (t ^ 8) + ((t ^ 8) < 9 ? 100 : 200); });
}

TEST(SimWarp, BarriersCountAndReduce) {
  expectEach(results("setp.lt.u32 %p1, %r0, 11; barrier.red.popc.u32 %r9, 1, %p1;"),
             [](uint32_t) { return 11; });
  expectEach(
      results(
          "setp.lt.u32 %p1, %r0, 63; bar.red.and.pred %p2, 0, %p1; bar.red.or.pred %p3, 0, !%p1;\n"
          "selp.u32 %r9, 1, 0, %p2; @%p3 add.u32 %r9, %r9, 2;"),
      [](uint32_t) { return 2; });
}

TEST(SimControl, NoticesMistakesInTheSimulator) {
  std::string meet = "setp.lt.u32 %p1, %r0, 9; @%p1 bra A; mov.u32 %r1, 1; A: activemask.b32 %r9;";
  EXPECT_NE(results(meet, 32, {.fault = SimFault::WrongReconvergence}), results(meet, 32));
  std::string clamp = "shfl.sync.down.b32 %r9, %r0, 6, 0x181f, -1;";
  EXPECT_NE(results(clamp, 32, {.fault = SimFault::WrongShflClamp}), results(clamp, 32));
  std::string round = "mov.f32 %f0, 0f3F80FFFF; cvt.rn.bf16x2.f32 %r9, %f0, %f0;";
  EXPECT_NE(results(round, 32, {.fault = SimFault::WrongRounding}), results(round, 32));
}

TEST(SimErrors, BarriersThatCannotComplete) {
  EXPECT_EQ(
      failure("setp.lt.u32 %p1, %r0, 8; @%p1 bar.sync 0;"),
      "bar.sync: barrier 0 reached by 8 of 32 lanes of warp 0: not by this one, thread (8,0,0) of "
      "block (0,0,0)");
  EXPECT_EQ(failure("bar.sync 1, 96;"),
            "deadlock: barrier 1 waits for 96 threads and 64 have arrived, "
            "block (0,0,0)");
  EXPECT_EQ(
      failure("setp.lt.u32 %p1, %r0, 32; @%p1 bra A; bar.sync 2; bra B; A: bar.sync 1; B:"),
      "deadlock: barrier 1 waits for 64 threads and 32 have arrived; not thread (32,0,0) of block "
      "(0,0,0)");
  EXPECT_EQ(failure("bar.sync 16;"),
            "bar.sync: barrier 16, expected 0 to 15, thread (0,0,0) of block (0,0,0)");
  EXPECT_EQ(
      failure("and.b32 %r1, %r0, 31; setp.lt.u32 %p1, %r1, 8; @!%p1 bra A; bar.warp.sync -1; A:"),
      "deadlock: bar.warp.sync waits for lanes 0xffffffff and 0x000000ff are here, thread (0,0,0) "
      "of block (0,0,0)");
  EXPECT_EQ(
      failure("shfl.sync.idx.b32 %r1, %r0, 0, 31, 0xff;"),
      "shfl.sync.idx.b32: the mask 0x000000ff does not name the executing lane, thread (8,0,0) of "
      "block (0,0,0)");
  EXPECT_EQ(
      failure("A: bra A;", 32, {.instructionLimit = 1000}),
      "k: more than 1000 warp-instructions: an endless loop, or a limit that is too low (block "
      "(0,0,0))");
  EXPECT_EQ(failure("setp.eq.u32 %p1, %r0, 33; @%p1 trap;"),
            "trap: executed, thread (33,0,0) of block (0,0,0)");
}

std::string refusal(const std::string &body) {
  Runner runner;
  Result<std::unique_ptr<Executable>> kernel = runner.device->load(kernelText(body, ""), "k");
  return kernel ? "loaded" : kernel.error().render();
}

TEST(SimErrors, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(refusal("tcgen05.alloc.b32 %r1;"),
            "k.ptx:13:1: error: sim does not know the instruction tcgen05.alloc.b32\n"
            "  tcgen05.alloc.b32 %r1;\n  ^~~~~~~~~~~~~~~~~\n");
  EXPECT_EQ(refusal("add.wrong.s32 %r1, %r1, %r1;"),
            "k.ptx:13:1: error: add.wrong.s32: sim does not know the modifier .wrong here\n"
            "  add.wrong.s32 %r1, %r1, %r1;\n  ^~~~~~~~~~~~~\n");
  EXPECT_EQ(refusal("add.s32 %r1, %r1;"),
            "k.ptx:13:1: error: add.s32: expected an operand 3\n  add.s32 %r1, %r1;\n  ^~~~~~~\n");
  EXPECT_EQ(refusal("add.s32 %d1, %r1, %r1;"),
            "k.ptx:13:1: error: add.s32: expected a register of 32 bits as destination\n"
            "  add.s32 %d1, %r1, %r1;\n  ^~~~~~~\n");
  EXPECT_EQ(refusal("add.s32 %r99, %r1, %r1;"),
            "k.ptx:13:9: error: expected a declared register, found '%r99'\n"
            "  add.s32 %r99, %r1, %r1;\n          ^~~~\n");
  EXPECT_EQ(refusal("bra NOWHERE;"),
            "k.ptx:13:5: error: expected a declared name, found 'NOWHERE'\n"
            "  bra NOWHERE;\n      ^~~~~~~\n");
  EXPECT_EQ(refusal("wgmma.fence.sync.aligned;"),
            "k.ptx:13:1: error: sim does not know the instruction wgmma.fence.sync.aligned\n"
            "  wgmma.fence.sync.aligned;\n  ^~~~~~~~~~~~~~~~~~~~~~~~\n");
  EXPECT_EQ(
      refusal("mma.sync.aligned.m8n8k4.row.col.f32.f16.f16.f32 %r1, %r1, %r1, %r1;"),
      "k.ptx:13:1: error: mma.sync.aligned.m8n8k4.row.col.f32.f16.f16.f32: sim knows the shapes "
      "m16n8k16, m16n8k8 and m16n8k4\n"
      "  mma.sync.aligned.m8n8k4.row.col.f32.f16.f16.f32 %r1, %r1, %r1, %r1;\n"
      "  ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~\n");
}

TEST(SimErrors, RefusesMalformedText) {
  auto message = [](const std::string &text) {
    Runner runner;
    Result<std::unique_ptr<Executable>> kernel = runner.device->load(text, "k");
    return kernel ? "loaded" : kernel.error().message;
  };
  EXPECT_EQ(message(""), "k.ptx: no entry k; it has: none");
  EXPECT_EQ(message(".visible .entry other() { ret; }"), "k.ptx: no entry k; it has: other");
  EXPECT_EQ(message(".visible .entry k( { ret; }"), "expected .param, found '{'");
  EXPECT_EQ(message(".visible .entry k() { ret;"),
            "expected '}' to close the function, found end of file");
  EXPECT_EQ(message(".visible .entry k() { add.s32 "), "expected an operand, found end of file");
  EXPECT_EQ(message(".global .align 3 .b8 x[4];"),
            "expected an alignment of a power of two up to 4096");
  EXPECT_EQ(message(".shared .b8 x[999999999999];\n.visible .entry k() { .reg .b32 %r; mov.u32 %r, "
                    "x; ret; }"),
            "expected at most 232448 bytes of shared memory, x needs 999999999999");
  EXPECT_EQ(message(".visible .entry k() { .local .b8 x[999999999]; ret; }"),
            "expected at most 524288 bytes of local memory, x needs 999999999");
  EXPECT_EQ(message(".global .b8 x[999999999999];\n.visible .entry k() { ret; }"),
            "expected at most 1073741824 bytes, x needs 999999999999");
  EXPECT_EQ(message(".nonsense 3"), "expected a directive that sim knows, found '.nonsense'");
  EXPECT_EQ(message(".visible .entry k() { " + std::string(100000, '{')),
            "expected '}' to close the function, found end of file");
  EXPECT_EQ(message(".visible .entry k() { st.u32 [" + std::string(100000, '[')),
            "expected less deeply nested operands, found '['");
}

/// Damaged texts are refused or run within their limits; nothing else happens (the sanitizers
/// watch).
TEST(SimErrors, SurvivesDamagedText) {
  std::string whole = kernelText(R"(
    mov.u32 %r0, %tid.x;
    setp.lt.u32 %p1, %r0, 9;
    @%p1 bra A;
    { .reg .b32 %t; mov.u32 %t, s; st.shared.v2.u32 [%t+8], {%r0, %r0}; }
TABLE: .branchtargets A, B;
    brx.idx %r0, TABLE;
A:  mov.b64 %d1, {%r0, %r0};
    cvt.rn.bf16x2.f32 %r3, 0f3F800000, %f1;
    shfl.sync.bfly.b32 %r4|%p2, %r0, 1, 31, -1;
    ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%r5, %r6}, [s+16];
B:  bar.sync 0;
    call.uni (), f, ();)",
                                 ".param .align 8 .b8 p[24]",
                                 ".func f() { ret; }\n.shared .align 16 .b8 s[512];\n"
                                 ".global .align 4 .b8 g[12] = {1, 2, 3};\n");
  ASSERT_TRUE(Runner().device->load(whole, "k"));
  std::mt19937 random(1);
  int loaded = 0;
  for (int round = 0; round < 5000; ++round) {
    std::string text = whole;
    for (uint32_t edit = 0, edits = 1 + random() % 3; edit < edits; ++edit) {
      size_t at = random() % text.size();
      switch (random() % 4) {
      case 0:
        text.erase(at, 1 + random() % 8);
        break;
      case 1:
        text.insert(at, text.substr(random() % text.size(), random() % 12));
        break;
      case 2:
        text[at] = "{}[](),;.%@!:0127rdpf<>=\"+-_"[random() % 28];
        break;
      case 3:
        text.resize(random() % 16 ? text.size() : at);
        break;
      }
      if (text.empty())
        text = "x";
    }
    Runner runner({.instructionLimit = 10000});
    Result<std::unique_ptr<Executable>> kernel = runner.device->load(text, "k");
    if (!kernel)
      continue;
    ++loaded;
    std::vector<uint8_t> bytes(1 << 12);
    std::vector<const void *> parameters = {bytes.data()};
    if (runner.device->launch(**kernel, {.block = {32, 1, 1}}, parameters))
      static_cast<void>(runner.device->synchronize());
  }
  EXPECT_GT(loaded, 50);
}

} // namespace

} // namespace sparsec::test
