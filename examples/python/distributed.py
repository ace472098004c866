"""The model of train.py in several processes: DistributedDataParallel, gloo on CPUs and NCCL on GPUs.

    python3 examples/python/distributed.py --processes 2 [--device cuda]
    torchrun --nproc-per-node 2 examples/python/distributed.py [--device cuda]
"""
import argparse
import os
import pathlib
import tempfile

import torch
import torch.distributed
import torch.multiprocessing
from torch import nn
from train import Model, batches


def work(rank, options, rendezvous=None):
    backend = "nccl" if options.device == "cuda" else "gloo"
    place = {} if rendezvous is None else {"init_method": f"file://{rendezvous}", "rank": rank, "world_size": options.processes}
    torch.distributed.init_process_group(backend, **place)
    rank, processes = torch.distributed.get_rank(), torch.distributed.get_world_size()
    device = torch.device("cuda", rank) if options.device == "cuda" else torch.device("cpu")
    if options.device == "cuda":
        torch.cuda.set_device(device)
    else:
        torch.set_num_threads(1)
    torch.manual_seed(0)
    model = nn.parallel.DistributedDataParallel(Model().to(device))
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    text = torch.tensor(list((pathlib.Path(__file__).resolve().parents[2] / "docs/decisions.md").read_bytes()))
    if rank == 0:
        print(f"{processes} processes, {backend}")
    for number, (tokens, targets) in enumerate(batches(text, options.steps, 2, device, seed=rank)):
        with torch.autocast(options.device, torch.bfloat16, enabled=options.device != "cpu"):
            loss = nn.functional.cross_entropy(model(tokens).flatten(0, 1).float(), targets.flatten())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if rank == 0:
            print(f"step {number}: loss {loss.item():.3f} in process 0", flush=True)
    # Gradients were averaged, so that the weights are the same bits everywhere.
    weights = torch.cat([p.detach().flatten() for p in model.parameters()])
    first = weights.clone()
    torch.distributed.broadcast(first, 0)
    same = torch.tensor([torch.equal(weights, first)], dtype=torch.int32, device=device)
    torch.distributed.all_reduce(same, torch.distributed.ReduceOp.MIN)
    if rank == 0:
        print("the same weights in all processes" if same.item() else "the weights differ")
    torch.distributed.destroy_process_group()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    options = parser.parse_args()
    if "RANK" in os.environ:  # under torchrun
        work(None, options)
        return
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(work, (options, pathlib.Path(folder) / "rendezvous"), nprocs=options.processes)


if __name__ == "__main__":
    main()
