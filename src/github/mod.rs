//! GitHub's own formats, turned into dayfly's words and then forgotten.

pub mod webhook;
