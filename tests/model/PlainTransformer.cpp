#include "tests/model/PlainTransformer.h"

#include "patterns/Evaluate.h"

#include <cmath>
#include <fmt/format.h>

namespace sparsec {

namespace {

double scaleOf(const std::vector<double> &x) {
  double squares = 0;
  for (double each : x)
    squares += each * each;
  return std::sqrt(squares / static_cast<double>(x.size()));
}

double sigmoid(double x) {
  return 1 / (1 + std::exp(-x));
}

void add(std::vector<double> &to, const std::vector<double> &from) {
  for (size_t i = 0; i < to.size(); ++i)
    to[i] += from[i];
}

} // namespace

double PlainTransformer::streamScale() const {
  return scaleOf(last.x);
}
double PlainTransformer::embeddingScale() const {
  return scaleOf(embedded);
}

std::vector<double> &PlainTransformer::gradientOf(const std::string &name) {
  std::vector<double> &gradient = gradients[name];
  gradient.resize(values.at(name).size());
  return gradient;
}

PlainTransformer::Rows PlainTransformer::linear(const Rows &x, const std::string &name, int64_t in,
                                                int64_t out, bool bias) const {
  const std::vector<double> &w = values.at(name + ".weight");
  Rows y(static_cast<size_t>(rows * out));
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t o = 0; o < out; ++o) {
      double sum = bias ? values.at(name + ".bias")[o] : 0;
      for (int64_t i = 0; i < in; ++i)
        sum += x[r * in + i] * w[o * in + i];
      y[r * out + o] = sum;
    }
  return y;
}

PlainTransformer::Rows PlainTransformer::linearBackward(const Rows &x, const Rows &dy,
                                                        const std::string &name, int64_t in,
                                                        int64_t out, bool bias) {
  const std::vector<double> &w = values.at(name + ".weight");
  std::vector<double> &dw = gradientOf(name + ".weight");
  Rows dx(static_cast<size_t>(rows * in));
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t o = 0; o < out; ++o) {
      double g = dy[r * out + o];
      for (int64_t i = 0; i < in; ++i) {
        dx[r * in + i] += g * w[o * in + i];
        dw[o * in + i] += g * x[r * in + i];
      }
      if (bias)
        gradientOf(name + ".bias")[o] += g;
    }
  return dx;
}

PlainTransformer::Norm PlainTransformer::norm(const Rows &x, const std::string &name,
                                              double epsilon) const {
  int64_t d = model.width;
  Norm made{x, Rows(x.size()), {}, {}};
  for (int64_t r = 0; r < rows; ++r) {
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < d; ++i)
      mean += x[r * d + i] / static_cast<double>(d);
    for (int64_t i = 0; i < d; ++i)
      variance += (x[r * d + i] - mean) * (x[r * d + i] - mean) / static_cast<double>(d);
    double rstd = 1 / std::sqrt(variance + epsilon);
    made.mean.push_back(mean);
    made.rstd.push_back(rstd);
    for (int64_t i = 0; i < d; ++i)
      made.out[r * d + i] = (x[r * d + i] - mean) * rstd * values.at(name + ".weight")[i] +
                            values.at(name + ".bias")[i];
  }
  return made;
}

PlainTransformer::Rows PlainTransformer::normBackward(const Norm &norm, const Rows &dy,
                                                      const std::string &name) {
  int64_t d = model.width;
  const std::vector<double> &gain = values.at(name + ".weight");
  std::vector<double> &dgain = gradientOf(name + ".weight"), &dbias = gradientOf(name + ".bias");
  Rows dx(dy.size());
  for (int64_t r = 0; r < rows; ++r) {
    double meanG = 0, meanGu = 0;
    auto u = [&](int64_t i) { return (norm.x[r * d + i] - norm.mean[r]) * norm.rstd[r]; };
    for (int64_t i = 0; i < d; ++i) {
      double g = dy[r * d + i] * gain[i];
      meanG += g / static_cast<double>(d);
      meanGu += g * u(i) / static_cast<double>(d);
      dgain[i] += dy[r * d + i] * u(i);
      dbias[i] += dy[r * d + i];
    }
    for (int64_t i = 0; i < d; ++i)
      dx[r * d + i] = norm.rstd[r] * (dy[r * d + i] * gain[i] - meanG - u(i) * meanGu);
  }
  return dx;
}

void PlainTransformer::attend(Layer &layer, int64_t index) const {
  int64_t n = model.length, heads = model.heads, batch = rows / n;
  int64_t qk = model.qkWidth() / heads, dim = model.width / heads;
  double scale = 1 / std::sqrt(static_cast<double>(qk));
  layer.attended.assign(static_cast<size_t>(rows * model.width), 0);
  layer.weights.clear();
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t h = 0; h < heads; ++h) {
      size_t entry = static_cast<size_t>(h) % pattern.heads.size();
      if (!pattern.layers.empty()) {
        const auto &list = pattern.layers[static_cast<size_t>(index) % pattern.layers.size()];
        entry = static_cast<size_t>(list[static_cast<size_t>(h) % list.size()]);
      }
      Rows p(static_cast<size_t>(n * n));
      for (int64_t i = 0; i < n; ++i) {
        double sum = 0, most = -INFINITY;
        for (int64_t j = 0; j < n; ++j) {
          double s = -INFINITY;
          if (evaluate(pattern.heads[entry].attend, {.h = h, .q = i, .k = j}, {n, n})) {
            s = 0;
            for (int64_t c = 0; c < qk; ++c)
              s += layer.q[((b * n + i) * heads + h) * qk + c] *
                   layer.k[((b * n + j) * heads + h) * qk + c];
            s *= scale;
          }
          p[i * n + j] = s;
          most = std::max(most, s);
        }
        for (int64_t j = 0; j < n; ++j) {
          p[i * n + j] = most == -INFINITY ? 0 : std::exp(p[i * n + j] - most);
          sum += p[i * n + j];
        }
        for (int64_t j = 0; j < n && sum > 0; ++j) {
          p[i * n + j] /= sum;
          for (int64_t c = 0; c < dim; ++c)
            layer.attended[((b * n + i) * heads + h) * dim + c] +=
                p[i * n + j] * layer.v[((b * n + j) * heads + h) * dim + c];
        }
      }
      layer.weights.push_back(std::move(p));
    }
}

void PlainTransformer::attendBackward(const Layer &layer, const Rows &dout, Rows &dq, Rows &dk,
                                      Rows &dv) const {
  int64_t n = model.length, heads = model.heads, batch = rows / n;
  int64_t qk = model.qkWidth() / heads, dim = model.width / heads;
  double scale = 1 / std::sqrt(static_cast<double>(qk));
  dq.assign(layer.q.size(), 0), dk.assign(layer.k.size(), 0), dv.assign(layer.v.size(), 0);
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t h = 0; h < heads; ++h) {
      const Rows &p = layer.weights[static_cast<size_t>(b * heads + h)];
      auto at = [&](int64_t t, int64_t size) { return ((b * n + t) * heads + h) * size; };
      for (int64_t i = 0; i < n; ++i) {
        std::vector<double> dp(static_cast<size_t>(n));
        double delta = 0;
        for (int64_t j = 0; j < n; ++j) {
          for (int64_t c = 0; c < dim; ++c) {
            dp[j] += dout[at(i, dim) + c] * layer.v[at(j, dim) + c];
            dv[at(j, dim) + c] += p[i * n + j] * dout[at(i, dim) + c];
          }
          delta += p[i * n + j] * dp[j];
        }
        for (int64_t j = 0; j < n; ++j) {
          double ds = p[i * n + j] * (dp[j] - delta) * scale;
          for (int64_t c = 0; c < qk; ++c) {
            dq[at(i, qk) + c] += ds * layer.k[at(j, qk) + c];
            dk[at(j, qk) + c] += ds * layer.q[at(i, qk) + c];
          }
        }
      }
    }
}

void PlainTransformer::maskBranch(Rows &branch, int64_t stream) const {
  for (int64_t r = 0; mask && r < rows; ++r)
    for (int64_t c = 0; c < model.width; ++c)
      branch[r * model.width + c] *= mask(stream, r, c);
}

double PlainTransformer::loss(const std::vector<uint8_t> &tokens) {
  int64_t d = model.width, n = model.length, ff = model.ffWidth();
  rows = static_cast<int64_t>(tokens.size());
  inputs.clear(), layers.clear(), perToken.clear();
  Rows x(static_cast<size_t>(rows * d));
  for (int64_t r = 0; r < rows; ++r) {
    inputs.push_back(r % n == 0 ? kStart : tokens[r - 1]);
    for (int64_t i = 0; i < d; ++i) {
      x[r * d + i] = r % n == 0 ? values.at("embedding.start.weight")[i]
                                : values.at("embedding.token.weight")[inputs[r] * d + i];
      for (const PositionConfig &table : model.positions)
        x[r * d + i] +=
            values.at("embedding." + table.name +
                      ".weight")[evaluateInteger(table.index, {.k = r % n}, {}) * d + i];
    }
  }
  embedded = x;
  for (int64_t index = 0; index < model.layers; ++index) {
    std::string name = fmt::format("layers.{}.", index);
    Layer layer;
    layer.attention = norm(x, name + "attention.norm", 1e-5);
    const Rows &h = layer.attention.out;
    layer.q = linear(h, name + "attention.query", d, model.qkWidth(), true);
    layer.k = linear(h, name + "attention.key", d, model.qkWidth(), true);
    layer.v = linear(h, name + "attention.value", d, d, true);
    attend(layer, index);
    Rows branch = linear(layer.attended, name + "attention.output", d, d, true);
    maskBranch(branch, 2 * index);
    add(x, branch);
    layer.ff = norm(x, name + "ff.norm", 1e-5);
    layer.inner = linear(layer.ff.out, name + "ff.inner", d, ff, true);
    for (double u : layer.inner)
      layer.activated.push_back(u * sigmoid(1.702 * u));
    branch = linear(layer.activated, name + "ff.outer", ff, d, true);
    maskBranch(branch, 2 * index + 1);
    add(x, branch);
    layers.push_back(std::move(layer));
  }
  last = norm(x, "norm", 1e-6);
  std::string output = model.tiedOutput ? "embedding.token" : "output";
  probabilities = linear(last.out, output, d, kClasses, false);
  double total = 0;
  for (int64_t r = 0; r < rows; ++r) {
    double *row = probabilities.data() + r * kClasses,
           most = *std::max_element(row, row + kClasses);
    double sum = 0, target = row[tokens[r]];
    for (int64_t c = 0; c < kClasses; ++c)
      sum += row[c] = std::exp(row[c] - most);
    for (int64_t c = 0; c < kClasses; ++c)
      row[c] /= sum;
    perToken.push_back(most + std::log(sum) - target);
    total += perToken.back();
  }
  return total / static_cast<double>(rows);
}

Values PlainTransformer::gradient(const std::vector<uint8_t> &tokens) {
  loss(tokens);
  gradients.clear();
  int64_t d = model.width, n = model.length, ff = model.ffWidth();
  Rows dy = probabilities;
  for (int64_t r = 0; r < rows; ++r)
    dy[r * kClasses + tokens[r]] -= 1;
  for (double &each : dy)
    each /= static_cast<double>(rows);
  std::string output = model.tiedOutput ? "embedding.token" : "output";
  Rows dx = normBackward(last, linearBackward(last.out, dy, output, d, kClasses, false), "norm");
  for (int64_t index = model.layers - 1; index >= 0; --index) {
    std::string name = fmt::format("layers.{}.", index);
    const Layer &layer = layers[static_cast<size_t>(index)];
    Rows branch = dx;
    maskBranch(branch, 2 * index + 1);
    Rows du = linearBackward(layer.activated, branch, name + "ff.outer", ff, d, true);
    for (size_t i = 0; i < du.size(); ++i) {
      double u = layer.inner[i], s = sigmoid(1.702 * u);
      du[i] *= s + 1.702 * u * s * (1 - s);
    }
    add(dx, normBackward(layer.ff, linearBackward(layer.ff.out, du, name + "ff.inner", d, ff, true),
                         name + "ff.norm"));
    branch = dx;
    maskBranch(branch, 2 * index);
    Rows dattended = linearBackward(layer.attended, branch, name + "attention.output", d, d, true);
    Rows dq, dk, dv;
    attendBackward(layer, dattended, dq, dk, dv);
    const Rows &h = layer.attention.out;
    Rows dh = linearBackward(h, dq, name + "attention.query", d, model.qkWidth(), true);
    add(dh, linearBackward(h, dk, name + "attention.key", d, model.qkWidth(), true));
    add(dh, linearBackward(h, dv, name + "attention.value", d, d, true));
    add(dx, normBackward(layer.attention, dh, name + "attention.norm"));
  }
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t i = 0; i < d; ++i) {
      double g = dx[r * d + i];
      if (inputs[r] == kStart)
        gradientOf("embedding.start.weight")[i] += g;
      else
        gradientOf("embedding.token.weight")[inputs[r] * d + i] += g;
      for (const PositionConfig &table : model.positions)
        gradientOf("embedding." + table.name +
                   ".weight")[evaluateInteger(table.index, {.k = r % n}, {}) * d + i] += g;
    }
  return gradients;
}

} // namespace sparsec
