//! Where the bytes of a key gather: on the stack while they are few, which they nearly always are.

const INLINE: usize = 64;

/// A byte buffer that reaches for the heap only past [`INLINE`] bytes.
pub(super) struct Buffer {
    len: usize,
    inline: [u8; INLINE],
    spilled: Vec<u8>,
}

impl Buffer {
    #[inline]
    pub(super) fn new() -> Self {
        Buffer { len: 0, inline: [0; INLINE], spilled: Vec::new() }
    }

    #[inline]
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        if end <= INLINE {
            self.inline[self.len..end].copy_from_slice(bytes);
        } else {
            self.spill(bytes);
        }
        self.len = end;
    }

    #[cold]
    fn spill(&mut self, bytes: &[u8]) {
        if self.spilled.is_empty() {
            self.spilled.extend_from_slice(&self.inline[..self.len]);
        }
        self.spilled.extend_from_slice(bytes);
    }

    /// Overwrites eight bytes that were pushed before.
    pub(super) fn patch(&mut self, at: usize, bytes: [u8; 8]) {
        let target = if self.len <= INLINE { &mut self.inline[..] } else { &mut self.spilled[..] };
        target[at..at + 8].copy_from_slice(&bytes);
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    #[inline]
    pub(super) fn as_slice(&self) -> &[u8] {
        if self.len <= INLINE { &self.inline[..self.len] } else { &self.spilled }
    }
}
