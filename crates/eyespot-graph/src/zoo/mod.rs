//! The zoo: one file per family of networks, each written like its paper's table.
//!
//! Layers with parameters carry torchvision's names, so published weights load without a renaming table, and
//! start as torchvision starts them. Every network takes any number of classes, any number of input channels and
//! any picture at least [`Network::min_side`] pixels high and wide.

mod alexnet;
mod cifar_resnet;
mod head;
mod lenet;
mod mobilenet;
mod plain;
mod resnet;
mod small_cnn;
mod squeezenet;
mod vgg;

pub use head::{Head, backbone, with_head};

use crate::{Builder, Graph, GraphError, Shape};
use resnet::{basic, bottleneck};
use vgg::vgg;

/// What the zoo knows about a network.
#[derive(Debug, Clone, Copy)]
pub struct Network {
    /// Its name, as in `eyespot train --model NAME`.
    pub name: &'static str,
    /// What it is, in one line.
    pub about: &'static str,
    /// The pictures it is made for.
    pub input: Shape,
    /// Pixels of the short side before the centre of [`Network::input`]'s size is cut out.
    pub resize: usize,
    /// The least height and width it takes.
    pub min_side: usize,
    layers: fn(&mut Builder, usize),
}

const IMAGENET: Network = Network {
    name: "",
    about: "",
    input: Shape::map(3, 224, 224),
    resize: 256,
    min_side: 32,
    layers: |_, _| (),
};

const CIFAR: Network = Network { input: Shape::map(3, 32, 32), resize: 32, min_side: 8, ..IMAGENET };

const MNIST: Network = Network { input: Shape::map(1, 28, 28), resize: 28, min_side: 28, ..IMAGENET };

const NETWORKS: &[Network] = &[
    Network {
        name: "linear",
        about: "one linear layer on the pixels",
        input: Shape::map(3, 64, 64),
        resize: 64,
        min_side: 1,
        layers: plain::linear,
    },
    Network {
        name: "mlp",
        about: "two linear layers on the pixels with a ReLU between: in, in/2, classes",
        input: Shape::map(3, 32, 32),
        resize: 32,
        min_side: 1,
        layers: plain::mlp,
    },
    Network {
        name: "small_cnn",
        about: "eight 3x3 convolutions in four stages, to train from scratch on a few hundred photos",
        input: Shape::map(3, 96, 96),
        resize: 108,
        min_side: 16,
        layers: small_cnn::small_cnn,
    },
    Network {
        name: "lenet5",
        about: "LeNet-5 (LeCun et al. 1998) with a linear output",
        layers: lenet::lenet5,
        ..MNIST
    },
    Network {
        name: "lenet5_gaussian",
        about: "LeNet-5 (LeCun et al. 1998) with Gaussian (radial-basis) outputs",
        layers: lenet::lenet5_gaussian,
        ..MNIST
    },
    Network {
        name: "alexnet",
        about: "AlexNet in torchvision's form (Krizhevsky 2014)",
        min_side: 63,
        layers: alexnet::alexnet,
        ..IMAGENET
    },
    Network { name: "vgg11", about: VGG, layers: |b, n| vgg(b, n, vgg::A, false), ..IMAGENET },
    Network { name: "vgg11_bn", about: VGG_BN, layers: |b, n| vgg(b, n, vgg::A, true), ..IMAGENET },
    Network { name: "vgg13", about: VGG, layers: |b, n| vgg(b, n, vgg::B, false), ..IMAGENET },
    Network { name: "vgg13_bn", about: VGG_BN, layers: |b, n| vgg(b, n, vgg::B, true), ..IMAGENET },
    Network { name: "vgg16", about: VGG, layers: |b, n| vgg(b, n, vgg::D, false), ..IMAGENET },
    Network { name: "vgg16_bn", about: VGG_BN, layers: |b, n| vgg(b, n, vgg::D, true), ..IMAGENET },
    Network { name: "vgg19", about: VGG, layers: |b, n| vgg(b, n, vgg::E, false), ..IMAGENET },
    Network { name: "vgg19_bn", about: VGG_BN, layers: |b, n| vgg(b, n, vgg::E, true), ..IMAGENET },
    Network { name: "resnet18", about: RESNET, layers: |b, n| basic(b, n, [2, 2, 2, 2]), ..IMAGENET },
    Network { name: "resnet34", about: RESNET, layers: |b, n| basic(b, n, [3, 4, 6, 3]), ..IMAGENET },
    Network { name: "resnet50", about: RESNET, layers: |b, n| bottleneck(b, n, [3, 4, 6, 3]), ..IMAGENET },
    Network { name: "resnet101", about: RESNET, layers: |b, n| bottleneck(b, n, [3, 4, 23, 3]), ..IMAGENET },
    Network { name: "resnet152", about: RESNET, layers: |b, n| bottleneck(b, n, [3, 8, 36, 3]), ..IMAGENET },
    Network {
        name: "squeezenet1_0",
        about: "SqueezeNet 1.0: fire modules, few parameters (Iandola et al. 2016)",
        layers: squeezenet::squeezenet1_0,
        ..IMAGENET
    },
    Network {
        name: "squeezenet1_1",
        about: "SqueezeNet 1.1: as accurate as 1.0 at 2.4 times less work",
        layers: squeezenet::squeezenet1_1,
        ..IMAGENET
    },
    Network {
        name: "mobilenet_v2",
        about: "MobileNetV2: inverted residuals with depthwise convolutions (Sandler et al. 2018)",
        layers: mobilenet::mobilenet_v2,
        ..IMAGENET
    },
    Network {
        name: "cifar_resnet20",
        about: CIFAR_RESNET,
        layers: |b, n| cifar_resnet::net(b, n, 3),
        ..CIFAR
    },
    Network {
        name: "cifar_resnet32",
        about: CIFAR_RESNET,
        layers: |b, n| cifar_resnet::net(b, n, 5),
        ..CIFAR
    },
    Network {
        name: "cifar_resnet44",
        about: CIFAR_RESNET,
        layers: |b, n| cifar_resnet::net(b, n, 7),
        ..CIFAR
    },
    Network {
        name: "cifar_resnet56",
        about: CIFAR_RESNET,
        layers: |b, n| cifar_resnet::net(b, n, 9),
        ..CIFAR
    },
];

const VGG: &str = "VGG: 3x3 convolutions and three linear layers (Simonyan and Zisserman 2014)";
const VGG_BN: &str = "VGG with batch norm after every convolution";
const RESNET: &str = "residual network (He et al. 2015)";
const CIFAR_RESNET: &str = "residual network for 32x32 pictures, option A shortcuts (He et al. 2015, 4.2)";

/// Every network of the zoo.
pub fn networks() -> &'static [Network] {
    NETWORKS
}

/// The names of all networks.
pub fn names() -> Vec<&'static str> {
    NETWORKS.iter().map(|network| network.name).collect()
}

/// The network of this name; the error lists the known names.
pub fn find(name: &str) -> Result<&'static Network, GraphError> {
    let unknown = || GraphError::UnknownNetwork { name: name.to_owned(), known: names().join(", ") };
    NETWORKS.iter().find(|network| network.name == name).ok_or_else(unknown)
}

/// Builds the network of this name for `classes` outputs and pictures of shape `input` (default:
/// [`Network::input`]).
///
/// # Errors
/// An unknown name, no classes, or pictures the network can't take.
///
/// ```
/// use eyespot_graph::{Shape, zoo};
/// let graph = zoo::build("resnet18", 2, Some(Shape::map(3, 128, 128)))?;
/// assert_eq!(graph.output_shape(), Shape::Vector(2));
/// assert_eq!(graph.node(graph.features).shape, Shape::Vector(512));
/// # Ok::<(), eyespot_graph::GraphError>(())
/// ```
pub fn build(name: &str, classes: usize, input: Option<Shape>) -> Result<Graph, GraphError> {
    let network = find(name)?;
    let input = input.unwrap_or(network.input);
    let unsuitable = |reason| GraphError::Unsuitable { network: network.name.to_owned(), reason };
    if classes == 0 {
        return Err(unsuitable("it needs at least one class".to_owned()));
    }
    let (channels, height, width) = input.chw();
    if input.elements() == 0 || channels == 0 {
        return Err(unsuitable(format!("a picture of {input} is empty")));
    }
    if height.min(width) < network.min_side {
        let side = network.min_side;
        let reason = match input {
            Shape::Vector(_) => format!("it takes pictures, not vectors of {input}"),
            Shape::Map { .. } => {
                format!("it takes pictures of at least {side}x{side} pixels, not {height}x{width}")
            }
        };
        return Err(unsuitable(reason));
    }
    let mut builder = Builder::new(network.name, input);
    (network.layers)(&mut builder, classes);
    builder.finish()
}
