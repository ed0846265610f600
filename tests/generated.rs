//! What is generated, held against the judges that its users have: Terraform, the provider's schema,
//! and the engine that evaluates the policies.

#![expect(clippy::unwrap_used, reason = "a test may fail anywhere")]

mod generated {
    pub(crate) mod hostile_values;
    pub(crate) mod modules;
    pub(crate) mod policies;
    #[path = "../support/ref_names.rs"]
    pub(crate) mod ref_names;
    pub(crate) mod sample;
    pub(crate) mod terraform;
}
