//! How an image is to be turned, from EXIF and XMP.

use image::metadata::Orientation;

/// EXIF's number; nonsense turns nothing.
pub(super) fn orientation(number: u64) -> Orientation {
    u8::try_from(number).ok().and_then(Orientation::from_exif).unwrap_or(Orientation::NoTransforms)
}

/// The orientation in EXIF data, which may begin with the six bytes that they have in JPEG.
pub(super) fn of_exif(data: &[u8]) -> Option<Orientation> {
    Orientation::from_exif_chunk(data.strip_prefix(b"Exif\0\0").unwrap_or(data))
}

/// The orientation in XMP: `tiff:Orientation` as an attribute or an element.
pub(super) fn of_xmp(xmp: &[u8]) -> Option<Orientation> {
    const NAME: &[u8] = b"tiff:Orientation";
    let mut rest = xmp;
    while let Some(place) = rest.windows(NAME.len()).position(|window| window == NAME) {
        rest = &rest[place + NAME.len()..];
        let mut value = rest.iter().copied().filter(|byte| !byte.is_ascii_whitespace());
        // `="6"`, `='6'` or `>6`.
        let digit = match value.next() {
            Some(b'=') => {
                value.next().filter(|quote| matches!(quote, b'"' | b'\'')).and_then(|_| value.next())
            }
            Some(b'>') => value.next(),
            _ => None,
        };
        if let Some(digit @ b'1'..=b'8') = digit {
            return Orientation::from_exif(digit - b'0');
        }
    }
    None
}

/// EXIF as ImageMagick puts it into PNG: a line with the name, one with the length, then hexadecimal digits.
pub(super) fn of_hex_profile(text: &[u8]) -> Option<Orientation> {
    let mut lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let (_name, _length) = (lines.next()?, lines.next()?);
    let digits: Vec<u8> =
        lines.flatten().filter_map(|byte| char::from(*byte).to_digit(16)).map(|digit| digit as u8).collect();
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    of_exif(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xmp_has_it_as_an_attribute_or_an_element() {
        let found = |xmp: &str| of_xmp(xmp.as_bytes());
        assert_eq!(found(r#"<rdf:Description tiff:Orientation="6"/>"#), Some(Orientation::Rotate90));
        assert_eq!(found("<rdf:Description tiff:Orientation = '3'/>"), Some(Orientation::Rotate180));
        assert_eq!(found("<tiff:Orientation>8</tiff:Orientation>"), Some(Orientation::Rotate270));
        assert_eq!(found(r#"tiff:Orientation="9" tiff:Orientation="#), None);
        assert_eq!(
            found(r#"<a tiff:Orientation="x"/><b tiff:Orientation="2"/>"#),
            Some(Orientation::FlipHorizontal)
        );
    }
}
