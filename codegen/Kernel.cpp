// compile() and explain(): a request becomes a module, the module goes down the list of passes.
#include "codegen/Kernel.h"

#include "codegen/Compile.h"
#include "codegen/Orders.h"
#include "codegen/Pipeline.h"
#include "codegen/cpu/EmitCpu.h"
#include "codegen/ptx/EmitPtx.h"
#include "codegen/ptx/Warp.h"
#include "dialect/Ops.h"

#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"

#include <fmt/core.h>

using namespace mlir;

namespace sparsec {
namespace {

enum class Stage { Sparsec, Tile, Warp, Llvm, Ptx, Assembly };
bool isOf(Machine machine, Stage stage) {
  if (stage == Stage::Warp || stage == Stage::Ptx)
    return machine == Machine::Gpu;
  return stage != Stage::Assembly || machine == Machine::Cpu;
}

struct StageName {
  Stage stage;
  const char *name;
};
constexpr StageName kStages[] = {{Stage::Sparsec, "sparsec"}, {Stage::Tile, "tile"},
                                 {Stage::Warp, "warp"},       {Stage::Llvm, "llvm"},
                                 {Stage::Ptx, "ptx"},         {Stage::Assembly, "asm"}};

/// One compilation: a context of its own, whose diagnostics become the error.
class Compilation {
public:
  explicit Compilation(const KernelRequest &request)
      : request(request), context(makeRegistry(), MLIRContext::Threading::DISABLED),
        handler(&context, [this](Diagnostic &diagnostic) { keep(diagnostic); }) {}

  /// The module of a request: one whole operation.
  Result<void> build();
  Result<void> parse(const std::string &text);
  /// Runs the passes up to a stage; Llvm is the module of the llvm dialect.
  Result<void> lowerTo(Stage stage);
  Result<EmittedCode> emit(EmitOptions options) {
    return emitPtx(*module, request.target, options);
  }
  Result<CpuCode> emitForCpu(CpuEmitOptions options);
  /// An attribute that the passes left on the kernel's function.
  int attribute(StringRef name) {
    auto function = module->lookupSymbol<LLVM::LLVMFuncOp>(request.entry);
    return function ? int(function->getAttrOfType<IntegerAttr>(name).getInt()) : 0;
  }
  bool hasKernel() { return module->lookupSymbol(request.entry) != nullptr; }
  std::string print();

private:
  const KernelRequest &request;
  MLIRContext context;
  ScopedDiagnosticHandler handler;
  std::string firstMessage; ///< of what went wrong
  std::optional<FileLineColLoc> firstPlace;
  OwningOpRef<ModuleOp> module;

  static DialectRegistry makeRegistry() {
    DialectRegistry registry;
    registerCompilerDialects(registry);
    return registry;
  }

  void keep(Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() != DiagnosticSeverity::Error || !firstMessage.empty())
      return;
    firstMessage = diagnostic.str();
    if (auto place = dyn_cast<FileLineColLoc>(LocationAttr(diagnostic.getLocation())))
      firstPlace = place;
  }
  Error bug(const std::string &doing) const {
    return internalError(fmt::format("{} '{}': {}", doing, request.entry,
                                     firstMessage.empty() ? "no reason given" : firstMessage));
  }
};

Type elementType(MLIRContext *context, DType type) {
  switch (type) {
  case DType::F16:
    return Float16Type::get(context);
  case DType::BF16:
    return BFloat16Type::get(context);
  case DType::F32:
    return Float32Type::get(context);
  }
  return {};
}

/// Null for natural order.
tile::OrderAttr orderAttribute(MLIRContext *context, const OrderSpec &order) {
  tile::OrderKind kind = kindOf(shapeOf(order));
  return kind == tile::OrderKind::Natural ? tile::OrderAttr() : tile::OrderAttr::get(context, kind);
}

Result<void> Compilation::build() {
  context.loadAllAvailableDialects();
  OpBuilder builder(&context);
  Location unknown = builder.getUnknownLoc();
  module = ModuleOp::create(unknown);
  if (!takesRowForms(request.target, request.dtype, request.valueDim))
    (*module)->setAttr(warp::kTablesOnlyAttr, builder.getUnitAttr());
  builder.setInsertionPointToEnd(module->getBody());
  auto unless = [&](bool not_) { return not_ ? UnitAttr() : builder.getUnitAttr(); };
  ops::AttentionOp::create(
      builder, unknown, builder.getStringAttr(request.entry),
      ops::PatternAttr::get(&context, sparsec::print(request.attend)),
      TypeAttr::get(elementType(&context, request.dtype)),
      builder.getI64IntegerAttr(request.headDim), builder.getI64IntegerAttr(request.valueDim),
      builder.getI64IntegerAttr(request.block.q), builder.getI64IntegerAttr(request.block.k),
      orderAttribute(&context, request.queryOrder), orderAttribute(&context, request.keyOrder),
      builder.getUnitAttr(), unless(request.part.first), unless(request.part.last));
  if (failed(verify(*module)))
    return bug("describing");
  return {};
}

Result<void> Compilation::parse(const std::string &text) {
  module = parseSourceString<ModuleOp>(text, ParserConfig(&context), "tile program");
  if (module)
    return {};
  auto source = std::make_shared<SourceText>(SourceText{"tile program", text});
  SourceRange where{source, firstPlace ? int(firstPlace->getLine()) : 1,
                    firstPlace ? int(firstPlace->getColumn()) : 1, 1};
  return inputError(firstMessage, where);
}

Result<void> Compilation::lowerTo(Stage stage) {
  auto run = [&](void (*addPasses)(OpPassManager &)) {
    PassManager passes(&context, ModuleOp::getOperationName());
    // Once after each list of passes: after each pass it would be a fifth of the time.
    passes.enableVerifier(false);
    addPasses(passes);
    bool right = succeeded(passes.run(*module));
#ifndef NDEBUG
    right = right && succeeded(verify(*module));
#endif
    return right;
  };
  bool gpu = request.target.machine == Machine::Gpu;
  if ((stage >= Stage::Tile && !run(gpu ? addTilePasses : addCpuTilePasses)) ||
      (stage >= Stage::Warp && gpu && !run(addWarpPasses)) ||
      (stage >= Stage::Llvm && gpu && !run(addLlvmPasses)))
    return bug("compiling");
  return {};
}

Result<CpuCode> Compilation::emitForCpu(CpuEmitOptions options) {
  Result<CpuCode> code = emitCpu(*module, request.target, options);
  if (!code && !firstMessage.empty()) // says which operation it was
    return bug("compiling");
  return code;
}

std::string Compilation::print() {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module->print(stream);
  return text;
}

/// Operations of a predicate that one kernel takes: each becomes code for every element of a block.
constexpr int kMaxOperations = 4096;

/// Takes the operations of a predicate from a budget; below 0 once it is spent.
void spend(const Expr &expr, int &budget) {
  if (expr->operands.empty() || --budget < 0)
    return;
  for (const Expr &operand : expr->operands)
    if (budget >= 0)
      spend(operand, budget);
}

/// The request with everything decided, or why it cannot be built.
Result<KernelRequest> resolve(KernelRequest request) {
  auto dimension = [](const char *what, int size) -> Result<void> {
    if (size >= 16 && size <= 256 && size % 16 == 0)
      return {};
    return inputError(
        fmt::format("expected a {} of 16 to 256 in steps of 16, found {}", what, size));
  };
  if (auto checked = dimension("head dim", request.headDim); !checked)
    return checked.error();
  if (auto checked = dimension("value dim", request.valueDim); !checked)
    return checked.error();
  if (!request.attend)
    return internalError("a kernel request without a predicate");
  int budget = kMaxOperations;
  spend(request.attend, budget);
  if (budget < 0)
    return inputError(
        fmt::format("expected a predicate of at most {} operations for one kernel, found more",
                    kMaxOperations),
        request.attend->where);
  Result<Block> block = chooseBlock(request);
  if (!block)
    return block.error();
  request.block = *block;
  return request;
}

/// What the kernel is, for whoever reads the PTX.
std::string header(const KernelRequest &request) {
  std::string text =
      fmt::format("// sparsec {}: attention forward, {}, head dim {}, value dim {}, blocks of "
                  "{} x {}\n// attend: {}\n",
                  SPARSEC_VERSION, name(request.dtype), request.headDim, request.valueDim,
                  request.block.q, request.block.k, print(request.attend));
  OrderShape queries = shapeOf(request.queryOrder), keys = shapeOf(request.keyOrder);
  if (queries != OrderShape::Natural || keys != OrderShape::Natural)
    text += fmt::format("// queries: {} order, keys: {} order\n", name(queries), name(keys));
  if (!request.part.first || !request.part.last)
    text += fmt::format("// a part of a head:{}{}\n",
                        request.part.first ? "" : " goes on from prior_out and prior_lse",
                        request.part.last ? "" : " leaves out in f32");
  return text;
}

Result<void> emitInto(Kernel &kernel, Compilation &compilation, const KernelRequest &request) {
  if (request.target.machine == Machine::Cpu) {
    Result<CpuCode> code = compilation.emitForCpu({});
    if (!code)
      return code.error();
    kernel.code = std::move(code->sharedObject);
    kernel.object = std::move(code->object);
    kernel.scratchBytes = code->scratchBytes;
    kernel.usesAmx = code->usesAmx;
    kernel.threads = 1;
    return {};
  }
  Result<EmittedCode> code = compilation.emit({});
  if (!code)
    return code.error();
  kernel.code = std::move(code->ptx);
  kernel.threads = 32 * compilation.attribute(warp::kWarpsAttr);
  kernel.sharedBytes = compilation.attribute(warp::kSharedBytesAttr);
  return {};
}

Result<Kernel> finish(Compilation &compilation, const KernelRequest &request) {
  if (auto lowered = compilation.lowerTo(Stage::Llvm); !lowered)
    return lowered.error();
  if (!compilation.hasKernel())
    return inputError(fmt::format("expected a tile.kernel '{}' in the module", request.entry));
  Kernel kernel;
  kernel.entry = request.entry;
  if (auto emitted = emitInto(kernel, compilation, request); !emitted)
    return emitted.error();
  kernel.target = request.target;
  kernel.dtype = request.dtype;
  kernel.headDim = request.headDim;
  kernel.valueDim = request.valueDim;
  kernel.block = request.block;
  kernel.queryOrder = request.queryOrder;
  kernel.keyOrder = request.keyOrder;
  kernel.part = request.part;
  return kernel;
}

} // namespace

Result<Kernel> compile(const KernelRequest &asked) {
  Result<KernelRequest> request = resolve(asked);
  if (!request)
    return request.error();
  Compilation compilation(*request);
  if (auto built = compilation.build(); !built)
    return built.error();
  Result<Kernel> kernel = finish(compilation, *request);
  if (!kernel)
    return kernel;
  if (request->target.machine == Machine::Gpu)
    kernel->code = header(*request) + kernel->code;
  kernel->usesHead = mentions(request->attend, Op::Head);
  return kernel;
}

Result<Kernel> compileTileProgram(const std::string &text, const KernelRequest &request) {
  Compilation compilation(request);
  if (auto parsed = compilation.parse(text); !parsed)
    return parsed.error();
  return finish(compilation, request);
}

std::vector<std::string> explainStages() {
  std::vector<std::string> names;
  for (const StageName &stage : kStages)
    names.push_back(stage.name);
  return names;
}

Result<std::string> explain(const KernelRequest &asked, const std::string &stageName) {
  std::optional<Stage> stage;
  for (const StageName &candidate : kStages)
    if (candidate.name == stageName)
      stage = candidate.stage;
  if (!stage)
    return inputError(fmt::format(
        "expected a stage of sparsec, tile, warp, llvm, ptx, asm; found '{}'", stageName));
  if (!isOf(asked.target.machine, *stage))
    return inputError(
        fmt::format("a kernel for {} has no stage '{}'", asked.target.name, stageName));
  Result<KernelRequest> request = resolve(asked);
  if (!request)
    return request.error();
  Compilation compilation(*request);
  if (auto built = compilation.build(); !built)
    return built.error();
  if (auto lowered = compilation.lowerTo(std::min(*stage, Stage::Llvm)); !lowered)
    return lowered.error();
  if (*stage < Stage::Llvm)
    return compilation.print();
  if (request->target.machine == Machine::Cpu) {
    Result<CpuCode> code = compilation.emitForCpu({.keepText = true});
    if (!code)
      return code.error();
    return *stage == Stage::Llvm ? code->llvmIr : code->assembly;
  }
  Result<EmittedCode> code = compilation.emit({.keepLlvmIr = *stage == Stage::Llvm});
  if (!code)
    return code.error();
  return *stage == Stage::Llvm ? code->llvmIr : header(*request) + code->ptx;
}

} // namespace sparsec
