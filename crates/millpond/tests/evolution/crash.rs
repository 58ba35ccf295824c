//! A crash before, and after, the first snapshot of the new program.
