//! Thrift's compact protocol, in which Parquet writes what is no data: to look at it before the decoder does, without allocating.

/// What is left of bytes. `None` means that they are malformed.
pub(super) struct Thrift<'a>(&'a [u8]);

// Types.
pub(super) const TRUE: u8 = 1;
pub(super) const FALSE: u8 = 2;
const BYTE: u8 = 3;
const I16: u8 = 4;
pub(super) const I32: u8 = 5;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
pub(super) const STRUCT: u8 = 12;

/// Structs and lists within each other, at most: a Parquet footer goes seven deep.
const MAX_DEPTH: usize = 16;

/// Checks what stands at the end of a Parquet file and says all that is known of it.
///
/// The decoder takes truth values in lists for nothing, and can be kept busy for long with so many of them as a number says. A
/// footer has no such lists.
pub(super) fn check_footer(file: &[u8]) -> Option<()> {
    let (rest, end) = file.split_last_chunk::<8>()?;
    let [length @ .., _, _, _, _] = *end;
    let length = usize::try_from(u32::from_le_bytes(length)).ok()?;
    Thrift::new(rest.get(rest.len().checked_sub(length)?..)?).pass(STRUCT)
}

impl<'a> Thrift<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Thrift(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Gives the number and type of each field of a struct to `each`, which reads it or passes over it. Numbers rise, so that
    /// none stands there twice.
    pub(super) fn fields(&mut self, mut each: impl FnMut(&mut Self, usize, u8) -> Option<()>) -> Option<()> {
        let mut last = 0;
        loop {
            let byte = self.byte()?;
            if byte == 0 {
                return Some(());
            }
            let field = match byte >> 4 {
                0 => usize::try_from(self.zigzag()?).ok()?,
                further => last + usize::from(further),
            };
            if field <= last || field > 64 {
                return None;
            }
            each(self, field, byte & 0x0f)?;
            last = field;
        }
    }

    /// Passes over a value of this type.
    pub(super) fn pass(&mut self, kind: u8) -> Option<()> {
        self.pass_within(kind, MAX_DEPTH)
    }

    fn pass_within(&mut self, kind: u8, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind {
            TRUE | FALSE => {}
            BYTE => drop(self.byte()?),
            I16 | I32 | I64 => drop(self.varint()?),
            DOUBLE => drop(self.take(8)?),
            BINARY => {
                let length = self.varint()?;
                self.take(usize::try_from(length).ok()?)?;
            }
            LIST | SET => {
                let head = self.byte()?;
                let length = if head >> 4 == 15 { self.varint()? } else { u64::from(head >> 4) };
                let kind = head & 0x0f;
                // Each takes a byte at least, so that a number that is too great is soon found out.
                if matches!(kind, TRUE | FALSE) {
                    return None;
                }
                (0..length).try_for_each(|_| self.pass_within(kind, depth))?;
            }
            STRUCT => self.fields(|this, _, kind| this.pass_within(kind, depth))?,
            // No struct of Parquet has a map.
            _ => return None,
        }
        Some(())
    }

    pub(super) fn zigzag(&mut self) -> Option<i64> {
        let number = self.varint()?;
        Some((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    pub(super) fn varint(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    pub(super) fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A struct of these bytes at the end of a file.
    fn footer(of: &[u8]) -> Vec<u8> {
        let mut file = of.to_vec();
        file.extend((of.len() as u32).to_le_bytes());
        file.extend(b"PAR1");
        file
    }

    #[test]
    fn a_footer_with_a_list_that_takes_no_room_is_refused() {
        // Field 3: four billion numbers, or truth values.
        let list = |kind: u8| footer(&[0x39, 0xf0 | kind, 0xff, 0xff, 0xff, 0xff, 0x0f, 0]);
        assert!(check_footer(&footer(&[0x39, 0x25, 2, 4, 0])).is_some());
        assert!(check_footer(&list(I32)).is_none() && check_footer(&list(TRUE)).is_none());
        assert!(check_footer(&list(STRUCT)).is_none() && check_footer(&list(0)).is_none());
        assert!(check_footer(&footer(&[0x3c; 20])).is_none(), "too deep");
        assert!(check_footer(b"short").is_none() && check_footer(&[0xff; 8]).is_none());
    }
}
