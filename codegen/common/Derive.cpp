#include "codegen/common/Derive.h"

#include "mlir/IR/BuiltinOps.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

namespace sparsec {
namespace {

tile::WorkOp workOf(tile::KernelOp kernel) {
  auto works = kernel.getBody().front().getOps<tile::WorkOp>();
  return works.empty() ? tile::WorkOp() : *works.begin();
}

bool isWritten(BlockArgument view) {
  return llvm::any_of(view.getUsers(), [&](Operation *user) {
    if (auto store = dyn_cast<tile::StoreOp>(user))
      return store.getView() == view;
    if (auto store = dyn_cast<tile::StoreScalarOp>(user))
      return store.getView() == view;
    auto accumulate = dyn_cast<tile::AccumulateOp>(user);
    return accumulate && accumulate.getView() == view;
  });
}

/// The fields of one kernel, as its arguments come.
class Fields {
public:
  explicit Fields(tile::KernelOp kernel) : kernel(kernel), work(workOf(kernel)) {}

  Signature run() {
    for (auto [argument, name] :
         llvm::zip(kernel.getBody().getArguments(), kernel.getNames().getAsRange<StringAttr>()))
      add(argument, name.getValue());
    return Signature(std::move(fields));
  }

private:
  tile::KernelOp kernel;
  tile::WorkOp work;
  std::vector<Field> fields;

  void add(BlockArgument argument, StringRef name) {
    llvm::TypeSwitch<Type>(argument.getType())
        .Case([&](tile::ViewType view) {
          fields.push_back({.name = name.str(),
                            .type = FieldType::Pointer,
                            .written = isWritten(argument),
                            .optional = kernel.isOptional(argument)});
          if (int strides = int(view.getStrides()))
            fields.push_back(
                {.name = (name + "_stride").str(), .type = FieldType::I64, .count = strides});
        })
        .Case([&](tile::NumbersType) { fields.push_back({.name = name.str()}); })
        .Case([&](tile::LayoutType) { addLayout(argument, name); })
        .Case([&](IntegerType integer) {
          fields.push_back({.name = name.str(),
                            .type = integer.getWidth() == 64 ? FieldType::I64 : FieldType::I32});
        })
        .Case([&](Float32Type) { fields.push_back({.name = name.str(), .type = FieldType::F32}); });
  }

  void addLayout(BlockArgument layout, StringRef name) {
    bool forms = !kernel->getParentOfType<ModuleOp>()->hasAttr(tile::kTablesOnlyAttr);
    bool ofWork = work && work.getItems() == layout;
    ofWork |= llvm::any_of(layout.getUsers(), llvm::IsaPred<tile::LayoutRowOp>);
    for (const LayoutFieldSpec &spec : kLayoutFields) {
      if ((spec.of == LayoutFieldSpec::Work && !ofWork) ||
          (spec.of == LayoutFieldSpec::Forms && !forms))
        continue;
      fields.push_back({.name = layoutField(name, spec), .type = spec.type});
    }
  }
};

} // namespace

std::string layoutField(StringRef layout, const LayoutFieldSpec &field) {
  bool isOnly = layout == "layout" || field.of == LayoutFieldSpec::Work;
  return (isOnly ? "" : layout.str() + "_") + std::string(field.name);
}

bool areKeys(tile::RowsOp rows) {
  return rows.getLength() == rows->getParentOfType<tile::KernelOp>().argument("n");
}

Signature signatureOf(tile::KernelOp kernel) {
  return Fields(kernel).run();
}

Grid gridOf(tile::KernelOp kernel) {
  Grid grid;
  tile::WorkOp work = workOf(kernel);
  if (!work)
    return grid;
  if (work.getKind() == tile::WorkKind::Range) {
    grid.work = Grid::Work::Range;
    grid.longest = Grid::Longest::First; // all alike: in their order
    if (auto count = dyn_cast<BlockArgument>(work.getItems()))
      grid.order = cast<StringAttr>(kernel.getNames()[count.getArgNumber()]).str();
    return grid;
  }
  bool rows = work.getKind() != tile::WorkKind::Blocks;
  grid.work = rows ? Grid::Work::Rows : Grid::Work::Blocks;
  grid.order = rows ? "row_order" : "";
  Value blockRow = work.getResult(2);
  for (auto rows : kernel.getBody().front().getOps<tile::RowsOp>())
    if (rows.getTile() == blockRow) {
      grid.tile = int(rows.getRows().getType().getSize());
      if (areKeys(rows))
        grid.axis = Grid::Axis::Keys;
    }
  if (grid.axis == Grid::Axis::Keys) // under a causal pattern the first keys have most queries
    grid.longest = Grid::Longest::First;
  return grid;
}

} // namespace sparsec
