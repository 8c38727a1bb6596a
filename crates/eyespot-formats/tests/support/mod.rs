//! Files for tests, byte by byte.
#![allow(dead_code, reason = "each test uses its own part")]

use std::path::PathBuf;

/// A file that PyTorch or safetensors wrote (scripts/reference/checkpoints.py).
pub fn committed(name: &str) -> Vec<u8> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data")).join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A safetensors file with any header.
pub fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    let length = (header.len() as u64).to_le_bytes();
    [&length, header.as_bytes(), data].concat()
}

/// One entry of a zip archive, with room for lies.
#[derive(Clone)]
pub struct Entry {
    pub name: String,
    pub data: Vec<u8>,
    pub method: u16,
    pub declared_size: u32,
    /// The size once unpacked, where that is another.
    pub unpacked_size: Option<u32>,
    /// Where the directory says the entry stands, if not where it does.
    pub declared_offset: Option<u32>,
}

pub fn entry(name: &str, data: &[u8]) -> Entry {
    let declared_size = data.len() as u32;
    Entry {
        name: name.to_owned(),
        data: data.to_vec(),
        method: 0,
        declared_size,
        unpacked_size: None,
        declared_offset: None,
    }
}

/// A zip archive (APPNOTE 4.3): local headers with data, the directory, its end.
pub fn zip(entries: &[Entry]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut directory = Vec::new();
    for entry in entries {
        let offset = entry.declared_offset.unwrap_or(file.len() as u32);
        let mut common = Vec::new();
        common.extend([20u16, 0, entry.method, 0, 0].iter().flat_map(|number| number.to_le_bytes()));
        common.extend(crc32(&entry.data).to_le_bytes());
        common.extend(entry.declared_size.to_le_bytes());
        common.extend(entry.unpacked_size.unwrap_or(entry.declared_size).to_le_bytes());
        common.extend((entry.name.len() as u16).to_le_bytes());
        common.extend(0u16.to_le_bytes());
        file.extend(b"PK\x03\x04");
        file.extend(&common);
        file.extend(entry.name.as_bytes());
        file.extend(&entry.data);
        directory.extend(b"PK\x01\x02\x14\x00");
        directory.extend(&common);
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(entry.name.as_bytes());
    }
    let start = file.len() as u32;
    file.extend(&directory);
    file.extend(b"PK\x05\x06\0\0\0\0");
    let count = (entries.len() as u16).to_le_bytes();
    file.extend([count, count].concat());
    file.extend((directory.len() as u32).to_le_bytes());
    file.extend(start.to_le_bytes());
    file.extend([0, 0]);
    file
}

/// A checkpoint with this description and one storage called `0`.
pub fn checkpoint(pickle: &[u8], storage: &[u8]) -> Vec<u8> {
    zip(&[entry("a/data.pkl", pickle), entry("a/data/0", storage)])
}

/// The checksum of zip archives, bit by bit (polynomial 0xedb88320).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |mut sum, &byte| {
        sum ^= u32::from(byte);
        for _ in 0..8 {
            sum = (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg());
        }
        sum
    })
}

/// Writes pickles, instruction by instruction.
#[derive(Default, Clone)]
pub struct Pickle(pub Vec<u8>);

impl Pickle {
    pub fn new() -> Self {
        Self(b"\x80\x02".to_vec())
    }

    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    pub fn text(self, text: &str) -> Self {
        let length = (text.len() as u32).to_le_bytes();
        self.raw(b"X").raw(&length).raw(text.as_bytes())
    }

    pub fn int(self, number: i64) -> Self {
        self.raw(b"\x8a\x08").raw(&number.to_le_bytes())
    }

    pub fn global(self, module: &str, name: &str) -> Self {
        self.raw(format!("c{module}\n{name}\n").as_bytes())
    }

    pub fn sizes(self, sizes: &[i64]) -> Self {
        sizes.iter().fold(self.raw(b"("), |pickle, &size| pickle.int(size)).raw(b"t")
    }

    /// A tensor in storage `0`.
    pub fn tensor(self, storage: (&str, i64), offset: i64, shape: &[i64], strides: &[i64]) -> Self {
        self.global("torch._utils", "_rebuild_tensor_v2")
            .raw(b"((")
            .text("storage")
            .global("torch", storage.0)
            .text("0")
            .text("cpu")
            .int(storage.1)
            .raw(b"tQ")
            .int(offset)
            .sizes(shape)
            .sizes(strides)
            .raw(b"\x89}tR")
    }

    /// A dict with one tensor `w` that has `numbers` floats in its storage.
    pub fn one_tensor(numbers: i64, offset: i64, shape: &[i64], strides: &[i64]) -> Vec<u8> {
        let float = ("FloatStorage", numbers);
        Self::new().raw(b"}").text("w").tensor(float, offset, shape, strides).raw(b"s.").0
    }
}
