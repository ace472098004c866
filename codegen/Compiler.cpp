// compile() and explain(): a request becomes a module, the module goes down the list of passes of
// its target's back end.
#include "codegen/Compiler.h"

#include "codegen/Backend.h"
#include "codegen/ChooseBlock.h"
#include "codegen/CompileTileProgram.h"
#include "codegen/Pipeline.h"
#include "codegen/common/Derive.h"
#include "dialect/Ops.h"

#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Config/llvm-config.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

using namespace mlir;

namespace sparsec {
namespace {

/// One compilation: a context of its own, whose diagnostics become the error.
class Compilation {
public:
  Compilation(std::string name, const Target &target, const Operation *operation)
      : name(std::move(name)), target(target), backend(backendOf(target)),
        context(makeRegistry(operation), MLIRContext::Threading::DISABLED),
        handler(&context, [this](Diagnostic &diagnostic) { keep(diagnostic); }) {}

  /// The module of a request: one whole operation.
  Result<void> build(const Operation &operation, const Request &request);
  Result<void> parse(const std::string &text);
  /// Whole operations to tile programs, which then say what their kernels are.
  Result<void> lowerToTile();
  /// The back end's stage of this index.
  Result<void> lowerTo(size_t stage);
  Result<Emitted> emit(std::string_view keep);
  std::string print();

  /// The kernels of the tile program, without code.
  std::vector<Kernel> kernels;

private:
  std::string name; ///< for messages
  const Target &target;
  const Backend &backend;
  MLIRContext context;
  ScopedDiagnosticHandler handler;
  std::string firstMessage; ///< of what went wrong
  std::optional<FileLineColLoc> firstPlace;
  OwningOpRef<ModuleOp> module;

  static DialectRegistry makeRegistry(const Operation *operation) {
    DialectRegistry registry;
    registerCompilerDialects(registry);
    if (operation && operation->registerDialects)
      operation->registerDialects(registry);
    return registry;
  }

  void keep(Diagnostic &diagnostic) {
    if (diagnostic.getSeverity() != DiagnosticSeverity::Error || !firstMessage.empty())
      return;
    firstMessage = diagnostic.str();
    if (auto place = dyn_cast<FileLineColLoc>(LocationAttr(diagnostic.getLocation())))
      firstPlace = place;
  }
  Result<void> run(void (*addPasses)(OpPassManager &));
  Error bug(const std::string &doing) const {
    return internalError(fmt::format("{} '{}': {}", doing, name,
                                     firstMessage.empty() ? "no reason given" : firstMessage));
  }
};

Result<void> Compilation::build(const Operation &operation, const Request &request) {
  context.loadAllAvailableDialects();
  OpBuilder builder(&context);
  module = ModuleOp::create(builder.getUnknownLoc());
  if (!takesRowForms(request))
    (*module)->setAttr(tile::kTablesOnlyAttr, builder.getUnitAttr());
  builder.setInsertionPointToEnd(module->getBody());
  operation.describe(builder, request);
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

Result<void> Compilation::run(void (*addPasses)(OpPassManager &)) {
  PassManager passes(&context, ModuleOp::getOperationName());
  // Once after each list of passes: after each pass it would be a fifth of the time.
  passes.enableVerifier(false);
  addPasses(passes);
  bool right = succeeded(passes.run(*module));
#ifndef NDEBUG
  right = right && succeeded(verify(*module));
#endif
  return right ? Result<void>() : Result<void>(bug("compiling"));
}

Result<void> Compilation::lowerToTile() {
  if (auto ran = run(backend.addTilePasses); !ran)
    return ran;
  for (auto kernel : module->getOps<tile::KernelOp>()) {
    Kernel &made = kernels.emplace_back();
    made.entry = kernel.getSymName().str();
    made.target = target;
    made.signature = signatureOf(kernel);
    made.grid = gridOf(kernel);
  }
  return {};
}

Result<void> Compilation::lowerTo(size_t stage) {
  return run(backend.stages[stage].addPasses);
}

Result<Emitted> Compilation::emit(std::string_view keep) {
  Result<Emitted> emitted = backend.emit(*module, target, keep);
  if (!emitted && !firstMessage.empty()) // says which operation it was
    return bug("compiling");
  return emitted;
}

std::string Compilation::print() {
  std::string text;
  llvm::raw_string_ostream stream(text);
  module->print(stream);
  return text;
}

/// The request with everything decided, or why it cannot be built.
Result<Request> resolve(const Request &request) {
  if (auto checked = request.check(); !checked)
    return checked.error();
  Result<Block> block = chooseBlock(request);
  if (!block)
    return block.error();
  return request.with(*block);
}

/// What the kernel is, for whoever reads its code.
std::string header(const Request &request, std::string_view comment) {
  if (comment.empty())
    return "";
  std::string text = fmt::format("sparsec {}: {}", SPARSEC_VERSION, request.describe());
  std::string out;
  for (size_t begin = 0; begin < text.size();) {
    size_t end = text.find('\n', begin) + 1;
    out += fmt::format("{}{}", comment, text.substr(begin, end - begin));
    begin = end;
  }
  return out;
}

/// From a module to the kernels in it.
Result<std::vector<Kernel>> finish(Compilation &compilation, const Backend &backend) {
  if (auto lowered = compilation.lowerToTile(); !lowered)
    return lowered.error();
  for (size_t stage = 0; stage < backend.stages.size(); ++stage)
    if (auto lowered = compilation.lowerTo(stage); !lowered)
      return lowered.error();
  Result<Emitted> emitted = compilation.emit("");
  if (!emitted)
    return emitted.error();
  std::vector<Kernel> kernels = std::move(compilation.kernels);
  if (kernels.size() != emitted->kernels.size())
    return internalError("a kernel was lost on its way to code");
  for (size_t i = 0; i < kernels.size(); ++i) {
    const Emitted::Resources &resources = emitted->kernels[i];
    kernels[i].code = emitted->code;
    kernels[i].object = emitted->object;
    kernels[i].threads = resources.threads;
    kernels[i].sharedBytes = resources.sharedBytes;
    kernels[i].scratchBytes = resources.scratchBytes;
    kernels[i].usesAmx = resources.usesAmx;
  }
  return kernels;
}

} // namespace

Result<std::vector<Kernel>> compileFrom(std::span<const Operation> table, const Request &asked) {
  auto operation = findOperation(table, asked.operation());
  if (!operation)
    return operation.error();
  Result<Request> request = resolve(asked);
  if (!request)
    return request.error();
  const Backend &backend = backendOf(request->target());
  Compilation compilation(request->entry(), request->target(), *operation);
  if (auto built = compilation.build(**operation, *request); !built)
    return built.error();
  Result<std::vector<Kernel>> kernels = finish(compilation, backend);
  if (!kernels)
    return kernels;
  for (Kernel &kernel : *kernels) {
    kernel.operation = request->operation();
    kernel.block = request->block();
    kernel.code = header(*request, backend.comment) + kernel.code;
  }
  return kernels;
}

Result<std::vector<Kernel>> compile(const Request &request) {
  return compileFrom(operations(), request);
}

Result<Kernel> compileKernel(const Request &request) {
  return single(compile(request));
}

Result<Kernel> compileTileProgram(const std::string &text, const std::string &entry,
                                  const Target &target) {
  Compilation compilation(entry, target, nullptr);
  if (auto parsed = compilation.parse(text); !parsed)
    return parsed.error();
  Result<std::vector<Kernel>> kernels = finish(compilation, backendOf(target));
  if (!kernels)
    return kernels.error();
  for (Kernel &kernel : *kernels)
    if (kernel.entry == entry)
      return std::move(kernel);
  return inputError(fmt::format("expected a tile.kernel '{}' in the module", entry));
}

std::vector<std::string> explainStages() {
  std::vector<std::string> names = {"sparsec", "tile"};
  auto add = [&](std::string_view name) {
    if (!name.empty() && !llvm::is_contained(names, name))
      names.emplace_back(name);
  };
  for (const Backend &backend : backends()) {
    for (const Backend::Stage &stage : backend.stages)
      add(stage.name);
    for (std::string_view text : backend.texts)
      add(text);
  }
  return names;
}

Result<std::string> explainFrom(std::span<const Operation> table, const Request &asked,
                                const std::string &stage) {
  std::vector<std::string> known = explainStages();
  if (!llvm::is_contained(known, stage))
    return inputError(
        fmt::format("expected a stage of {}; found '{}'", fmt::join(known, ", "), stage));
  auto operation = findOperation(table, asked.operation());
  if (!operation)
    return operation.error();
  const Backend &backend = backendOf(asked.target());
  bool isText = llvm::is_contained(backend.texts, stage);
  bool isModule = stage == "sparsec" || stage == "tile" ||
                  llvm::any_of(backend.stages, [&](auto &each) { return each.name == stage; });
  if (!isText && !isModule)
    return inputError(fmt::format("a kernel for {} has no stage '{}'", asked.target().name, stage));
  Result<Request> request = resolve(asked);
  if (!request)
    return request.error();
  Compilation compilation(request->entry(), request->target(), *operation);
  if (auto built = compilation.build(**operation, *request); !built)
    return built.error();
  if (stage == "sparsec")
    return compilation.print();
  if (auto lowered = compilation.lowerToTile(); !lowered)
    return lowered.error();
  if (stage == "tile")
    return compilation.print();
  for (size_t i = 0; i < backend.stages.size(); ++i) {
    if (auto lowered = compilation.lowerTo(i); !lowered)
      return lowered.error();
    if (backend.stages[i].name == stage)
      return compilation.print();
  }
  Result<Emitted> emitted = compilation.emit(stage);
  if (!emitted)
    return emitted.error();
  bool isCode = stage == backend.texts.back();
  return (isCode ? header(*request, backend.comment) : "") + emitted->text;
}

Result<std::string> explain(const Request &request, const std::string &stage) {
  return explainFrom(operations(), request, stage);
}

std::string compilerVersion() {
  return fmt::format("sparsec {} llvm {}", SPARSEC_VERSION, LLVM_VERSION_STRING);
}

} // namespace sparsec
