//! Lists and maps of a key, state that belongs to no key, and timers.
