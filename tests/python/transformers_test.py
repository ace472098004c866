"""sparsec.torch.register: small random models of transformers equal their eager attention."""
import unittest

import sparsec
import sparsec.torch
import torch
from devices import DEVICE
from transformers import Gemma3ForCausalLM, Gemma3TextConfig, MistralConfig, MistralForCausalLM

SIZES = dict(vocab_size=97, hidden_size=64, intermediate_size=96, num_attention_heads=4, num_key_value_heads=2, head_dim=16,
             sliding_window=8, max_position_embeddings=128)
MODELS = [
    lambda: MistralForCausalLM(MistralConfig(num_hidden_layers=2, **SIZES)),
    lambda: Gemma3ForCausalLM(Gemma3TextConfig(num_hidden_layers=3, **SIZES, layer_types=[
        "sliding_attention", "full_attention", "sliding_attention"])),
]


class Register(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(0)
        sparsec.torch.register()
        self.tokens = torch.randint(3, 97, (2, 40)).to(DEVICE)  # no token is padding or an end

    def run_model(self, model, implementation):
        """(logits, gradients, what it generates)"""
        model.set_attn_implementation(implementation)
        model.zero_grad()
        output = model(self.tokens, labels=self.tokens)
        output.loss.backward()
        generated = model.generate(self.tokens[:, :5], max_new_tokens=15, do_sample=False)
        return output.logits, [p.grad.clone() for p in model.parameters()], generated

    def test_models_equal_eager(self):
        for make in MODELS:
            model = make().to(DEVICE).eval()
            with self.subTest(type(model).__name__):
                logits, gradients, generated = self.run_model(model, "eager")
                found, by, text = self.run_model(model, "sparsec")
                self.assertLess((found - logits).abs().max().item(), 1e-5)
                self.assertLess(max((a - b).abs().max().item() for a, b in zip(by, gradients)), 1e-5)
                self.assertTrue(torch.equal(text, generated))

    def test_a_pattern_in_place_of_the_models(self):
        model = MODELS[0]().to(DEVICE).eval()
        window = self.run_model(model, "eager")[0]
        sparsec.torch.register("sparsec-window", "local", params={"l": 8})
        self.assertLess((self.run_model(model, "sparsec-window")[0] - window).abs().max().item(), 1e-5)
        sparsec.torch.register("sparsec-narrow", sparsec.Pattern(expr="local(3)"))
        self.assertGreater((self.run_model(model, "sparsec-narrow")[0] - window).abs().max().item(), 1e-4)

    def test_refused(self):
        model = MODELS[0]().to(DEVICE).eval()
        model.set_attn_implementation("sparsec")
        padded = torch.ones(2, 40, dtype=torch.long, device=DEVICE)
        padded[:, :3] = 0
        packed = torch.cat([torch.arange(20), torch.arange(20)]).expand(2, -1).to(DEVICE)
        for options, text in [
            ({"attention_mask": padded}, "attention_mask: expected no padding, found some tokens masked"),
            ({"position_ids": packed, "use_cache": False},
             "attention_mask: expected causal, a window, chunks or all pairs, found another mask (packed sequences, tokens that see "
             "forward): use sdpa or flex_attention"),
        ]:
            with self.assertRaises(sparsec.InputError) as raised:
                model(self.tokens, **options)
            self.assertEqual(str(raised.exception), text)


if __name__ == "__main__":
    unittest.main()
