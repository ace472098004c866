#include "model/Transformer.h"

#include "kernel/ops/Adam.h"
#include "layout/BlockLayout.h"
#include "model/ListWriter.h"

#include <fmt/format.h>

namespace sparsec {

namespace {

constexpr double kEpsilon = 1e-5, kLastEpsilon = 1e-6; // of layer norms, as released

DType dtypeOf(const std::string &precision) {
  return precision == "bf16" ? DType::BF16 : precision == "f16" ? DType::F16 : DType::F32;
}

BufferView optimiserState(CallList &list) {
  return list.kept(buffers::kState, 1, sizeof(AdamState) / sizeof(float), ElementType::F32);
}

/// A norm's input and output and what backward wants of it.
struct Norm {
  BufferView x, out, mean, rstd;
};

/// What backward reads of a block.
struct BlockState {
  Norm attention, ff;
  BufferView qkv, attended, lse;
  BufferView inner, activated; ///< the feed-forward layer before and after GELU
  BufferView out;
};

class ListBuilder : public ListWriter {
public:
  using ListWriter::ListWriter;

  CallList run() {
    BufferView x = embed();
    std::vector<BlockState> blocks;
    for (int64_t layer = 0; layer < model.layers; ++layer) {
      blocks.push_back(forward(layer, x, "", /*isLast=*/true));
      x = blocks.back().out;
    }
    Norm last = norm("norm", x, kLastEpsilon, "");
    BufferView logits = use == ListUse::Decode
                            ? list.kept(buffers::kLogits, rows, kClasses, elementOf(type))
                            : passing("logits", kClasses, type);
    MatmulWork product;
    product.dtype = product.outType = type;
    product.x = last.out, product.w = outputWeight(weights), product.out = logits;
    add("output", product);
    if (use == ListUse::Decode) {
      SampleWork draw;
      draw.dtype = type;
      draw.temperature = sizes.temperature;
      draw.logits = logits, draw.seed = seed, draw.tokens = tokens;
      add("draw", draw);
      return std::move(list);
    }
    BufferView dlogits = use == ListUse::Train ? passing("dlogits", kClasses, type) : BufferView{};
    CrossEntropyWork loss;
    loss.dtype = type;
    loss.scale = 1 / static_cast<double>(sizes.sequences * model.length);
    loss.factor = use == ListUse::Train ? 1 / static_cast<double>(rows) : 1;
    loss.logits = logits, loss.targets = targets, loss.dlogits = dlogits;
    loss.losses = losses, loss.total = total;
    if (use == ListUse::Train && type == DType::F16) {
      loss.lossScale = optimiserState(list);
      loss.lossScale.offset = offsetof(AdamState, reals) + offsetof(AdamState::Reals, lossScale);
      loss.lossScale.columns = loss.lossScale.stride = 1;
    }
    add("loss", loss);
    if (use == ListUse::Score)
      return std::move(list);

    if (!model.tiedOutput)
      weightGradient("output", last.out, dlogits, outputWeight(gradients), {}, sums);
    BufferView dnorm = inputGradient("output", dlogits, outputWeight(weights), {}, model.width);
    BufferView dx = normBackward("norm", last, dnorm, {});
    for (int64_t layer = model.layers - 1; layer >= 0; --layer) {
      BlockState &block = blocks[static_cast<size_t>(layer)];
      if (recompute)
        block = forward(layer, block.attention.x, " again", /*isLast=*/false);
      dx = backward(layer, block, dx);
    }
    embedBackward(dx);
    if (model.tiedOutput) // onto what the embedding left
      weightGradient("output", last.out, dlogits, outputWeight(gradients), {}, Sums::Added);
    return std::move(list);
  }

private:
  BufferView embed() {
    EmbeddingWork call;
    call.positions = model.positions;
    call.length = model.length;
    call.dtype = DType::F32;
    call.tokens = tokens;
    call.table = tokenTable(master);
    for (const PositionConfig &each : model.positions)
      call.tables.push_back(weight(master, fmt::format("embedding.{}.weight", each.name)));
    call.decodes = use == ListUse::Decode;
    call.out = passing("embedded", model.width, DType::F32);
    BufferView out = call.out;
    add("embedding", std::move(call));
    return out;
  }

  void embedBackward(const BufferView &dx) {
    EmbeddingBackwardWork call;
    call.positions = model.positions;
    call.length = model.length;
    call.tokens = tokens;
    call.dout = dx;
    call.sums = sums;
    call.table = tokenTable(gradients);
    for (const PositionConfig &each : model.positions)
      call.tables.push_back(weight(gradients, fmt::format("embedding.{}.weight", each.name)));
    add("embedding backward", std::move(call));
  }

  Norm norm(const std::string &name, const BufferView &x, double epsilon,
            const std::string &again) {
    LayerNormWork call;
    call.dtype = type;
    call.epsilon = epsilon;
    call.x = x;
    call.gain = vector(master, name + ".weight");
    call.bias = vector(master, name + ".bias");
    call.out = passing(name + ".out", model.width, type);
    if (use == ListUse::Train)
      call.mean = perRow(name + ".mean"), call.rstd = perRow(name + ".rstd");
    Norm made{x, call.out, call.mean, call.rstd};
    add(name + again, std::move(call));
    return made;
  }

  BufferView normBackward(const std::string &name, const Norm &forward, const BufferView &dout,
                          const BufferView &dresidual) {
    LayerNormBackwardWork call;
    call.dtype = type;
    call.x = forward.x, call.mean = forward.mean, call.rstd = forward.rstd;
    call.gain = vector(master, name + ".weight");
    call.dout = dout, call.dresidual = dresidual;
    call.dx = passing(name + ".dx", model.width, DType::F32);
    call.dgain = vector(gradients, name + ".weight");
    call.dbias = vector(gradients, name + ".bias");
    call.sums = sums;
    BufferView dx = call.dx;
    add(name + " backward", std::move(call));
    return dx;
  }

  /// The end of a branch: out = residual + dropout(x w^T + bias).
  BufferView branchEnd(const std::string &name, const BufferView &x, const BufferView &residual,
                       int64_t stream, const std::string &again) {
    MatmulWork call;
    call.dtype = type;
    call.x = x;
    call.w = weight(weights, name + ".weight");
    call.bias = vector(master, name + ".bias");
    if (!drops()) {
      call.residual = residual;
      call.out = passing(name + ".out", model.width, DType::F32);
      BufferView out = call.out;
      add(name + again, std::move(call));
      return out;
    }
    call.outType = type;
    call.out = passing(name + ".out", model.width, type);
    DropoutWork drop = dropout(stream, type, DType::F32);
    drop.x = call.out, drop.residual = residual;
    drop.out = passing(name + ".dropped", model.width, DType::F32);
    BufferView out = drop.out;
    add(name + again, std::move(call));
    add(name + ".dropout" + again, std::move(drop));
    return out;
  }
  bool drops() const { return use == ListUse::Train && model.dropout > 0; }
  DropoutWork dropout(int64_t stream, DType from, DType to) const {
    DropoutWork call;
    call.from = from, call.to = to;
    call.rate = model.dropout;
    call.stream = stream;
    call.seed = seed;
    return call;
  }
  /// The gradient of a branch's last product, in the compute type, given that of the residual
  /// stream.
  BufferView branchGradient(const std::string &name, const BufferView &dout, int64_t stream) {
    BufferView dx = dout;
    if (drops()) {
      DropoutWork call = dropout(stream, DType::F32, type);
      call.x = dout;
      dx = call.out = passing(name + ".ddropped", model.width, type);
      add(name + ".dropout backward", std::move(call));
    } else if (type != DType::F32) {
      CastWork call;
      call.from = DType::F32, call.to = type;
      call.x = dout;
      dx = call.out = passing(name + ".dcast", model.width, type);
      add(name + ".cast backward", std::move(call));
    }
    return dx;
  }

  AttentionSizes attentionSizes(int64_t layer) const {
    AttentionSizes all{.batch = sizes.batch,
                       .length = model.length,
                       .heads = model.heads,
                       .qkDim = model.qkWidth() / model.heads,
                       .valueDim = model.width / model.heads,
                       .queries = use == ListUse::Decode ? 1 : model.length,
                       .dtype = type,
                       .pattern = pattern,
                       .entries = entriesOfLayer(*pattern, layer, model.heads)};
    if (use == ListUse::Decode) { // what it computes depends on the position
      all.decodes = isDecodable(all);
      return all;
    }
    for (const LayerEntry &each : all.entries) {
      const Expr &attend = pattern->heads[static_cast<size_t>(each.entry)].attend;
      bool apart = mentions(attend, Op::Head);
      for (int64_t i = 0; i < (apart ? each.heads.count : 1); ++i) {
        Result<int64_t> pairs =
            countElements(attend, {.nq = model.length,
                                   .nk = model.length,
                                   .q0 = 0,
                                   .h = each.heads.first + i * each.heads.step});
        // What is too much to count has live blocks all over.
        double found = pairs
                           ? static_cast<double>(*pairs)
                           : static_cast<double>(model.length) * static_cast<double>(model.length);
        all.pairs += found * static_cast<double>(sizes.batch * (apart ? 1 : each.heads.count));
      }
    }
    return all;
  }

  /// Of a block's queries, keys and values; `advance`: BufferView's, of the queries.
  void addAttention(const std::string &name, int64_t layer, BlockState &block, int64_t advance,
                    const std::string &again) {
    const AttentionSizes &ofLayer = sizesOfLayer(layer);
    int64_t qk = model.qkWidth();
    auto set = [&](auto &attend) {
      attend.sizes = ofLayer;
      attend.q = block.qkv.slice(0, qk);
      attend.q.advance = advance;
      attend.k = block.qkv.slice(qk, qk);
      attend.v = block.qkv.slice(2 * qk, model.width);
      attend.out = block.attended;
    };
    if (ofLayer.decodes) {
      AttentionDecodeWork attend;
      set(attend);
      attend.lengths = lengths;
      add(name + again, attend);
      return;
    }
    AttentionWork attend;
    set(attend);
    attend.lse = block.lse =
        list.passing(name + ".lse", sizes.batch * model.heads, ofLayer.queries, ElementType::F32);
    add(name + again, attend);
  }

  /// `isLast`: the block's output is wanted, too.
  BlockState forward(int64_t layer, const BufferView &x, const std::string &again, bool isLast) {
    std::string attention = fmt::format("layers.{}.attention", layer);
    std::string ff = fmt::format("layers.{}.ff", layer);
    BlockState block;
    block.attention = norm(attention + ".norm", x, kEpsilon, again);
    int64_t qk = model.qkWidth(), outputs = 2 * qk + model.width;
    BufferView now; ///< of the tokens that this run computes
    if (use == ListUse::Decode) {
      block.qkv = list.kept(buffers::cache(layer), rows * model.length, outputs, elementOf(type));
      now = block.qkv;
      now.rows = rows;
      now.stride = model.length * outputs;
      now.advance = outputs * bytes(now.type);
    } else {
      now = block.qkv = passing(attention + ".qkv", outputs, type);
    }
    MatmulWork project;
    project.dtype = project.outType = type;
    project.x = block.attention.out;
    project.w = joined(weights, layer, "weight");
    project.bias = joined(master, layer, "bias");
    project.out = now;
    add(attention + ".query_key_value" + again, project);

    block.attended = passing(attention + ".attended", model.width, type);
    addAttention(attention, layer, block, now.advance, again);
    BufferView middle = branchEnd(attention + ".output", block.attended, x, 2 * layer, again);

    block.ff = norm(ff + ".norm", middle, kEpsilon, again);
    MatmulWork inner;
    inner.dtype = inner.outType = type;
    inner.gelu = true;
    inner.x = block.ff.out;
    inner.w = weight(weights, ff + ".inner.weight");
    inner.bias = vector(master, ff + ".inner.bias");
    inner.out = block.activated = passing(ff + ".activated", model.ffWidth(), type);
    if (use == ListUse::Train)
      inner.inner = block.inner = passing(ff + ".inner", model.ffWidth(), type);
    add(ff + ".inner" + again, inner);
    if (isLast)
      block.out = branchEnd(ff + ".outer", block.activated, middle, 2 * layer + 1, again);
    return block;
  }

  void weightGradient(const std::string &name, const BufferView &x, const BufferView &dy,
                      const BufferView &dw, const BufferView &db, Sums sums) {
    MatmulWeightGradientWork call;
    call.dtype = type;
    call.sums = sums;
    call.x = x, call.dy = dy, call.dw = dw, call.db = db;
    add(name + " dw", call);
  }
  BufferView inputGradient(const std::string &name, const BufferView &dy, const BufferView &w,
                           const BufferView &inner, int64_t columns) {
    MatmulInputGradientWork call;
    call.dtype = type;
    call.dy = dy, call.w = w, call.inner = inner;
    call.dx = passing(name + ".dx", columns, type);
    add(name + " dx", call);
    return call.dx;
  }

  /// The gradient of the block's input, given that of its output.
  BufferView backward(int64_t layer, const BlockState &block, const BufferView &dout) {
    std::string attention = fmt::format("layers.{}.attention", layer);
    std::string ff = fmt::format("layers.{}.ff", layer);
    auto gradientsOf = [&](const std::string &name, const BufferView &x, const BufferView &dy) {
      weightGradient(name, x, dy, weight(gradients, name + ".weight"),
                     vector(gradients, name + ".bias"), sums);
    };
    BufferView d = branchGradient(ff + ".outer", dout, 2 * layer + 1);
    gradientsOf(ff + ".outer", block.activated, d);
    BufferView dinner = inputGradient(ff + ".outer", d, weight(weights, ff + ".outer.weight"),
                                      block.inner, model.ffWidth());
    gradientsOf(ff + ".inner", block.ff.out, dinner);
    BufferView dnorm = inputGradient(ff + ".inner", dinner, weight(weights, ff + ".inner.weight"),
                                     {}, model.width);
    BufferView dmiddle = normBackward(ff + ".norm", block.ff, dnorm, dout);

    d = branchGradient(attention + ".output", dmiddle, 2 * layer);
    gradientsOf(attention + ".output", block.attended, d);
    BufferView dattended = inputGradient(
        attention + ".output", d, weight(weights, attention + ".output.weight"), {}, model.width);
    int64_t qk = model.qkWidth();
    BufferView dqkv = passing(attention + ".dqkv", 2 * qk + model.width, type);
    AttentionBackwardWork attend;
    attend.sizes = sizesOfLayer(layer);
    attend.q = block.qkv.slice(0, qk);
    attend.k = block.qkv.slice(qk, qk);
    attend.v = block.qkv.slice(2 * qk, model.width);
    attend.out = block.attended, attend.lse = block.lse, attend.dout = dattended;
    attend.dq = dqkv.slice(0, qk);
    attend.dk = dqkv.slice(qk, qk);
    attend.dv = dqkv.slice(2 * qk, model.width);
    add(attention + " backward", attend);

    weightGradient(attention + ".query_key_value", block.attention.out, dqkv,
                   joined(gradients, layer, "weight"), joined(gradients, layer, "bias"), sums);
    dnorm = inputGradient(attention + ".query_key_value", dqkv, joined(weights, layer, "weight"),
                          {}, model.width);
    return normBackward(attention + ".norm", block.attention, dnorm, dmiddle);
  }

  /// Counting what attends takes time: once for each distinct layer.
  const AttentionSizes &sizesOfLayer(int64_t layer) {
    int64_t distinct =
        pattern->layers.empty() ? 0 : layer % static_cast<int64_t>(pattern->layers.size());
    auto [at, isNew] = layerSizes.try_emplace(distinct);
    if (isNew)
      at->second = attentionSizes(layer);
    return at->second;
  }

  std::map<int64_t, AttentionSizes> layerSizes;
};

} // namespace

std::string buffers::cache(int64_t layer) {
  return fmt::format("layers.{}.cache", layer);
}

Transformer::Transformer(Config config, std::shared_ptr<const Pattern> pattern)
    : settings(std::move(config)), table(std::make_shared<Parameters>(settings.model)),
      heads(std::move(pattern)), type(dtypeOf(settings.train.precision)) {}

CallList Transformer::update() const {
  CallList list;
  int64_t elements = table->elements();
  AdamWork adam;
  adam.parameters = table;
  adam.dtype = type;
  const TrainConfig &train = settings.train;
  adam.beta1 = train.beta1, adam.beta2 = train.beta2;
  adam.weightDecay = train.weightDecay, adam.gradClip = train.gradClip;
  adam.master = list.kept(buffers::kParameters, 1, elements, ElementType::F32);
  adam.gradient = list.kept(buffers::kGradients, 1, elements, ElementType::F32);
  adam.first = list.kept(buffers::kFirst, 1, elements, ElementType::F32);
  adam.second = list.kept(buffers::kSecond, 1, elements, ElementType::F32);
  if (type != DType::F32)
    adam.weights = list.kept(buffers::kWeights, 1, elements, elementOf(type));
  adam.state = optimiserState(list);
  list.add("optimiser", std::make_shared<const AdamWork>(std::move(adam)));
  return list;
}

CallList Transformer::list(ListUse use, const TransformerSizes &sizes) const {
  return ListBuilder(settings, *table, heads, type, use, sizes).run();
}

} // namespace sparsec
