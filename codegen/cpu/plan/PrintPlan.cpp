// A plan as text: what runs, in order, and where it lies.
#include "codegen/cpu/plan/Plan.h"

#include "mlir/IR/AsmState.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

using namespace mlir;

namespace sparsec::cpu {
namespace {

class Printer {
public:
  explicit Printer(const Plan &plan) : plan(plan), names(kernelOf(plan)) {}

  std::string print() {
    tile::KernelOp kernel = kernelOf(plan);
    line("{} on {}: panels of {} lanes, vectors of {}{}", kernel.getSymName().str(),
         plan.level.name, plan.panels.panel, plan.panels.vector,
         plan.slices.count > 1
             ? fmt::format("; a row of blocks in {} slices of {} lanes", plan.slices.count,
                           plan.slices.lanes / plan.slices.count)
             : "");
    Indent inside(*this);
    print(plan.body);
    return text;
  }

private:
  static tile::KernelOp kernelOf(const Plan &plan) { return plan.kernel; }

  /// Lines are further in while it lives.
  struct Indent {
    explicit Indent(Printer &printer) : printer(printer) { printer.indent += 2; }
    ~Indent() { printer.indent -= 2; }
    Printer &printer;
  };
  template <class... Parts>
  void line(fmt::format_string<Parts...> format, Parts &&...parts) {
    text += std::string(indent, ' ') + fmt::format(format, std::forward<Parts>(parts)...) + "\n";
  }

  /// As MLIR prints it: "%38", and "%lead.19" of a fold's other regions, whose numbers are not
  /// their own.
  std::string name(Value value) {
    value = plan.flow.resolve(value);
    std::string written;
    llvm::raw_string_ostream stream(written);
    value.printAsOperand(stream, names);
    auto fold = value.getParentRegion()
                    ? dyn_cast<tile::FoldOp>(value.getParentRegion()->getParentOp())
                    : nullptr;
    if (fold && value.getParentRegion() == &fold.getFetch())
      return "%fetch." + written.substr(1);
    if (fold && value.getParentRegion() == &fold.getLead())
      return "%lead." + written.substr(1);
    return written;
  }
  static std::string name(Type type) {
    std::string written;
    llvm::raw_string_ostream stream(written);
    type.print(stream);
    return written;
  }
  /// "%38 exp2", "%30 reduce max", "store %18"
  std::string name(Operation *op) {
    std::string kind = op->getName().stripDialect().str();
    if (auto reduce = dyn_cast<tile::ReduceOp>(op))
      kind += reduce.getKind() == tile::ReduceKind::Max ? " max" : " sum";
    return op->getNumResults() ? name(op->getResult(0)) + " " + kind
                               : kind + " " + name(op->getOperand(0));
  }
  template <class Range>
  std::string all(const Range &values) {
    std::vector<std::string> written;
    for (auto each : values)
      written.push_back(name(each));
    return fmt::format("{}", fmt::join(written, ", "));
  }

  /// "p4: 128 x 64 f32 in panels of 64"
  std::string place(int number) const;
  std::string at(int number) const { return fmt::format("p{}", number); }
  std::string results(Operation *op);
  void print(llvm::ArrayRef<Group> groups);
  void print(const Group &group);
  void print(const Sweep &sweep);
  void printSerial(Operation *op);
  void printLoad(tile::LoadOp load);
  void printLoop(Operation *op);

  const Plan &plan;
  AsmState names;
  std::string text;
  int indent = 0;
};

std::string Printer::place(int number) const {
  const Place &place = plan.places[number];
  std::string form(cpu::name(place.form));
  switch (place.form) {
  case Form::Vector:
    return fmt::format("p{}: {} {}", number, place.shape.lanes, name(place.element));
  case Form::Pointers:
    return fmt::format("p{}: pointers to rows of {}", number, name(place.element));
  case Form::Panels:
  case Form::OnePanel:
  case Form::Columns:
  case Form::Rows:
    break;
  }
  return fmt::format("p{}: {} rows of {} {} in {}{}{}", number, place.rows, place.shape.lanes,
                     name(place.element), form,
                     place.form == Form::Rows ? "" : fmt::format(" of {}", place.shape.panel),
                     place.filled ? fmt::format(", {} filled", place.filled) : "");
}

/// " -> p5, p6 (pairs, packed)": where the result of an operation of a sweep goes.
std::string Printer::results(Operation *op) {
  if (op->getNumResults() != 1)
    return "";
  std::vector<std::string> to;
  if (int number = plan.placeFor(op->getResult(0)); number != kNowhere)
    to.push_back(at(number));
  if (auto packed = plan.packed.find(op->getResult(0)); packed != plan.packed.end())
    to.push_back(fmt::format("{} ({})", at(packed->second.place), packed->second.form->name));
  return to.empty() ? "" : fmt::format(" -> {}", fmt::join(to, ", "));
}

//===-- Operations one by one -----------------------------------------------------------------===//

void Printer::printLoad(tile::LoadOp load) {
  constexpr std::string_view ways[] = {"row by row", "side by side", "one by one",       "in place",
                                       "as rows",    "transposed",   "for products only"};
  const Load &planned = plan.loads.find(load)->second;
  std::string asks = planned.nextBlock ? ", asks for the next block" : "";
  if (planned.nextItem)
    asks += ", its next item is asked for";
  line("load {} of {}, {}{}", name(load.getResult()), name(load.getView()), ways[planned.way],
       asks);
  Indent inside(*this);
  for (const Load::Operand &own : planned.operands)
    line("{} ({})", place(own.place), own.form->name);
  if (planned.place != kNowhere)
    line("{}", place(planned.place));
}

void Printer::printLoop(Operation *op) {
  const Loop &loop = plan.loops.find(op)->second;
  auto fold = dyn_cast<tile::FoldOp>(op);
  line("{}{}",
       fold ? "for each block of " + name(fold.getBlocks()) : std::string("for each number"),
       loop.masks ? ", of some with masks" : "");
  Indent inside(*this);
  for (const Carry &carry : loop.carries)
    carry.goesOn ? line("carries {} on in {}", name(carry.argument), at(carry.place))
                 : line("carries {} from {} in {}", name(carry.argument), name(carry.init),
                        place(carry.place));
  print(loop.groups);
  for (auto [i, copy] : llvm::enumerate(loop.copies))
    line("copy {} to {}{}", name(copy.value), at(copy.to),
         loop.aside.empty() ? "" : fmt::format(" by way of {}", place(loop.aside[i])));
}

void Printer::printSerial(Operation *op) {
  if (auto load = dyn_cast<tile::LoadOp>(op))
    return printLoad(load);
  if (isLoop(op))
    return printLoop(op);
  auto store = plan.stores.find(op);
  std::string way = store == plan.stores.end() ? ""
                    : store->second.sideBySide ? ", side by side"
                                               : ", row by row";
  auto copied = plan.copied.find(op);
  int result = op->getNumResults() ? plan.placeFor(op->getResult(0)) : kNowhere;
  line("{}{}{}{}", name(op), result == kNowhere ? "" : " in " + place(result), way,
       copied == plan.copied.end() ? "" : ", its operand in " + place(copied->second));
}

//===-- Groups --------------------------------------------------------------------------------===//

/// A scalar, or rows: nothing of it lies in a place.
static bool isScalar(Operation *op) {
  return !isa<tile::LoadOp, tile::StoreOp, tile::ReduceOp, tile::TransposeOp, tile::PositionsOp>(
             op) &&
         !isLoop(op) && op->getNumResults() > 0;
}

void Printer::print(llvm::ArrayRef<Group> groups) {
  for (const Group &group : groups) {
    if (group.laneClass != Group::kSerial) {
      print(group);
      continue;
    }
    SmallVector<Operation *> scalars;
    auto flush = [&] {
      if (!scalars.empty())
        line("{}", all(scalars));
      scalars.clear();
    };
    for (Operation *op : group.ops) {
      if (isScalar(op)) {
        scalars.push_back(op);
        continue;
      }
      flush();
      printSerial(op);
    }
    flush();
  }
}

void Printer::print(const Group &group) {
  std::string head = fmt::format("{}panels of {} of {} lanes", group.byRows ? "row by row, " : "",
                                 group.shape.panel, group.shape.lanes);
  tile::MaskOp mask = group.liveRows;
  if (mask)
    head += fmt::format(", without the rows that {} leaves empty", name(mask.getResult()));
  line("{}", head);
  Indent inside(*this);
  for (int number : group.made)
    line("{}", place(number));
  for (const Copy &copy : group.copies)
    line("copy {} to {}", name(copy.value), place(copy.to));
  if (!group.vectors.empty())
    line("reads {}", all(group.vectors));
  if (!group.perRow.empty())
    line("once a row {}", all(group.perRow));
  for (int number : group.nextItem)
    line("asks for the next item of {}", at(number));
  for (const Sweep &sweep : group.sweeps)
    print(sweep);
}

void Printer::print(const Sweep &sweep) {
  std::vector<std::string> ops;
  for (Operation *op : sweep.ops)
    ops.push_back(name(op) + results(op));
  for (tile::ReduceOp reduce : sweep.unmasked)
    ops.push_back(fmt::format("in full blocks {}", name(reduce.getOperation())));
  constexpr std::string_view kinds[] = {"rows", "vectors", "stores"};
  tile::DotOp dot = sweep.dot;
  if (dot) {
    const Product &product = plan.products.find(dot)->second;
    line("product {} = {} of {} across lanes and {}{}{}", name(dot.getResult()), product.kind->name,
         at(product.lanes), at(product.broadcast),
         product.rows ? fmt::format(", {} rows at once", product.rows) : "", results(dot));
  } else {
    line("{}", kinds[sweep.kind]);
  }
  Indent inside(*this);
  for (const std::string &op : ops)
    line("{}", op);
}

} // namespace

std::string print(const Plan &plan) {
  return Printer(plan).print();
}

} // namespace sparsec::cpu
