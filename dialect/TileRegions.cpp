// Text, names and verifiers of the two ops with regions: tile.kernel and tile.fold.
#include "dialect/Tile.h"

#include "mlir/IR/Builders.h"
#include "llvm/ADT/StringSet.h"

using namespace mlir;

namespace sparsec::tile {

//===-- tile.kernel ---------------------------------------------------------------------------===//

/// args ["q", "lse"(optional), "n"]
static ParseResult parseNames(OpAsmParser &parser, SmallVectorImpl<Attribute> &names,
                              SmallVectorImpl<bool> &optional) {
  return parser.parseCommaSeparatedList(OpAsmParser::Delimiter::Square, [&]() -> ParseResult {
    std::string name;
    if (parser.parseString(&name))
      return failure();
    names.push_back(parser.getBuilder().getStringAttr(name));
    optional.push_back(succeeded(parser.parseOptionalLParen()));
    if (optional.back())
      return failure(parser.parseKeyword("optional") || parser.parseRParen());
    return success();
  });
}

ParseResult KernelOp::parse(OpAsmParser &parser, OperationState &result) {
  StringAttr symbol;
  SmallVector<OpAsmParser::Argument> arguments;
  SmallVector<Attribute> names;
  SmallVector<bool> optional;
  if (parser.parseSymbolName(symbol, getSymNameAttrName(result.name), result.attributes) ||
      parser.parseArgumentList(arguments, OpAsmParser::Delimiter::Paren, /*allowType=*/true) ||
      parser.parseKeyword("args") || parseNames(parser, names, optional) ||
      parser.parseOptionalAttrDictWithKeyword(result.attributes))
    return failure();
  Builder &builder = parser.getBuilder();
  result.addAttribute(getNamesAttrName(result.name), builder.getArrayAttr(names));
  result.addAttribute(getOptionalAttrName(result.name), builder.getDenseBoolArrayAttr(optional));
  return parser.parseRegion(*result.addRegion(), arguments);
}

void KernelOp::print(OpAsmPrinter &printer) {
  printer << ' ';
  printer.printSymbolName(getSymName());
  printer << '(';
  llvm::interleaveComma(getBody().getArguments(), printer,
                        [&](BlockArgument argument) { printer.printRegionArgument(argument); });
  printer << ") args [";
  llvm::interleaveComma(llvm::zip_equal(getNames(), getOptional()), printer, [&](auto pair) {
    printer << std::get<0>(pair) << (std::get<1>(pair) ? "(optional)" : "");
  });
  printer << ']';
  printer.printOptionalAttrDictWithKeyword(
      (*this)->getAttrs(), {getSymNameAttrName(), getNamesAttrName(), getOptionalAttrName()});
  printer << ' ';
  printer.printRegion(getBody(), /*printEntryBlockArgs=*/false);
}

void KernelOp::getAsmBlockArgumentNames(Region &region, OpAsmSetValueNameFn setName) {
  for (auto [argument, name] : llvm::zip(region.getArguments(), getNames()))
    setName(argument, cast<StringAttr>(name).getValue());
}

BlockArgument KernelOp::argument(StringRef name) {
  for (auto [argument, given] : llvm::zip_equal(getBody().getArguments(), getNames()))
    if (cast<StringAttr>(given).getValue() == name)
      return argument;
  return {};
}

bool KernelOp::isOptional(BlockArgument argument) {
  return getOptional()[argument.getArgNumber()];
}

LogicalResult KernelOp::verifyRegions() {
  size_t arguments = getBody().getNumArguments();
  if (getNames().size() != arguments || getOptional().size() != arguments)
    return emitOpError() << "has " << arguments << " arguments, " << getNames().size()
                         << " names and " << getOptional().size() << " optional marks";
  llvm::StringSet<> seen;
  for (auto [argument, attribute] : llvm::zip_equal(getBody().getArguments(), getNames())) {
    StringRef name = cast<StringAttr>(attribute).getValue();
    if (!seen.insert(name).second)
      return emitOpError() << "has two arguments named \"" << name << '"';
    if (!isa<ViewType, LayoutType, NumbersType>(argument.getType()) &&
        !argument.getType().isIntOrFloat())
      return emitOpError() << "argument \"" << name
                           << "\" must be a view, a layout, an integer or a float, found "
                           << argument.getType();
    if (isOptional(argument) && !isa<ViewType>(argument.getType()))
      return emitOpError() << "argument \"" << name << "\" is optional and not a view";
  }
  if (!isa<ReturnOp>(getBody().front().back()))
    return emitOpError() << "must end with tile.return";
  return success();
}

//===-- tile.fold -----------------------------------------------------------------------------===//

/// One region of a fold: its keyword, its arguments in parentheses, its body. The types of the
/// arguments are known from what came before.
static ParseResult parsePart(OpAsmParser &parser, OperationState &result, StringRef keyword,
                             ArrayRef<Type> types) {
  SmallVector<OpAsmParser::Argument> arguments;
  if (parser.parseKeyword(keyword))
    return failure();
  SMLoc place = parser.getCurrentLocation();
  if (parser.parseArgumentList(arguments, OpAsmParser::Delimiter::Paren))
    return failure();
  if (arguments.size() != types.size())
    return parser.emitError(place)
           << "'" << keyword << "' takes " << types.size() << " values, found " << arguments.size();
  for (auto [argument, type] : llvm::zip_equal(arguments, types))
    argument.type = type;
  return parser.parseRegion(*result.addRegion(), arguments);
}

/// Types of what the region parsed last yields.
static ParseResult yieldTypes(OpAsmParser &parser, OperationState &result,
                              SmallVector<Type> &types) {
  Region &region = *result.regions.back();
  auto yield =
      region.empty() || region.back().empty() ? YieldOp() : dyn_cast<YieldOp>(region.back().back());
  if (!yield)
    return parser.emitError(parser.getCurrentLocation(),
                            "expected the region before to end with tile.yield");
  llvm::append_range(types, yield.getValues().getTypes());
  return success();
}

ParseResult FoldOp::parse(OpAsmParser &parser, OperationState &result) {
  OpAsmParser::Argument index;
  OpAsmParser::UnresolvedOperand blocks;
  SmallVector<OpAsmParser::UnresolvedOperand> inits;
  SmallVector<Type> carries;
  SMLoc place;
  if (parser.parseArgument(index) || parser.parseKeyword("in") || parser.parseOperand(blocks) ||
      parser.parseKeyword("init") || parser.getCurrentLocation(&place) ||
      parser.parseOperandList(inits, OpAsmParser::Delimiter::Paren) ||
      parser.parseOptionalColonTypeList(carries) ||
      parser.parseOptionalAttrDictWithKeyword(result.attributes) ||
      parser.resolveOperand(blocks, BlocksType::get(parser.getContext()), result.operands) ||
      parser.resolveOperands(inits, carries, place, result.operands))
    return failure();
  result.addTypes(carries);

  index.type = parser.getBuilder().getI32Type();
  SmallVector<Type> types;
  if (parser.parseKeyword("fetch") || parser.parseRegion(*result.addRegion(), {index}) ||
      yieldTypes(parser, result, types) || parsePart(parser, result, "lead", types) ||
      yieldTypes(parser, result, types))
    return failure();
  llvm::append_range(types, carries);
  return parsePart(parser, result, "step", types);
}

void FoldOp::print(OpAsmPrinter &printer) {
  printer << ' ' << getBlockIndex() << " in " << getBlocks() << " init(" << getInit() << ')';
  if (!getInit().empty())
    printer << " : " << getInit().getTypes();
  printer.printOptionalAttrDictWithKeyword((*this)->getAttrs());
  auto part = [&](StringRef keyword, Region &region) {
    printer << ' ' << keyword;
    if (&region != &getFetch()) {
      printer << '(';
      llvm::interleaveComma(region.getArguments(), printer, [&](Value value) { printer << value; });
      printer << ')';
    }
    printer << ' ';
    printer.printRegion(region, /*printEntryBlockArgs=*/false);
  };
  part("fetch", getFetch());
  part("lead", getLead());
  part("step", getStep());
}

void FoldOp::getAsmBlockArgumentNames(Region &region, OpAsmSetValueNameFn setName) {
  if (&region == &getFetch() && region.getNumArguments() == 1)
    setName(region.getArgument(0), "j");
}

SmallVector<Region *> FoldOp::getLoopRegions() {
  return {&getFetch(), &getLead(), &getStep()};
}

YieldOp FoldOp::fetchYield() {
  return cast<YieldOp>(getFetch().front().getTerminator());
}
YieldOp FoldOp::leadYield() {
  return cast<YieldOp>(getLead().front().getTerminator());
}
YieldOp FoldOp::stepYield() {
  return cast<YieldOp>(getStep().front().getTerminator());
}

Block::BlockArgListType FoldOp::carries() {
  return getStep().getArguments().take_back(getInit().size());
}

LogicalResult FoldOp::verify() {
  if (getInit().getTypes() != getResults().getTypes())
    return emitOpError() << "results (" << getResults().getTypes() << ") differ from inits ("
                         << getInit().getTypes() << ')';
  return success();
}

/// Arguments of a region of a fold against the values that reach them.
static LogicalResult verifyArguments(FoldOp fold, StringRef what, Region &region,
                                     ArrayRef<Type> expected, StringRef from) {
  if (region.getArgumentTypes() == TypeRange(expected))
    return success();
  return fold.emitOpError() << '\'' << what << "' takes (" << region.getArgumentTypes()
                            << "), expected " << from << ": (" << TypeRange(expected) << ')';
}

/// The first op, nested ones included, that does more than compute (and load, where that is
/// allowed).
static Operation *firstEffect(Region &region, bool mayLoad) {
  Operation *found = nullptr;
  region.walk([&](Operation *op) {
    if (isa<YieldOp>(op) || (mayLoad && isa<LoadOp>(op)) ||
        op->hasTrait<OpTrait::HasRecursiveMemoryEffects>() || isMemoryEffectFree(op))
      return WalkResult::advance();
    found = op;
    return WalkResult::interrupt();
  });
  return found;
}

LogicalResult FoldOp::verifyRegions() {
  for (auto [name, region] :
       {std::pair("fetch", &getFetch()), {"lead", &getLead()}, {"step", &getStep()}})
    if (!isa<YieldOp>(region->front().back()))
      return emitOpError() << '\'' << name << "' must end with tile.yield";

  Type i32 = IntegerType::get(getContext(), 32);
  if (failed(verifyArguments(*this, "fetch", getFetch(), {i32}, "the block index alone")))
    return failure();
  SmallVector<Type> types(fetchYield().getValues().getTypes());
  if (failed(verifyArguments(*this, "lead", getLead(), types, "what fetch yields")))
    return failure();
  llvm::append_range(types, leadYield().getValues().getTypes());
  llvm::append_range(types, getInit().getTypes());
  if (failed(verifyArguments(*this, "step", getStep(), types,
                             "what fetch and lead yield, then the carries")))
    return failure();
  if (stepYield().getValues().getTypes() != getInit().getTypes())
    return emitOpError() << "'step' yields (" << stepYield().getValues().getTypes()
                         << "), expected the carries: (" << getInit().getTypes() << ')';

  if (Operation *op = firstEffect(getFetch(), /*mayLoad=*/true))
    return op->emitOpError() << "in the fetch region of a fold, which only computes and loads";
  if (Operation *op = firstEffect(getLead(), /*mayLoad=*/false))
    return op->emitOpError() << "in the lead region of a fold, which only computes";
  return success();
}

} // namespace sparsec::tile
