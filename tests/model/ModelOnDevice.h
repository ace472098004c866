// A model on the device of the tests (SPARSEC_TEST_DEVICE, else cpu), with gradients to look at.
#pragma once

#include "model/Trainer.h"
#include "tests/model/PlainTransformer.h"

namespace sparsec {

/// A device and all that models take.
class TestMachine {
public:
  /// Empty: what SPARSEC_TEST_DEVICE says.
  explicit TestMachine(const std::string &device = "", int threads = 2);
  Machine &operator*() { return *machine; }

private:
  std::unique_ptr<Device> device;
  std::unique_ptr<KernelStore> store;
  std::unique_ptr<Machine> machine;
};

/// The one that the tests of a program share, with what was compiled on it.
Machine &testMachine();

/// A small model: 2 layers, 2 heads, n = 96 unless overrides say otherwise.
Config smallConfig(const std::string &pattern, const std::map<std::string, int64_t> &params = {},
                   const std::vector<ConfigOverride> &overrides = {});
std::shared_ptr<const Transformer> transformerOf(const Config &config);

/// Weights that are all different from 0, so that every gradient is.
std::vector<float> randomWeights(const Parameters &parameters, uint64_t seed);
std::vector<uint8_t> randomTokens(int64_t count, uint64_t seed);

/// What a list for training gives of some tokens.
struct Gradients {
  double loss = 0;
  std::vector<float> flat;
  std::vector<float> losses;
};
class GradientRun {
public:
  /// `runs`: lists that the batch is cut into, each of which adds to the gradient.
  GradientRun(Machine &machine, std::shared_ptr<const Transformer> model, int64_t batch,
              int64_t runs = 1);
  Gradients operator()(const std::vector<float> &weights, const std::vector<uint8_t> &tokens,
                       uint64_t seed = 0);

private:
  Machine &machine;
  std::shared_ptr<const Transformer> model;
  int64_t batch, runs;
  ListMemory memory;
  std::vector<RunningList> lists;
};

/// A flat buffer by the names of its parameters.
Values byName(const Parameters &parameters, const std::vector<float> &flat);

} // namespace sparsec
