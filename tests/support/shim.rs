//! A library in front of the C library's, which strikes at a change of the data directory: `shim.c`.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// It, for `LD_PRELOAD`; built once.
pub(crate) fn shim() -> &'static PathBuf {
    static SHIM: OnceLock<PathBuf> = OnceLock::new();
    SHIM.get_or_init(|| {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/shim.c");
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
        let library = directory.join("shim.so");
        // Another test may have the old one loaded.
        let beside = directory.join(format!("shim-{}.so", std::process::id()));
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&beside)
            .args([source, "-ldl", "-lpthread"])
            .status();
        assert!(built.unwrap().success());
        fs::rename(&beside, &library).unwrap();
        library
    })
}
