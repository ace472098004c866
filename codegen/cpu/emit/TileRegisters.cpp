// AMX's tile registers, or memory in their place where a level is emulated: part of Code.
//
// All eight have 16 rows of 64 bytes. A kernel configures them when it begins and gives them back
// when it ends, so that the threads that run it keep nothing. The process needs the system's leave
// to use them at all: mayUseAmx(), which whoever loads a kernel calls.
#include "codegen/cpu/emit/Code.h"

#include "llvm/IR/IntrinsicsX86.h"
#include "llvm/IR/Module.h"

#include <array>

using namespace llvm;

namespace sparsec::cpu {

static constexpr int kTiles = 8, kRows = 16, kRowBytes = 64;

/// What ldtilecfg reads: palette 1, then bytes in a row from 16 on and rows from 48 on, by
/// register.
static std::array<uint8_t, 64> configuration() {
  std::array<uint8_t, 64> bytes = {1};
  for (int tile = 0; tile < kTiles; ++tile)
    bytes[16 + 2 * tile] = kRowBytes, bytes[48 + tile] = kRows;
  return bytes;
}

void Code::beginTiles(Module &module) {
  if (level.emulated) {
    emulatedTiles = CreateAlloca(ArrayType::get(getInt8Ty(), kTiles * kRows * kRowBytes));
    return;
  }
  auto *global = module.getNamedGlobal("tiles");
  if (!global) {
    std::array<uint8_t, 64> bytes = configuration();
    Constant *value = ConstantDataArray::get(getContext(), ArrayRef(bytes));
    global = new GlobalVariable(module, value->getType(), /*isConstant=*/true,
                                GlobalValue::InternalLinkage, value, "tiles");
    global->setAlignment(Align(64));
  }
  CreateIntrinsic(Intrinsic::x86_ldtilecfg, {global});
}

void Code::endTiles() {
  if (!level.emulated)
    CreateIntrinsic(Intrinsic::x86_tilerelease, {});
}

Value *Code::emulatedRow(int tile, Value *row) {
  return at(at(emulatedTiles, tile * kRows * kRowBytes), CreateMul(row, i64(kRowBytes)));
}

void Code::copyRows(Value *from, int64_t fromStride, Value *to, int64_t toStride) {
  Type *vector = vectorOf(getInt32Ty(), level.vector);
  loop(i64(0), i64(kRows), 1, [&](Value *row) {
    storeTo(loadAs(vector, at(from, CreateMul(row, i64(fromStride)))),
            at(to, CreateMul(row, i64(toStride))));
  });
}

void Code::zeroTile(int tile) {
  if (!level.emulated) {
    CreateIntrinsic(Intrinsic::x86_tilezero, {getInt8(tile)});
    return;
  }
  Type *vector = vectorOf(getFloatTy(), level.vector);
  loop(i64(0), i64(kRows), 1,
       [&](Value *row) { storeTo(Constant::getNullValue(vector), emulatedRow(tile, row)); });
}

void Code::loadTile(int tile, Value *pointer, int64_t stride) {
  if (!level.emulated) {
    CreateIntrinsic(Intrinsic::x86_tileloadd64, {getInt8(tile), pointer, i64(stride)});
    return;
  }
  copyRows(pointer, stride, emulatedRow(tile, i64(0)), kRowBytes);
}

void Code::storeTile(int tile, Value *pointer, int64_t stride) {
  if (!level.emulated) {
    CreateIntrinsic(Intrinsic::x86_tilestored64, {getInt8(tile), pointer, i64(stride)});
    return;
  }
  copyRows(emulatedRow(tile, i64(0)), kRowBytes, pointer, stride);
}

void Code::multiplyTiles(int sum, int a, int b) {
  if (!level.emulated) {
    CreateIntrinsic(Intrinsic::x86_tdpbf16ps, {getInt8(sum), getInt8(a), getInt8(b)});
    return;
  }
  loop(i64(0), i64(kRows), 1, [&](Value *row) {
    Value *place = emulatedRow(sum, row);
    Values start = {loadAs(vectorOf(getFloatTy(), level.vector), place)};
    Values end =
        loop(i64(0), i64(kRowBytes / 4), 1, start, [&](Value *pair, ArrayRef<Value *> now) {
          Value *left = loadAs(getInt32Ty(), at(emulatedRow(a, row), CreateMul(pair, i64(4))));
          Value *right = loadAs(vectorOf(getInt32Ty(), level.vector), emulatedRow(b, pair));
          return Values{multiplyPairs(CreateVectorSplat(level.vector, left), right, now[0])};
        });
    storeTo(end[0], place);
  });
}

} // namespace sparsec::cpu
