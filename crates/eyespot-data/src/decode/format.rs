//! Which format a file has, by its first bytes.

/// The formats that can be read, some only as a feature of the build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Jpeg,
    Png,
    WebP,
    Bmp,
    Tiff,
    Gif,
    Pnm,
    Qoi,
    Ico,
    Tga,
    #[cfg(feature = "jpeg2000")]
    Jpeg2000,
    #[cfg(feature = "jxl")]
    JpegXl,
}

impl Format {
    pub fn name(self) -> &'static str {
        match self {
            Format::Jpeg => "JPEG",
            Format::Png => "PNG",
            Format::WebP => "WebP",
            Format::Bmp => "BMP",
            Format::Tiff => "TIFF",
            Format::Gif => "GIF",
            Format::Pnm => "PNM",
            Format::Qoi => "QOI",
            Format::Ico => "ICO",
            Format::Tga => "TGA",
            #[cfg(feature = "jpeg2000")]
            Format::Jpeg2000 => "JPEG 2000",
            #[cfg(feature = "jxl")]
            Format::JpegXl => "JPEG XL",
        }
    }

    /// By the signature at the beginning.
    pub fn of(bytes: &[u8]) -> Option<Format> {
        Some(match bytes {
            [0xff, 0xd8, 0xff, ..] => Format::Jpeg,
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Format::Png,
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Format::WebP,
            // Canon's raw files are TIFF with a signature of their own behind.
            [b'I', b'I', 42, 0, _, _, _, _, b'C', b'R', ..] => return None,
            [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Format::Tiff,
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Format::Gif,
            [b'B', b'M', ..] => Format::Bmp,
            [b'P', b'1'..=b'7', b' ' | b'\t' | b'\r' | b'\n' | b'#', ..] => Format::Pnm,
            [b'q', b'o', b'i', b'f', ..] => Format::Qoi,
            // One to 255 images.
            [0, 0, 1, 0, 1..=255, 0, ..] => Format::Ico,
            #[cfg(feature = "jpeg2000")]
            [0, 0, 0, 12, b'j', b'P', b' ', b' ', ..] | [0xff, 0x4f, 0xff, 0x51, ..] => Format::Jpeg2000,
            #[cfg(feature = "jxl")]
            [0xff, 0x0a, ..] | [0, 0, 0, 12, b'J', b'X', b'L', b' ', ..] => Format::JpegXl,
            _ => return None,
        })
    }

    /// TGA has no signature: a header that makes sense is taken for one.
    pub fn tga(bytes: &[u8]) -> Option<Format> {
        let header: &[u8; 18] = bytes.first_chunk()?;
        let [_, has_map, kind, _, _, _, _, map_bits, _, _, _, _, w0, w1, h0, h1, bits, flags] = *header;
        let kinds = match (has_map, bits) {
            (1, 8) => matches!(kind, 1 | 9) && matches!(map_bits, 15 | 16 | 24 | 32),
            (0, 8) => matches!(kind, 3 | 11) && map_bits == 0,
            (0, 15 | 16 | 24 | 32) => matches!(kind, 2 | 10) && map_bits == 0,
            _ => false,
        };
        let sized = u16::from_le_bytes([w0, w1]) > 0 && u16::from_le_bytes([h0, h1]) > 0;
        (kinds && sized && flags & 0b1100_0000 == 0).then_some(Format::Tga)
    }
}
