// mov (also packing and unpacking), cvta, isspacep.
#include "runtime/sim/Decode.h"
#include "runtime/sim/Lanes.h"

namespace sparsec::sim {

namespace {

template <class T>
void move(Warp &w, const Inst &in) {
  put(w, in.dst, w.in<T>(in.a));
}

void movePredicate(Warp &w, const Inst &in) {
  putPredicate(w, in.dst, w.preds[in.a] ^ (in.flags & 0x80 ? ~0u : 0));
}

void setPredicate(Warp &w, const Inst &in) {
  putPredicate(w, in.dst, in.imm ? ~0u : 0);
}

/// {a, b} -> dst: elements of `imm` bits, the first lowest.
template <class T>
void pack(Warp &w, const Inst &in) {
  T out[32] = {};
  for (int e = 0; e < in.count; ++e) {
    int shift = e * in.imm;
    if (in.imm == 32) {
      const uint32_t *from = w.in<uint32_t>(w.operands[in.extra + e]);
      for (int i = 0; i < 32; ++i)
        out[i] |= T(uint64_t(from[i]) << shift);
    } else {
      uint32_t low = (1u << in.imm) - 1;
      const uint32_t *from = w.in<uint32_t>(w.operands[in.extra + e]);
      for (int i = 0; i < 32; ++i)
        out[i] |= T(from[i] & low) << shift;
    }
  }
  put(w, in.dst, out);
}

/// a -> {x, y}.
template <class T>
void unpack(Warp &w, const Inst &in) {
  T from[32];
  std::memcpy(from, w.in<T>(in.a), sizeof(from));
  uint32_t low = in.imm == 32 ? ~0u : (1u << in.imm) - 1;
  for (int e = 0; e < in.count; ++e) {
    uint32_t out[32];
    for (int i = 0; i < 32; ++i)
      out[i] = uint32_t(from[i] >> e * in.imm) & low;
    put(w, w.operands[in.extra + e], out);
  }
}

template <class T>
void moveClock(Warp &w, const Inst &in) {
  T out[32];
  for (T &lane : out)
    lane = T(w.block->launch.instructions);
  put(w, in.dst, out);
}

template <class T, int Sign>
void addWindow(Warp &w, const Inst &in) {
  int64_t window = in.imm * Sign;
  unary<T>(w, in, [=](T a) { return T(a + window); });
}

void inWindow(Warp &w, const Inst &in) {
  const uint64_t *a = w.in<uint64_t>(in.a);
  uint64_t from = in.imm, size = windowSize;
  bool global = in.flags & 1;
  putPredicate(w, in.dst,
               bitsWhere([&](int i) { return global ? a[i] >= globalStart : a[i] - from < size; }));
}

int64_t windowOf(InstructionDecoder &d, bool &global) {
  global = false;
  switch (d.takeOneOf({"global", "const", "shared", "shared::cta", "local", "param"})) {
  case 0:
  case 1:
    global = true;
    return 0;
  case 2:
  case 3:
    return sharedWindow;
  case 4:
    return localWindow;
  case 5:
    return 0; // parameters have generic addresses everywhere
  default:
    d.refuse("expected a state space");
    return 0;
  }
}

void decodeAddressConversion(InstructionDecoder &d) {
  bool global, back = d.take("to");
  d.inst().imm = windowOf(d, global);
  Type type = d.takeType();
  d.expect(type == Type::U64, "expected .u64");
  d.dst(0, type);
  d.a(1, type);
  d.draft.copies = true;
  d.run(back ? addWindow<uint64_t, -1> : addWindow<uint64_t, 1>);
  d.finish(2);
}

void decodePacking(InstructionDecoder &d, Type type) {
  bool packs = d.operand(1).kind == Operand::Kind::Vector;
  int size = sizeOf(type);
  std::vector<const Operand *> elements = d.elements(d.operand(packs ? 1 : 0));
  int bytes = elements.empty() ? 0 : size / int(elements.size());
  Type element = bytes == 4   ? Type::B32
                 : bytes == 2 ? Type::B16
                 : bytes == 1 ? Type::B8
                              : Type::None;
  if (element == Type::None || bytes * int(elements.size()) != size)
    return d.refuse("expected 2 or 4 elements that fill the register");
  d.inst().imm = bytes * 8;
  if (packs) {
    d.dst(0, type);
    for (const Operand *e : elements)
      d.extra(d.use(*e, element));
    d.run(size == 8 ? pack<uint64_t> : pack<uint32_t>);
  } else {
    d.a(1, type);
    for (const Operand *e : elements)
      d.extra(d.def(*e, element));
    d.run(size == 8 ? unpack<uint64_t> : unpack<uint32_t>);
  }
}

} // namespace

void decodeMove(InstructionDecoder &d) {
  if (d.opcode() == "cvta")
    return decodeAddressConversion(d);
  if (d.opcode() == "isspacep") {
    bool global;
    d.inst().imm = windowOf(d, global);
    d.inst().flags = global;
    d.dstPredicate(d.operand(0));
    d.a(1, Type::U64);
    d.run(inWindow);
    return d.finish(2);
  }
  Type type = d.takeType();
  d.draft.copies = true;
  const Operand &to = d.operand(0), &from = d.operand(1);
  if (type == Type::Pred) {
    d.dstPredicate(to);
    if (from.kind == Operand::Kind::Integer) {
      d.inst().imm = from.value;
      d.run(setPredicate);
    } else {
      d.aPredicate(from);
      d.run(movePredicate);
    }
  } else if (to.kind == Operand::Kind::Vector || from.kind == Operand::Kind::Vector) {
    decodePacking(d, type);
  } else if (from.kind == Operand::Kind::Special &&
             (from.name.substr(0, 6) == "%clock" || from.name == "%globaltimer")) {
    d.dst(0, type);
    d.run(sizeOf(type) == 8 ? moveClock<uint64_t> : moveClock<uint32_t>);
  } else {
    d.dst(0, type);
    d.a(1, type);
    d.run(sizeOf(type) == 8 ? move<uint64_t> : move<uint32_t>);
  }
  d.finish(2);
}

} // namespace sparsec::sim
