#include "codegen/ptx/Warp.h"

#include "codegen/ptx/Fragments.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;

#include "codegen/ptx/WarpDialect.cpp.inc"
#include "codegen/ptx/WarpEnums.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "codegen/ptx/WarpAttrs.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "codegen/ptx/WarpTypes.cpp.inc"

using sparsec::tile::parseAccess;
using sparsec::tile::printAccess;

/// view, rows[, columns], buffer
static ParseResult parseCopyTypes(OpAsmParser &parser, Type &view, Type &rows, Type &columns,
                                  Type &buffer) {
  if (parser.parseType(view) || parser.parseComma() || parser.parseType(rows) ||
      parser.parseComma() || parser.parseType(buffer))
    return failure();
  if (failed(parser.parseOptionalComma()))
    return success();
  columns = buffer;
  return parser.parseType(buffer);
}

static void printCopyTypes(OpAsmPrinter &printer, Operation *, Type view, Type rows, Type columns,
                           Type buffer) {
  printer << view << ", " << rows;
  if (columns)
    printer << ", " << columns;
  printer << ", " << buffer;
}

#define GET_OP_CLASSES
#include "codegen/ptx/WarpOps.cpp.inc"

namespace sparsec::warp {

void WarpDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "codegen/ptx/WarpAttrs.cpp.inc"
      >();
  addTypes<
#define GET_TYPEDEF_LIST
#include "codegen/ptx/WarpTypes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "codegen/ptx/WarpOps.cpp.inc"
      >();
}

int warps(Attribute encoding) {
  return llvm::TypeSwitch<Attribute, int>(encoding)
      .Case<AccumulatorAttr, LhsAttr, StripedAttr>([](auto attr) { return attr.getWarps(); })
      .Case<SliceAttr, PartAttr>([](auto attr) { return warps(attr.getOf()); })
      .Default([](Attribute) { return 0; });
}

/// Of a tile; of a slice, of the smallest tile that it is one of.
static fragments::Fragment fragmentOf(Attribute encoding, int64_t rows, int64_t columns) {
  return llvm::TypeSwitch<Attribute, fragments::Fragment>(encoding)
      .Case<AccumulatorAttr>([&](AccumulatorAttr accumulator) {
        return fragments::accumulator(int(columns), accumulator.getRows(), accumulator.getAcross());
      })
      .Case<PartAttr>([&](PartAttr part) {
        fragments::Fragment whole = fragmentOf(part.getOf(), rows, columns);
        auto first = whole.registers.begin();
        auto each = whole.registers.size() / part.getCount();
        whole.registers = {first + part.getIndex() * each, first + (part.getIndex() + 1) * each};
        return whole;
      })
      .Case<LhsAttr>([&](LhsAttr lhs) { return fragments::lhs(int(columns), lhs.getRows()); })
      .Case<StripedAttr>([&](StripedAttr striped) {
        return fragments::striped({striped.getAcross(), striped.getVector()},
                                  int(rows) / striped.getWarps(), int(columns));
      })
      .Default([](Attribute) { return fragments::Fragment(); });
}

int rowsPerWarp(Attribute encoding) {
  return llvm::TypeSwitch<Attribute, int>(encoding)
      .Case<AccumulatorAttr, LhsAttr>([](auto attr) { return attr.getRows(); })
      .Default([](Attribute) { return 0; });
}

int warpsAcross(Attribute encoding) {
  auto accumulator = dyn_cast<AccumulatorAttr>(encoding);
  return accumulator ? accumulator.getAcross() : 1;
}

/// Rows that a tile of an encoding has at least, and those of whose multiples it has.
static int64_t rowUnit(Attribute encoding) {
  if (auto striped = dyn_cast<StripedAttr>(encoding))
    return int64_t(striped.getWarps()) * 32 / striped.getAcross();
  return int64_t(warps(encoding)) / warpsAcross(encoding) * rowsPerWarp(encoding);
}
static int64_t columnUnit(Attribute encoding) {
  if (auto striped = dyn_cast<StripedAttr>(encoding))
    return int64_t(striped.getAcross()) * striped.getVector();
  if (isa<LhsAttr>(encoding))
    return fragments::kMmaDepth;
  return int64_t(warpsAcross(encoding)) * fragments::kMmaColumns;
}

fragments::Fragment fragmentOf(RankedTensorType type) {
  auto slice = dyn_cast_or_null<SliceAttr>(type.getEncoding());
  if (!slice)
    return type.getRank() == 2
               ? fragmentOf(type.getEncoding(), type.getDimSize(0), type.getDimSize(1))
               : fragments::Fragment();
  Attribute of = slice.getOf();
  if (slice.getAxis() == Axis::Rows)
    return fragments::rowsOf(fragmentOf(of, type.getDimSize(0), columnUnit(of)));
  return fragments::columnsOf(fragmentOf(of, rowUnit(of), type.getDimSize(0)));
}

int elementsPerThread(RankedTensorType type) {
  return int(fragmentOf(type).registers.size());
}

int scratchBytes(tile::ReduceOp reduce) {
  auto type = cast<RankedTensorType>(reduce.getInput().getType());
  int shared = warps(type.getEncoding());
  auto slice = dyn_cast_or_null<SliceAttr>(type.getEncoding());
  bool crosses = slice ? slice.getAxis() == Axis::Rows : reduce.getDim() == 0;
  if (shared < 2 || !crosses)
    return 0;
  int columns = type.getRank() == 2 ? int(type.getDimSize(1)) : 1;
  return shared * columns * int(type.getElementTypeBitWidth()) / 8;
}

//===-- BufferType ----------------------------------------------------------------------------===//

static int elementBytes(Type element) {
  return int(element.getIntOrFloatBitWidth()) / 8;
}

int BufferType::rowBytes() const {
  return getColumns() * elementBytes(getElement());
}

BufferType BufferType::get(int rows, int columns, Type element, int stages) {
  int bytes = columns * elementBytes(element);
  SharedRows layout = sharedRows(bytes);
  return get(element.getContext(), rows, columns, element, stages, layout.pitch, layout.swizzle);
}

LogicalResult BufferType::verify(llvm::function_ref<InFlightDiagnostic()> error, int rows,
                                 int columns, Type element, int stages, int pitch, bool swizzle) {
  if (!element.isF16() && !element.isBF16() && !element.isF32())
    return error() << "expected f16, bf16 or f32 elements, found " << element;
  if (rows <= 0 || (rows % 16 && rows != 1) || columns <= 0 || columns % 16)
    return error() << "expected multiples of 16 rows and columns, found " << rows << " x "
                   << columns;
  if (stages < 1)
    return error() << "expected at least one stage, found " << stages;
  int bytes = columns * elementBytes(element);
  if (pitch < bytes || pitch % 16)
    return error() << "expected a pitch of a multiple of 16 and at least " << bytes
                   << " bytes, found " << pitch;
  if (swizzle ? pitch % 128 != 0 : pitch / 16 % 2 == 0)
    return error() << "rows collide in the banks of shared memory: expected a pitch of "
                   << (swizzle ? "a multiple of 128 bytes under swizzle"
                               : "an odd number of 16-byte chunks without swizzle")
                   << ", found " << pitch;
  return success();
}

Type BufferType::parse(AsmParser &parser) {
  SmallVector<int64_t> shape;
  Type element;
  int stages = 0, pitch = 0;
  llvm::SMLoc at = parser.getCurrentLocation();
  if (parser.parseLess() || parser.parseDimensionList(shape, /*allowDynamic=*/false) ||
      parser.parseType(element) || parser.parseComma() || parser.parseKeyword("stages") ||
      parser.parseEqual() || parser.parseInteger(stages) || parser.parseComma() ||
      parser.parseKeyword("pitch") || parser.parseEqual() || parser.parseInteger(pitch))
    return {};
  bool swizzle = succeeded(parser.parseOptionalComma());
  if ((swizzle && parser.parseKeyword("swizzle")) || parser.parseGreater())
    return {};
  if (shape.size() != 2) {
    parser.emitError(at, "expected rows x columns x element");
    return {};
  }
  return getChecked([&] { return parser.emitError(at); }, parser.getContext(), int(shape[0]),
                    int(shape[1]), element, stages, pitch, swizzle);
}

void BufferType::print(AsmPrinter &printer) const {
  printer << "<" << getRows() << "x" << getColumns() << "x" << getElement()
          << ", stages = " << getStages() << ", pitch = " << getPitch()
          << (getSwizzle() ? ", swizzle>" : ">");
}

//===-- Verifiers -----------------------------------------------------------------------------===//

/// The shape that an encoding can hold, or an error.
static LogicalResult verifyEncoding(Operation *op, RankedTensorType type) {
  auto refuse = [&](const Twine &expected) {
    return op->emitOpError() << "expected " << expected << ", found " << type;
  };
  int64_t rank = 2, rows = 0, columns = 0;
  Attribute of = type.getEncoding();
  if (auto slice = dyn_cast<SliceAttr>(of)) {
    rank = 1;
    of = slice.getOf();
    (slice.getAxis() == Axis::Rows ? rows : columns) = type.getDimSize(0);
  } else if (type.getRank() == 2) {
    rows = type.getDimSize(0), columns = type.getDimSize(1);
  }
  if (!isa<AccumulatorAttr, LhsAttr, StripedAttr>(of))
    return refuse("an encoding of the warp dialect");
  if (type.getRank() != rank)
    return refuse("a tensor of rank " + Twine(rank));
  bool striped = isa<StripedAttr>(of);
  if ((striped ? rows % rowUnit(of) != 0 : rows && rows != rowUnit(of)) || columns % columnUnit(of))
    return refuse(Twine(striped ? "a multiple of " + std::to_string(rowUnit(of)) + " rows"
                                : std::to_string(rowsPerWarp(of)) + " rows a warp") +
                  " and a multiple of " + Twine(columnUnit(of)) + " columns");
  return success();
}

LogicalResult StageOp::verify() {
  BufferType buffer = getBuffer().getType();
  if (getResult().getType() != buffer.withStages(1))
    return emitOpError() << "expected the result " << buffer.withStages(1) << ", found "
                         << getResult().getType();
  return success();
}

LogicalResult CopyOp::verify() {
  BufferType buffer = getBuffer().getType();
  if (buffer.getStages() != 1)
    return emitOpError("expected a buffer of one stage; pick one by warp.stage");
  if (getView().getType().getElementType() != buffer.getElement())
    return emitOpError() << "expected a buffer of " << getView().getType().getElementType()
                         << ", found " << buffer.getElement();
  if (getView().getType().getStrides() != int64_t(getIndices().size()) + 1)
    return emitOpError() << "expected " << getView().getType().getStrides() - 1
                         << " indices before the rows, found " << getIndices().size();
  if (getRows().getType().getSize() != buffer.getRows())
    return emitOpError() << "expected a buffer of " << getRows().getType().getSize()
                         << " rows, found " << buffer.getRows();
  if (!getColumns())
    return success();
  tile::RowsType columns = getColumns().getType();
  if (columns.getOrder() != tile::OrderKind::Natural)
    return emitOpError("expected columns in their natural order");
  if (columns.getSize() != buffer.getColumns())
    return emitOpError() << "expected a buffer of " << columns.getSize() << " columns, found "
                         << buffer.getColumns();
  return success();
}

LogicalResult CopyVectorOp::verify() {
  BufferType buffer = getBuffer().getType();
  if (buffer.getStages() != 1 || buffer.getRows() != 1 || !buffer.getElement().isF32())
    return emitOpError() << "expected a buffer of one stage and one row of f32, found " << buffer;
  if (!getView().getType().getElementType().isF32() ||
      getView().getType().getStrides() != int64_t(getIndices().size()))
    return emitOpError() << "expected a view of f32 of " << getIndices().size()
                         << " strides, found " << getView().getType();
  if (getRows().getType().getSize() != buffer.getColumns())
    return emitOpError() << "expected a buffer of " << getRows().getType().getSize()
                         << " columns, found " << buffer.getColumns();
  return success();
}

LogicalResult LoadVectorOp::verify() {
  BufferType buffer = getBuffer().getType();
  auto type = cast<RankedTensorType>(getResult().getType());
  auto slice = dyn_cast<SliceAttr>(type.getEncoding());
  if (failed(verifyEncoding(*this, type)))
    return failure();
  if (!slice || slice.getAxis() != Axis::Columns)
    return emitOpError() << "expected a vector along columns, found " << type;
  if (buffer.getStages() != 1 || buffer.getRows() != 1 ||
      type.getElementType() != buffer.getElement() || type.getDimSize(0) != buffer.getColumns())
    return emitOpError() << "expected the size and element of " << buffer << ", found " << type;
  return success();
}

LogicalResult LoadMatrixOp::verify() {
  BufferType buffer = getBuffer().getType();
  auto type = cast<RankedTensorType>(getResult().getType());
  if (failed(verifyEncoding(*this, type)))
    return failure();
  if (!isa<LhsAttr>(type.getEncoding()))
    return emitOpError() << "expected a result of encoding #warp.lhs, found " << type.getEncoding();
  if (buffer.getStages() != 1 || elementBytes(buffer.getElement()) != 2)
    return emitOpError("expected a buffer of one stage and 16-bit elements");
  if (type.getElementType() != buffer.getElement() ||
      type.getShape() != ArrayRef<int64_t>{buffer.getRows(), buffer.getColumns()})
    return emitOpError() << "expected the shape and element of " << buffer << ", found " << type;
  return success();
}

/// Rows, depth and element of the left operand, tensor or buffer.
namespace {
struct Operand {
  int64_t rows, depth;
  Type element;
};
} // namespace

static Operand describe(Type type) {
  if (auto buffer = dyn_cast<BufferType>(type))
    return {buffer.getRows(), buffer.getColumns(), buffer.getElement()};
  auto tensor = cast<RankedTensorType>(type);
  return {tensor.getDimSize(0), tensor.getDimSize(1), tensor.getElementType()};
}

LogicalResult MmaOp::verify() {
  auto result = cast<RankedTensorType>(getResult().getType());
  if (failed(verifyEncoding(*this, result)))
    return failure();
  if (!isa<AccumulatorAttr>(result.getEncoding()) || !result.getElementType().isF32())
    return emitOpError() << "expected f32 in an accumulator, found " << result;
  BufferType rhs = getRhs().getType();
  if (rhs.getStages() != 1)
    return emitOpError("expected a right operand of one stage; pick one by warp.stage");
  if (auto buffer = dyn_cast<BufferType>(getLhs().getType())) {
    if (buffer.getStages() != 1)
      return emitOpError("expected a left operand of one stage; pick one by warp.stage");
  } else {
    if (getLhsT())
      return emitOpError("expected a transposed left operand in a buffer");
    auto tensor = cast<RankedTensorType>(getLhs().getType());
    bool accumulator = isa<AccumulatorAttr>(tensor.getEncoding());
    bool wide = tensor.getElementType().isF32();
    if (failed(verifyEncoding(*this, tensor)))
      return failure();
    if (wide ? !accumulator : !isa<LhsAttr>(tensor.getEncoding()))
      return emitOpError() << "expected a left operand of encoding "
                           << (wide ? "#warp.accumulator" : "#warp.lhs") << ", found " << tensor;
    if (warps(tensor.getEncoding()) != warps(result.getEncoding()))
      return emitOpError("expected operand and result in the same number of warps");
  }
  Operand lhs = describe(getLhs().getType());
  if (getLhsT())
    std::swap(lhs.rows, lhs.depth);
  int64_t depth = getRhsT() ? rhs.getColumns() : rhs.getRows();
  int64_t columns = getRhsT() ? rhs.getRows() : rhs.getColumns();
  if (lhs.element != rhs.getElement())
    return emitOpError() << "expected operands of one element type, found " << lhs.element
                         << " and " << rhs.getElement();
  if (lhs.depth != depth)
    return emitOpError() << "expected operands of one depth, found " << lhs.depth << " and "
                         << depth;
  if (result.getDimSize(0) != lhs.rows || result.getDimSize(1) != columns)
    return emitOpError() << "expected a result of " << lhs.rows << " x " << columns << ", found "
                         << result;
  return success();
}

LogicalResult PartOp::verify() {
  auto source = cast<RankedTensorType>(getSource().getType());
  auto result = cast<RankedTensorType>(getResult().getType());
  auto part = dyn_cast<PartAttr>(result.getEncoding());
  if (failed(verifyEncoding(*this, source)))
    return failure();
  if (!part || part.getOf() != source.getEncoding())
    return emitOpError() << "expected a part of " << source.getEncoding() << ", found "
                         << result.getEncoding();
  int parts = part.getOf().getRows() / fragments::kMmaRows;
  if (part.getIndex() < 0 || part.getIndex() >= part.getCount() || parts % part.getCount())
    return emitOpError() << "expected a part of " << parts << " or of a divisor of them, found "
                         << part;
  return success();
}

LogicalResult ConvertOp::verify() {
  auto source = cast<RankedTensorType>(getSource().getType());
  auto result = cast<RankedTensorType>(getResult().getType());
  if (failed(verifyEncoding(*this, source)) || failed(verifyEncoding(*this, result)))
    return failure();
  if (!isa<AccumulatorAttr>(source.getEncoding()) || !isa<LhsAttr>(result.getEncoding()))
    return emitOpError() << "expected #warp.accumulator to #warp.lhs, found "
                         << source.getEncoding() << " to " << result.getEncoding();
  return success();
}

} // namespace sparsec::warp
