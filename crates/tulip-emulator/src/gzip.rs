//! gzip without compression.

/// Encodes `bytes` as a gzip member of stored blocks.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    const LONGEST: usize = u16::MAX as usize;
    // No name, no time, an unknown system.
    let mut out = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    let mut rest = bytes;
    loop {
        let (block, after) = rest.split_at(rest.len().min(LONGEST));
        rest = after;
        let length = u16::try_from(block.len()).unwrap_or(u16::MAX);
        out.push(u8::from(rest.is_empty()));
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(block);
        if rest.is_empty() {
            break;
        }
    }
    out.extend_from_slice(&crc32(bytes).to_le_bytes());
    // The length modulo 2^32.
    let [a, b, c, d, ..] = (bytes.len() as u64).to_le_bytes();
    out.extend_from_slice(&[a, b, c, d]);
    out
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 * (crc & 1))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_has_its_published_value() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }

    #[test]
    fn a_member_is_what_the_format_says() {
        let expected =
            b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x01\x03\0\xfc\xffabc\xc2\x41\x24\x35\x03\0\0\0";
        assert_eq!(gzip(b"abc"), expected);
        assert_eq!(gzip(b"").len(), 10 + 5 + 8);
        let long = gzip(&[7; 70_000]);
        assert_eq!(long.len(), 10 + 2 * 5 + 70_000 + 8);
        // The first block is not the last one, the second is.
        assert_eq!((long[10], long[10 + 5 + 65_535]), (0, 1));
    }
}
