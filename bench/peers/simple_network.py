"""The course's simple network on PyTorch: linear(256, 1) + sigmoid, BCELoss, SGD, 64 pictures, full batch.

Prints seconds per 50,000 epochs (measured over --epochs of them) on one thread, its fastest setting here.
"""

import argparse
import time

import torch

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int, default=50_000)
args = parser.parse_args()
torch.set_num_threads(1)
torch.manual_seed(0)
x = torch.rand(64, 256)
y = (torch.arange(64) % 2).float().unsqueeze(1)
model = torch.nn.Sequential(torch.nn.Linear(256, 1), torch.nn.Sigmoid())
loss_of = torch.nn.BCELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)


def train(epochs):
    for _ in range(epochs):
        optimizer.zero_grad()
        loss = loss_of(model(x), y)
        loss.backward()
        optimizer.step()
    return loss.item()


train(500)
begin = time.perf_counter()
loss = train(args.epochs)
seconds = time.perf_counter() - begin
print(f"PyTorch: {1e6 * seconds / args.epochs:.2f} us an epoch, {50_000 * seconds / args.epochs:.3f} s for 50,000; loss {loss:.6f}")
