#include "tests/runtime/recorder/Probes.h"

#include <cmath>

namespace sparsec::testing {

namespace {

using K = Kind;
using Kinds = std::vector<Kind>;

void add(std::vector<Probe> &all, std::string instruction, Kinds operands, Kind result,
         Tolerance tolerance = {}) {
  std::string code = instruction + " %x0";
  for (size_t i = 0; i < operands.size(); ++i)
    code += ", %a" + std::to_string(i);
  all.push_back({instruction, code + ";", std::move(operands), {result}, tolerance});
}

void addFloats(std::vector<Probe> &all) {
  for (const char *rounding : {"rn", "rz", "rm", "rp"})
    for (const char *operation : {"add", "sub", "mul"})
      add(all, std::string(operation) + "." + rounding + ".f32", {K::F32, K::F32}, K::F32);
  for (const char *rounding : {"rn", "rz"}) {
    add(all, std::string("fma.") + rounding + ".f32", {K::F32, K::F32, K::F32}, K::F32);
    add(all, std::string("div.") + rounding + ".f32", {K::F32, K::F32}, K::F32);
    add(all, std::string("rcp.") + rounding + ".f32", {K::F32}, K::F32);
    add(all, std::string("sqrt.") + rounding + ".f32", {K::F32}, K::F32);
  }
  for (const char *name : {"add.rn.ftz.f32", "mul.rn.ftz.f32", "div.rn.ftz.f32", "min.f32",
                           "max.f32", "min.ftz.f32", "max.ftz.f32", "min.NaN.f32", "max.NaN.f32",
                           "add.sat.f32", "mul.rn.sat.f32", "copysign.f32"})
    add(all, name, {K::F32, K::F32}, K::F32);
  add(all, "fma.rn.ftz.f32", {K::F32, K::F32, K::F32}, K::F32);
  for (const char *name : {"abs.f32", "neg.f32", "abs.ftz.f32", "neg.ftz.f32"})
    add(all, name, {K::F32}, K::F32);
  for (const char *name : {"add.rn.f64", "mul.rn.f64", "div.rn.f64", "min.f64", "max.f64"})
    add(all, name, {K::F64, K::F64}, K::F64);
  add(all, "fma.rn.f64", {K::F64, K::F64, K::F64}, K::F64);
  for (const char *compare : {"lt", "ge", "eq", "ne", "ltu", "geu", "equ", "neu", "num", "nan"})
    all.push_back(
        {std::string("setp.") + compare + ".f32",
         std::string("setp.") + compare + ".f32 %p0, %a0, %a1;\n  selp.u32 %x0, 1, 0, %p0;",
         {K::F32, K::F32},
         {K::B32}});
}

/// Bounds: PTX ISA, "Floating Point Instructions".
void addApproximations(std::vector<Probe> &all) {
  const double ulp = std::ldexp(1.0, -23);
  for (const char *name : {"ex2.approx.f32", "ex2.approx.ftz.f32"})
    add(all, name, {K::F32}, K::F32, {.relative = std::ldexp(1.0, -22), .absolute = 1e-45});
  for (const char *name : {"lg2.approx.f32", "lg2.approx.ftz.f32"})
    add(all, name, {K::F32}, K::F32,
        {.relative = std::ldexp(1.0, -22), .absolute = std::ldexp(1.0, -22)});
  for (const char *name :
       {"rcp.approx.f32", "rcp.approx.ftz.f32", "sqrt.approx.f32", "sqrt.approx.ftz.f32"})
    add(all, name, {K::F32}, K::F32, {.relative = ulp, .absolute = 1e-45});
  for (const char *name : {"rsqrt.approx.f32", "rsqrt.approx.ftz.f32"})
    add(all, name, {K::F32}, K::F32, {.relative = std::exp2(-22.4), .absolute = 1e-45});
  for (const char *name : {"div.full.f32", "div.full.ftz.f32"})
    add(all, name, {K::F32, K::F32}, K::F32, {.relative = 2 * ulp, .absolute = 3e-45});
  add(all, "tanh.approx.f32", {K::F32}, K::F32,
      {.relative = std::ldexp(1.0, -11), .absolute = 1e-45});
}

void addHalves(std::vector<Probe> &all) {
  for (auto [type, one] : {std::pair{"f16", K::F16}, std::pair{"f16x2", K::F16x2}}) {
    for (const char *operation : {"add.rn.", "sub.rn.", "mul.rn.", "min.", "max.", "max.NaN."})
      add(all, std::string(operation) + type, {one, one}, one);
    add(all, std::string("fma.rn.") + type, {one, one, one}, one);
    add(all, std::string("neg.") + type, {one}, one);
  }
  for (auto [type, one] : {std::pair{"bf16", K::BF16}, std::pair{"bf16x2", K::BF16x2}}) {
    for (const char *operation : {"min.", "max.", "min.NaN."})
      add(all, std::string(operation) + type, {one, one}, one);
    add(all, std::string("fma.rn.") + type, {one, one, one}, one);
    add(all, std::string("neg.") + type, {one}, one);
  }
}

void addConversions(std::vector<Probe> &all) {
  for (const char *rounding : {"rni", "rzi", "rmi", "rpi"}) {
    for (const char *to : {"s32", "u32"})
      add(all, std::string("cvt.") + rounding + "." + to + ".f32", {K::F32}, K::B32);
    for (const char *to : {"s64", "u64"})
      add(all, std::string("cvt.") + rounding + "." + to + ".f32", {K::F32}, K::B64);
    add(all, std::string("cvt.") + rounding + ".f32.f32", {K::F32}, K::F32);
    add(all, std::string("cvt.") + rounding + ".s32.f64", {K::F64}, K::B32);
  }
  for (const char *rounding : {"rn", "rz", "rm", "rp"}) {
    for (const char *from : {"s32", "u32"})
      add(all, std::string("cvt.") + rounding + ".f32." + from, {K::B32}, K::F32);
    for (const char *from : {"s64", "u64"})
      add(all, std::string("cvt.") + rounding + ".f32." + from, {K::B64}, K::F32);
    add(all, std::string("cvt.") + rounding + ".f32.f64", {K::F64}, K::F32);
  }
  for (const char *rounding : {"rn", "rz"}) {
    add(all, std::string("cvt.") + rounding + ".f16.f32", {K::F32}, K::F16);
    add(all, std::string("cvt.") + rounding + ".bf16.f32", {K::F32}, K::BF16);
    add(all, std::string("cvt.") + rounding + ".f16x2.f32", {K::F32, K::F32}, K::F16x2);
    add(all, std::string("cvt.") + rounding + ".bf16x2.f32", {K::F32, K::F32}, K::BF16x2);
  }
  add(all, "cvt.rn.relu.bf16x2.f32", {K::F32, K::F32}, K::BF16x2);
  add(all, "cvt.f32.f16", {K::F16}, K::F32);
  add(all, "cvt.f64.f32", {K::F32}, K::F64);
  add(all, "cvt.sat.f32.f32", {K::F32}, K::F32);
  add(all, "cvt.rn.ftz.f32.f64", {K::F64}, K::F32);
  for (const char *name :
       {"cvt.s32.s8", "cvt.u32.u8", "cvt.s32.s16", "cvt.u32.u16", "cvt.sat.s8.s32",
        "cvt.sat.u8.s32", "cvt.sat.s16.s32", "cvt.sat.u16.u32"})
    add(all, name, {K::B32}, K::B32);
  for (const char *name : {"cvt.s64.s32", "cvt.u64.u32"})
    add(all, name, {K::B32}, K::B64);
  for (const char *name : {"cvt.u32.u64", "cvt.sat.s32.s64"})
    add(all, name, {K::B64}, K::B32);
}

void addIntegers(std::vector<Probe> &all) {
  for (const char *name :
       {"add.s32", "sub.s32", "mul.lo.s32", "mul.hi.s32", "mul.hi.u32", "min.s32", "max.s32",
        "min.u32", "max.u32", "add.sat.s32", "sub.sat.s32", "and.b32", "or.b32", "xor.b32",
        "mul24.lo.s32", "mul24.hi.s32", "mul24.hi.u32"})
    add(all, name, {K::B32, K::B32}, K::B32);
  for (const char *name : {"mad.lo.s32", "mad.hi.s32", "mad.hi.u32", "sad.s32", "sad.u32",
                           "dp4a.s32.s32", "dp4a.u32.u32", "prmt.b32"})
    add(all, name, {K::B32, K::B32, K::B32}, K::B32);
  for (const char *name : {"shl.b32", "shr.u32", "shr.s32", "bfe.u32", "bfe.s32"})
    add(all, name, name[0] == 'b' ? Kinds{K::B32, K::Count, K::Count} : Kinds{K::B32, K::Count},
        K::B32);
  for (const char *name : {"shl.b64", "shr.u64", "shr.s64"})
    add(all, name, {K::B64, K::Count}, K::B64);
  for (const char *name :
       {"shf.l.wrap.b32", "shf.r.wrap.b32", "shf.l.clamp.b32", "shf.r.clamp.b32"})
    add(all, name, {K::B32, K::B32, K::Count}, K::B32);
  add(all, "bfi.b32", {K::B32, K::B32, K::Count, K::Count}, K::B32);
  for (const char *name : {"popc.b32", "clz.b32", "brev.b32", "bfind.u32", "bfind.s32", "not.b32",
                           "neg.s32", "abs.s32", "cnot.b32", "bfind.shiftamt.u32"})
    add(all, name, {K::B32}, K::B32);
  for (const char *name :
       {"add.s64", "mul.lo.s64", "mul.hi.s64", "mul.hi.u64", "min.s64", "max.u64"})
    add(all, name, {K::B64, K::B64}, K::B64);
  for (const char *name : {"mul.wide.s32", "mul.wide.u32"})
    add(all, name, {K::B32, K::B32}, K::B64);
  for (const char *name : {"mad.wide.s32", "mad.wide.u32"})
    add(all, name, {K::B32, K::B32, K::B64}, K::B64);
  // Division by 0 is unspecified: 0 becomes 1.
  for (const char *name : {"div.s32", "div.u32", "rem.s32", "rem.u32"})
    all.push_back({name,
                   "max.u32 %t0, %a1, 1;\n  " + std::string(name) + " %x0, %a0, %t0;",
                   {K::B32, K::B32},
                   {K::B32}});
  for (const char *name : {"div.s64", "div.u64", "rem.s64", "rem.u64"})
    all.push_back({name,
                   "max.u64 %x0, %a1, 1;\n  " + std::string(name) + " %x0, %a0, %x0;",
                   {K::B64, K::B64},
                   {K::B64}});
  for (const char *table : {"0x96", "0xe8", "0xca", "0x1b"})
    all.push_back({std::string("lop3.b32 ") + table,
                   std::string("lop3.b32 %x0, %a0, %a1, %a2, ") + table + ";",
                   {K::B32, K::B32, K::B32},
                   {K::B32}});
}

void addWarp(std::vector<Probe> &all) {
  for (const char *mode : {"up", "down", "bfly", "idx"})
    for (const char *clamp : {"0x1f", "0", "0x1807", "0x081f"})
      all.push_back({std::string("shfl.sync.") + mode + ".b32 " + clamp,
                     std::string("shfl.sync.") + mode + ".b32 %x0|%p0, %a0, %a1, " + clamp +
                         ", -1;\n  selp.u32 %x1, 1, 0, %p0;",
                     {K::B32, K::Lane},
                     {K::B32, K::B32}});
  all.push_back({"vote.sync.ballot.b32",
                 "setp.lt.s32 %p0, %a0, 0;\n  vote.sync.ballot.b32 %x0, %p0, -1;",
                 {K::B32},
                 {K::B32}});
  all.push_back({"match.any.sync.b32",
                 "and.b32 %t0, %a0, 3;\n  match.any.sync.b32 %x0, %t0, -1;",
                 {K::B32},
                 {K::B32}});
  for (const char *operation : {"add.s32", "min.s32", "max.u32", "and.b32", "or.b32", "xor.b32"})
    all.push_back({std::string("redux.sync.") + operation,
                   std::string("redux.sync.") + operation + " %x0, %a0, -1;",
                   {K::B32},
                   {K::B32}});
  const std::string stage = "st.shared.v4.b32 [%s], {%a0, %a1, %a2, %a3};\n  bar.warp.sync -1;\n  ";
  for (const char *transposed : {"", ".trans"}) {
    std::string name = std::string("ldmatrix.sync.aligned.m8n8.x4") + transposed + ".shared.b16";
    all.push_back(
        {name, stage + name + " {%x0, %x1, %x2, %x3}, [%s];", Kinds(4, K::B32), Kinds(4, K::B32)});
    name = std::string("ldmatrix.sync.aligned.m8n8.x2") + transposed + ".shared.b16";
    all.push_back({name, stage + name + " {%x0, %x1}, [%s];", Kinds(4, K::B32), Kinds(2, K::B32)});
  }
}

/// Whole numbers, so that the order in which a tensor core adds does not matter.
void addProducts(std::vector<Probe> &all) {
  for (auto [type, pair] :
       {std::pair<std::string, Kind>{"f16", K::SmallF16}, {"bf16", K::SmallBF16}}) {
    std::string name = "mma.sync.aligned.m16n8k16.row.col.f32." + type + "." + type + ".f32";
    all.push_back(
        {name,
         name + " {%x0, %x1, %x2, %x3}, {%a0, %a1, %a2, %a3}, {%a4, %a5}, "
                "{%a6, %a7, %a8, %a9};",
         {pair, pair, pair, pair, pair, pair, K::Small32, K::Small32, K::Small32, K::Small32},
         Kinds(4, K::F32)});
    name = "mma.sync.aligned.m16n8k8.row.col.f32." + type + "." + type + ".f32";
    all.push_back({name,
                   name + " {%x0, %x1, %x2, %x3}, {%a0, %a1}, {%a2}, {%a3, %a4, %a5, %a6};",
                   {pair, pair, pair, K::Small32, K::Small32, K::Small32, K::Small32},
                   Kinds(4, K::F32)});
  }
  std::string name = "mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16";
  all.push_back({name, name + " {%x0, %x1}, {%a0, %a1, %a2, %a3}, {%a4, %a5}, {%a6, %a7};",
                 Kinds(8, K::SmallF16), Kinds(2, K::F16x2)});
}

} // namespace

const std::vector<Probe> &probes() {
  static const std::vector<Probe> all = [] {
    std::vector<Probe> made;
    addFloats(made);
    addApproximations(made);
    addHalves(made);
    addConversions(made);
    addIntegers(made);
    addWarp(made);
    addProducts(made);
    return made;
  }();
  return all;
}

} // namespace sparsec::testing
