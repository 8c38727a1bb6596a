//! The names a pickle may mention. Nothing is looked up or called: each allowed name is one case here.

use crate::ReadError;
use crate::element::Element;
use crate::error::{quoted, unsupported};

/// An allowed Python name.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Global<'a> {
    /// `collections.OrderedDict`
    OrderedDict,
    /// `torch._utils._rebuild_tensor`, `_rebuild_tensor_v2` and `_rebuild_qtensor`: storage, offset, shape, strides, …
    RebuildTensor,
    /// `torch._utils._rebuild_tensor_v3`: the same for types that have no storage of their own, such as `float8_e5m2`
    RebuildTensorV3,
    /// `torch._utils._rebuild_parameter` and `_rebuild_parameter_with_state`: a tensor, whether it learns, hooks
    RebuildParameter,
    /// `torch._tensor._rebuild_from_type_v2`: one of the above, a class of tensors, its arguments, attributes
    RebuildFromType,
    /// `torch.FloatStorage` and the like
    Storage(Element),
    /// `torch.float8_e5m2` and the like
    Type(&'a str),
    /// `_codecs.encode`: how bytes are written in protocol 2, a text and the name of its encoding
    Encode,
    /// `numpy.dtype`
    NumpyType,
    /// `numpy.core.multiarray._reconstruct`: an array that gets its shape and numbers later
    NumpyArray,
    /// A name for data that training programs save beside the weights (their arguments, a metric). Nothing is made
    /// of it: whatever the pickle builds with it is one inert value, which is passed over.
    Inert,
    /// Any other name, by its place in the list of those. It may say of what class a tensor or a dict is, which changes
    /// nothing; for everything else it is refused.
    Foreign(usize),
}

/// The meaning of `module.name`, if it has one.
pub(super) fn find<'a>(module: &str, name: &'a str) -> Option<Global<'a>> {
    match (module, name) {
        ("collections", "OrderedDict") => Some(Global::OrderedDict),
        ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2" | "_rebuild_qtensor") => {
            Some(Global::RebuildTensor)
        }
        ("torch._utils", "_rebuild_tensor_v3") => Some(Global::RebuildTensorV3),
        ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => {
            Some(Global::RebuildParameter)
        }
        ("torch._tensor" | "torch.tensor", "_rebuild_from_type" | "_rebuild_from_type_v2") => {
            Some(Global::RebuildFromType)
        }
        ("torch" | "torch.cuda" | "torch.storage", storage) if storage.ends_with("Storage") => {
            element(storage).map(Global::Storage)
        }
        ("torch", name) if is_torch_type(name) => Some(Global::Type(name)),
        ("_codecs", "encode") => Some(Global::Encode),
        ("numpy", "dtype") => Some(Global::NumpyType),
        ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct") => Some(Global::NumpyArray),
        _ => is_inert(module, name).then_some(Global::Inert),
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
        "numpy" => name == "ndarray" || is_numpy_scalar(name),
        "numpy.core.multiarray" | "numpy._core.multiarray" => name == "scalar",
        // How the numbers of a quantised tensor are scaled
        "torch" => matches!(name, "device" | "Size") || name.starts_with("per_"),
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
        || name.starts_with("float8_")
        || matches!(name, "complex32" | "complex64" | "complex128")
}

/// The numbers of a storage. Those that don't become weights still have a size, by which they are passed over.
fn element(storage: &str) -> Option<Element> {
    let foreign = |name, size| Element::Foreign { name, size };
    Some(match storage {
        "DoubleStorage" => Element::F64,
        "FloatStorage" => Element::F32,
        "HalfStorage" => Element::F16,
        "BFloat16Storage" => Element::Bf16,
        "LongStorage" => foreign("int64", 8),
        "IntStorage" => foreign("int32", 4),
        "ShortStorage" => foreign("int16", 2),
        "CharStorage" => foreign("int8", 1),
        "ByteStorage" => foreign("uint8", 1),
        "BoolStorage" => foreign("bool", 1),
        "ComplexFloatStorage" => foreign("complex64", 8),
        "ComplexDoubleStorage" => foreign("complex128", 16),
        "QInt8Storage" => foreign("qint8", 1),
        "QUInt8Storage" => foreign("quint8", 1),
        "QInt32Storage" => foreign("qint32", 4),
        "QUInt4x2Storage" => foreign("quint4x2", 1),
        "QUInt2x4Storage" => foreign("quint2x4", 1),
        // Bytes; the tensor says what they are.
        "UntypedStorage" => foreign("untyped", 1),
        _ => return None,
    })
}

/// The numbers that a type of PyTorch's names.
pub(super) fn element_of(kind: &str) -> Element {
    let foreign = |name, size| Element::Foreign { name, size };
    match kind {
        "float8_e4m3fn" => Element::F8E4m3,
        "float8_e5m2" => Element::F8E5m2,
        "float64" | "double" => Element::F64,
        "float32" | "float" => Element::F32,
        "float16" | "half" => Element::F16,
        "bfloat16" => Element::Bf16,
        "uint16" => foreign("uint16", 2),
        "uint32" => foreign("uint32", 4),
        "uint64" => foreign("uint64", 8),
        "float8_e4m3fnuz" => foreign("float8_e4m3fnuz", 1),
        "float8_e5m2fnuz" => foreign("float8_e5m2fnuz", 1),
        _ => foreign("a type that eyespot doesn't know", 1),
    }
}

/// The numbers of NumPy's type `f4`.
pub(super) fn element_of_numpy(code: &str) -> Element {
    match code {
        "f8" => Element::F64,
        "f4" => Element::F32,
        "f2" => Element::F16,
        "i1" => Element::Foreign { name: "int8", size: 1 },
        "u1" => Element::Foreign { name: "uint8", size: 1 },
        "i8" => Element::Foreign { name: "int64", size: 8 },
        "i4" => Element::Foreign { name: "int32", size: 4 },
        _ => Element::Foreign { name: "a NumPy type that eyespot doesn't know", size: 1 },
    }
}

/// The error that says what a name was meant for.
pub(super) fn refusal(module: &str, name: &str) -> ReadError {
    let full = quoted(&format!("{module}.{name}"));
    let is_network = ["torch.nn.modules", "torchvision.models", "timm.models"]
        .iter()
        .any(|known| module.starts_with(known));
    if is_network {
        return whole_network(&full);
    }
    unsupported(format!(
        "it mentions {full}, which no weights need and eyespot refuses, because such names can run code; in Python, if \
         you trust the file, save the weights alone with torch.save(model.state_dict(), PATH)"
    ))
}

/// The error for `torch.save(model)` where `torch.save(model.state_dict())` is needed.
pub(super) fn whole_network(what: &str) -> ReadError {
    unsupported(format!(
        "it holds a whole pickled network ({what}), not only its weights; in Python, save the weights with \
         torch.save(model.state_dict(), PATH)"
    ))
}
