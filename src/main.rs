//! The binary: everything it does stands in `dayfly::cli`.

use std::process::ExitCode;

/// A manager run makes millions of small values; the C library's allocator, most of all that of
/// static builds, takes longer to make and drop them than the evaluation itself. It asks for no huge
/// pages: a small apply took 20 MB for little that it held, as each thread begins some of them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    dayfly::cli::main()
}
