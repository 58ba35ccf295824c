//! Jobs to read, run and copy; each folder beside this one is a program.
