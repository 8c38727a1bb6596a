//! Convolutions by cuDNN.

use super::cudnn::{Descriptor, Handle, Plan, Rules};
use crate::CudaError;
use crate::kernels::Element;
use crate::plan::convolution::{Direction, Sizes};
use crate::plan::{Convolution, Place};
use cudarc::cudnn::sys;
use cudarc::cudnn::sys::cudnnBackendAttributeName_t as Name;
use cudarc::cudnn::sys::cudnnBackendDescriptorType_t as Kind;
use cudarc::cudnn::sys::cudnnDataType_t as Data;
use eyespot_compile::Activation;

const X: i64 = 1;
const W: i64 = 2;
const Y: i64 = 3;
const BIAS: i64 = 4;
const RESIDUAL: i64 = 5;

/// Tells plans apart that can't stand for each other.
pub(super) fn key(convolution: &Convolution, element: Element, fused: bool, rules: Rules) -> String {
    let Convolution { sizes, direction, y, .. } = convolution;
    let with = match direction {
        Direction::Forward { bias, residual, activation } if fused => {
            format!("forward {} {} {activation:?}", bias.is_some(), residual.is_some())
        }
        Direction::Forward { .. } => "forward".to_owned(),
        Direction::Data => "data".to_owned(),
        Direction::Filter => "filter".to_owned(),
    };
    format!("{sizes:?} {with} {element:?} {rules:?} {}", alignment(y.offset))
}

/// What a table of timings calls it.
pub(super) fn label(convolution: &Convolution, fused: bool) -> String {
    let Sizes { input: [h, w, c], output: [_, _, oc], kernel, stride, .. } = convolution.sizes;
    let what = match convolution.direction {
        Direction::Forward { .. } if fused => "forward, fused",
        Direction::Forward { .. } => "forward",
        Direction::Data => "data",
        Direction::Filter => "filter",
    };
    format!("conv {}x{}/{} {c}->{oc} on {h}x{w}: {what}", kernel.0, kernel.1, stride.0)
}

/// The largest power of two up to 16 that an offset is a multiple of.
fn alignment(offset: usize) -> i64 {
    1 << (offset | 16).trailing_zeros()
}

/// The plan for a convolution: with what follows it where `fused`, else by itself.
pub(super) fn plan(
    convolution: &Convolution,
    element: Element,
    fused: bool,
    rules: Rules,
    handle: &Handle,
) -> Result<Option<Plan>, CudaError> {
    let Convolution { sizes, direction, y, .. } = convolution;
    let io = match element {
        Element::F32 => Data::CUDNN_DATA_FLOAT,
        Element::Bf16 => Data::CUDNN_DATA_BFLOAT16,
    };
    let mut made = Vec::new();
    let mut add = |descriptor: Descriptor| {
        made.push(descriptor);
        made.len() - 1
    };
    let x = add(map(X, sizes.images, sizes.input, sizes.input[2], io, 16, false)?);
    let w = add(weights(sizes, io)?);
    let settings = add(settings(sizes)?);
    let mut identifiers = vec![X, W, Y];
    let mut operations = Vec::new();
    let follows = match *direction {
        Direction::Forward { bias, residual, activation } if fused => (bias, residual, activation),
        _ => (None, None, Activation::None),
    };
    let (bias, residual, activation) = follows;
    let steps = usize::from(bias.is_some())
        + usize::from(residual.is_some())
        + usize::from(activation != Activation::None);
    // What lies between the steps is never stored.
    let mut results = Vec::new();
    for step in 0..=steps {
        let last = step == steps;
        let descriptor = if last {
            map(Y, sizes.images, sizes.output, sizes.out_stride, io, alignment(y.offset), false)?
        } else {
            let between = 100 + step as i64;
            map(between, sizes.images, sizes.output, sizes.output[2], Data::CUDNN_DATA_FLOAT, 16, true)?
        };
        results.push(add(descriptor));
    }
    let mut operands = Vec::new();
    if bias.is_some() {
        let shape = [1, 1, sizes.output[2]];
        operands.push(Some(add(map(BIAS, 1, shape, sizes.output[2], Data::CUDNN_DATA_FLOAT, 16, false)?)));
        identifiers.push(BIAS);
    }
    if residual.is_some() {
        operands.push(Some(add(map(RESIDUAL, sizes.images, sizes.output, sizes.output[2], io, 16, false)?)));
        identifiers.push(RESIDUAL);
    }
    if activation != Activation::None {
        operands.push(None);
    }
    let operation = convolve(*direction, [&made[x], &made[w], &made[results[0]]], &made[settings])?;
    made.push(operation);
    operations.push(made.len() - 1);
    for (step, operand) in operands.into_iter().enumerate() {
        let how = Descriptor::new(Kind::CUDNN_BACKEND_POINTWISE_DESCRIPTOR)?;
        let mode = match operand {
            Some(_) => sys::cudnnPointwiseMode_t::CUDNN_POINTWISE_ADD,
            None => sys::cudnnPointwiseMode_t::CUDNN_POINTWISE_RELU_FWD,
        };
        how.pointwise_mode(Name::CUDNN_ATTR_POINTWISE_MODE, mode)?;
        how.data_type(Name::CUDNN_ATTR_POINTWISE_MATH_PREC, Data::CUDNN_DATA_FLOAT)?;
        if operand.is_none() && activation == Activation::Relu6 {
            how.double(Name::CUDNN_ATTR_POINTWISE_RELU_UPPER_CLIP, 6.0)?;
        }
        how.finalize()?;
        made.push(how);
        let how = made.len() - 1;
        let operation = Descriptor::new(Kind::CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR)?;
        operation.descriptors(Name::CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, &[&made[how]])?;
        operation.descriptors(Name::CUDNN_ATTR_OPERATION_POINTWISE_XDESC, &[&made[results[step]]])?;
        if let Some(operand) = operand {
            operation.descriptors(Name::CUDNN_ATTR_OPERATION_POINTWISE_BDESC, &[&made[operand]])?;
        }
        operation.descriptors(Name::CUDNN_ATTR_OPERATION_POINTWISE_YDESC, &[&made[results[step + 1]]])?;
        if operation.finalize().is_err() {
            return Ok(None);
        }
        made.push(operation);
        operations.push(made.len() - 1);
    }
    Plan::new(handle, made, &operations, identifiers, rules)
}

/// Where the plan's tensors lie, in the order of their identifiers.
pub(super) fn places(convolution: &Convolution, fused: bool) -> Vec<Place> {
    let mut places = vec![convolution.x, convolution.w, convolution.y];
    if let Direction::Forward { bias, residual, .. } = convolution.direction
        && fused
    {
        places.extend([bias, residual].into_iter().flatten());
    }
    places
}

/// A map in memory: images × height × width × channels, its pixels `stride` numbers apart.
fn map(
    identifier: i64,
    images: usize,
    [h, w, c]: [usize; 3],
    stride: usize,
    data: Data,
    alignment: i64,
    between: bool,
) -> Result<Descriptor, CudaError> {
    let [images, h, w, c, stride] = [images, h, w, c, stride].map(|size| size as i64);
    tensor(identifier, [images, c, h, w], [h * w * stride, 1, w * stride, stride], data, alignment, between)
}

fn weights(sizes: &Sizes, data: Data) -> Result<Descriptor, CudaError> {
    let channels = (sizes.input[2] / sizes.groups) as i64;
    let (kh, kw) = (sizes.kernel.0 as i64, sizes.kernel.1 as i64);
    let dimensions = [sizes.output[2] as i64, channels, kh, kw];
    tensor(W, dimensions, [kh * kw * channels, 1, kw * channels, channels], data, 16, false)
}

fn tensor(
    identifier: i64,
    dimensions: [i64; 4],
    strides: [i64; 4],
    data: Data,
    alignment: i64,
    between: bool,
) -> Result<Descriptor, CudaError> {
    let tensor = Descriptor::new(Kind::CUDNN_BACKEND_TENSOR_DESCRIPTOR)?;
    tensor.data_type(Name::CUDNN_ATTR_TENSOR_DATA_TYPE, data)?;
    tensor.integers(Name::CUDNN_ATTR_TENSOR_DIMENSIONS, &dimensions)?;
    tensor.integers(Name::CUDNN_ATTR_TENSOR_STRIDES, &strides)?;
    tensor.integers(Name::CUDNN_ATTR_TENSOR_UNIQUE_ID, &[identifier])?;
    tensor.integers(Name::CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, &[alignment])?;
    tensor.flag(Name::CUDNN_ATTR_TENSOR_IS_VIRTUAL, between)?;
    tensor.finalize()?;
    Ok(tensor)
}

fn settings(sizes: &Sizes) -> Result<Descriptor, CudaError> {
    let pair = |(a, b): (usize, usize)| [a as i64, b as i64];
    let settings = Descriptor::new(Kind::CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR)?;
    settings.integers(Name::CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, &[2])?;
    settings.data_type(Name::CUDNN_ATTR_CONVOLUTION_COMP_TYPE, Data::CUDNN_DATA_FLOAT)?;
    settings.convolution_mode(Name::CUDNN_ATTR_CONVOLUTION_CONV_MODE)?;
    settings.integers(Name::CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, &pair(sizes.padding))?;
    settings.integers(Name::CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, &pair(sizes.padding))?;
    settings.integers(Name::CUDNN_ATTR_CONVOLUTION_DILATIONS, &pair(sizes.dilation))?;
    settings.integers(Name::CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, &pair(sizes.stride))?;
    settings.finalize()?;
    Ok(settings)
}

fn convolve(
    direction: Direction,
    [x, w, y]: [&Descriptor; 3],
    settings: &Descriptor,
) -> Result<Descriptor, CudaError> {
    let (kind, names) = match direction {
        Direction::Forward { .. } => (
            Kind::CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR,
            [
                Name::CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
                Name::CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W,
                Name::CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
                Name::CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC,
                Name::CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                Name::CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,
            ],
        ),
        Direction::Data => (
            Kind::CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR,
            [
                Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
                Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W,
                Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
                Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC,
                Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
                Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA,
            ],
        ),
        Direction::Filter => (
            Kind::CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR,
            [
                Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
                Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW,
                Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
                Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC,
                Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
                Name::CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA,
            ],
        ),
    };
    let operation = Descriptor::new(kind)?;
    let [x_name, w_name, y_name, settings_name, alpha, beta] = names;
    operation.descriptors(x_name, &[x])?;
    operation.descriptors(w_name, &[w])?;
    operation.descriptors(y_name, &[y])?;
    operation.descriptors(settings_name, &[settings])?;
    operation.float(alpha, 1.0)?;
    operation.float(beta, 0.0)?;
    operation.finalize()?;
    Ok(operation)
}
