//! Training programs: gradients against finite differences of the naive interpreter, and the optimizer's books.

use crate::interpreter::{Mode, Tensors, assert_close, interpret, numbers, widen};
use crate::random::{graph, weights};
use eyespot_graph::ops::{AvgPool2d, Conv2d, MaxPool2d};
use eyespot_graph::{
    Builder, Device, DeviceError, Graph, Init, Op, Optimizer, Params, Shape, TensorScale, TensorScales,
    Training, Update, initialise,
};

const BATCH: usize = 3;

/// Scores and gradients of `Σ c·scores`, against the interpreter and its central differences.
pub fn compare(device: &dyn Device, graph: &Graph, seed: u32, what: &str) {
    let params = weights(graph, seed);
    let input = numbers(seed + 1, BATCH * graph.input_shape().elements());
    let tensors = Tensors::new(&params);
    let scores = |tensors: &Tensors| {
        let mut results = interpret(graph, tensors, &widen(&input), BATCH, Mode::Training);
        results.swap_remove(graph.output().0)
    };
    let mut program = device.training(graph, &params, BATCH + 1, 0).unwrap();
    let expected = scores(&tensors);
    let factors = numbers(seed + 2, expected.len());
    // Twice, so that what the first pass left in memory would show.
    for _ in 0..2 {
        let found = program.forward(&input, BATCH, 0).unwrap();
        assert_close(found, &expected, 1e-4, what);
        program.backward(&input, &factors).unwrap();
    }
    let loss = |tensors: &Tensors| -> f64 {
        scores(tensors).iter().zip(&factors).map(|(score, &c)| score * f64::from(c)).sum()
    };
    let gradients = program.gradients().unwrap();
    let mut square = 0.0;
    for (index, (name, values)) in tensors.0.iter().enumerate() {
        let Some(found) = gradients.get(name) else {
            assert!(name.contains("running"), "{what}: no gradient for {name}");
            continue;
        };
        let step = 1e-6;
        // A few numbers of each tensor are enough to show a mistake.
        let some = || (0..values.len()).step_by(values.len().div_ceil(9));
        let differences: Vec<f64> = some()
            .map(|i| {
                let mut moved = tensors.clone();
                moved.0[index].1[i] = values[i] + step;
                let up = loss(&moved);
                moved.0[index].1[i] = values[i] - step;
                (up - loss(&moved)) / (2.0 * step)
            })
            .collect();
        let found: Vec<f32> = found.iter().copied().collect();
        square += found.iter().map(|&g| f64::from(g).powi(2)).sum::<f64>();
        let found: Vec<f32> = some().map(|i| found[i]).collect();
        assert_close(&found, &differences, 1e-3, &format!("{what}: {name}"));
    }
    assert!((program.gradient_norm().unwrap() - square.sqrt()).abs() <= 1e-6 * square.sqrt());
}

/// `count` random graphs.
pub fn random_graphs(device: &dyn Device, count: u32) {
    for seed in 0..count {
        compare(device, &graph(seed, 2 + seed as usize % 11, 0.0), seed, &format!("seed {seed}"));
    }
}

/// Each operator between two layers that learn, so that its input's gradient counts.
pub fn every_operator(device: &dyn Device) {
    let mut pool = AvgPool2d::new(2, 2);
    pool.ceil_mode = true;
    for (index, op) in [
        Op::Relu,
        Op::Relu6,
        Op::LeakyRelu { slope: 0.2 },
        Op::Sigmoid,
        Op::Tanh,
        Op::Sgn,
        Op::Gelu { tanh: false },
        Op::Gelu { tanh: true },
        Op::Silu,
        Op::HardSwish,
        Op::HardSigmoid,
        Op::Softmax,
        Op::LogSoftmax,
        Op::AvgPool2d(pool),
        Op::AdaptiveAvgPool2d { height: 2, width: 3 },
        Op::MaxPool2d(MaxPool2d::new(3, 2).ceil_mode()),
        Op::Conv2d(Conv2d::new(4, 6, 3).stride(2).padding(1).groups(2)),
        Op::Conv2d(Conv2d::new(4, 4, 3).dilation(2).padding(2).groups(4).no_bias()),
        Op::BatchNorm2d(eyespot_graph::ops::BatchNorm2d::new(4)),
        Op::LocalResponseNorm(eyespot_graph::ops::LocalResponseNorm::new(3)),
        Op::PadShortcut(eyespot_graph::ops::PadShortcut { out_channels: 8, stride: 2 }),
    ]
    .into_iter()
    .enumerate()
    {
        let mut b = Builder::new("one", Shape::map(3, 5, 7));
        let x = b.input();
        let x = b.conv2d("first", x, Conv2d::new(3, 4, 3));
        let x = b.add_op("layer", op.clone(), &[x]);
        let x = b.flatten("flatten", x);
        b.gaussian("rbf", x, 2, Init::Normal(0.5));
        compare(device, &b.finish().unwrap(), index as u32, op.kind());
    }
}

/// Products: both factors learn, also where they are one result.
pub fn products(device: &dyn Device) {
    let squeezed = crate::inference::squeezed;
    compare(device, &squeezed(Op::HardSwish, Op::HardSigmoid), 1, "hard-swish and hard-sigmoid");
    compare(device, &squeezed(Op::Silu, Op::Sigmoid), 2, "SiLU and sigmoid");
    compare(device, &squeezed(Op::Relu, Op::Sigmoid), 3, "ReLU and sigmoid");
    for other in ["first", "second"] {
        let mut b = Builder::new("product", Shape::map(3, 4, 5));
        let x = b.input();
        let first = b.conv2d("first", x, Conv2d::new(3, 4, 3));
        let second = b.conv2d("second", x, Conv2d::new(3, 4, 3));
        let factors = if other == "first" { first } else { second };
        let x = b.mul("product", first, factors);
        let x = b.add("sum", x, second);
        let x = b.flatten("flatten", x);
        b.linear("fc", x, 2);
        compare(device, &b.finish().unwrap(), 4, other);
    }
}

/// A residual network of a few blocks with a shortcut that has layers of its own: results are dropped and computed
/// again, gradients come together.
pub fn residual_blocks(device: &dyn Device) {
    let mut b = Builder::new("blocks", Shape::map(3, 6, 6));
    let x = b.input();
    let mut x = b.conv2d("stem", x, Conv2d::new(3, 4, 3).padding(1).no_bias());
    x = b.batch_norm("stem_bn", x);
    x = b.relu("stem_relu", x);
    for block in 0..4 {
        let name = |part: &str| format!("block{block}.{part}");
        let y = b.conv2d(name("conv1"), x, Conv2d::new(4, 4, 3).padding(1).no_bias());
        let y = b.batch_norm(name("bn1"), y);
        let y = b.relu(name("relu1"), y);
        let y = b.conv2d(name("conv2"), y, Conv2d::new(4, 4, 1).no_bias());
        let y = b.batch_norm(name("bn2"), y);
        let shortcut = if block == 0 {
            let s = b.conv2d(name("down"), x, Conv2d::new(4, 4, 1).no_bias());
            b.batch_norm(name("down_bn"), s)
        } else {
            x
        };
        let sum = b.add(name("sum"), y, shortcut);
        x = b.relu(name("relu2"), sum);
    }
    let x = b.global_avg_pool("pool", x);
    let x = b.flatten("flatten", x);
    b.linear("fc", x, 3);
    compare(device, &b.finish().unwrap(), 3, "residual blocks");
}

fn small() -> Graph {
    let mut b = Builder::new("small", Shape::map(2, 40, 40));
    let x = b.input();
    let x = b.conv2d("conv", x, Conv2d::new(2, 8, 3).padding(1).no_bias());
    let x = b.batch_norm("bn", x);
    let x = b.relu("relu", x);
    let x = b.max_pool2d("pool", x, MaxPool2d::new(2, 2));
    let x = b.flatten("flatten", x);
    let x = b.dropout("drop", x, 0.3);
    b.linear("fc", x, 2);
    b.finish().unwrap()
}

fn update(optimizer: Optimizer, step: u64) -> Update {
    let ema_decay = Some(0.9);
    Update { optimizer, learning_rate: 0.01, weight_decay: 0.01, gradient_scale: 1.0, step, ema_decay }
}

fn steps(program: &mut dyn Training, optimizer: Optimizer, range: std::ops::Range<u64>) {
    for step in range {
        // The last batch of an epoch is smaller.
        let images = if step % 3 == 2 { 2 } else { 4 };
        let input = numbers(step as u32, images * 3200);
        let scores = program.forward(&input, images, step).unwrap().to_vec();
        let gradient: Vec<f32> = scores.iter().map(|s| s - 0.5).collect();
        program.backward(&input, &gradient).unwrap();
        program.update(&update(optimizer, step)).unwrap();
    }
}

const OPTIMIZERS: [Optimizer; 3] = [
    Optimizer::Sgd { momentum: 0.9, nesterov: true },
    Optimizer::Adam { beta1: 0.9, beta2: 0.999, eps: 1e-8 },
    Optimizer::AdamW { beta1: 0.9, beta2: 0.999, eps: 1e-8 },
];

/// What a program holds after some steps: weights, moving average, optimizer state.
#[derive(Debug, PartialEq)]
pub struct State {
    /// [`Training::params`].
    pub params: Params,
    /// [`Training::averaged_params`].
    pub averaged: Option<Params>,
    /// [`Training::optimizer_state`].
    pub optimizer: Params,
}

fn state(program: &dyn Training) -> State {
    State {
        params: program.params().unwrap(),
        averaged: program.averaged_params().unwrap(),
        optimizer: program.optimizer_state().unwrap(),
    }
}

/// A run that is stopped and goes on in a program of another device ends bit for bit as one without a stop, and so does a
/// second run. `devices` are the same device, or its different settings. Gives back each optimizer's state.
pub fn same_bits_after_a_resume(devices: [&dyn Device; 2]) -> Vec<State> {
    let graph = small();
    let params = initialise(&graph, 1);
    let scale = TensorScale { learning_rate: 0.5, weight_decay: 0.0 };
    let scales = TensorScales::from_iter([("bn.weight".to_owned(), scale), ("fc.weight".to_owned(), scale)]);
    let compile = |device: &dyn Device, params: &Params| {
        let mut program = device.training(&graph, params, 4, 7).unwrap();
        program.set_tensor_scales(&scales).unwrap();
        program
    };
    let run = |optimizer| {
        let [straight, again] = devices.map(|device| {
            let mut program = compile(device, &params);
            steps(program.as_mut(), optimizer, 0..6);
            state(program.as_ref())
        });
        assert_eq!(straight, again);
        let mut half = compile(devices[0], &params);
        steps(half.as_mut(), optimizer, 0..3);
        let mut resumed = compile(devices[1], &half.params().unwrap());
        resumed.set_optimizer_state(&half.optimizer_state().unwrap()).unwrap();
        steps(resumed.as_mut(), optimizer, 3..6);
        assert_eq!(state(resumed.as_ref()), straight);
        assert_ne!(straight.params, params);
        assert!(straight.averaged.is_some());
        straight
    };
    OPTIMIZERS.map(run).into()
}

/// With running statistics in both, inference gives what training's weights say.
pub fn running_statistics_reach_inference(device: &dyn Device) {
    let mut b = Builder::new("norm", Shape::map(2, 4, 4));
    let x = b.input();
    b.batch_norm("bn", x);
    let graph = b.finish().unwrap();
    let mut program = device.training(&graph, &initialise(&graph, 0), 2, 0).unwrap();
    let input = numbers(4, 64);
    program.forward(&input, 2, 0).unwrap();
    let params = program.params().unwrap();
    let values = |c: usize| input.iter().skip(c).step_by(2).map(|&v| f64::from(v));
    let mean: Vec<f64> = (0..2).map(|c| values(c).sum::<f64>() / 32.0).collect();
    let var: Vec<f64> =
        (0..2).map(|c| values(c).map(|v| (v - mean[c]).powi(2)).sum::<f64>() / 31.0).collect();
    let running: Vec<f32> = params.get("bn.running_mean").unwrap().iter().copied().collect();
    assert_close(&running, &mean.iter().map(|m| 0.1 * m).collect::<Vec<_>>(), 1e-6, "running mean");
    let running: Vec<f32> = params.get("bn.running_var").unwrap().iter().copied().collect();
    assert_close(&running, &var.iter().map(|v| 0.9 + 0.1 * v).collect::<Vec<_>>(), 1e-6, "running var");
    let mut inference = device.inference(&graph, &params, 2).unwrap();
    let found = inference.run(&input, 2).unwrap().to_vec();
    let expected = interpret(&graph, &Tensors::new(&params), &widen(&input), 2, Mode::Inference);
    assert_close(&found, &expected[1], 1e-5, "inference");
}

/// The bias' gradient shows the mask that the forward pass used.
pub fn dropout_has_one_mask_for_both_passes(device: &dyn Device) {
    let mut b = Builder::new("drop", Shape::Vector(1));
    let x = b.input();
    let x = b.linear("fc", x, 1000);
    b.dropout("drop", x, 0.25);
    let graph = b.finish().unwrap();
    let mut params = initialise(&graph, 0);
    params.get_mut("fc.weight").unwrap().fill(0.0);
    params.get_mut("fc.bias").unwrap().fill(1.0);
    let mut program = device.training(&graph, &params, 1, 3).unwrap();
    let first = program.forward(&[1.0], 1, 5).unwrap().to_vec();
    program.backward(&[1.0], &[1.0; 1000]).unwrap();
    let gradient: Vec<f32> = program.gradients().unwrap().get("fc.bias").unwrap().iter().copied().collect();
    assert_eq!(first, gradient);
    let kept = first.iter().filter(|&&v| v != 0.0).count();
    assert!((700..800).contains(&kept), "{kept} of 1000 kept");
    assert!(first.iter().all(|&v| v == 0.0 || (v - 4.0 / 3.0).abs() < 1e-6));
    assert_ne!(first, program.forward(&[1.0], 1, 6).unwrap());
}

/// One plain step and the moving average by hand.
pub fn a_step_of_gradient_descent(device: &dyn Device) {
    let mut b = Builder::new("line", Shape::Vector(1));
    let x = b.input();
    b.linear("fc", x, 1);
    let graph = b.finish().unwrap();
    let mut params = initialise(&graph, 0);
    params.get_mut("fc.weight").unwrap().fill(2.0);
    params.get_mut("fc.bias").unwrap().fill(1.0);
    let mut program = device.training(&graph, &params, 2, 0).unwrap();
    assert_eq!(program.forward(&[3.0, -1.0], 2, 0).unwrap(), [7.0, -1.0]);
    program.backward(&[3.0, -1.0], &[1.0, 0.5]).unwrap();
    assert_eq!(program.gradient_norm().unwrap(), (2.5f64 * 2.5 + 1.5 * 1.5).sqrt());
    assert!(program.averaged_params().unwrap().is_none());
    program
        .update(&Update {
            optimizer: Optimizer::Sgd { momentum: 0.0, nesterov: false },
            learning_rate: 0.5,
            weight_decay: 0.0,
            gradient_scale: 1.0,
            step: 0,
            ema_decay: Some(0.75),
        })
        .unwrap();
    let value = |params: Params, name| params.get(name).unwrap().iter().next().copied();
    assert_eq!(value(program.params().unwrap(), "fc.weight"), Some(0.75));
    assert_eq!(value(program.params().unwrap(), "fc.bias"), Some(0.25));
    assert_eq!(
        value(program.averaged_params().unwrap().unwrap(), "fc.weight"),
        Some(0.75 * 2.0 + 0.25 * 0.75)
    );
}

/// Calls out of order, with too much or too little data, and settings that fit no tensor.
pub fn wrong_calls_are_errors(device: &dyn Device) {
    let graph = small();
    let params = initialise(&graph, 1);
    let mut program = device.training(&graph, &params, 2, 0).unwrap();
    let input = numbers(0, 2 * 3200);
    assert!(matches!(program.backward(&input, &[0.0; 4]), Err(DeviceError::Call(_))));
    assert!(program.forward(&input, 3, 0).is_err());
    assert!(program.forward(&[], 0, 0).is_err());
    program.forward(&input, 2, 0).unwrap();
    assert!(program.backward(&input, &[0.0; 3]).is_err());
    program.forward(&input, 2, 0).unwrap();
    program.backward(&input, &[0.0; 4]).unwrap();
    let scale = TensorScale { learning_rate: -1.0, weight_decay: 1.0 };
    let scales = TensorScales::from_iter([("fc.bias".to_owned(), scale)]);
    assert!(matches!(program.set_tensor_scales(&scales), Err(DeviceError::Call(_))));
    assert!(program.backward(&input, &[0.0; 4]).is_err(), "a second backward needs a second forward");
    let mut state = program.optimizer_state().unwrap();
    assert!(state.is_empty());
    state.insert("momentum.fc.bias", params.get("fc.bias").unwrap().clone());
    assert!(matches!(program.set_optimizer_state(&state), Err(DeviceError::MissingTensor(_))));
}
