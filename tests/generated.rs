//! What is generated, held against the judges that its users have: Terraform, the provider's schema,
//! and the engine that evaluates the policies.

mod generated {
    pub(crate) mod hostile_values;
    pub(crate) mod modules;
    pub(crate) mod policies;
    pub(crate) mod sample;
    pub(crate) mod terraform;
}
