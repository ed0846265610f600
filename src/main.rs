//! The binary: everything it does stands in `dayfly::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    dayfly::cli::main()
}
