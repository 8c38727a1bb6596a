"""One prediction from a cold start on PyTorch: import, build, load weights, decode, transform, run, print."""

import sys

import torch
import torchvision
from PIL import Image
from safetensors.torch import load_file
from torchvision import transforms

weights, classes, picture = sys.argv[1:4]
torch.set_num_threads(2)
model = torchvision.models.squeezenet1_1()
model.load_state_dict(load_file(weights))
model.eval()
preset = transforms.Compose(
    [
        transforms.Resize(256),
        transforms.CenterCrop(224),
        transforms.ToTensor(),
        transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ]
)
x = preset(Image.open(picture).convert("RGB")).unsqueeze(0)
with torch.inference_mode():
    p = model(x).softmax(1)[0]
names = [line.strip() for line in open(classes)]
best = int(p.argmax())
print(f"{picture} is predicted as {names[best]} ({p[best]:.2f})")
