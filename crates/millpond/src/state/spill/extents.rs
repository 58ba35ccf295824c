//! A file of extents: places of a few sizes that are written, read and used again.
//!
//! A *view* wants all extents as they stand at one moment, for as long as it takes another thread to read them. What a view
//! may see is not overwritten, nor used again, before the view is gone; what was written after it began is.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::scratch::{Folder, Scratch, failed_io};
use crate::error::Error;

/// Bytes of the smallest extents. Others are larger by a power of two.
pub(crate) const EXTENT_BYTES: usize = 4 << 10;

/// The file grows by so many of the smallest extents: what is first written in one go the system keeps in one piece of memory, where it is
/// found faster than in pages. In larger pieces it looks through all of one to write a part.
const GROWTH: u32 = 8;
static ZEROS: [u8; GROWTH as usize * EXTENT_BYTES] = [0; GROWTH as usize * EXTENT_BYTES];

/// A file of less is left as it is.
const SHRINK_FROM: u32 = 256;

/// A place in the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    /// Where it begins, in multiples of [`EXTENT_BYTES`].
    at: u32,
    /// The binary logarithm of its size, in the same unit.
    class: u8,
    /// How many bytes of it are in use.
    len: u32,
    /// How many views had begun when it was written.
    born: u32,
}

impl Extent {
    pub(crate) fn len(self) -> usize {
        self.len as usize
    }
}

/// The file, and which of its places are free. One thread writes.
pub(crate) struct Extents {
    file: Arc<ExtentFile>,
    /// One past the last place that was ever used.
    end: u32,
    /// How long the file is: a multiple of [`GROWTH`].
    grown: u32,
    /// Free places of each class.
    free: Vec<Vec<u32>>,
    /// How many views have begun.
    begun: u32,
    /// Those that may not be gone, oldest first, each with how many had begun before it.
    views: VecDeque<(u32, Arc<AtomicBool>)>,
    /// Places that only views may want still: how many of those had begun by then.
    retired: VecDeque<(u32, Extent)>,
}

/// What a view reads from; and that it does, until it is dropped.
pub(crate) struct View {
    file: Arc<ExtentFile>,
    gone: Arc<AtomicBool>,
}

struct ExtentFile {
    file: File,
    place: Folder,
}

impl Extents {
    pub(crate) fn create(scratch: &Arc<Scratch>) -> Result<Self, Error> {
        let (file, place) = scratch.file()?;
        Ok(Extents {
            file: Arc::new(ExtentFile { file, place }),
            end: 0,
            grown: 0,
            free: Vec::new(),
            begun: 0,
            views: VecDeque::new(),
            retired: VecDeque::new(),
        })
    }

    /// Reads an extent into `bytes`, which then has nothing else.
    #[inline]
    pub(crate) fn read(&self, extent: Extent, bytes: &mut Vec<u8>) -> Result<(), Error> {
        self.file.read(extent, bytes)
    }

    /// Writes `bytes`: in the place of `old`, if there is one and that can be; it is let go otherwise.
    pub(crate) fn write(&mut self, bytes: &[u8], old: Option<Extent>) -> Result<Extent, Error> {
        let len = u32::try_from(bytes.len()).map_err(|_| {
            Error::job("a key has more than 4 GiB of state, which cannot be put on disk: divide it")
        })?;
        let class = class(bytes.len());
        let at = match old {
            Some(old) if old.class == class && !self.is_seen(old) => old.at,
            old => {
                let at = self.allocate(class)?;
                old.into_iter().for_each(|old| self.free(old));
                at
            }
        };
        self.file.write(position(at), bytes)?;
        Ok(Extent { at, class, len, born: self.begun })
    }

    /// Overwrites an extent that no view may see with `bytes` for which it has room, of which those in `changed` are other than before.
    pub(crate) fn overwrite(&self, extent: Extent, bytes: &[u8], changed: Range<usize>) -> Result<Extent, Error> {
        self.file.write(position(extent.at) + changed.start as u64, &bytes[changed])?;
        Ok(Extent { len: bytes.len() as u32, ..extent })
    }

    /// Lets an extent go.
    pub(crate) fn free(&mut self, extent: Extent) {
        if self.is_seen(extent) {
            self.retired.push_back((self.begun, extent));
        } else {
            self.reuse(extent);
        }
    }

    /// Begins a view: what is there now stays until it is dropped.
    pub(crate) fn view(&mut self) -> View {
        self.forget_views();
        let gone = Arc::new(AtomicBool::new(false));
        self.views.push_back((self.begun, Arc::clone(&gone)));
        self.begun += 1;
        View { file: Arc::clone(&self.file), gone }
    }

    /// Gives the disk back what it can, when nothing is in use.
    pub(crate) fn shrink(&mut self) -> Result<(), Error> {
        self.forget_views();
        if self.end >= SHRINK_FROM && self.views.is_empty() {
            self.file.file.set_len(0).map_err(|error| failed_io(self.file.place.path(), &error))?;
            (self.end, self.grown, self.free) = (0, 0, Vec::new());
        }
        Ok(())
    }

    /// Memory that it takes, besides what it always does.
    pub(crate) fn pinned(&self) -> usize {
        let free = self.free.iter().map(|free| free.capacity() * size_of::<u32>()).sum::<usize>();
        free + self.retired.capacity() * size_of::<(u32, Extent)>()
    }

    /// Whether a view may see the extent.
    pub(crate) fn is_seen(&mut self, extent: Extent) -> bool {
        if self.views.is_empty() {
            return false;
        }
        self.forget_views();
        self.views.back().is_some_and(|(number, _)| extent.born <= *number)
    }

    /// Forgets views that are gone, and takes back what only they wanted.
    fn forget_views(&mut self) {
        // What the other thread has read, it has read before it said so.
        self.views.retain(|(_, gone)| !gone.load(Ordering::Acquire));
        let oldest = self.views.front().map_or(self.begun, |(number, _)| *number);
        while let Some((_, extent)) = self.retired.front().copied().filter(|(begun, _)| *begun <= oldest) {
            self.retired.pop_front();
            self.reuse(extent);
        }
    }

    fn reuse(&mut self, extent: Extent) {
        let class = usize::from(extent.class);
        if class >= self.free.len() {
            self.free.resize_with(class + 1, Vec::new);
        }
        self.free[class].push(extent.at);
    }

    fn allocate(&mut self, class: u8) -> Result<u32, Error> {
        if let Some(at) = self.free.get_mut(usize::from(class)).and_then(Vec::pop) {
            return Ok(at);
        }
        let at = self.end;
        let end = at.checked_add(1 << class).filter(|end| end.checked_next_multiple_of(GROWTH).is_some());
        let end = end.ok_or_else(|| Error::failed("a subtask has more than 16 TiB on disk"))?;
        self.end = end;
        if end > self.grown {
            self.grown = end.next_multiple_of(GROWTH);
            self.file.write(position(self.grown - GROWTH), &ZEROS)?;
        }
        Ok(at)
    }
}

impl View {
    /// Reads an extent that was there when the view began.
    pub(crate) fn read(&self, extent: Extent, bytes: &mut Vec<u8>) -> Result<(), Error> {
        self.file.read(extent, bytes)
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::Release);
    }
}

impl ExtentFile {
    fn read(&self, extent: Extent, bytes: &mut Vec<u8>) -> Result<(), Error> {
        bytes.resize(extent.len(), 0);
        read_at(&self.file, bytes, position(extent.at)).map_err(|error| failed_io(self.place.path(), &error))
    }

    fn write(&self, at: u64, bytes: &[u8]) -> Result<(), Error> {
        write_at(&self.file, bytes, at).map_err(|error| failed_io(self.place.path(), &error))
    }
}

/// The class of extents that hold so many bytes.
fn class(bytes: usize) -> u8 {
    // At most 20: lengths have 32 bits.
    bytes.div_ceil(EXTENT_BYTES).next_power_of_two().trailing_zeros() as u8
}

fn position(at: u32) -> u64 {
    u64::from(at) * EXTENT_BYTES as u64
}

#[cfg(unix)]
fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, at)
}

#[cfg(unix)]
fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(windows)]
fn read_at(file: &File, mut bytes: &mut [u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, bytes, at)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => (bytes, at) = (&mut bytes[read..], at + read as u64),
        }
    }
    Ok(())
}

#[cfg(windows)]
fn write_at(file: &File, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_write(file, bytes, at)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => (bytes, at) = (&bytes[written..], at + written as u64),
        }
    }
    Ok(())
}
