#!/usr/bin/python3
"""Trains the demo's digit classifier at several bit widths and exports it as QONNX.

Data: UCI Optical Recognition of Handwritten Digits (E. Alpaydin, C. Kaynak, 1998), licence CC BY 4.0,
https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits: the 1797 images of 8x8 pixels that ship
with scikit-learn (load_digits), rescaled from 0..16 to 0..255.

Needs Debian's python3-torch, python3-sklearn, python3-onnx and python3-numpy.
"""
import argparse
import copy
import re
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

VARIANTS = {"float": (None, None), "w8a8": (8, 8), "w4a4": (4, 4), "w2a2": (2, 2), "w1a2": (1, 2)}  # weight, activation bits
MEAN, STD = 0.31, 0.38  # of the training pixels / 255, rounded
SEED = 1
TEST_SAMPLES = 450
BATCH = 64
QONNX_DOMAIN = "qonnx.custom_op.general"


# --- Data ---

def load_pixels():
    """uint8 pixels [N,8,8] and labels of the train and the test split: always the same samples, each class in proportion."""
    digits = load_digits()
    pixels = np.round(digits.images * 255 / 16).astype(np.uint8)
    labels = digits.target.astype(np.int64)
    train_x, test_x, train_y, test_y = train_test_split(
        pixels, labels, test_size=TEST_SAMPLES, stratify=labels, random_state=SEED)
    return train_x, train_y, test_x, test_y


def normalize(pixels):
    """What a loader of 8-bit images computes, in float32 and in this order."""
    unit = pixels[:, None].astype(np.float32) / np.float32(255)
    return (unit - np.float32(MEAN)) / np.float32(STD)


def augment(images):
    """Random rotation, scale, shift (up to a pixel) and noise. The border is filled with background."""
    n = len(images)
    def uniform(low, high):
        return torch.empty(n).uniform_(low, high)
    angle, scale, pixel = uniform(-0.2, 0.2), uniform(0.9, 1.1), 2 / images.shape[-1]
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    rows = [torch.stack([cos, -sin, uniform(-pixel, pixel)], 1), torch.stack([sin, cos, uniform(-pixel, pixel)], 1)]
    grid = F.affine_grid(torch.stack(rows, 1), images.shape, align_corners=False)
    background = -MEAN / STD  # grid_sample fills with 0, which is not the background after normalisation
    moved = F.grid_sample(images - background, grid, align_corners=False) + background
    return moved + 0.1 * torch.randn_like(moved)


# --- Quantization-aware training: LSQ (Esser et al., Learned Step Size Quantization, 2020) ---

def with_gradient_of(value, surrogate):
    """Exactly `value` going forward, the gradient of `surrogate` going back."""
    return value.detach() + (surrogate - surrogate.detach())


class Quantizer(nn.Module):
    """Fake quantization with a learned scale: a scalar, or one per output channel of a weight if `scale_shape` is given.

    8-bit weights are narrow, [-127, 127], as int8 kernels like them; fewer bits use every code.
    """

    def __init__(self, bits, signed, scale_shape=()):
        super().__init__()
        self.bits, self.signed = bits, signed
        self.narrow = bool(scale_shape) and bits == 8
        self.max = 2 ** (bits - signed) - 1
        self.min = -self.max if self.narrow else -signed * 2 ** (bits - 1)
        self.scale = nn.Parameter(torch.zeros(scale_shape))  # 0 until the first tensor is seen

    def forward(self, x):
        if not self.scale.any():
            self.scale.data = self.best_scale(x.detach())
        # The square makes steps relative, as descent on log(scale) would be. LSQ's own factor, 1/sqrt(N*Qp), is made for one
        # scale per layer: here it took some channels' scales through zero.
        scale = with_gradient_of(self.scale, self.scale * self.scale.detach().square())
        return self.code(x, scale) * scale

    def code(self, x, scale):
        ratio = (x / scale).clamp(self.min, self.max)
        return with_gradient_of(torch.round(ratio), ratio)  # half to even

    def best_scale(self, x):
        """The scale of least squared error, by search."""
        dims = tuple(range(bool(self.scale.dim()), x.dim()))
        keep = self.scale.dim() > 0
        candidates = torch.linspace(0.01, 1, 100).view(-1, *[1] * self.scale.dim()) * x.abs().amax(dims, keep) / self.max
        errors = torch.stack([(x - self.code(x, scale) * scale).square().sum(dims, keep) for scale in candidates])
        return candidates.gather(0, errors.argmin(0, keepdim=True))[0]


class BipolarQuantizer(Quantizer):
    """One bit, {-scale, +scale}. The gradient passes unclipped: a clipped weight could never change its sign again."""

    def __init__(self, scale_shape):
        super().__init__(2, signed=True, scale_shape=scale_shape)
        self.bits, self.min = 1, -1

    def code(self, x, scale):
        return with_gradient_of(torch.where(x >= 0, 1.0, -1.0).to(x.dtype), x / scale.detach())


def quantizer(bits, signed, scale_shape=()):
    if bits is None:
        return nn.Identity()
    return BipolarQuantizer(scale_shape) if bits == 1 else Quantizer(bits, signed, scale_shape)


class QuantizedConv(nn.Conv2d):
    def __init__(self, inputs, outputs, kernel, stride, bits):
        super().__init__(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
        self.weight_quant = quantizer(bits, signed=True, scale_shape=(outputs, 1, 1, 1))

    def forward(self, x):
        return F.conv2d(x, self.weight_quant(self.weight), None, self.stride, self.padding)


class QuantizedLinear(nn.Linear):
    def __init__(self, inputs, outputs, bits):
        super().__init__(inputs, outputs)
        self.weight_quant = quantizer(bits, signed=True, scale_shape=(outputs, 1))

    def forward(self, x):
        return F.linear(x, self.weight_quant(self.weight), self.bias)


class Network(nn.Module):
    """Four convolutions, the third with a skip, and a classifier. The first and the last layer keep 8 bits, as is usual."""

    def __init__(self, weight_bits, activation_bits):
        super().__init__()
        edge_bits = None if weight_bits is None else 8
        def activation():
            return quantizer(activation_bits, signed=False)
        self.image_quant = quantizer(edge_bits, signed=True)
        self.conv1, self.bn1, self.quant1 = QuantizedConv(1, 32, 3, 1, edge_bits), nn.BatchNorm2d(32), activation()
        self.conv2, self.bn2, self.quant2 = QuantizedConv(32, 64, 3, 2, weight_bits), nn.BatchNorm2d(64), activation()
        self.conv3, self.bn3, self.quant3 = QuantizedConv(64, 64, 3, 1, weight_bits), nn.BatchNorm2d(64), activation()
        self.conv4, self.bn4, self.quant4 = QuantizedConv(64, 64, 1, 1, weight_bits), nn.BatchNorm2d(64), activation()
        self.pool_quant = quantizer(edge_bits, signed=False)
        self.fc = QuantizedLinear(64, 10, edge_bits)

    def forward(self, x):
        x = self.image_quant(x)
        x = self.quant1(F.relu(self.bn1(self.conv1(x))))
        x = self.quant2(F.relu(self.bn2(self.conv2(x))))
        x = self.quant3(F.relu(self.bn3(self.conv3(x)) + x))
        x = self.quant4(F.relu(self.bn4(self.conv4(x))))
        x = self.pool_quant(F.adaptive_avg_pool2d(x, 1))
        return self.fc(x.flatten(1))


def train(network, images, labels, epochs, learning_rate, name):
    network.train()
    weights = [p for p in network.parameters() if p.dim() > 1 and p.shape[1:].numel() > 1]
    others = [p for p in network.parameters() if p.dim() <= 1 or p.shape[1:].numel() == 1]
    optimizer = torch.optim.SGD([{"params": weights, "weight_decay": 5e-4}, {"params": others}],
                                lr=learning_rate, momentum=0.9, nesterov=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for epoch in range(epochs):
        total = 0.0
        for batch in torch.randperm(len(images)).split(BATCH):
            loss = F.cross_entropy(network(augment(images[batch])), labels[batch], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(batch)
        schedule.step()
        if (epoch + 1) % 10 == 0 or epoch + 1 == epochs:
            print(f"{name}: epoch {epoch + 1}/{epochs}, loss {total / len(images):.3f}", flush=True)
    network.eval()


# --- Export as QONNX ---

class GraphBuilder:
    """Collects ONNX nodes; each method returns the name of the tensor it adds."""

    def __init__(self):
        self.nodes, self.initializers = [], []

    def constant(self, name, value):
        value = value.detach().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
        self.initializers.append(numpy_helper.from_array(value.astype(np.float32), name))
        return name

    def node(self, op_type, name, inputs, domain="", output=None, **attributes):
        output = output or name
        self.nodes.append(helper.make_node(op_type, inputs, [output], name, domain=domain, **attributes))
        return output

    def quant(self, name, x, quant):
        if isinstance(quant, nn.Identity):
            return x
        assert (quant.scale > 0).all(), f"{name}: a scale is not positive"
        inputs = [x, self.constant(name + ".scale", quant.scale)]
        if isinstance(quant, BipolarQuantizer):
            return self.node("BipolarQuant", name, inputs, QONNX_DOMAIN)
        inputs += [self.constant(name + ".zero_point", 0.0), self.constant(name + ".bit_width", quant.bits)]
        return self.node("Quant", name, inputs, QONNX_DOMAIN,
                         signed=int(quant.signed), narrow=int(quant.narrow), rounding_mode="ROUND")

    def weight(self, name, layer):
        weight, quant = layer.weight, layer.weight_quant
        if not isinstance(quant, nn.Identity):
            weight = weight.clamp(quant.min * quant.scale, quant.max * quant.scale)
        return self.quant(name + ".weight_quant", self.constant(name + ".weight", weight), quant)

    def conv_bn(self, index, x, network):
        conv, bn = getattr(network, f"conv{index}"), getattr(network, f"bn{index}")
        x = self.node("Conv", f"conv{index}", [x, self.weight(f"conv{index}", conv)], kernel_shape=conv.kernel_size,
                      pads=conv.padding * 2, strides=conv.stride, dilations=conv.dilation, group=conv.groups)
        parameters = {"weight": bn.weight, "bias": bn.bias, "mean": bn.running_mean, "variance": bn.running_var}
        constants = [self.constant(f"bn{index}.{key}", value) for key, value in parameters.items()]
        return self.node("BatchNormalization", f"bn{index}", [x] + constants, epsilon=bn.eps)

    def relu_quant(self, index, x, network):
        return self.quant(f"quant{index}", self.node("Relu", f"relu{index}", [x]), getattr(network, f"quant{index}"))


def export(network, name):
    g = GraphBuilder()
    x = g.quant("image_quant", "image", network.image_quant)
    x = g.relu_quant(1, g.conv_bn(1, x, network), network)
    x = g.relu_quant(2, g.conv_bn(2, x, network), network)
    x = g.relu_quant(3, g.node("Add", "add3", [g.conv_bn(3, x, network), x]), network)
    x = g.relu_quant(4, g.conv_bn(4, x, network), network)
    x = g.quant("pool_quant", g.node("GlobalAveragePool", "pool", [x]), network.pool_quant)
    x = g.node("Flatten", "flatten", [x], axis=1)
    g.node("Gemm", "fc", [x, g.weight("fc", network.fc), g.constant("fc.bias", network.fc.bias)], output="logits", transB=1)

    def tensor(name, shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph(g.nodes, f"digits_{name}", [tensor("image", (1, 1, 8, 8))], [tensor("logits", (1, 10))],
                              g.initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13), helper.make_opsetid(QONNX_DOMAIN, 1)],
                              ir_version=7, producer_name="tidbit tools/demo/train.py")
    # Shape inference stops at a custom operator, so the shapes come from running the graph once.
    shapes = {key: value.shape for key, value in evaluate(model, np.zeros((1, 1, 8, 8))).items()}
    graph_outputs = [node.output[0] for node in g.nodes[:-1]]
    model.graph.value_info.extend(tensor(key, shapes[key]) for key in graph_outputs)
    onnx.checker.check_model(model, full_check=True)
    return model


# --- Check of the exported graph: every operator it uses, in double precision ---

def conv(x, weight, pads, strides, **_):
    x = np.pad(x, [(0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])])
    windows = np.lib.stride_tricks.sliding_window_view(x, weight.shape[2:], (2, 3))[:, :, ::strides[0], ::strides[1]]
    return np.einsum("nchwij,ocij->nohw", windows, weight, optimize=True)


def batch_normalization(x, weight, bias, mean, variance, epsilon):
    weight, bias, mean, variance = (v[:, None, None] for v in (weight, bias, mean, variance))
    return (x - mean) / np.sqrt(variance + epsilon) * weight + bias


def quant(x, scale, zero_point, bit_width, signed, narrow, rounding_mode):
    assert rounding_mode == b"ROUND"
    low, high = narrow - signed * 2 ** (bit_width - 1), 2 ** (bit_width - signed) - 1  # only signed ones are narrow here
    return (np.round(np.clip(x / scale + zero_point, low, high)) - zero_point) * scale


OPERATORS = {
    "Add": np.add,
    "BatchNormalization": batch_normalization,
    "BipolarQuant": lambda x, scale: np.where(x >= 0, scale, -scale),
    "Conv": conv,
    "Flatten": lambda x, axis: x.reshape(len(x), -1),
    "Gemm": lambda x, weight, bias, transB: x @ weight.T + bias,
    "GlobalAveragePool": lambda x: x.mean((2, 3), keepdims=True),
    "Quant": quant,
    "Relu": lambda x: np.maximum(x, 0),
}


def evaluate(model, images):
    """All tensors of the graph by name. A batch larger than the graph's is fine."""
    values = {i.name: numpy_helper.to_array(i).astype(np.float64) for i in model.graph.initializer}
    values["image"] = images.astype(np.float64)
    for node in model.graph.node:
        attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        values[node.output[0]] = OPERATORS[node.op_type](*(values[key] for key in node.input), **attributes)
    return values


@torch.no_grad()
def check_export(network, model, images):
    """The graph's logits, after comparing them with the trained network's in double and in float32."""
    logits = evaluate(model, images)["logits"]

    def compare(precision, other):
        difference = np.abs(logits - other).max()
        changed = np.sum(logits.argmax(1) != other.argmax(1))
        print(f"  graph in double, torch in {precision}: {changed} of {len(images)} images change class, "
              f"largest logit difference {difference:.1e}")
        return difference, changed

    double = copy.deepcopy(network).double()(torch.from_numpy(images).double()).numpy()
    single = network(torch.from_numpy(images)).numpy()
    if compare("double", double)[0] > 1e-6:  # the same arithmetic but for the order of sums
        raise SystemExit("the exported graph is not the trained network")
    if compare("float32", single)[1] > len(images) // 100:  # a value beside a rounding edge may take the next code
        raise SystemExit("float32 and double differ by more than rounding explains")
    return logits


# --- Files ---

def png(pixels):
    """An 8-bit grayscale PNG."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    height, width = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)  # each row begins with its filter: none
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def write_digits(output, pixels, labels, logits):
    """The first test digit of every class, and the two whose class wins, or loses, by the least."""
    for old in output.glob("digit_*.png"):
        old.unlink()
    rows = np.arange(len(labels))
    others = logits.copy()
    others[rows, labels] = -np.inf
    margin = logits[rows, labels] - others.max(1)
    first = [int(np.argmax(labels == label)) for label in range(10)]
    for n in first + [int(n) for n in np.argsort(margin)[:2]]:
        (output / f"digit_{labels[n]}_{n}.png").write_bytes(png(pixels[n]))
        print(f"digit_{labels[n]}_{n}.png: taken for {logits[n].argmax()}, margin {margin[n]:+.2f}")


def write_readme(output, table):
    text = Path(__file__).with_name("README.md").read_text()
    text = re.sub(r"(?<=<!-- results -->\n).*?(?=<!-- end -->)", table, text, flags=re.S)
    (output / "README.md").write_text(text)


def main():
    parser = argparse.ArgumentParser(
        formatter_class=argparse.RawDescriptionHelpFormatter, description=__doc__,
        epilog="example, the files of this folder again (about two minutes):\n  /usr/bin/python3 train.py\n"
               "example, a quick look elsewhere:\n  /usr/bin/python3 train.py --epochs 5 --output /tmp/digits")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent, help="folder to write (default: the script's)")
    parser.add_argument("--epochs", type=int, default=120, help="per variant (default: %(default)s)")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)  # also what makes sums, and so the files, repeatable

    train_pixels, train_labels, test_pixels, test_labels = load_pixels()
    images, labels = torch.from_numpy(normalize(train_pixels)), torch.from_numpy(train_labels)
    test_images = normalize(test_pixels)
    np.save(args.output / "test_images.npy", test_images)
    np.save(args.output / "test_labels.npy", test_labels)
    (args.output / "labels.txt").write_text("".join(f"{label}\n" for label in range(10)))

    networks, logits = {}, {}
    table = "| variant | test accuracy | parameters | weights, packed | ONNX file |\n|---|---|---|---|---|\n"
    for name, bits in VARIANTS.items():
        start = time.time()
        torch.manual_seed(SEED)
        network = networks[name] = Network(*bits)
        if name != "float":
            network.load_state_dict(networks["float"].state_dict(), strict=False)  # all but the scales
            network.eval()(images)  # sets the scales
        train(network, images, labels, args.epochs, 0.05 if name == "float" else 0.02, name)

        model = export(network, name)
        path = args.output / f"digits_{name}.onnx"
        onnx.save(model, str(path))
        logits[name] = check_export(network, onnx.load(str(path)), test_images)
        right = np.sum(logits[name].argmax(1) == test_labels)
        print(f"{name}: {right} of {len(test_labels)} test images right, {time.time() - start:.0f} s", flush=True)
        layers = [m for m in network.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
        packed = sum(m.weight.numel() * getattr(m.weight_quant, "bits", 32) for m in layers) / 8 / 1024
        table += (f"| {name} | {right / len(test_labels):.2%} ({right} of {len(test_labels)}) | "
                  f"{sum(p.numel() for p in network.parameters())} | {packed:.1f} KiB | {path.stat().st_size / 1024:.0f} KiB |\n")

    write_digits(args.output, test_pixels, test_labels, logits["w2a2"])
    write_readme(args.output, table)
    print(table, end="")


if __name__ == "__main__":
    main()
