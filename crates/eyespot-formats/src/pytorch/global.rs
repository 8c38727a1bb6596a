//! The names a pickle may mention. Nothing is looked up or called: each allowed name is one case here.

use crate::ReadError;
use crate::element::Element;
use crate::error::{quoted, unsupported};

/// An allowed Python name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Global<'a> {
    /// `collections.OrderedDict`
    OrderedDict,
    /// `torch._utils._rebuild_tensor` and `_rebuild_tensor_v2`: storage, offset, shape, strides, …
    RebuildTensor,
    /// `torch._utils._rebuild_parameter`: a tensor, whether it learns, hooks
    RebuildParameter,
    /// `torch.FloatStorage` and the like
    Storage(Element),
    /// A storage of numbers that don't become `f32`; it may be mentioned, its tensors can't be read.
    ForeignStorage(&'a str),
}

/// The name `module.name`, or an error that says it.
pub(super) fn find<'a>(module: &'a str, name: &'a str) -> Result<Global<'a>, ReadError> {
    match (module, name) {
        ("collections", "OrderedDict") => Ok(Global::OrderedDict),
        ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Ok(Global::RebuildTensor),
        ("torch._utils", "_rebuild_parameter") => Ok(Global::RebuildParameter),
        ("torch" | "torch.cuda", storage) if storage.ends_with("Storage") => {
            Ok(element(storage).map_or(Global::ForeignStorage(storage), Global::Storage))
        }
        _ => Err(refusal(module, name)),
    }
}

fn element(storage: &str) -> Option<Element> {
    Some(match storage {
        "DoubleStorage" => Element::F64,
        "FloatStorage" => Element::F32,
        "HalfStorage" => Element::F16,
        "BFloat16Storage" => Element::Bf16,
        "LongStorage" => Element::I64,
        "IntStorage" => Element::I32,
        "ShortStorage" => Element::I16,
        "CharStorage" => Element::I8,
        "ByteStorage" => Element::U8,
        "BoolStorage" => Element::Bool,
        _ => return None,
    })
}

fn refusal(module: &str, name: &str) -> ReadError {
    let full = quoted(&format!("{module}.{name}"));
    let is_network = ["torch.nn.modules", "torchvision.models", "timm.models"]
        .iter()
        .any(|known| module.starts_with(known));
    unsupported(if is_network {
        format!(
            "it holds a whole pickled network ({full}), not only its weights; in Python, save the weights with \
             torch.save(model.state_dict(), PATH)"
        )
    } else {
        format!(
            "it mentions {full}, which no weights need and eyespot refuses, because such names can run code; in \
             Python, if you trust the file, save the weights alone with torch.save(model.state_dict(), PATH)"
        )
    })
}
