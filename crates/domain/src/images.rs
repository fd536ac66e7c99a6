//! Small pictures: what their bytes really are, and how large they may be.
//!
//! What somebody calls a picture counts for nothing: the kind follows from the bytes. Only three kinds that every browser
//! shows and that hold no scripts are taken.

use crate::words::words;

words! {
    /// The kind of a picture.
    ImageKind, NotAnImageKind, "a picture's kind" {
        /// PNG (ISO/IEC 15948).
        Png = "image/png",
        /// JPEG (ISO/IEC 10918-1).
        Jpeg = "image/jpeg",
        /// WebP (RFC 9649).
        Webp = "image/webp",
    }
}

/// What a picture's bytes tell of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Image {
    /// Its kind; the word is its media type.
    pub kind: ImageKind,
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
}

/// What a picture is for, and with that how large it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ImageUse {
    /// The square by which a service is recognised.
    Icon,
    /// A view of a service.
    Screenshot,
}

/// The most screenshots of a service.
pub const MOST_SCREENSHOTS: usize = 8;

/// The longest text that tells of a screenshot, in characters.
pub const ALT: usize = 300;

impl ImageUse {
    /// The most bytes.
    pub const fn most_bytes(self) -> u64 {
        match self {
            Self::Icon => 512 * 1024,
            Self::Screenshot => 3 * 1024 * 1024,
        }
    }

    /// The fewest and the most pixels of a side.
    const fn side(self) -> (u32, u32) {
        match self {
            Self::Icon => (64, 1024),
            Self::Screenshot => (320, 4096),
        }
    }

    /// Reads a picture and checks that it fits its use.
    ///
    /// # Errors
    /// [`BadImage`].
    pub fn check(self, bytes: &[u8]) -> Result<Image, BadImage> {
        let image = read(bytes)?;
        let (fewest, most) = self.side();
        let within = |side: u32| (fewest..=most).contains(&side);
        if !within(image.width) || !within(image.height) {
            return Err(BadImage::Side { width: image.width, height: image.height, fewest, most });
        }
        if self == Self::Icon && image.width != image.height {
            return Err(BadImage::NotSquare { width: image.width, height: image.height });
        }
        Ok(image)
    }
}

/// Why a picture is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadImage {
    /// The bytes are of no kind that is taken.
    #[error("send a picture as PNG, JPEG or WebP; other kinds, such as SVG and GIF, are not taken")]
    Unknown,
    /// The bytes begin like a picture but do not go on like one.
    #[error("this picture is broken: {0}")]
    Broken(&'static str),
    /// It moves.
    #[error("send a picture that does not move")]
    Moving,
    /// Too small or too large.
    #[error("this picture has {width} × {height} pixels; each side must have {fewest} to {most}")]
    Side {
        /// Its width.
        width: u32,
        /// Its height.
        height: u32,
        /// The fewest pixels of a side.
        fewest: u32,
        /// The most pixels of a side.
        most: u32,
    },
    /// An icon that is no square.
    #[error("an icon is a square; this picture has {width} × {height} pixels")]
    NotSquare {
        /// Its width.
        width: u32,
        /// Its height.
        height: u32,
    },
}

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Kind and size of a picture, from its bytes alone.
///
/// # Errors
/// [`BadImage::Unknown`], [`BadImage::Broken`], [`BadImage::Moving`].
pub fn read(bytes: &[u8]) -> Result<Image, BadImage> {
    if bytes.starts_with(PNG) {
        png(bytes)
    } else if bytes.starts_with(&[0xff, 0xd8, 0xff]) {
        jpeg(bytes)
    } else if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WEBP".as_slice()) {
        webp(bytes)
    } else {
        Err(BadImage::Unknown)
    }
}

fn four_big(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn four_little(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

fn two_big(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from(u16::from_be_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?)))
}

fn two_little(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from(u16::from_le_bytes(bytes.get(at..at.checked_add(2)?)?.try_into().ok()?)))
}

fn three_little(bytes: &[u8], at: usize) -> Option<u32> {
    let three = bytes.get(at..at.checked_add(3)?)?;
    Some(three.iter().rev().fold(0, |sum, byte| (sum << 8) | u32::from(*byte)))
}

fn sized(kind: ImageKind, width: Option<u32>, height: Option<u32>) -> Result<Image, BadImage> {
    match (width, height) {
        (Some(width), Some(height)) if width > 0 && height > 0 => Ok(Image { kind, width, height }),
        _ => Err(BadImage::Broken("it does not say how large it is")),
    }
}

/// The header comes first; a picture that moves says so before its first pixels.
fn png(bytes: &[u8]) -> Result<Image, BadImage> {
    if bytes.get(12..16) != Some(b"IHDR".as_slice()) {
        return Err(BadImage::Broken("a PNG begins with its header"));
    }
    let image = sized(ImageKind::Png, four_big(bytes, 16), four_big(bytes, 20))?;
    let mut at = PNG.len();
    loop {
        let length = four_big(bytes, at).and_then(|length| usize::try_from(length).ok());
        let name = bytes.get(at + 4..at + 8);
        match (length, name) {
            (Some(_), Some(b"acTL")) => return Err(BadImage::Moving),
            (Some(_), Some(b"IDAT")) => return Ok(image),
            (Some(length), Some(_)) => at = at.saturating_add(length).saturating_add(12),
            _ => return Err(BadImage::Broken("a PNG has pixels")),
        }
    }
}

/// The size stands in the first frame header among the segments.
fn jpeg(bytes: &[u8]) -> Result<Image, BadImage> {
    let mut at = 2;
    loop {
        let Some(&[0xff, marker]) = bytes.get(at..at + 2) else { return Err(BadImage::Broken("its segments break off")) };
        match marker {
            // Bytes that fill up, and markers without a segment.
            0xff => at += 1,
            0x01 | 0xd0..=0xd7 => at += 2,
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                return sized(ImageKind::Jpeg, two_big(bytes, at + 7), two_big(bytes, at + 5));
            }
            // The pixels, or the end, before any size.
            0xd9 | 0xda => return Err(BadImage::Broken("it does not say how large it is")),
            _ => {
                let length = two_big(bytes, at + 2).and_then(|length| usize::try_from(length).ok()).filter(|length| *length >= 2);
                at += 2 + length.ok_or(BadImage::Broken("its segments break off"))?;
            }
        }
    }
}

fn webp(bytes: &[u8]) -> Result<Image, BadImage> {
    match bytes.get(12..16) {
        Some(b"VP8 ") if bytes.get(23..26) == Some(&[0x9d, 0x01, 0x2a]) => {
            let side = |at| two_little(bytes, at).map(|side| side & 0x3fff);
            sized(ImageKind::Webp, side(26), side(28))
        }
        Some(b"VP8L") if bytes.get(20) == Some(&0x2f) => {
            let bits = four_little(bytes, 21);
            let side = |shift: u32| bits.map(|bits| ((bits >> shift) & 0x3fff) + 1);
            sized(ImageKind::Webp, side(0), side(14))
        }
        Some(b"VP8X") => {
            let flags = bytes.get(20).copied().unwrap_or(0);
            if flags & 0b10 != 0 {
                return Err(BadImage::Moving);
            }
            let side = |at| three_little(bytes, at).map(|side| side + 1);
            sized(ImageKind::Webp, side(24), side(27))
        }
        _ => Err(BadImage::Broken("a WebP begins with its picture")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png_of(width: u32, height: u32, more: &[&[u8; 4]]) -> Vec<u8> {
        let mut bytes = PNG.to_vec();
        bytes.extend([0, 0, 0, 13]);
        bytes.extend(b"IHDR");
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes.extend([8, 6, 0, 0, 0, 0, 0, 0, 0]);
        for name in more {
            bytes.extend([0, 0, 0, 1]);
            bytes.extend(*name);
            bytes.extend([0, 0, 0, 0, 0]);
        }
        bytes
    }

    fn jpeg_of(width: u16, height: u16) -> Vec<u8> {
        let mut bytes = vec![0xff, 0xd8, 0xff, 0xe0, 0, 4, 1, 2, 0xff, 0xff, 0xc2, 0, 11, 8];
        bytes.extend(height.to_be_bytes());
        bytes.extend(width.to_be_bytes());
        bytes.extend([1, 0, 0, 0]);
        bytes
    }

    fn webp_of(chunk: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let mut bytes = b"RIFF\0\0\0\0WEBP".to_vec();
        bytes.extend(chunk);
        bytes.extend([0, 0, 0, 0]);
        bytes.extend(body);
        bytes
    }

    #[test]
    fn the_three_kinds_tell_their_size() {
        let image = |kind, width, height| Ok(Image { kind, width, height });
        assert_eq!(read(&png_of(256, 128, &[b"tEXt", b"IDAT"])), image(ImageKind::Png, 256, 128));
        assert_eq!(read(&jpeg_of(640, 480)), image(ImageKind::Jpeg, 640, 480));
        let lossy = [0, 0, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0xe0, 0x41];
        assert_eq!(read(&webp_of(b"VP8 ", &lossy)), image(ImageKind::Webp, 640, 480));
        let lossless = ((640_u32 - 1) | ((480 - 1) << 14)).to_le_bytes();
        assert_eq!(read(&webp_of(b"VP8L", &[&[0x2f], lossless.as_slice()].concat())), image(ImageKind::Webp, 640, 480));
        assert_eq!(read(&webp_of(b"VP8X", &[0, 0, 0, 0, 0x7f, 2, 0, 0xdf, 1, 0])), image(ImageKind::Webp, 640, 480));
    }

    #[test]
    fn what_is_no_picture_or_moves_is_refused() {
        for other in ["<svg xmlns='http://www.w3.org/2000/svg'/>", "GIF89a", "<!doctype html>", "", "RIFF....WAVE"] {
            assert_eq!(read(other.as_bytes()), Err(BadImage::Unknown), "{other}");
        }
        assert_eq!(read(&png_of(64, 64, &[b"acTL", b"IDAT"])), Err(BadImage::Moving));
        assert_eq!(read(&webp_of(b"VP8X", &[2, 0, 0, 0, 0, 0, 0, 0, 0, 0])), Err(BadImage::Moving));
        assert!(matches!(read(&png_of(64, 64, &[])), Err(BadImage::Broken(_))));
        assert!(matches!(read(&png_of(0, 64, &[b"IDAT"])), Err(BadImage::Broken(_))));
    }

    #[test]
    fn an_icon_is_a_small_square_and_a_screenshot_is_not_tiny() {
        let check = |used: ImageUse, width, height| used.check(&png_of(width, height, &[b"IDAT"]));
        assert!(check(ImageUse::Icon, 512, 512).is_ok());
        assert_eq!(check(ImageUse::Icon, 512, 256), Err(BadImage::NotSquare { width: 512, height: 256 }));
        assert!(matches!(check(ImageUse::Icon, 32, 32), Err(BadImage::Side { .. })));
        assert!(check(ImageUse::Screenshot, 1280, 800).is_ok());
        let told = check(ImageUse::Screenshot, 9000, 800).unwrap_err().to_string();
        assert_eq!(told, "this picture has 9000 × 800 pixels; each side must have 320 to 4096");
    }

    proptest::proptest! {
        #[test]
        fn whatever_the_bytes_are_reading_them_ends(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200), kind in 0..4_usize) {
            let start: [&[u8]; 4] = [PNG, &[0xff, 0xd8, 0xff], b"RIFF\0\0\0\0WEBPVP8X", b""];
            let mut whole = start[kind].to_vec();
            whole.extend(bytes);
            if let Ok(image) = read(&whole) {
                proptest::prop_assert!(image.width > 0 && image.height > 0);
            }
        }
    }
}
