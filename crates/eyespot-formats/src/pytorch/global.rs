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
    /// A name for data that training programs save beside the weights (their arguments, a metric). Nothing is made
    /// of it: whatever the pickle builds with it is one inert value, which is passed over.
    Inert,
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
        _ if is_inert(module, name) => Ok(Global::Inert),
        _ => Err(refusal(module, name)),
    }
}

/// Whether it names plain data: settings, counts, numbers, paths and times. Python 2's names stand beside Python 3's,
/// NumPy 1's beside NumPy 2's.
fn is_inert(module: &str, name: &str) -> bool {
    match module {
        "argparse" => name == "Namespace",
        "types" => name == "SimpleNamespace",
        "collections" => matches!(name, "Counter" | "defaultdict"),
        "builtins" | "__builtin__" => {
            matches!(name, "dict" | "list" | "set" | "frozenset" | "int" | "float" | "complex" | "bytearray")
        }
        // How bytes are written in protocol 2: a text and the name of its encoding.
        "_codecs" => name == "encode",
        "numpy" => matches!(name, "dtype" | "ndarray") || is_numpy_scalar(name),
        "numpy.core.multiarray" | "numpy._core.multiarray" => matches!(name, "scalar" | "_reconstruct"),
        "torch" => matches!(name, "device" | "Size") || is_torch_type(name),
        "pathlib" | "pathlib._local" => name.ends_with("Path"),
        "datetime" => matches!(name, "date" | "datetime" | "time" | "timedelta" | "timezone"),
        _ => name == "AttributeDict" && module.contains("lightning"),
    }
}

fn is_numpy_scalar(name: &str) -> bool {
    let kind = name.trim_end_matches('_').trim_end_matches(|c: char| c.is_ascii_digit());
    matches!(kind, "float" | "int" | "uint" | "bool")
}

fn is_torch_type(name: &str) -> bool {
    let kind = name.trim_end_matches(|c: char| c.is_ascii_digit());
    matches!(kind, "float" | "int" | "uint" | "bfloat" | "bool" | "half" | "double" | "long" | "short")
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
