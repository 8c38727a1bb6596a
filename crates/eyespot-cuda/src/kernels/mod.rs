//! This crate's own kernels, in CUDA C++, and what their signatures say.

use std::collections::HashMap;

const FILES: [(&str, &str); 6] = [
    ("pointwise.cu", include_str!("pointwise.cu")),
    ("batch_norm.cu", include_str!("batch_norm.cu")),
    ("pool.cu", include_str!("pool.cu")),
    ("rows.cu", include_str!("rows.cu")),
    ("move.cu", include_str!("move.cu")),
    ("weights.cu", include_str!("weights.cu")),
];

const CONVOLUTION: &str = include_str!("convolution.cu");

/// How activations are stored. Weights, statistics and gradients of weights are f32 beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Element {
    /// 32 bits.
    F32,
    /// The upper 16 bits of an f32.
    Bf16,
}

impl Element {
    /// Bytes of one number.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::Bf16 => 2,
        }
    }

    /// How many numbers the kernels read at once: 16 bytes.
    pub(crate) fn pack(self) -> usize {
        16 / self.bytes()
    }
}

/// All kernels as one source.
pub(crate) fn source(element: Element) -> String {
    let define = if element == Element::Bf16 { "#define ELEMENT_BF16\n" } else { "" };
    let mut source = format!("{define}{}", include_str!("prelude.cuh"));
    for (name, text) in FILES.into_iter().chain([("convolution.cu", CONVOLUTION)]) {
        source += &format!("\n#line 1 \"{name}\"\n{text}");
    }
    source
}

/// What a kernel takes in one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parameter {
    Pointer,
    U32,
    U64,
    F32,
}

/// The parameters of every kernel, read from the sources.
pub(crate) fn signatures() -> HashMap<String, Vec<Parameter>> {
    let texts = FILES.iter().map(|(_, text)| *text).chain([CONVOLUTION]);
    let mut signatures = HashMap::new();
    for definition in texts.flat_map(|text| text.split("extern \"C\" __global__ void ").skip(1)) {
        let Some((name, rest)) = definition.split_once('(') else { continue };
        let Some((parameters, _)) = rest.split_once(')') else { continue };
        signatures.insert(name.to_owned(), parameters.split(',').map(parameter).collect());
    }
    signatures
}

fn parameter(text: &str) -> Parameter {
    let text = text.trim();
    match text.split_once(' ') {
        _ if text.contains('*') => Parameter::Pointer,
        Some(("u32", _)) => Parameter::U32,
        Some(("u64", _)) => Parameter::U64,
        Some(("float", _)) => Parameter::F32,
        _ => panic!("the kernels take pointers, u32, u64 and float, not `{text}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_read_from_the_sources() {
        use Parameter::{F32, Pointer, U32, U64};
        let signatures = signatures();
        assert_eq!(signatures["add_v"], [Pointer, Pointer, Pointer, U32]);
        assert_eq!(signatures["dropout"], [Pointer, Pointer, Pointer, U64, U32, U32, F32, U32]);
        assert!(signatures.len() > 50);
    }
}
