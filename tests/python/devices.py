"""The device that tests of tensors run on: SPARSEC_TEST_DEVICE=cuda, else the cpu. What else they need for it."""
import os

DEVICE = "cuda" if os.environ.get("SPARSEC_TEST_DEVICE", "").startswith("cuda") else "cpu"
