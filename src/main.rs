//! The binary: everything it does stands in `dayfly::cli`.

use std::process::ExitCode;

/// A manager run makes millions of small values; the C library's allocator, most of all that of
/// static builds, takes longer to make and drop them than the evaluation itself.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    dayfly::cli::main()
}
