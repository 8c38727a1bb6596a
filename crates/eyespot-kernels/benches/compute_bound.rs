//! Convolution and linear layers: `cargo bench -p eyespot-kernels --bench compute_bound`.
//!
//! "item/s" are floating-point operations per second, two for each multiply-add of the definition; Winograd's
//! algorithm needs fewer, so it can pass the processor's peak, which `product_in_cache` comes close to on one thread. The
//! layers are those of ResNet-50, VGG16, AlexNet, SqueezeNet and MobileNetV2.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use eyespot_kernels::conv2d::{Conv2dKernel, Conv2dShape, Conv2dTraining, SeparableKernel};
use eyespot_kernels::linear::LinearKernel;
use eyespot_kernels::{Activation, Floats, Threads, linear};

const BATCHES: [usize; 2] = [1, 16];

/// Name; map; input and output channels; kernel; stride; padding; groups.
type Layer = (&'static str, usize, (usize, usize), usize, usize, usize, usize);

const LAYERS: [Layer; 18] = [
    ("ResNet conv1", 224, (3, 64), 7, 2, 3, 1),
    ("ResNet 3x3 at 56", 56, (64, 64), 3, 1, 1, 1),
    ("ResNet 1x1 at 56", 56, (64, 256), 1, 1, 0, 1),
    ("ResNet 3x3/2 at 56", 56, (128, 128), 3, 2, 1, 1),
    ("ResNet 1x1/2 at 56", 56, (256, 512), 1, 2, 0, 1),
    ("ResNet 3x3 at 28", 28, (128, 128), 3, 1, 1, 1),
    ("ResNet 1x1 at 28", 28, (512, 128), 1, 1, 0, 1),
    ("ResNet 3x3 at 14", 14, (256, 256), 3, 1, 1, 1),
    ("ResNet 1x1 at 14", 14, (1024, 256), 1, 1, 0, 1),
    ("ResNet 3x3 at 7", 7, (512, 512), 3, 1, 1, 1),
    ("ResNet 1x1 at 7", 7, (512, 2048), 1, 1, 0, 1),
    ("VGG 3x3 at 112", 112, (128, 128), 3, 1, 1, 1),
    ("VGG 3x3 at 28", 28, (512, 512), 3, 1, 1, 1),
    ("AlexNet conv1", 224, (3, 64), 11, 4, 2, 1),
    ("AlexNet 5x5 at 27", 27, (64, 192), 5, 1, 2, 1),
    ("SqueezeNet squeeze", 55, (64, 16), 1, 1, 0, 1),
    ("MobileNet expand", 56, (24, 144), 1, 1, 0, 1),
    ("MobileNet depthwise", 56, (144, 144), 3, 1, 1, 144),
];

fn main() {
    divan::main();
}

fn shape(&(_, size, (in_c, out_c), kernel, stride, padding, groups): &Layer) -> Conv2dShape {
    let out = (size + 2 * padding - kernel) / stride + 1;
    Conv2dShape {
        in_h: size,
        in_w: size,
        in_c,
        out_h: out,
        out_w: out,
        out_c,
        kernel: (kernel, kernel),
        stride: (stride, stride),
        padding: (padding, padding),
        dilation: (1, 1),
        groups,
    }
}

fn numbers(len: usize) -> Vec<f32> {
    (0..len as u32).map(|i| i.wrapping_mul(0x9e37_79b9) as i32 as f32 / 2e9).collect()
}

/// A product of matrices small enough for the first caches: the register tile alone.
#[divan::bench]
fn product_in_cache(bencher: Bencher) {
    let (threads, size) = (Threads::new(1), 96);
    let (x, w, mut y) = (numbers(size * size), numbers(size * size), vec![0.0; size * size]);
    bencher
        .counter(ItemsCount::new(2 * size * size * size))
        .bench_local(|| linear::backward_input(&threads, (size, size), size, black_box(&x), &w, &mut y));
}

#[divan::bench(args = LAYERS.iter().map(|l| l.0), consts = BATCHES)]
fn inference<const BATCH: usize>(bencher: Bencher, name: &str) {
    let threads = Threads::new(0);
    let s = shape(LAYERS.iter().find(|l| l.0 == name).expect("a layer of the table"));
    let kernel = Conv2dKernel::new(s, BATCH, &numbers(s.weights_len()), None, Activation::Relu);
    let (x, mut y) = (numbers(BATCH * s.input_len()), vec![0.0; BATCH * s.output_len()]);
    let mut scratch = vec![0.0; kernel.scratch_len(&threads)];
    bencher.counter(ItemsCount::new(2 * BATCH * s.multiply_adds())).bench_local(|| {
        kernel.run(&threads, BATCH, black_box(&x), None, &mut y, s.out_c, &mut scratch);
    });
}

#[divan::bench(args = LAYERS.iter().map(|l| l.0))]
fn backward(bencher: Bencher, name: &str) {
    let (threads, images) = (Threads::new(0), 16);
    let s = shape(LAYERS.iter().find(|l| l.0 == name).expect("a layer of the table"));
    let plan = Conv2dTraining::new(s, images);
    let (x, dy) = (numbers(images * s.input_len()), numbers(images * s.output_len()));
    let (mut w, mut dx) = (numbers(s.weights_len()), vec![0.0; images * s.input_len()]);
    let mut scratch = vec![0.0; plan.scratch_len(&threads)];
    bencher.counter(ItemsCount::new(4 * images * s.multiply_adds())).bench_local(|| {
        plan.backward_input(&threads, images, &dy, &w, &mut dx, &mut scratch);
        plan.backward_weights(&threads, images, &x, black_box(&dy), &mut w, None, &mut scratch);
    });
}

/// MobileNetV2's second block: 16 channels to 96, depthwise with stride 2, to 24.
#[divan::bench(consts = BATCHES)]
fn inverted_residual<const BATCH: usize>(bencher: Bencher) {
    let threads = Threads::new(0);
    let parts =
        [("", 112, (16, 96), 1, 1, 0, 1), ("", 112, (96, 96), 3, 2, 1, 96), ("", 56, (96, 24), 1, 1, 0, 1)];
    let shapes = parts.map(|layer| shape(&layer));
    let [expand, depthwise, project] =
        shapes.map(|s| Conv2dKernel::new(s, BATCH, &numbers(s.weights_len()), None, Activation::Relu6));
    let kernel = SeparableKernel::new(Some(expand), depthwise, project);
    let (x, mut y) = (numbers(BATCH * shapes[0].input_len()), vec![0.0; BATCH * shapes[2].output_len()]);
    let mut scratch = vec![0.0; kernel.scratch_len(&threads)];
    let work: usize = shapes.iter().map(Conv2dShape::multiply_adds).sum();
    bencher.counter(ItemsCount::new(2 * BATCH * work)).bench_local(|| {
        kernel.run(&threads, BATCH, black_box(&x), None, &mut y, 24, &mut scratch);
    });
}

/// AlexNet's second linear layer.
#[divan::bench(consts = BATCHES)]
fn linear_inference<const BATCH: usize>(bencher: Bencher) {
    let (threads, size) = (Threads::new(0), 4096);
    let weights = Floats::copied(&numbers(size * size));
    let kernel = LinearKernel::new(size, size, weights, None, Activation::Relu);
    let (x, mut y) = (numbers(BATCH * size), vec![0.0; BATCH * size]);
    bencher
        .counter(ItemsCount::new(2 * BATCH * size * size))
        .bench_local(|| kernel.run(&threads, BATCH, black_box(&x), &mut y));
}

/// A loop with nothing to do, handed to all threads.
#[divan::bench]
fn hand_out(bencher: Bencher) {
    let threads = Threads::new(0);
    bencher.bench_local(|| threads.run(threads.count(), |task| _ = black_box(task)));
}

/// The simple network's layer, 64 images of 256 numbers to one output: time is overhead here.
#[divan::bench]
fn tiny_linear_forward_and_backward(bencher: Bencher) {
    let (threads, sizes, images) = (Threads::new(0), (256, 1), 64);
    let (x, w, dy) = (numbers(images * 256), numbers(256), numbers(images));
    let (mut y, mut dw, mut db) = (vec![0.0; images], vec![0.0; 256], [0.0]);
    bencher.bench_local(|| {
        linear::forward(&threads, sizes, images, black_box(&x), &w, None, &mut y);
        linear::backward_weights(&threads, sizes, images, &x, &dy, &mut dw, Some(&mut db));
    });
}
